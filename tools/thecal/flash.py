"""Deploy a build to a board with mpremote, and prove on the board that every byte arrived (F14).

mpremote's defaults about soft resets changed between its versions, so each call spells out what it wants: one
`soft-reset`, which runs boot.py but not main.py, then `resume`. The device's manifest is removed first and
comes back last: a pump whose deployment was interrupted has none, and refuses to run.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from thecal.build import COMPILED, MANIFEST_NAME, VERBATIM, BuildError, Manifest, load_build, sha256
from thecal.paths import FIRMWARE_BUILD

# Called with one line of text a step.
Report = Callable[[str], None]

_REPL_TIMEOUT_S = 30
_COPY_TIMEOUT_S = 300
_SHOWN_LINES = 12
_CODE_SUFFIXES = (".py", ".mpy")

# What runs on the board prints one fact a line: a keyword, a value, the rest is a path. Nothing of it changes
# the board.
_INSPECT = """
import os, sys
print("version", "%d.%d.%d" % sys.implementation[1][:3])
for d in DIRECTORIES:
    try:
        for e in os.ilistdir("/" + d):
            if e[1] == 0x8000:
                print("file", 0, d + "/" + e[0] if d else e[0])
    except OSError:
        print("absent", 0, d)
"""
_REMOVE = """
import os
for p in PATHS:
    os.remove("/" + p)
"""
# 512 bytes at a time: a file may be larger than the largest free block of the heap.
_HASH = """
import binascii, hashlib
b = bytearray(512)
m = memoryview(b)
for p in PATHS:
    h = hashlib.sha256()
    try:
        with open("/" + p, "rb") as f:
            while True:
                n = f.readinto(b)
                if not n:
                    break
                h.update(m[:n])
        print("hash", binascii.hexlify(h.digest()).decode(), p)
    except OSError:
        print("hash", "missing", p)
"""


class FlashError(Exception):
    """Flashing failed. `exit_status` is for the command line: 1 refused, 2 wrong use, 3 no pump."""

    exit_status = 1


class NoBuildError(FlashError):
    """There is nothing that could be flashed."""

    exit_status = 2


class NoPumpError(FlashError):
    """No pump at the port, or one that does not let itself be flashed."""

    exit_status = 3


class MismatchError(FlashError):
    """A file on the board is not the file of the build."""


@dataclass(frozen=True)
class FlashReport:
    """What was deployed. `unchanged` of the `files` were on the board already; `removed` was old code."""

    port: str
    version: str
    micropython: str
    files: int
    size: int
    unchanged: int
    removed: tuple[str, ...]


def flash(port: str, build_dir: Path = FIRMWARE_BUILD, report: Report = print) -> FlashReport:
    """Deploy `build_dir` to the board at `port`, verify it there and restart the board.

    Raises NoBuildError, NoPumpError, MismatchError, or FlashError for anything else that went wrong.
    """
    try:
        manifest = load_build(build_dir)
    except BuildError as error:
        raise NoBuildError(str(error)) from error
    if port.startswith("/") and not Path(port).exists():
        raise NoPumpError(f"there is no port {port}")
    board = _Board(port)
    report(f"stopping the program on {port}")
    board.call("soft-reset", resume=False)
    removed = _clear(board, manifest, report)
    report(f"copying {len(manifest.files)} files")
    unchanged = _copy(board, build_dir)
    report("verifying on the board")
    _verify(board, manifest.files)
    board.call("fs", "cp", str(build_dir / MANIFEST_NAME), f":/{MANIFEST_NAME}", timeout=_COPY_TIMEOUT_S)
    _verify(board, {MANIFEST_NAME: sha256(build_dir / MANIFEST_NAME)})
    report("restarting the board")
    board.call("reset")
    size = sum((build_dir / path).stat().st_size for path in manifest.files)
    return FlashReport(
        port, manifest.version, manifest.micropython, len(manifest.files), size, unchanged, tuple(removed)
    )


class _Board:
    """The board, as far as mpremote reaches it. Every call is bounded in time."""

    def __init__(self, port: str) -> None:
        self.port = port

    def call(self, *arguments: str, resume: bool = True, timeout: float = _REPL_TIMEOUT_S) -> str:
        """Run one mpremote command; returns what it printed. Raises NoPumpError or FlashError."""
        session = ["connect", self.port, *(["resume"] if resume else [])]
        command = [sys.executable, "-m", "mpremote", *session, *arguments]
        try:
            # mpremote waits without an end on a pseudo-terminal that says nothing: the limit must be ours.
            result = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            raise NoPumpError(self._mute(f"no answer within {timeout:g} s")) from None
        if result.returncode == 0:
            return result.stdout
        lines = result.stdout.strip().splitlines()[-_SHOWN_LINES:]
        if any("failed to access" in line or "no device" in line for line in lines):
            raise NoPumpError(f"{self.port} cannot be opened: {lines[-1]}")
        if any("could not enter raw repl" in line for line in lines):
            raise NoPumpError(self._mute("it does not enter the raw REPL"))
        raise FlashError("\n  ".join([f"mpremote {arguments[0]} failed on {self.port}:", *lines]))

    def execute(self, script: str, **names: object) -> dict[str, list[tuple[str, str]]]:
        """Run a script with `names` defined; returns the printed facts as keyword -> (value, path)."""
        defined = "".join(f"{name} = {value!r}\n" for name, value in names.items())
        facts: dict[str, list[tuple[str, str]]] = {}
        for line in self.call("exec", defined + script, timeout=_COPY_TIMEOUT_S).splitlines():
            keyword, value, path = (*line.split(" ", 2), "", "")[:3]
            facts.setdefault(keyword, []).append((value, path))
        return facts

    def _mute(self, what: str) -> str:
        return (
            f"the pump at {self.port} does not let itself be flashed: {what}. A running pump never does."
            " Hold the SERVICE strap (GP14) low, switch the pump off and on, and flash again"
        )


def _clear(board: _Board, manifest: Manifest, report: Report) -> list[str]:
    """Remove the device's manifest and all code that is not in the new one; returns the removed code files.

    Old code would not just lie around: MicroPython prefers a stale x.py to the new x.mpy beside it.
    """
    facts = board.execute(_INSPECT, DIRECTORIES=["", *COMPILED])
    version = facts.get("version", [("unknown", "")])[0][0]
    if version != manifest.micropython:
        raise FlashError(
            f"the board runs MicroPython {version}, the build is for {manifest.micropython}:"
            " put the image from `make image` on the board first"
        )
    present = [path for _, path in facts.get("file", [])]
    stale = sorted(path for path in present if path.endswith(_CODE_SUFFIXES) and path not in manifest.files)
    doomed = [path for path in present if path == MANIFEST_NAME] + stale
    if doomed:
        board.execute(_REMOVE, PATHS=doomed)
    for path in stale:
        report(f"removed {path}, which is not part of this build")
    return stale


def _copy(board: _Board, build_dir: Path) -> int:
    """Copy all but the manifest; returns how many files were there already (mpremote compares hashes)."""
    sources = [str(build_dir / name) for name in (*COMPILED, *VERBATIM)]
    output = board.call("fs", "cp", "-r", *sources, ":/", timeout=_COPY_TIMEOUT_S)
    return sum(line.startswith("Up to date") for line in output.splitlines())


def _verify(board: _Board, files: dict[str, str]) -> None:
    """Let the board hash the files. Raises MismatchError naming the first wrong one, with both hashes."""
    facts = board.execute(_HASH, PATHS=sorted(files))
    on_board = {path: value for value, path in facts.get("hash", [])}
    for path, expected in sorted(files.items()):
        actual = on_board.get(path, "not reported")
        if actual != expected:
            raise MismatchError(f"{path} on the board: SHA-256 {actual}, in the build {expected}")
