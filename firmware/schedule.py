"""Which rate holds at which second of the week (F2).

The periods of a prescription are laid out once over the week as sorted boundaries, so that a tick only compares the
second of the week with the bounds of the segment it is in. Periods may cross midnight and the end of the week; they
never overlap (prescription.py refuses that).
"""

from array import array

from micropython import const

_MINUTES_PER_DAY = const(1_440)
_INDEX = const(31)  # of a period, in the lowest bits of a mark
WEEK_S = const(604_800)


def minutes(start, end):
    """Length of a period from minute to minute of the day; an end at or before the start lies on the next day."""
    return end - start if end > start else end - start + _MINUTES_PER_DAY


def begins(things):
    """One small integer for each day of each period or bolus (days mask with Monday as bit 0, minute of the day, ...),
    in the order of the week: its minute of the week << 5, and which it is. A list that grows, or a table of all edges,
    would need more of the heap at once than a full prescription may find."""
    count = 0
    for thing in things:
        for day in range(7):
            count += thing[0] >> day & 1
    marks = [0] * count
    for index, thing in enumerate(things):
        for day in range(7):
            if thing[0] >> day & 1:
                count -= 1
                marks[count] = (day * _MINUTES_PER_DAY + thing[1]) << 5 | index
    marks.sort()
    return marks


def last_at(points, second):
    """Index of the last of the sorted points at or before a second; -1: none. Allocates nothing."""
    low = -1
    high = len(points)
    while high - low > 1:
        middle = (low + high) // 2
        if points[middle] <= second:
            low = middle
        else:
            high = middle
    return low


class Schedule:
    """The weekly course of the basal rate."""

    def __init__(self, base, periods):
        """base: rate outside all periods, nL/day. periods: (days, from, to, rate) as in the prescription."""
        marks = begins(periods)
        starts = array("I")
        rates = array("I")
        end = 0  # minute at which the period before ends; that of the end of the week may reach into its beginning
        if marks:
            end = max(0, _end(marks[-1], periods) - WEEK_S // 60)
        _edge(starts, rates, 0, periods[marks[-1] & _INDEX][3] if end else base)
        for mark in marks:
            minute = mark >> 5
            if minute > end:
                _edge(starts, rates, end * 60, base)
            _edge(starts, rates, minute * 60, periods[mark & _INDEX][3])
            end = _end(mark, periods)
        if end * 60 < WEEK_S:
            _edge(starts, rates, end * 60, base)
        self._starts = starts
        self._rates = rates
        self._first = WEEK_S  # bounds of the current segment: an empty one, so that the first look-up searches
        self._end = 0
        self.rate = base
        self.base = base

    def rate_at(self, second_of_week):
        """The rate (nL/day) at a second of the week, 0..604,799. Allocates nothing."""
        if not self._first <= second_of_week < self._end:
            self._search(second_of_week)
        return self.rate

    def _search(self, second):
        starts = self._starts
        low = last_at(starts, second)
        self._first = starts[low]
        self._end = starts[low + 1] if low + 1 < len(starts) else WEEK_S
        self.rate = self._rates[low]

    def demand(self, second_of_week, seconds):
        """Volume demanded in `seconds` from a second of the week on, as (whole nL, rest in 1/86,400 nL). Allocates."""
        total = 0
        while seconds > 0:
            rate = self.rate_at(second_of_week)
            part = min(seconds, self._end - second_of_week)
            total += rate * part
            seconds -= part
            second_of_week = (second_of_week + part) % WEEK_S
        return divmod(total, 86_400)

    def segments(self):
        """(starts, rates): arrays of the seconds of the week at which a rate begins, and of these rates (nL/day). They
        are not to be changed."""
        return self._starts, self._rates

    def highest(self):
        """The highest programmed rate (nL/day), the base among them even if periods cover the whole week."""
        return max(self.base, *self._rates)

    def lowest(self):
        """The lowest programmed rate above 0 (nL/day), the base among them even if periods cover the whole week; 0 if
        there is none."""
        found = self.base
        for rate in self._rates:
            if rate and (not found or rate < found):
                found = rate
        return found


def _end(mark, periods):
    """Minute of the week at which a period ends, which may lie beyond the week's end. mark: minute << 5 | index."""
    _, start, end, _ = periods[mark & _INDEX]
    return (mark >> 5) + minutes(start, end)


def _edge(starts, rates, second, rate):
    """A rate begins. The one that began at the same second has had no time."""
    if len(starts) and starts[-1] == second:
        rates[-1] = rate
    else:
        starts.append(second)
        rates.append(rate)
