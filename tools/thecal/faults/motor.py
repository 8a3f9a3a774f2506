"""The step generator, the motor that follows it, its rotor and their counters, with what can fail in them."""

from __future__ import annotations

from thecal.faults.parts import Bench
from thecal.powercut.train import Train, steps_by
from thecal.powercut.whole_pump import Board

_INSTRUCTION_US, _OVERHEAD, _COUNT_BITS = 10, 6, 10  # of lib/step_train.py


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
            if bench.word_bit is not None:
                steps, interval_us = _other_word(steps, interval_us, bench.word_bit)
                bench.word_bit = None
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

    def hold(self, level: bool) -> None:
        """Something holds the DRIVE pad at a level."""
        self._bench.drive_stuck = level
        self.power(self._wanted)

    @property
    def is_driven(self) -> bool:
        """Whether the DRIVE pad is high."""
        return self._on

    @property
    def is_told(self) -> bool:
        """Whether the firmware has told it to be."""
        return self._wanted

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
        if self._bench.counter_dead:
            raise OSError("pulse counter: no answer")
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


def _other_word(steps: int, interval_us: int, bit: int) -> tuple[int, int]:
    """What the generator makes of a command word with a wrong bit."""
    word = steps | (interval_us // _INSTRUCTION_US - _OVERHEAD) << _COUNT_BITS
    word ^= 1 << bit
    return word & (1 << _COUNT_BITS) - 1, ((word >> _COUNT_BITS) + _OVERHEAD) * _INSTRUCTION_US


class FaultRotor:
    """The counter of rotor indices."""

    def __init__(self, train: FaultTrain, bench: Bench) -> None:
        self._train = train
        self._bench = bench
        self._last = self._first = self._indices()

    def _indices(self) -> int:
        return self._train.steps() // self._bench.steps_per_index

    def read(self) -> int:
        """Indices since the start. Raises OSError if it is dead."""
        if self._bench.rotor_dead:
            raise OSError("pulse counter: no answer")
        if not self._bench.rotor_stuck:
            self._last = self._indices()
        return self._last - self._first
