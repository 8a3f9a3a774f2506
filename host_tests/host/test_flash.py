"""Flashing a board that a directory plays: what is done in which order, and what every failure leaves behind.

The scripts for the board run here on CPython, with that directory as the root of their file system.
"""

from __future__ import annotations

import builtins
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from thecal import flash as module
from thecal.build import build, sha256
from thecal.flash import FlashError, FlashReport, MismatchError, NoBuildError, NoPumpError, flash

pytestmark = pytest.mark.requirement("F14")

PORT = "COM7"


def silent(text: str) -> None:
    """Neither report nor disturb anything."""


class FakeBoard(module._Board):
    """A board whose flash is a directory. `done` lists what changed it; `sabotage` runs after each change."""

    root: ClassVar[Path]
    done: ClassVar[list[str]]
    version: ClassVar[tuple[int, int, int]]
    sabotage: ClassVar[Callable[[str], None]]

    def call(self, *arguments: str, resume: bool = True, timeout: float = 0) -> str:
        assert resume == (arguments != ("soft-reset",)), "one soft reset, then resume"
        printed: list[str] = []
        before = len(self.done)
        if arguments[0] == "exec":
            self._run(arguments[1], printed)
        elif arguments[:2] == ("fs", "cp"):
            self._copy([Path(path) for path in arguments[2:-1] if path != "-r"], arguments[-1])
        else:
            self.done.append(arguments[0])
        if len(self.done) > before:
            type(self).sabotage(self.done[-1])
        return "".join(printed)

    def _copy(self, sources: list[Path], target: str) -> None:
        assert target.startswith(":/")
        for source in sources:
            self.done.append(f"copy {source.name}")
            if source.is_dir():
                shutil.copytree(source, self.root / source.name, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, self.root / source.name)

    def _run(self, script: str, printed: list[str]) -> None:
        def inside(path: str) -> Path:
            assert path.startswith("/")
            return self.root / path[1:]

        def ilistdir(path: str) -> Iterator[tuple[str, int]]:
            yield from ((p.name, 0x8000 if p.is_file() else 0x4000) for p in inside(path).iterdir())

        def remove(path: str) -> None:
            self.done.append(f"remove {path}")
            inside(path).unlink()

        micropython: dict[str, Any] = {
            "os": SimpleNamespace(ilistdir=ilistdir, remove=remove),
            "sys": SimpleNamespace(implementation=("micropython", (*self.version, ""))),
        }

        def fake_import(name: str, *rest: Any) -> ModuleType:
            return micropython.get(name) or __import__(name, *rest)

        replaced = {
            "__import__": fake_import,
            "open": lambda path, mode: inside(path).open(mode),
            "print": lambda *words: printed.append(" ".join(map(str, words)) + "\n"),
        }
        exec(script, {"__builtins__": {**vars(builtins), **replaced}})  # noqa: S102 - the script is ours


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[FakeBoard]:
    """An empty board at PORT, which flash() finds instead of a real one."""

    class Board(FakeBoard):
        root = tmp_path / "flash"
        done = []
        version = (1, 25, 0)
        sabotage = silent

    Board.root.mkdir()
    monkeypatch.setattr(module, "_Board", Board)
    return Board


@pytest.fixture
def built(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for path in ("boot.py", "main.py", "lib/watchdog.py", "lib/part.py", "firmware/app.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        # Longer than one piece of the hashing, so that a mistake at the seams shows.
        (root / path).write_text(f"NAME = {path * 200!r}\n")
    build(root, tmp_path / "build")
    return tmp_path / "build"


def content_of(directory: Path) -> dict[str, bytes]:
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_an_empty_board_holds_exactly_the_build_afterwards(board: type[FakeBoard], built: Path) -> None:
    report = flash(PORT, built, silent)
    assert content_of(board.root) == content_of(built)
    size = sum(len(data) for path, data in content_of(built).items() if path != "manifest.json")
    assert report == FlashReport(PORT, "0.1.0", "1.25.0", 4, size, 0, ())


def test_a_soft_reset_begins_it_the_manifest_comes_last_and_a_reset_ends_it(
    board: type[FakeBoard], built: Path
) -> None:
    flash(PORT, built, silent)
    copies = ["copy lib", "copy firmware", "copy boot.py", "copy main.py"]
    assert board.done == ["soft-reset", *copies, "copy manifest.json", "reset"]


def test_old_code_is_removed_and_all_else_on_the_board_is_left_alone(board: type[FakeBoard], built: Path) -> None:
    old = ["app.py", "lib/part.py", "firmware/app.py", "firmware/gone.mpy", "lib/gone.py"]
    kept = ["notes.txt", "lib/table.bin", "data/log.py"]
    for path in old + kept:
        (board.root / path).parent.mkdir(parents=True, exist_ok=True)
        (board.root / path).write_text("old")
    report = flash(PORT, built, silent)
    assert report.removed == tuple(sorted(old))
    assert set(content_of(board.root)) == {*content_of(built), *kept}


def test_reflashing_takes_the_manifest_away_before_anything_changes(board: type[FakeBoard], built: Path) -> None:
    flash(PORT, built, silent)
    (board.root / "lib/old.py").write_text("")
    board.done.clear()
    flash(PORT, built, silent)
    assert board.done[:3] == ["soft-reset", "remove /manifest.json", "remove /lib/old.py"]
    assert content_of(board.root) == content_of(built)


@pytest.mark.parametrize("last", ["remove /manifest.json", "copy main.py", "copy manifest.json"])
def test_an_interruption_before_the_end_never_leaves_a_manifest_over_unproven_files(
    board: type[FakeBoard], built: Path, last: str
) -> None:
    def cut(command: str) -> None:
        if command == last:
            raise FlashError("the cable was pulled")

    flash(PORT, built, silent)
    board.sabotage = cut
    with pytest.raises(FlashError, match="cable"):
        flash(PORT, built, silent)
    left = content_of(board.root)
    assert "manifest.json" not in left or left == content_of(built)
    assert board.done[-1] == last


@pytest.mark.parametrize("path", ["boot.py", "main.py", "lib/watchdog.mpy", "firmware/modules.pack", "manifest.json"])
@pytest.mark.parametrize("damage", ["changed", "short", "missing"])
def test_a_file_that_did_not_arrive_is_named_with_both_hashes_and_the_pump_is_not_started(
    board: type[FakeBoard], built: Path, path: str, damage: str
) -> None:
    def spoil(command: str) -> None:
        target = board.root / path
        if command == ("copy manifest.json" if path == "manifest.json" else "copy main.py") and target.exists():
            data = target.read_bytes()
            target.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if damage == "changed" else data[:-1])
            if damage == "missing":
                target.unlink()

    board.sabotage = spoil
    with pytest.raises(MismatchError) as caught:
        flash(PORT, built, silent)
    assert caught.value.exit_status == 1
    actual = "missing" if damage == "missing" else sha256(board.root / path)
    assert str(caught.value) == f"{path} on the board: SHA-256 {actual}, in the build {sha256(built / path)}"
    assert "reset" not in board.done


def test_a_board_with_another_micropython_is_refused_and_not_touched(board: type[FakeBoard], built: Path) -> None:
    flash(PORT, built, silent)
    (board.root / "lib/old.py").write_text("")
    before = content_of(board.root)
    board.version = (1, 24, 1)
    with pytest.raises(FlashError, match=r"runs MicroPython 1\.24\.1, the build is for 1\.25\.0") as caught:
        flash(PORT, built, silent)
    assert caught.value.exit_status == 1
    assert content_of(board.root) == before


def test_a_damaged_build_is_refused_before_the_board_is_touched(board: type[FakeBoard], built: Path) -> None:
    (built / "main.py").write_text("changed after the build\n")
    with pytest.raises(NoBuildError, match=r"main\.py") as caught:
        flash(PORT, built, silent)
    assert caught.value.exit_status == 2
    assert board.done == []


def test_a_port_that_does_not_exist_is_no_pump(built: Path, tmp_path: Path) -> None:
    with pytest.raises(NoPumpError, match=f"there is no port {tmp_path}/tty") as caught:
        flash(f"{tmp_path}/tty", built, silent)
    assert caught.value.exit_status == 3
