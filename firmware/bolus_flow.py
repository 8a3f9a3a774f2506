"""A bolus spread evenly over its seconds, exactly, in small integers (F3; invariant 1)."""


class BolusFlow:
    """What one bolus still has to give. `left_s`: seconds. `bound_pl`: the most that any of them gives, pL."""

    def __init__(self, dose_nl, seconds):
        """dose_nl: the whole dose. seconds: 1..86,400, over which it flows; at most 333 uL a second."""
        # The dose in pL may be no small integer, and divmod() of such a one gives no small integers either: what the
        # tick adds up would be allocated.
        a_second = dose_nl // seconds
        rest_pl = (dose_nl - a_second * seconds) * 1_000  # below 86,400,000
        self._dose_nl = dose_nl
        self._seconds = seconds
        self._whole = a_second * 1_000 + rest_pl // seconds
        self._rest = rest_pl % seconds
        self._carry = 0  # 1/seconds pL, below `seconds`
        self.bound_pl = self._whole + (self._rest > 0)
        self.left_s = seconds

    def second(self):
        """A second of it has passed: the pL demanded by it. Allocates nothing."""
        self.left_s -= 1
        carry = self._carry + self._rest
        if carry < self._seconds:
            self._carry = carry
            return self._whole
        self._carry = carry - self._seconds
        return self._whole + 1

    def left_pl(self):
        """What it has not yet given, pL."""
        passed = self._seconds - self.left_s
        return self._dose_nl * 1_000 - self._dose_nl * 1_000 * passed // self._seconds
