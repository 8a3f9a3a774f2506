"""The parts around the processor, with what can fail in them: motor and step generator, rotor, EEPROM, clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from thecal.powercut.devices import Eeprom, Rtc
from thecal.powercut.snapshot import PAGE, Snapshot, module
from thecal.powercut.train import Train, steps_by
from thecal.powercut.whole_pump import Board

_SETTLE_MS = 10  # what an EEPROM that does not answer costs: ten polls of 1 ms


@dataclass
class Bench:
    """What stays as it is over resets: the faults, the motor's record, and what the EEPROM has refused.

    trains: (begin us, interval us, steps) that the motor really made. *_until_us: the part does not answer until then.
    x_bit: of the generator's count of steps, to flip with the next word. adc: channel -> what it shows instead of the
    truth. refused: true times at which a record of the ledger was refused, since one was last taken. noise: the share
    of readings of the EEPROM with a wrong bit; rng: which.

    unbooked, noted: starts that nobody ordered and that the EEPROM does not know yet, and how a run said that it ends:
    in registers that outlive a reset. is_loud: a start has sounded the buzzer for them, as no application could.
    """

    steps_per_index: int
    rng: Random
    trains: list[tuple[int, int, int]] = field(default_factory=list)
    ticks_base: int = 0x3FFF8AD0
    eeprom_until_us: int = 0
    worn: bool = False
    noise: float = 0.0
    rtc_until_us: int = 0
    rtc_shift_s: int = 0
    rtc_stopped_us: int | None = None
    rtc_garbage: bool = False
    adc: dict[int, int] = field(default_factory=dict)
    button: bool | None = None
    stalled: bool = False
    drive_stuck: bool | None = None
    diag: bool = False
    counter_stuck: int | None = None
    rotor_stuck: bool = False
    deaf_generator: bool = False
    busy_generator: bool = False
    x_bit: int | None = None
    refused: list[int] = field(default_factory=list)
    stall_pulses: int = 0
    unbooked: int = 0
    noted: int | None = None
    is_loud: bool = False


class FaultTrain(Train):
    """A step generator that may run away or hear nothing, and a motor that may be stuck or without power."""

    def __init__(self, board: Board, bench: Bench, steps: int) -> None:
        super().__init__(board, steps)
        self._board = board
        self._bench = bench
        self._pulsed: list[tuple[int, int, int]] = []
        self._pulses_made = 0
        self._on = self._wanted = False

    def idle(self) -> bool:
        return not self._bench.busy_generator and (not self._pulsed or self._pulsed[-1][0] <= self._board.now_us)

    def start(self, steps: int, interval_us: int) -> bool:
        if not 0 < steps <= self.MAX_STEPS or interval_us < self._MIN_US:
            raise ValueError(f"train of {steps} steps at {interval_us} us")
        if not self.idle():
            return False
        bench = self._bench
        if not bench.deaf_generator:
            if bench.x_bit is not None:
                steps, bench.x_bit = steps ^ 1 << bench.x_bit, None
            self.give(steps, interval_us)
        return True

    def give(self, steps: int, interval_us: int) -> None:
        """The generator makes these pulses, whoever wanted it."""
        begin = max(self._board.now_us, self._free_us)
        self._free_us = begin + interval_us * steps
        self._pulsed.append((begin, interval_us, steps))
        if not steps:
            return
        if self._moves():
            self._settle()
            self._trains.append((begin, interval_us, steps))
            self._all.append((begin, interval_us, steps))
        elif self._wanted:
            self._bench.stall_pulses += min(steps, self.MAX_STEPS)

    def _moves(self) -> bool:
        return self._on and not self._bench.stalled

    def stall(self, on: bool) -> None:
        """The motor does not follow any more, or does again."""
        self._cut()
        self._bench.stalled = on

    def power(self, on: bool) -> None:
        self._wanted = on
        stuck = self._bench.drive_stuck
        wanted = on if stuck is None else stuck
        if self._on and not wanted:
            self._cut()
        self._on = wanted

    def _cut(self) -> None:
        self._made = self.steps()
        self._trains = []
        self._all = self._cropped(self._all)

    def read(self) -> int:
        """Pulses on the STEP pin since the start."""
        if self._bench.counter_stuck is not None:
            return self._bench.counter_stuck
        now = self._board.now_us
        while self._pulsed and self._pulsed[0][0] + self._pulsed[0][1] * (self._pulsed[0][2] - 1) <= now:
            begin, _, steps = self._pulsed[0]
            if begin + self._pulsed[0][1] * steps > now and len(self._pulsed) == 1:
                break  # the last one stays: idle() looks at it
            self._pulses_made += steps
            del self._pulsed[0]
        return steps_by(self._pulses_made, self._pulsed, now)

    def over(self) -> None:
        """The processor is reset: what was made goes into the record; what a generator would go on making is lost."""
        self._bench.trains += self._cropped(self._all)
        self._all = []


class FaultRotor:
    """The counter of rotor indices."""

    def __init__(self, train: FaultTrain, bench: Bench) -> None:
        self._train = train
        self._bench = bench
        self._last = self._first = self._indices()

    def _indices(self) -> int:
        return self._train.steps() // self._bench.steps_per_index

    def read(self) -> int:
        """Indices since the start."""
        if not self._bench.rotor_stuck:
            self._last = self._indices()
        return self._last - self._first


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
        rng = self._bench.rng
        if self._bench.noise and rng.random() < self._bench.noise:
            buffer[rng.randrange(len(buffer))] ^= 1 << rng.randrange(8)

    def write_page(self, page: int, data: bytes | bytearray | memoryview) -> None:
        refused = self._bench.refused
        if self._dead():
            if page in self._ledger:
                refused.append(self._board.now_us)
            raise OSError("EEPROM: does not answer")
        if self._bench.worn:
            if page in self._ledger:
                refused.append(self._board.now_us)
            super().write_page(page, bytes(PAGE))
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
        """25 degrees, in quarters of one."""
        self._answers()
        self._board.advance(250)
        return 100

    def set(self, *time: int) -> None:
        self._answers()
        super().set(*time)
        self._bench.rtc_shift_s = 0
        self._bench.rtc_stopped_us = None
