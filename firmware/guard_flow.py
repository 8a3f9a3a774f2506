"""What really flowed, by the pulses on STEP alone: highest flow and rolling limits (F11; R08, R17; I6).

Nothing here knows of a prescription's schedule or of the ledger: pulses, seconds and limits.
"""

from array import array

from micropython import const

# Numbers of checks: events.NAMES
_CHECK_CEILING = const(5)
_CHECK_DAY = const(7)
_CHECK_HOUR = const(6)
_PRIME = const(3)  # a kind of bolus

# What the bucket holds, in seconds of the highest flow: two trains of two seconds each, two seconds that wait for a
# reservation, and one more, as a late tick doses two; and the remainder below a step.
_BEHIND_S = const(7)
# A step that the remainder before the window has earned, and one of what is carried of a priming.
_ROUNDING = const(2)
_HOUR_SLOTS = const(59)
_HOUR_SLOT_S = const(60)
_DAY_SLOTS = const(95)
_DAY_SLOT_S = const(900)


class Window:
    """Steps of the newest slots of time. Together they are a little shorter than the window of the limit: then pulses
    that come seconds after their demand, and an RTC that runs away from the processor within its tolerance, cannot make
    a pump that keeps its limit look as if it did not."""

    def __init__(self, slots, slot_s):
        self._slots = array("i", [0] * slots)
        self._slot_s = slot_s
        self._at = 0
        self._elapsed = 0
        self.total = 0
        self.most = 0  # steps; 0: no limit

    def begin(self, limit_nl, pl_per_step, owed):
        """Begin anew. limit_nl: 0 for none. owed: steps still to come that belong to what was before."""
        slots = self._slots
        for index in range(len(slots)):
            slots[index] = 0
        self._at = self._elapsed = 0
        slots[0] = self.total = -owed
        self.most = limit_nl * 1_000 // pl_per_step + _ROUNDING if limit_nl else 0

    def add(self, steps, seconds):
        """So many steps were made within the last seconds. Returns whether they are too many, or a slot has changed by
        itself."""
        slots = self._slots
        slots[self._at] += steps
        self.total += steps
        if self.most and self.total > self.most:
            return True
        self._elapsed += seconds
        while self._elapsed >= self._slot_s:
            self._elapsed -= self._slot_s
            if sum(slots) != self.total:
                return True
            self._at = (self._at + 1) % len(slots)
            self.total -= slots[self._at]
            slots[self._at] = 0
        return False

    def sum(self):
        """A number that changes with every single bit of what add() changes, but for those of the slots."""
        return self._at + self._elapsed + self.total


class Flow:
    """A bucket that leaks at the highest flow, and the two windows of the rolling limits. The bucket runs over as soon
    as the pulses of any span of time, however short or long, are more than that flow and what may be behind. Volumes in
    1/432 pL."""

    def __init__(self):
        self._level = self._leak = self._brim = 0
        self._hour = Window(_HOUR_SLOTS, _HOUR_SLOT_S)  # between 58 and 59 min
        self._day = Window(_DAY_SLOTS, _DAY_SLOT_S)  # between 23.5 h and 23.75 h
        self._is_limited = False

    def scale(self, step, max_rate):
        """Another calibration. step: volume of a step. max_rate: nL/day."""
        self._level = 0
        self._leak = max_rate * 5
        self._brim = (_BEHIND_S * (self._leak // step + 1) + 1) * step

    def limit(self, hour_nl, day_nl, pl_per_step, owed):
        """Rolling limits, 0 for none, begin anew."""
        self._is_limited = hour_nl > 0 or day_nl > 0
        self._hour.begin(hour_nl, pl_per_step, owed)
        self._day.begin(day_nl, pl_per_step, owed)

    def add(self, volume, steps, seconds):
        """So much was made within the last seconds, and so many steps of it count for the limits: the number of a check
        that fails, or 0."""
        level = self._level - self._leak * seconds
        self._level = level = volume + (max(0, level))
        if level > self._brim:
            return _CHECK_CEILING
        if self._is_limited:
            if self._hour.add(steps, seconds):
                return _CHECK_HOUR
            if self._day.add(steps, seconds):
                return _CHECK_DAY
        return 0

    def sum(self):
        """A number that changes with every single bit of what add() changes, but for those of the slots."""
        return self._level + (self._hour.sum() + self._day.sum() if self._is_limited else 0)

    def still(self):
        """A number that changes with every single bit of the rest."""
        return self._leak + self._brim + self._hour.most + self._day.most + self._is_limited


class Bolus:
    """One bolus: how much of it `passed` seconds have earned."""

    def __init__(self, kind, dose_nl, seconds):
        """kind: as in the history. dose_nl over so many seconds, 1 or more."""
        self.is_prime = kind == _PRIME
        self.dose_pl = dose_nl * 1_000
        self.seconds = max(1, seconds)
        self.passed = 0
        self.given_pl = 0

    def second(self):
        """One more second of it: pL."""
        before = self.given_pl
        self.passed += 1
        self.given_pl = self.dose_pl * self.passed // self.seconds
        return self.given_pl - before

    def sum(self):
        """A number that changes with every single bit of it."""
        return self.dose_pl + self.seconds + self.passed + self.given_pl + self.is_prime


class Boluses:
    """The one that flows, and the one that it has set aside. `flow`: whether there is any. `prime_pl`: given by priming
    and not yet made as steps."""

    def __init__(self):
        self.prime_pl = 0
        self._waits = 0  # 1: the newest begins with the next second, and `_last` flows in the one that passes
        self.drop()

    def drop(self):
        """None flows any more."""
        self._newest = self._aside = self._last = None
        self.flow = False

    def begin(self, kind, dose_nl, seconds, suspends):
        """From the next second on. suspends: what flows now is set aside, and flows on after it. Otherwise it has been
        cancelled, or the second that passes is its last one."""
        before = self._newest
        if before is not None and not suspends and before.passed + 1 < before.seconds:
            before = None
        if before is None or not self._waits:
            self._last = before
        # else: both begin within the same second, and the one before has not flowed yet
        self._aside = before
        self._newest = Bolus(kind, dose_nl, seconds)
        self._waits = 1
        self.flow = True

    def second(self, dosed):
        """One second has passed, while there is one: what it demanded, pL. dosed: whether it is dosed; a
        late tick has lost it otherwise."""
        flow = newest = self._newest
        if self._waits:
            self._waits = 0
            flow = self._last
            self._last = None
        if flow is None:
            return 0
        pl = flow.second()
        if flow.passed == flow.seconds:
            if flow is newest:
                self._newest = self._aside
                self.flow = self._newest is not None
            self._aside = None
        if not dosed:
            return 0
        if flow.is_prime:
            self.prime_pl += pl
        return pl

    def primed(self, pulses, pl_per_step):
        """How many of these pulses are priming's."""
        steps = min(pulses, self.prime_pl // pl_per_step)
        self.prime_pl -= steps * pl_per_step
        return steps

    def sum(self):
        """A number that changes with every single bit of it."""
        total = self.prime_pl + self._waits + self.flow + (self._last is not None)
        if self._newest is not None:
            total += self._newest.sum()
        if self._aside is not None:
            total += self._aside.sum()
        return total
