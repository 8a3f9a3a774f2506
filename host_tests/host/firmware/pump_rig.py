"""A programmed pump on the twin, and someone at its console."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from firmware.pages import HEAD_SIZE, PAGE
from thecal.bus_faults import BusFaults
from thecal.models.bench import Bench, PumpConfig
from thecal.prescription import RateRange, stage_lines
from thecal.prescription_toml import parse_prescription
from thecal.programming import calibration, calibration_values, confirmations, pack, programmed_image
from thecal.scenario_event_types import I2cFault
from thecal.twin.twin import Twin

START = datetime(2026, 3, 2)
S = 1_000_000_000
MS = 1_000_000
KIND = 3  # offset in a page
BASE = {"patient": "bench-07", "drug": "morphine", "concentration": "500 ug/mL", "mode": "continuous"}


def prescription(**values: Any) -> Any:
    """A host prescription: morphine, 10 mL/day continuous unless said otherwise. None leaves a key out."""
    table = {**BASE, "basal": "10 mL/day", **values}
    table = {key: value for key, value in table.items() if value is not None}
    return parse_prescription(table, RateRange(6_000, 28_800_000))


class Pump:
    """A running twin. `ask` types a line and returns the lines of the answer, the closing ok or error line included."""

    def __init__(self, rx: Any = "default", programmed: bool = True, **config: Any) -> None:
        config.setdefault("reservoir_nl", 100_000_000)  # no refill falls due
        self.bench = Bench(PumpConfig(**config), START, seed=1)
        if programmed:
            wanted = prescription() if rx == "default" else rx
            self.bench.eeprom.load(programmed_image(self.bench.config, wanted, START))
        self.twin = Twin(self.bench)
        self.output = bytearray()
        self.twin.on_console = self.output.extend
        self.run(4)

    def run(self, seconds: float) -> None:
        self.twin.run(self.twin.now_ns() + round(seconds * S))

    def type(self, data: bytes) -> None:
        self.twin.at(self.twin.now_ns(), lambda: self.twin.send(data))

    def ask(self, line: str, seconds: float = 0.3) -> list[str]:
        before = len(self.output)
        self.type(b"\x15" + line.encode() + b"\r")
        self.run(seconds)
        lines = bytes(self.output[before:]).decode("ascii").split("\r\n")
        assert lines[:2] == ["", line]
        assert lines[-1] == ""
        return lines[2:-1]

    def status(self) -> dict[str, str]:
        answer = self.ask("status")
        assert answer[-1] == "ok"
        return dict(line.split(": ", 1) for line in answer[:-1])

    def codes(self) -> list[str]:
        """Codes of the newest events."""
        return [line.split()[3] for line in self.ask("log 60", 2)[:-1]]

    def steps_within(self, seconds: float) -> int:
        before = self.bench.motor.steps
        self.run(seconds)
        return self.bench.motor.steps - before

    def stage(self, rx: Any) -> tuple[str, list[str]]:
        """Stage a host prescription. Returns its digest and the answer to the last line."""
        answer: list[str] = []
        lines = stage_lines(rx, pack)
        for line in lines:
            answer = self.ask(line)
            assert answer[-1] == "ok", answer
        return lines[-1].split()[-1], answer

    def confirmed(self, rx: Any) -> str:
        """Stage a host prescription, and confirm what the pump warns of. Returns its digest."""
        digest, answer = self.stage(rx)
        for line in confirmations(answer):
            assert self.ask(line)[-1] == "ok"
        return digest

    def commit(self, rx: Any) -> None:
        """Put a host prescription in force."""
        assert self.ask("program commit " + self.confirmed(rx), 1.5)[-1] == "ok"

    def stage_calibration(self, **changes: int) -> None:
        """Stage every value of the calibration that it was made with, but for these."""
        for name, value in calibration_values(calibration(self.bench.config)):
            assert self.ask(f"calibrate set {name} {changes.get(name, value)}", 1)[-1] == "ok"

    def cut(self) -> None:
        """No power for two seconds; then it has started."""
        self.twin.at(self.twin.now_ns(), lambda: self.twin.power_cut(2 * S))
        self.run(8)

    def outage_behind(self, kind: int, late_ms: float, length_ms: int, first: bool = True) -> list[int]:
        """The EEPROM is silent for a while, from so late behind the write of a page of a kind that is the first part of
        a record. Returns a list that gets the page."""
        eeprom, twin = self.bench.eeprom, self.twin
        struck: list[int] = []

        def written(page: int, now: int) -> None:
            content = eeprom.memory[PAGE * page : PAGE * page + PAGE]
            if not struck and content[KIND] == kind and (not first or content[HEAD_SIZE] == 0):
                struck.append(page)
                twin.at(now + round(late_ms * MS), lambda: self.outage(length_ms))

        eeprom.on_page_written.append(written)
        return struck

    def outage(self, length_ms: float) -> None:
        """The EEPROM is silent from now on, so long."""
        BusFaults(self.twin).begin(I2cFault(0, 0, "eeprom", round(length_ms * MS)))

    def close(self) -> None:
        self.twin.close()
