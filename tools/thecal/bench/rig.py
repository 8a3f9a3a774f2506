"""An emulated board with a measuring script in the place of main.py, and what the script reports."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from littlefs import LittleFS

from thecal.build import LITTLEFS_BLOCK_BYTES, LITTLEFS_BLOCKS, build, littlefs_image
from thecal.emulated.board import EmulatedBoard
from thecal.scenario import Scenario, parse_scenario
from thecal.sim import make_bench

MS = 1_000_000
S = 1_000_000_000
HERE = Path(__file__).resolve().parent
_SLICE_NS = S // 4


class MeasurementError(Exception):
    """A measurement came to no result; the message says what the pump said instead."""


def compiled_firmware() -> bytes:
    """The flash of a Pico with the firmware of this checkout, compiled now."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "firmware"
        build(target=directory)
        return littlefs_image(directory)


def with_script(flash: bytes, scripts: Iterable[Path], main: str) -> bytes:
    """The same flash with these modules added in its root and `main` as main.py."""
    fs = LittleFS(block_size=LITTLEFS_BLOCK_BYTES, block_count=LITTLEFS_BLOCKS, mount=False)
    fs.context.buffer = bytearray(flash)
    fs.mount()
    for script in scripts:
        with fs.open(script.name, "wb") as file:
            file.write(script.read_bytes())
    with fs.open("main.py", "wb") as file:
        file.write(main.encode())
    fs.unmount()
    return bytes(fs.context.buffer)


def continuous(rate: str, start: str = "2026-03-02T00:00:00", **pump: Any) -> Scenario:
    """A pump that gives saline at one rate. pump: values of a scenario's [pump]."""
    return therapy({"mode": "continuous", "basal": rate}, start, **pump)


def therapy(prescription: dict[str, Any], start: str = "2026-03-02T00:00:00", **pump: Any) -> Scenario:
    """A pump that gives saline by this prescription."""
    given = {"patient": "bench", "drug": "saline", **prescription}
    data: dict[str, Any] = {"start": start, "duration": "1 d", "prescription": given}
    if pump:
        data["pump"] = pump
    return parse_scenario(data, Path())


class Rig:
    """One emulated pump. `words` of a report line `#name word word ...` are collected by name."""

    def __init__(self, image: Path, flash: bytes, scenario: Scenario) -> None:
        self.bench = make_bench(scenario)
        self.board = EmulatedBoard(self.bench, image, flash, seed=scenario.seed)
        self.output = bytearray()
        self.board.on_console = self.output.extend

    def run_until_done(self, limit_s: int) -> dict[str, list[str]]:
        """Run until the script reports that it is done.

        Raises MeasurementError when it has not after limit_s of true time, or when the pump restarted.
        """
        board = self.board
        while b"\n#done" not in self.output:
            if board.now_ns() > limit_s * S or sum(board.resets.values()) > 1:
                said = self.output.decode("ascii", "replace")[-1500:]
                raise MeasurementError(f"no result after {board.now_ns() / S:.1f} s, resets {board.resets}: {said}")
            board.run(board.now_ns() + _SLICE_NS)
        return self.report()

    def report(self) -> dict[str, list[str]]:
        """What has been reported so far."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for line in self.output.decode("ascii", "replace").splitlines():
            if line.startswith("#"):
                name, *words = line[1:].split()
                found[name] += words
        return dict(found)
