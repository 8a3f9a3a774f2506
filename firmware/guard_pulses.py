"""Pulses on STEP beside the steps that the ledger says were commanded (F11; R17)."""

from firmware.guard_checks import NONE, PULSES, SILENT

_U32 = 0xFFFFFFFF


class Pulses:
    """`made`: pulses so far, on the ledger's scale. `newest`: those of a frame. `commanded`: what the ledger had
    counted a frame ago.

    The counter is looked at right before each tick: every word of the tick before has come to its end by then, in time,
    so that no pulse can hide among those that are still to come.
    """

    def __init__(self, counter):
        """counter: read() tells the pulses since the start, modulo 2**32, or raises OSError."""
        self._counter = counter
        self.count = 0  # pulses, as the counter showed them last
        self._seen = None  # what it shows now
        self.begin(0)

    def begin(self, steps):
        """No train is under way, and so many steps were commanded in all."""
        self.made = self.commanded = self._before = steps
        self.newest = 0

    def rescale(self, steps):
        """The ledger counts otherwise from here on: so many steps by now. Trains may be under way."""
        under_way = self.commanded - self.made
        self.begin(steps)
        self.made = self._before = steps - under_way

    def look(self):
        """Read the counter."""
        try:
            self._seen = self._counter.read()
        except OSError:
            self._seen = None

    def take(self):
        """Count the pulses that look() has found. Returns whether the counter has answered."""
        count = self._seen
        self._seen = None
        if count is None:
            return False
        self.newest = count - self.count & _U32
        self.count = count
        self.made += self.newest
        return True

    def check(self, steps):
        """So many steps are commanded by now: the number of a check that fails, or 0. What was commanded two ticks ago
        must have been made: a train ends before the next tick but one."""
        if self.made > self.commanded:
            return PULSES
        if self.made < self._before:
            return SILENT
        self._before, self.commanded = self.commanded, steps
        return NONE

    def sum(self):
        """A number that changes with every single bit of it."""
        return self.count + self.made + self.commanded + self._before
