"""A stepping motor without inertia behind a step/dir driver, with a rotor index (R15, R16, F11)."""

from __future__ import annotations

from array import array
from collections.abc import Callable


class Motor:
    """Counts pulses on STEP, and makes steps of those it is powered and free to follow.

    pulses: rising edges of STEP. steps: real steps, forward minus backward. step_times: the true time of each
    real step, ns. drive: powered. direction: True is backward. stalled: pulses move nothing, which the driver does
    not notice at such speeds. fault: the driver's DIAG is high. indices: pulses of the rotor index so far.

    on_steps is called once for a run of real steps with (first_ns, interval_ns, signed count); on_step with
    the time of each real step, and on_index with that of each rotor index. All are called after the counters
    have changed.
    """

    def __init__(self, steps_per_index: int) -> None:
        if steps_per_index < 1:
            raise ValueError(f"steps_per_index = {steps_per_index}: 1 or more")
        self.steps_per_index = steps_per_index
        self.pulses = 0
        self.steps = 0
        self.step_times: array[int] = array("q")
        self.drive = False
        self.direction = False
        self.stalled = False
        self.fault = False
        self.indices = 0
        self.on_steps: list[Callable[[int, int, int], None]] = []
        self.on_step: list[Callable[[int], None]] = []
        self.on_index: list[Callable[[int], None]] = []
        self._phase = 0  # steps forward of the last index mark, 0..steps_per_index - 1

    def step(self, now_ns: int) -> None:
        """One rising edge of STEP."""
        self.steps_at(now_ns, 0, 1)

    def steps_at(self, first_ns: int, interval_ns: int, count: int) -> None:
        """A train of `count` edges, the first at first_ns, with the drive, direction and stall of now.

        It costs little more than a single step unless somebody watches each one with on_step.
        """
        if count < 1:
            return
        self.pulses += count
        if not self.drive or self.stalled:
            return
        if count == 1:
            self.step_times.append(first_ns)
        else:
            self.step_times.extend(range(first_ns, first_ns + interval_ns * count, interval_ns))
        moved = -count if self.direction else count
        self.steps += moved
        for watch in self.on_steps:
            watch(first_ns, interval_ns, moved)
        if self.on_step:
            self._each_step(first_ns, interval_ns, count)
        phase = self._phase + moved
        if 0 < phase < self.steps_per_index:
            self._phase = phase
        else:
            self._turn(first_ns, interval_ns, count)

    def _each_step(self, first_ns: int, interval_ns: int, count: int) -> None:
        for number in range(count):
            for watch in tuple(self.on_step):
                watch(first_ns + number * interval_ns)

    def _turn(self, first_ns: int, interval_ns: int, count: int) -> None:
        """The train reaches the index mark, at least once."""
        size = self.steps_per_index
        phase = self._phase
        # Steps of this train until the mark is reached, going either way.
        ahead = (phase or size) if self.direction else size - phase
        self._phase = (phase - count if self.direction else phase + count) % size
        for number in range(ahead - 1, count, size):
            self.indices += 1
            for watch in tuple(self.on_index):
                watch(first_ns + number * interval_ns)
