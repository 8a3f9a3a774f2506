"""A whole pump whose guard is watched: the firmware's App on the fast board, with a counter that sees each pulse at its
own instant, whether the motor is powered or not, and with somebody who can change anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from firmware import alarms
from firmware.app import App
from firmware.events import NAMES
from thecal.models.bench import PumpConfig
from thecal.powercut.snapshot import PAGE, PAGES, S, Snapshot
from thecal.powercut.whole_pump import Board
from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription
from thecal.programming import programmed_image

START = datetime(2026, 3, 2, 8, 0)  # a Monday
START_S = (START - datetime(2000, 1, 1)).days * 86_400 + 8 * 3_600
SALINE = {"patient": "bench-07", "drug": "saline", "mode": "continuous", "basal": "4.8 mL/day"}
FLEX = {
    "mode": "flex",
    "period": [
        {"days": "daily", "from": "06:00", "to": "08:02", "rate": "6 mL/day"},
        {"days": "daily", "from": "08:03", "to": "10:00", "rate": "1 mL/day"},
    ],
}
PATIENT = {"patient_bolus": {"dose": "50 uL", "over": "5 min", "lockout": "1 h", "max_per_day": 4}}
LATENCY_US = 50_000  # from a tick's command until the guard behind it has cut DRIVE: two tasks, and a collection


@lru_cache(maxsize=64)
def _image(pump: PumpConfig, words: str) -> bytes:
    rx = parse_prescription(eval(words), RateRange(pump.min_rate, pump.max_rate))
    return programmed_image(pump, rx, START)


class Counter:
    """Pulses on STEP. `extra`: those that nobody has asked for. `dead`: it does not answer. `stuck`: it counts none."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self.words: list[tuple[int, int, int]] = []  # begin us, interval us, steps
        self.extra = 0
        self.dead = False
        self.stuck: int | None = None
        start = board.train.start

        def started(steps: int, interval_us: int) -> bool:
            begin = max(board.now_us, self.words[-1][0] + self.words[-1][1] * self.words[-1][2] if self.words else 0)
            taken = start(steps, interval_us)
            if taken:
                self.words.append((begin, interval_us, steps))
            return taken

        board.train.start = started

    def read(self) -> int:
        if self.dead:
            raise OSError("pulse counter: no answer")
        if self.stuck is not None:
            return self.stuck
        now = self._board.now_us
        made = sum(min(steps, (now - begin) // gap + 1) for begin, gap, steps in self.words if begin <= now)
        return (made + self.extra) & 0xFFFFFFFF


class Pump:
    """A pump that doses, or any that is said. `trips`: checks of the guard that have failed, in order. `tripped_us`:
    when the last of them did."""

    def __init__(self, rx: dict[str, Any] | None = None, snapshot: Snapshot | None = None, **pump: Any) -> None:
        self.config = PumpConfig(**{"reservoir_nl": 100_000_000, **pump})
        if snapshot is None:
            image = _image(self.config, repr({**SALINE, **(rx or {})}))
            pages = [image[PAGE * page : PAGE * page + PAGE] for page in range(PAGES)]
            snapshot = Snapshot(pages, 0, (START_S, 0), 0, self.config.reservoir_nl * 1_000)
        self.board: Any = Board(snapshot)
        self.counter = self.board.counter = Counter(self.board)
        self.app = App(self.board)
        self.guard = self.app.guard
        self.trips: list[str] = []
        self.tripped_us = 0
        report = self.guard._report

        def noted(check: int, pulses: int, allowed: int) -> None:
            assert not self.board.train._powered
            self.trips.append(NAMES["check"][check])
            self.tripped_us = self.board.now_us
            report(check, pulses, allowed)

        self.guard._report = noted
        run = self.guard.run

        def behind(late: int) -> Any:
            self.board.advance(LATENCY_US)
            return run(late)

        for task in self.app._executive._starting:
            if task.name == "guard":
                task.run = behind

    def start(self) -> Pump:
        self.app.start()
        return self

    def alone(self) -> Pump:
        """From now on the self-test passes, whatever it finds: what is found then is the guard's."""
        selftest: Any = self.app.selftest
        selftest.records_hold = selftest.boluses_hold = lambda: True
        selftest._piece = lambda: -1
        return self

    def run(self, seconds: float) -> Pump:
        end = self.board.now_us + round(seconds * S)
        while self.board.now_us < end:
            self.app.turn()
        return self

    def to_frame(self) -> Pump:
        """Until the background of the next frame: its tick and its guard have run."""
        number = self.app._executive.number
        while self.app._executive.number == number:
            self.app.turn()
        return self

    def say(self, line: str, seconds: float = 1) -> str:
        """Type a line. Returns what the pump answers."""
        self.board.output.clear()
        self.board.input += line.encode() + b"\r"
        self.run(seconds)
        return self.board.output.decode()

    @property
    def steps(self) -> int:
        """Physical steps."""
        return self.board.train.steps()

    @property
    def active(self) -> list[str]:
        return alarms.codes(self.app.alarms.active)

    def off(self, seconds: int = 1) -> Snapshot:
        return self.board.off(seconds)


def add(path: str, by: int) -> Callable[[Pump], None]:
    """Change an integer of the application by so much."""
    *owners, name = path.split(".")

    def act(pump: Pump) -> None:
        found: Any = pump.app
        for owner in owners:
            found = getattr(found, owner)
        setattr(found, name, getattr(found, name) + by)

    return act


def put(path: str, value: Any) -> Callable[[Pump], None]:
    *owners, name = path.split(".")

    def act(pump: Pump) -> None:
        found: Any = pump.app
        for owner in owners:
            found = getattr(found, owner)
        setattr(found, name, value)

    return act
