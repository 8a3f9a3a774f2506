"""A programmed pump on the twin, and someone at its console."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from thecal.models.bench import Bench, PumpConfig
from thecal.prescription import RateRange, stage_lines
from thecal.prescription_toml import parse_prescription
from thecal.programming import confirmations, pack, programmed_image
from thecal.twin.twin import Twin

START = datetime(2026, 3, 2)
S = 1_000_000_000
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

    def close(self) -> None:
        self.twin.close()
