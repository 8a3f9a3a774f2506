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


def test_an_import_reads_every_module_as_it_was_compiled(packed: Path, tmp_path: Path) -> None:
    """Bytecode says itself where it ends."""
    modules = Modules(str(packed))
    assert len(NAMES) > 50
    for name in reversed(NAMES):
        compile_module(ROOT / f"{FOLDERS[name]}/{name}.py", f"{FOLDERS[name]}/{name}.py", tmp_path / "one.mpy")
        compiled = (tmp_path / "one.mpy").read_bytes()
        stream = modules.open(f"/{name}.mpy", "rb")
        assert stream.ioctl(11, 0) == 255  # MP_STREAM_GET_BUFFER_SIZE
        assert stream.ioctl(4, 0) == 0  # MP_STREAM_CLOSE: the file stays open
        read = bytearray()
        while len(read) < len(compiled):
            piece = bytearray(255)
            count = stream.readinto(piece)
            assert count
            read += piece[:count]
        assert read[: len(compiled)] == compiled, name
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
    assert (tmp_path / MODULES_NAME).read_bytes() == b"\x1c\0/a.mpy:000030 /b.mpy:000033 xyz"
    assert [path.name for path in sorted(folder.iterdir())] == ["image.mpy", "modules.pack"]
