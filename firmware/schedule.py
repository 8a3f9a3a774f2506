"""Which rate holds at which second of the week (F2).

The periods of a prescription are laid out once, as sorted boundaries of each day of the week, so that a tick only
compares the second of the week with the bounds of the segment it is in. Periods may cross midnight and the end of the
week; they never overlap (validation.py refuses that).
"""

from array import array

from micropython import const

_MINUTES_PER_DAY = const(1_440)
_INDEX = const(63)  # of a period or bolus, in the lowest bits of a mark
_LEVEL = const(31)  # of a rate, in the lowest bits of what begins in a day
_MINUTES_PER_WEEK = const(10_080)
_DAY_S = const(86_400)
WEEK_S = const(604_800)


def minutes(start, end):
    """Length of a period from minute to minute of the day; an end at or before the start lies on the next day."""
    return end - start if end > start else end - start + _MINUTES_PER_DAY


def begins(things, day_length=_MINUTES_PER_DAY):
    """For each day of each period or bolus (days mask with Monday as bit 0, time of the day, ...; at most 64), in the
    order of the week: its time of the week << 6, and which it is; of those at one time the first of them comes first.
    One after the other: a table of the week would need more of the heap at once than a full prescription may find.
    day_length: of a day in the unit of the times, minutes or seconds."""
    order = [thing[1] << 6 | index for index, thing in enumerate(things)]
    order.sort()
    for day in range(7):
        before = day * day_length << 6
        for mark in order:
            if things[mark & _INDEX][0] >> day & 1:
                yield before + mark


def last_begin(periods):
    """The last of begins(); None: there is none."""
    mark = None
    for found in begins(periods):
        mark = found
    return mark


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
        """base: rate outside all periods, nL/day. periods: as in a prescription, at most 31."""
        self._rates = array("I", [base])
        for period in periods:
            self._rates.append(period[3])
        # One table for each day: minute of the day at which a rate begins << 5 | its index in _rates. The first of them
        # begins at midnight. One table of the week would need more of a full heap at once than there may be.
        self._days = []
        end = 0  # minute at which the period before ends; that of the end of the week may reach into its beginning
        last = last_begin(periods)
        if last is not None:
            end = max(0, _end(last, periods) - _MINUTES_PER_WEEK)
        self._edge(0, (last & _INDEX) + 1 if last is not None and end else 0)
        for mark in begins(periods):
            minute = mark >> 6
            if minute > end:
                self._edge(end, 0)
            self._edge(minute, (mark & _INDEX) + 1)
            end = _end(mark, periods)
        if end < _MINUTES_PER_WEEK:
            self._edge(end, 0)
        self._lay(6)
        self._first = WEEK_S  # bounds of the current segment: an empty one, so that the first look-up searches
        self._end = 0
        self.rate = base
        self.base = base

    def _edge(self, minute, which):
        """A rate begins at a minute of the week. One that began at the same minute has had no time."""
        day = minute // _MINUTES_PER_DAY
        self._lay(day)
        table = self._days[day]
        minute %= _MINUTES_PER_DAY
        if table[-1] >> 5 == minute:
            table[-1] = minute << 5 | which
        else:
            table.append(minute << 5 | which)

    def _lay(self, last):
        """Begin the tables up to that of a day, each with the rate that goes on at midnight. Most days are alike."""
        days = self._days
        while len(days) <= last:
            if len(days) > 1 and days[-1] == days[-2]:
                days[-1] = days[-2]
            days.append(array("H", [days[-1][-1] & _LEVEL if days else 0]))

    def rate_at(self, second_of_week):
        """The rate (nL/day) at a second of the week, 0..604,799. Allocates nothing."""
        if not self._first <= second_of_week < self._end:
            self._search(second_of_week)
        return self.rate

    def _search(self, second):
        day = self._days[second // _DAY_S]
        midnight = second // _DAY_S * _DAY_S
        low = last_at(day, (second - midnight) // 60 << 5 | _LEVEL)
        self._first = midnight + (day[low] >> 5) * 60
        self._end = midnight + ((day[low + 1] >> 5) * 60 if low + 1 < len(day) else _DAY_S)
        self.rate = self._rates[day[low] & _LEVEL]

    def demand(self, second_of_week, seconds):
        """Volume demanded in `seconds` from a second of the week on, as (whole nL, rest in 1/86,400 nL). Allocates."""
        total = 0
        while seconds > 0:
            rate = self.rate_at(second_of_week)
            part = min(seconds, self._end - second_of_week)
            total += rate * part
            seconds -= part
            second_of_week = (second_of_week + part) % WEEK_S
        return divmod(total, _DAY_S)

    def tables(self):
        """(days, rates): for each day of the week an array of minute << 5 | index of the rate (nL/day) that begins
        then; the first begins at midnight. Days that are alike may have one array. They are not to be changed."""
        return self._days, self._rates

    def highest(self):
        """The highest programmed rate (nL/day), the base among them even if periods cover the whole week."""
        return max(self._rates)

    def lowest(self):
        """The lowest programmed rate above 0 (nL/day), the base among them even if periods cover the whole week; 0 if
        there is none."""
        found = 0
        for rate in self._rates:
            if rate and (not found or rate < found):
                found = rate
        return found


def _end(mark, periods):
    """Minute of the week at which a period ends, which may lie beyond the week's end. mark: minute << 6 | index."""
    _, start, end, _ = periods[mark & _INDEX]
    return (mark >> 6) + minutes(start, end)
