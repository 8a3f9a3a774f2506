"""Pulses on STEP beside the steps that the ledger says were commanded (F11; R17)."""

from firmware.guard_checks import NONE, PULSES, SILENT

_U32 = 0xFFFFFFFF


class Pulses:
    """`made`: pulses so far, on the ledger's scale. `commanded`: what the ledger had counted a frame ago."""

    def __init__(self, counter):
        """counter: read() tells the pulses since the start, modulo 2**32, or raises OSError."""
        self._counter = counter
        self.count = 0  # pulses, as the counter showed them last
        self.begin(0)

    def begin(self, steps):
        """No train is under way, and so many steps were commanded in all."""
        self.made = self.commanded = self._before = self._long_before = steps

    def rescale(self, steps):
        """The ledger counts otherwise from here on: so many steps by now. Trains may be under way."""
        under_way = self.commanded - self.made
        self.begin(steps)
        self.made -= under_way

    def take(self):
        """Pulses since the last time. Raises OSError if the counter is dead."""
        count = self._counter.read()
        pulses = count - self.count & _U32
        self.count = count
        self.made += pulses
        return pulses

    def check(self, steps):
        """So many steps are commanded by now: the number of a check that fails, or 0. What was commanded three frames
        ago must have been made: a train ends within two."""
        if self.made > steps:
            return PULSES
        if self.made < self._long_before:
            return SILENT
        self._long_before, self._before, self.commanded = self._before, self.commanded, steps
        return NONE

    def sum(self):
        """A number that changes with every single bit of it."""
        return self.count + self.made + self.commanded + self._before + self._long_before
