"""The step train of the fast pump: every step at its own instant of virtual time, in whole microseconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class _Clock(Protocol):
    now_us: int


class Train:
    """The interface of lib/step_train.py and lib/pulse_counter.py. One train is under way, one may wait.

    Physical steps are made while the motor is powered; pulses without power turn nothing, but are counted.
    """

    MAX_STEPS = 1_023
    _MIN_US = 60

    def __init__(self, clock: _Clock, steps: int) -> None:
        """steps: physical steps that the motor has made before."""
        self._clock = clock
        self._made = steps
        self._powered = False
        self._trains: list[tuple[int, int, int]] = []  # begin us, interval us, steps; those that are over are dropped
        self._free_us = 0
        self._all: list[tuple[int, int, int]] = []  # every train of this power-on
        self._pulsed: list[tuple[int, int, int]] = []  # as _trains, with those that turn nothing
        self._pulses_made = 0

    def idle(self) -> bool:
        """Whether no train waits."""
        return not self._pulsed or self._pulsed[-1][0] <= self._clock.now_us

    def start(self, steps: int, interval_us: int) -> bool:
        """Make `steps` steps after the train under way. False if one waits already."""
        if not 0 < steps <= self.MAX_STEPS or interval_us < self._MIN_US:
            raise ValueError(f"train of {steps} steps at {interval_us} us")
        if not self.idle():
            return False
        self._settle()
        begin = max(self._clock.now_us, self._free_us)
        self._free_us = begin + interval_us * steps
        self._pulsed.append((begin, interval_us, steps))
        if self._powered:
            self._trains.append((begin, interval_us, steps))
            self._all.append((begin, interval_us, steps))
        return True

    def power(self, on: bool) -> None:
        """Drive on or off. Steps that are left when it goes off are never made."""
        if self._powered and not on:
            self._made = self.steps()
            self._trains = []
            self._all = self._cropped(self._all)
        self._powered = on

    def _settle(self) -> None:
        now = self._clock.now_us
        while self._trains:
            begin, interval, steps = self._trains[0]
            if begin + interval * (steps - 1) > now:
                break
            self._made += steps
            del self._trains[0]

    def steps(self) -> int:
        """Physical steps made up to now, in all."""
        return self.steps_by(self._clock.now_us)

    def steps_by(self, t_us: int) -> int:
        """Physical steps made up to and including t_us, which is not earlier than the last start()."""
        return steps_by(self._made, self._trains, t_us)

    def under_way(self) -> tuple[int, tuple[tuple[int, int, int], ...]]:
        """(steps made by trains that are over, the others): what steps_by() needs, to be kept."""
        self._settle()
        return self._made, tuple(self._trains)

    def _cropped(self, trains: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        now = self._clock.now_us
        return [(begin, gap, min(steps, (now - begin) // gap + 1)) for begin, gap, steps in trains if begin <= now]

    def pulse_times(self) -> list[int]:
        """The true time of every step of this power-on, in order, as far as time has come."""
        now = self._clock.now_us
        times = [begin + gap * number for begin, gap, steps in self._all for number in range(steps)]
        return [time for time in times if time <= now]

    def read(self) -> int:
        """Pulses on the STEP pin since the start."""
        now = self._clock.now_us
        while len(self._pulsed) > 1 and self._pulsed[0][0] + self._pulsed[0][1] * (self._pulsed[0][2] - 1) <= now:
            self._pulses_made += self._pulsed[0][2]
            del self._pulsed[0]  # but the last one stays: idle() looks at it
        return steps_by(self._pulses_made, self._pulsed, now)


def steps_by(made: int, trains: Iterable[tuple[int, int, int]], t_us: int) -> int:
    """Steps up to and including t_us of `made` earlier ones and of trains (begin us, interval us, steps)."""
    for begin, interval, steps in trains:
        if t_us >= begin:
            made += min(steps, (t_us - begin) // interval + 1)
    return made
