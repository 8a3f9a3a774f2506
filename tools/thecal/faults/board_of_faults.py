"""The fast board with everything in it that can fail."""

from __future__ import annotations

import heapq
from typing import Any

from thecal.faults.life import Life
from thecal.faults.motor import FaultRotor, FaultTrain
from thecal.faults.parts import Bench, FaultEeprom, FaultRtc
from thecal.models.sensors import LEVEL_EMPTY_MV, LEVEL_FULL_MV
from thecal.powercut.snapshot import S, Snapshot
from thecal.powercut.whole_pump import Board

TICKS_MASK = 0x3FFFFFFF
_DIE = 3  # channel of the processor's own temperature
_DIE_MV = 709
_OWN = ("take_press", "button_down", "driver_fault", "sound", "led", "at_rest", "outputs_follow")  # static in Board


class FaultBoard(Board):
    """The board of one power-on. at(): something happens at a true time, in the middle of whatever waits then."""

    def __init__(self, snapshot: Snapshot, life: Life, bench: Bench, events: list[Any]) -> None:
        super().__init__(snapshot)
        self.life = life
        self.bench = bench
        self._events = events  # a heap, handed on from one power-on to the next
        self.eeprom = FaultEeprom(self, snapshot, bench)
        self.rtc = FaultRtc(self, snapshot.rtc, bench)
        self.train = self.counter = FaultTrain(self, bench, snapshot.steps)
        self.rotor = FaultRotor(self.train, bench)
        self.presses = 0
        for name in _OWN:
            setattr(self, name, getattr(self, "_" + name))

    def advance(self, us: int) -> None:
        end = self.now_us + us
        events = self._events
        while events and events[0][0] <= end:
            if events[0][0] > self.now_us:
                super().advance(events[0][0] - self.now_us)  # a bite in it leaves the event to the next board
            else:
                heapq.heappop(events)[2](self)
        if self.now_us < end:
            super().advance(end - self.now_us)

    def wait(self, ms: int) -> bool:
        end = self.now_us + ms * 1_000
        while not self.input:
            due = min(self._events[0][0], end) if self._events else end
            self.advance(max(0, due - self.now_us))
            if self.now_us >= end:
                break
        return bool(self.input)

    def ticks_ms(self) -> int:
        return (self.now_us // 1_000 + self.bench.ticks_base) & TICKS_MASK

    def millivolts(self, channel: int) -> int:
        stuck = self.bench.adc.get(channel)
        if stuck is not None:
            return stuck
        if channel == _DIE:
            return _DIE_MV
        if channel != self.LEVEL:
            return super().millivolts(channel)
        life = self.life
        if life.empty_us is not None and self.now_us >= life.empty_us:
            return LEVEL_EMPTY_MV
        capacity_pl = life.config.reservoir_nl * 1_000
        left_pl = max(0, self.fluid_pl - self.train.steps() * life.size_pl)
        return LEVEL_EMPTY_MV + (LEVEL_FULL_MV - LEVEL_EMPTY_MV) * min(left_pl, capacity_pl) // capacity_pl

    def _take_press(self) -> bool:
        if self.bench.button is not None:
            return self.bench.button
        pressed, self.presses = self.presses > 0, 0
        return pressed

    def _button_down(self) -> bool:
        return bool(self.bench.button)

    def _driver_fault(self) -> bool:
        return self.bench.diag

    def _at_rest(self) -> bool:
        return not self.train.is_driven

    def _outputs_follow(self) -> bool:
        return self.train.is_driven == self.train.is_told

    def _sound(self, hz: int) -> None:
        self.bench.sounds.append((self.now_us, hz))

    def _led(self, on: bool) -> None:
        self.bench.lights.append(self.now_us)

    def unbooked(self) -> int:
        """Starts that nobody ordered and that the EEPROM does not know yet."""
        return self.bench.unbooked

    def booked(self) -> None:
        """It knows them."""
        self.bench.unbooked = 0

    def lived(self) -> None:
        """This start has come to where an alarm is heard."""
        self.bench.fruitless = 0
        self.bench.is_loud = False  # from here on by the application's alarms

    def note(self, ending: int, task: int) -> None:
        """Why this run ends."""
        self.bench.noted = ending

    def starve(self) -> None:
        """The supervisor does not feed the watchdog any more: the steps under way are made, and it bites."""
        self.advance(S)
        self.drive(False)
        self.hang()

    def hang(self, *_: Any) -> None:
        """The processor does nothing more: the watchdog bites."""
        while True:
            self.advance(S)
