"""Lines that are pumped into, for the tests of the watch over their pressure."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from firmware import pressure
from firmware.alarms import Alarms
from firmware.pressure import OPEN, Pressure
from thecal.models import fluid
from thecal.models.fluid import Reservoir
from thecal.models.sensors import Sensors, counts

DAY = 86_400


def millivolts(microvolts: int) -> int:
    """As board.Board.millivolts, of a voltage at the pin."""
    return counts(microvolts) * 3_300 >> 12


class Pumped:
    """A line that is pumped into, step by step, and the firmware's judgement. kpa: what else presses on it."""

    def __init__(self, rate: int, pl_per_step: int) -> None:
        self.line = fluid.Line()
        self.judge = pressure.Line()
        self.rate, self.pl_per_step = rate, pl_per_step
        self.demanded = 0  # pL * DAY
        self.made = 0
        self.seconds = 0

    def second(self, pascal: int = 0, noise_uv: int = 0) -> int:
        """A second of flow; what the judge has found."""
        self.demanded += self.rate * 1_000
        made = self.demanded // (DAY * self.pl_per_step) - self.made
        self.made += made
        self.seconds += 1
        self.line.push(made * self.pl_per_step)
        microvolts = 500_000 + (self.line.pressure_pa + pascal) * 10 + noise_uv
        self.judge.read(millivolts(microvolts), made * self.pl_per_step)
        return self.judge.found

    def until_found(self, limit_s: int) -> int:
        """What is found, within so many seconds."""
        for _ in range(limit_s):
            if self.second():
                return self.judge.found
        return OPEN


class Watched:
    """The firmware's watch over a line, with a ledger of steps of 25 nL."""

    def __init__(self) -> None:
        self.line = fluid.Line()
        self.kilopascal: int | None = None  # of another cause than the line's
        self.logged: list[dict[str, int]] = []
        self._sensors = Sensors(Reservoir(20_000_000, 20_000_000, 25_000), self.line)
        self.app: Any = SimpleNamespace(
            board=SimpleNamespace(PRESSURE=0, millivolts=self._millivolts),
            ledger=SimpleNamespace(steps=10_000),
            cascade=SimpleNamespace(pl_per_step=25_000),
            alarms=Alarms(lambda code, **fields: None, lambda: 0),
            log=SimpleNamespace(log=self._log),
        )
        self.watch = Pressure(self.app)

    def _millivolts(self, channel: int) -> int:
        if self.kilopascal is not None:
            return 500 + 10 * self.kilopascal
        return self._sensors.adc_counts(0)[channel] * 3_300 >> 12

    def _log(self, code: str, **fields: int) -> None:
        assert code == "occlusion"
        self.logged.append(fields)

    def step(self) -> None:
        self.app.ledger.steps += 1
        self.line.push(25_000)

    def seconds(self, count: int) -> None:
        for _ in range(count):
            self.watch.watch()

    def rise(self, kilopascal: int) -> None:
        """The pressure is another, and at the end of 30 s 100 nL have flowed."""
        self.kilopascal = kilopascal
        self.seconds(29)
        for _ in range(4):
            self.step()
        self.seconds(1)
