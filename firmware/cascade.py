"""Rate to steps, exactly, in small integers (F1; invariant 1).

A rate of r nL/day is r * 1000 / 86,400 = r * 5 / 432 pL a second. So one second of flow is a whole number of pL and a
remainder in 1/432 pL, both carried on, and steps are taken out of the whole pL. Nothing is ever rounded away: at every
second, steps made = floor(volume demanded / volume of a step), the exact rational being the one that counts.

Ranges, all below 2**30 (the small integers of MicroPython), for rates up to 200 mL/day:
rate * 5 <= 1.0e9; acc_pl < pl_per_step + flow of one second <= 1,000,000 + 2,314,815; rem < 864. A bolus counts in the
flow: both together never exceed the maximum rate.
"""

from micropython import const

_NUMERATOR = const(5)
_DENOMINATOR = const(432)


class Cascade:
    """Accumulates the demand of whole seconds and says how many steps are due."""

    def __init__(self, pl_per_step):
        """pl_per_step: calibration, 1,000 to 1,000,000 pL."""
        self.pl_per_step = pl_per_step
        self.rate = 0  # nL/day
        self.flow_pl = 0  # whole pL a second
        self.flow_rem = 0  # and 1/432 pL a second
        self.acc_pl = 0  # demanded and not yet stepped, whole pL, below pl_per_step
        self.rem = 0  # and in 1/432 pL, below 432
        self.bolus_pl = 0  # the most that a second of the running bolus adds, whole pL

    def set_rate(self, rate):
        """The rate (nL/day) of the seconds from now on. The remainders of the old rate stay."""
        scaled = rate * _NUMERATOR
        self.rate = rate
        self.flow_pl = scaled // _DENOMINATOR
        self.flow_rem = scaled % _DENOMINATOR

    def second(self, bolus_pl=0):
        """One second of flow, and so much of a bolus, has been demanded: the number of steps that fall due by it."""
        rem = self.rem + self.flow_rem
        acc = self.acc_pl + self.flow_pl + bolus_pl
        if rem >= _DENOMINATOR:
            rem -= _DENOMINATOR
            acc += 1
        self.rem = rem
        size = self.pl_per_step
        if acc < size:
            self.acc_pl = acc
            return 0
        steps = acc // size
        self.acc_pl = acc - steps * size
        return steps

    def due_within(self, seconds):
        """An upper bound of the steps that fall due in the next seconds (1..60) at this flow."""
        return (self.acc_pl + seconds * (self.flow_pl + 1 + self.bolus_pl)) // self.pl_per_step

    def steps_in(self, seconds):
        """Whole steps in so many seconds (1..60) of flow, floored."""
        return seconds * (self.flow_pl + self.bolus_pl) // self.pl_per_step

    def steps_a_second(self):
        """Whole steps that a second can bring at this flow, rounded up."""
        return (self.flow_pl + self.bolus_pl) // self.pl_per_step + 1

    def clear(self):
        """Forget the remainder (less than one step): after a cut nobody knows what it had become."""
        self.acc_pl = 0
        self.rem = 0
