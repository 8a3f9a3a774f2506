"""A whole pump on CPython, fast: the firmware's App on a board of plain integers.

Virtual time in whole microseconds passes only where the firmware waits or uses the bus. The board code, the drivers and
the bus are left out (the twin and the emulated board have them); the EEPROM keeps whole pages and can be cut in any
byte of a write, the clock goes on while the power is off, and the step train makes each step at its own time.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from thecal.models.bench import PumpConfig
from thecal.models.board_id import board_id
from thecal.models.sensors import BATTERY_DIVIDER, LEVEL_EMPTY_MV, LEVEL_FULL_MV, PRESSURE_ZERO_MV
from thecal.powercut.devices import Eeprom, Rtc
from thecal.powercut.snapshot import NEVER_US, START_US, WATCHDOG, WATCHDOG_US, Bite, Cut, S, Snapshot, module
from thecal.powercut.train import Train

_CONFIG = PumpConfig()
_BATTERY_MV = 3_900
_DIE_MV = 709
_BOARD_ID = board_id(_CONFIG.serial)


class Rotor:
    """The counter of rotor indices (lib/pulse_counter.py): one for each so many steps that the motor made."""

    def __init__(self, train: Train) -> None:
        self._train = train
        self._first = self._indices()

    def _indices(self) -> int:
        return self._train.steps() // _CONFIG.steps_per_index

    def read(self) -> int:
        """Indices since the start."""
        return self._indices() - self._first


class Board:
    """firmware.board.Board, as far as App uses it.

    now_us: true time. cut_us: when the supply fails. input: bytes that wait for the pump; type_at() sends some later.
    output: what the pump has written.
    """

    def __init__(self, snapshot: Snapshot, rng: Random | None = None) -> None:
        self.now_us = snapshot.now_us + START_US
        self.cut_us = NEVER_US
        self.eeprom = Eeprom(self, snapshot, rng or Random(0))
        self.rtc = Rtc(self, snapshot.rtc)
        self.train = Train(self, snapshot.steps)
        self.counter = self.train
        self.rotor = Rotor(self.train)
        self._cut = False
        self.scratch = list(snapshot.scratch)
        self.reset_cause = snapshot.cause
        self.ended = (0, 0, 0)
        self._unbooked = int(snapshot.cause == WATCHDOG)
        self.fluid_pl = snapshot.fluid_pl
        self.first_steps = snapshot.steps
        self.input = bytearray()
        self.output = bytearray()
        self._typed_us = NEVER_US
        self._typed = b""
        self._bite_us = self.now_us + WATCHDOG_US

    # -- what only the world does -----------------------------------------------------------------------------

    def advance(self, us: int) -> None:
        """Time passes. Raises Cut when the supply fails in it, Bite when the watchdog bites."""
        now = self.now_us + us
        if now >= self.cut_us:
            self.now_us = self.cut_us
            raise Cut
        if now >= self._bite_us:
            raise Bite
        self.now_us = now

    def type_at(self, at_us: int, data: bytes) -> None:
        """The operator's bytes arrive at this true time."""
        self._typed_us, self._typed = at_us, data

    def off(self, seconds: int = 1, rtc: tuple[int, int] | None = None) -> Snapshot:
        """The pump after a cut at this instant, `seconds` later."""
        return Snapshot(
            self.eeprom.pages,
            self.now_us + seconds * S,
            rtc or self.rtc.setting,
            self.train.steps(),
            self.fluid_pl,
            {page: unsure.contents for page, unsure in self.eeprom.metastable.items()},
        )

    def bitten(self) -> Snapshot:
        """The pump hangs from this instant on, and the watchdog resets it 5 s later. What the step train was given it
        makes to its end."""
        self.now_us += WATCHDOG_US
        return replace(self.off(0), scratch=tuple(self.scratch), cause=WATCHDOG)

    # -- what the firmware uses -------------------------------------------------------------------------------

    def ticks_ms(self) -> int:
        return (self.now_us // 1_000 + 0x3FFF8AD0) & 0x3FFFFFFF  # 30 s before its wrap at true time 0

    @staticmethod
    def ticks_add(ticks: int, delta: int) -> int:
        return (ticks + delta) & 0x3FFFFFFF

    @staticmethod
    def ticks_diff(end: int, start: int) -> int:
        return ((end - start + 0x20000000) & 0x3FFFFFFF) - 0x20000000

    @staticmethod
    def heap_lock() -> None:
        """CPython has no heap to lock."""

    heap_unlock = heap_lock

    @staticmethod
    def make_room(late: int) -> int:
        """Nor is there one to collect. Returns its number in resets.TASKS, as every task does."""
        return module("resets").number("room")

    @staticmethod
    def collect() -> None:
        """Nor here."""

    PRESSURE, BATTERY, LEVEL, DIE = range(4)

    @staticmethod
    def board_id() -> bytes:
        return _BOARD_ID

    def feed(self) -> None:
        self._bite_us = self.now_us + WATCHDOG_US

    def drive(self, on: Any) -> None:
        self.train.power(bool(on) and not self._cut)

    def cut(self, on: bool) -> None:
        self._cut = on
        if on:
            self.train.power(False)

    @staticmethod
    def at_rest() -> bool:
        return True

    def millivolts(self, channel: int) -> int:
        """A full battery, no pressure, a cool processor, and the level of what is really left."""
        if channel == self.BATTERY:
            return _BATTERY_MV // BATTERY_DIVIDER
        if channel == self.PRESSURE:
            return PRESSURE_ZERO_MV
        if channel == self.DIE:
            return _DIE_MV
        left_pl = max(0, self.fluid_pl - self.train.steps() * _CONFIG.pl_per_step)
        capacity_pl = _CONFIG.reservoir_nl * 1_000
        return LEVEL_EMPTY_MV + (LEVEL_FULL_MV - LEVEL_EMPTY_MV) * min(left_pl, capacity_pl) // capacity_pl

    @staticmethod
    def driver_fault() -> bool:
        return False

    @staticmethod
    def take_press() -> bool:
        return False

    @staticmethod
    def button_down() -> bool:
        return False

    @staticmethod
    def mark(task: int) -> None:
        """Nobody asks after a hang."""

    def note(self, ending: int, task: int) -> None:
        """Nor after any other end."""

    def starve(self) -> None:
        """Raises Bite."""
        self.advance(WATCHDOG_US)

    @staticmethod
    def outputs_follow() -> bool:
        return True

    step_low = watchdog_armed = tone_works = outputs_follow

    def unbooked(self) -> int:
        return self._unbooked

    def booked(self) -> None:
        self._unbooked = 0

    def lived(self) -> None:
        """Nothing here ends a row of starts: none is made without its alarm."""

    @staticmethod
    def sound(hz: int) -> None:
        """Nobody listens."""

    @staticmethod
    def led(on: bool) -> None:
        """Nobody looks."""

    def wait(self, ms: int) -> bool:
        if not self.input:
            until = self.now_us + ms * 1_000
            if self._typed_us > until:
                self.advance(ms * 1_000)
                return False
            self.advance(max(0, self._typed_us - self.now_us))
            self.input += self._typed
            self._typed_us = NEVER_US
        return True

    def sleep_ms(self, ms: int) -> None:
        self.advance(ms * 1_000)

    def read_byte(self) -> int:
        return self.input.pop(0) if self.input else -1

    def write(self, data: Any) -> int:
        self.output += data
        return len(data)
