"""The parts around the processor, with what can fail in them: EEPROM and clock here, the rest in motor.py."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from thecal.powercut.devices import Eeprom, Rtc
from thecal.powercut.snapshot import PAGE, Snapshot, module
from thecal.powercut.whole_pump import Board

_SETTLE_MS = 10  # what an EEPROM that does not answer costs: ten polls of 1 ms


@dataclass
class Bench:
    """What stays as it is over resets: the faults, the motor's record, and what the EEPROM has refused.

    trains: (begin us, interval us, steps) that the motor really made. *_until_us: the part does not answer until
    then. x_bit: of the generator's count of steps, to flip with the next word; word_bit: of that word. adc: channel
    -> what it shows instead of the truth, adc_since_us: since when. rtc_quarters: of a degree Celsius,
    hot_since_us: since when. sounds: (true time, Hz); lights: true times of the LED's last changes. refused: true
    times at which a record of the ledger was refused, since one was last taken. noise: the share of readings of the
    EEPROM with a wrong bit; rng: which. blank: it reads as ones. eeprom_since_us: from when to the end it was
    silent, where refused is not known: on the emulated board.

    unbooked, fruitless, noted: starts that nobody ordered and that the EEPROM does not know yet, or that came to
    nothing, in a row; and how a run said that it ends: in registers that outlive a reset. is_loud: a start has
    sounded the buzzer for them, as no application could.
    """

    steps_per_index: int
    rng: Random
    trains: list[tuple[int, int, int]] = field(default_factory=list)
    ticks_base: int = 0x3FFF8AD0
    eeprom_until_us: int = 0
    worn: bool = False
    blank: bool = False
    noise: float = 0.0
    rtc_until_us: int = 0
    rtc_shift_s: int = 0
    rtc_stopped_us: int | None = None
    rtc_garbage: bool = False
    adc: dict[int, int] = field(default_factory=dict)
    adc_since_us: dict[int, int] = field(default_factory=dict)
    rtc_quarters: int = 100
    hot_since_us: int = 0
    sounds: list[tuple[int, int]] = field(default_factory=list)
    lights: deque[int] = field(default_factory=lambda: deque(maxlen=64))
    button: bool | None = None
    stalled: bool = False
    drive_stuck: bool | None = None
    diag: bool = False
    counter_stuck: int | None = None
    counter_dead: bool = False
    rotor_stuck: bool = False
    rotor_dead: bool = False
    deaf_generator: bool = False
    busy_generator: bool = False
    x_bit: int | None = None
    word_bit: int | None = None
    refused: list[int] = field(default_factory=list)
    eeprom_since_us: int | None = None
    stall_pulses: int = 0
    unbooked: int = 0
    fruitless: int = 0
    noted: int | None = None
    is_loud: bool = False

    def show(self, channel: int, millivolts: int, now_us: int) -> None:
        """From now on this ADC channel shows so much."""
        self.adc[channel], self.adc_since_us[channel] = millivolts, now_us

    def heat(self, quarters: int, now_us: int) -> None:
        """From now on the RTC's thermometer shows so many quarters of a degree Celsius."""
        self.rtc_quarters, self.hot_since_us = quarters, now_us


class FaultEeprom(Eeprom):
    """An EEPROM that may be silent, worn, or answer with wrong bits."""

    def __init__(self, board: Board, snapshot: Snapshot, bench: Bench) -> None:
        super().__init__(board, snapshot, bench.rng)
        self._bench = bench
        layout = module("layout")
        self._ledger = {first + page for first in layout.LEDGER_FIRSTS for page in range(layout.LEDGER_PAGES)}

    def _dead(self) -> bool:
        if self._board.now_us >= self._bench.eeprom_until_us:
            return False
        self._board.advance(_SETTLE_MS * 1_000)
        return True

    def read_into(self, address: int, buffer: bytearray | memoryview) -> None:
        if self._dead():
            raise OSError("EEPROM: does not answer")
        super().read_into(address, buffer)
        if self._bench.blank:
            buffer[:] = b"\xff" * len(buffer)
        rng = self._bench.rng
        if self._bench.noise and rng.random() < self._bench.noise:
            buffer[rng.randrange(len(buffer))] ^= 1 << rng.randrange(8)

    def write_page(self, page: int, data: bytes | bytearray | memoryview) -> None:
        refused = self._bench.refused
        if self._dead():
            if page in self._ledger:
                refused.append(self._board.now_us)
            raise OSError("EEPROM: does not answer")
        if self._bench.worn or self._bench.blank:
            if page in self._ledger:
                refused.append(self._board.now_us)
            super().write_page(page, bytes(PAGE) if self._bench.worn else data)
            error = OSError("EEPROM: does not keep what it is given")
            error.worn = True  # type: ignore[attr-defined] # as the driver's VerifyError
            raise error
        super().write_page(page, data)
        if page in self._ledger:
            refused.clear()


class FaultRtc(Rtc):
    """A clock that may be silent, stand still, leap or tell nonsense."""

    def __init__(self, board: Board, setting: tuple[int, int], bench: Bench) -> None:
        super().__init__(board, setting)
        self._bench = bench

    def _now(self) -> int:
        bench = self._bench
        stopped = bench.rtc_stopped_us
        if stopped is None:
            return (super()._now() + bench.rtc_shift_s) % (36_525 * 86_400)
        return (self.setting[0] + (stopped - self.setting[1]) // 1_000_000 + bench.rtc_shift_s) % (36_525 * 86_400)

    def _answers(self) -> None:
        if self._board.now_us < self._bench.rtc_until_us:
            self._board.advance(120)
            raise OSError("RTC: does not answer")
        if self._bench.rtc_garbage and self._bench.rng.random() < 0.5:
            self._board.advance(400)
            raise OSError("RTC: no BCD number")

    def stopped(self) -> bool:
        self._answers()
        super().stopped()
        return self._bench.rtc_stopped_us is not None

    def seconds(self) -> int:
        self._answers()
        if self._bench.rtc_stopped_us is not None:
            self._board.advance(120)
            return self._now() % 60
        return super().seconds()

    def read(self) -> tuple[int, ...]:
        self._answers()
        return super().read()

    def temperature(self) -> int:
        """Quarters of a degree."""
        self._answers()
        self._board.advance(250)
        return self._bench.rtc_quarters

    def set(self, *time: int) -> None:
        self._answers()
        super().set(*time)
        self._bench.rtc_shift_s = 0
        self._bench.rtc_stopped_us = None
