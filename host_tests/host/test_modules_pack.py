"""One file of the deployment holds all modules of the application: what an import reads of it is what was compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from thecal.build import COMPILED, LOOSE, MODULES_NAME, build, compile_module, pack_modules
from thecal.paths import ROOT
from thecal.programming import firmware

pytestmark = pytest.mark.requirement("F14", "R25")

Modules = firmware("image").Modules
FOLDERS = {path.stem: path.parent.name for folder in COMPILED for path in (ROOT / folder).glob("*.py")}
NAMES = sorted(name for name, folder in FOLDERS.items() if f"{folder}/{name}" not in LOOSE)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("build") / "firmware"
    build(target=target)
    return target / MODULES_NAME


@pytest.mark.parametrize("whole", [True, False])
def test_an_import_reads_every_module_as_it_was_compiled(packed: Path, tmp_path: Path, whole: bool) -> None:
    modules = Modules(str(packed))
    modules.whole = whole
    assert len(NAMES) > 50
    for name in reversed(NAMES):
        compile_module(ROOT / f"{FOLDERS[name]}/{name}.py", f"{FOLDERS[name]}/{name}.py", tmp_path / "one.mpy")
        compiled = (tmp_path / "one.mpy").read_bytes()
        with modules.open(f"/{name}.mpy", "rb") as file:
            assert file.read(len(compiled)) == compiled
            assert file.read(1) == b"" or not whole  # bytecode says itself where it ends
    modules.umount()


def test_an_import_finds_those_modules_and_nothing_else(packed: Path) -> None:
    modules = Modules(str(packed))
    for name in NAMES:
        assert modules.stat(f"/{name}.mpy")[0] == 0x8000
    for path in ("/app", "/app.py", "/struct.mpy", "/image.mpy", "/", "", "app.mpy", "//app.mpy", "/app.mpy:"):
        with pytest.raises(OSError, match="2"):
            modules.stat(path)
    modules.umount()


def test_a_file_of_no_module_and_one_of_an_empty_module(tmp_path: Path) -> None:
    folder = tmp_path / "firmware"
    folder.mkdir()
    pack_modules(tmp_path)
    assert (tmp_path / MODULES_NAME).read_bytes() == b"\0\0"
    (folder / "b.mpy").write_bytes(b"")
    (folder / "a.mpy").write_bytes(b"xyz")
    (folder / "image.mpy").write_bytes(b"loose")
    pack_modules(tmp_path)
    assert (tmp_path / MODULES_NAME).read_bytes() == b"\x2a\0/a.mpy:000044:00003 /b.mpy:000047:00000 xyz"
    assert [path.name for path in sorted(folder.iterdir())] == ["image.mpy", "modules.pack"]
