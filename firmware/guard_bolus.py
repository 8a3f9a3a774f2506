"""The boluses that flow, reckoned a second time (F11, R17): what so many seconds of the whole dose have earned, where
dosing adds second to second."""

from micropython import const

_PRIME = const(3)


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
        self._waits = 0  # 1: the newest begins with the next second, and the one set aside flows until then
        self.drop()

    def drop(self):
        """None flows any more."""
        self._newest = self._aside = None
        self.flow = False

    def begin(self, kind, dose_nl, seconds, suspends):
        """From the next second on. suspends: what flows now is set aside, and flows on after it."""
        self._aside = self._newest if suspends else None
        self._newest = Bolus(kind, dose_nl, seconds)
        self._waits = 1
        self.flow = True

    def second(self, dosed):
        """One second has passed, while there is one: what it demanded, pL. dosed: whether it is dosed; a
        late tick has lost it otherwise."""
        flow = newest = self._newest
        if self._waits:
            self._waits = 0
            flow = self._aside
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
        total = self.prime_pl + self._waits + self.flow
        if self._newest is not None:
            total += self._newest.sum()
        if self._aside is not None:
            total += self._aside.sum()
        return total
