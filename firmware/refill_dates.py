"""When the reservoir will be low: expected, and at the worst (F6, R13). Pure functions of a weekly course and a volume.

Amounts are in 1/86,400 nL, so that a rate in nL/day is a whole amount a second, and nothing is rounded on the way: a
date is the first second by which the volume has been demanded. Whole weeks are divided out and whole days are added up
ahead; only the last day is walked through, edge by edge.
"""

from array import array

from micropython import const

from firmware.schedule import begins, last_at

_DAY_S = const(86_400)
_WEEK_S = const(604_800)
_LATE_S = const(1_800)  # a scheduled bolus that could begin only so much later is skipped
_LEVEL = const(31)  # of a rate, in the lowest bits of a schedule's table
_INDEX = const(63)  # of a bolus, in the lowest bits of what schedule.begins() gives


def _amount(bolus, seconds):
    """What has flowed of a bolus (dose nL, seconds) so many seconds after its begin, floored."""
    return bolus[0] * _DAY_S * seconds // bolus[1]


class Plan:
    """The weekly course of basal rate and scheduled boluses."""

    def __init__(self, schedule, scheduled=()):
        """schedule: schedule.Schedule. scheduled: (days mask, minute of the day, dose nL, seconds) of each bolus, as in
        the prescription. One bolus flows at a time: a later one waits, up to 30 min."""
        self._tables, self._rates = schedule.tables()
        self._scheduled = scheduled
        self._begins = array("i")
        self._which = bytearray()
        self._lay_boluses()
        self.days = [0] * 7
        self._add_up()
        self.week = sum(self.days)

    def _lay_boluses(self):
        """When each bolus of the week begins, in order. What hangs over the end of the week, and what had to wait
        beyond it, comes first: where it lies in the next week, and the others wait for it."""
        free = self._queue(0, 2 * _WEEK_S) - _WEEK_S
        if free <= 0:
            return
        laid, which = self._begins, self._which
        first = len(laid)
        while first and laid[first - 1] + self._scheduled[which[first - 1]][3] > _WEEK_S:
            first -= 1
        self._begins = array("i", [begin - _WEEK_S for begin in laid[first:]])
        self._which = which[first:]
        self._queue(free, _WEEK_S)

    def _queue(self, free, last):
        """Add the boluses of a week, one after the other, none before `free`, and none at or beyond `last`. Returns the
        second by which all of them are over."""
        for mark in begins(self._scheduled):
            index = mark & _INDEX
            start = (mark >> 6) * 60
            begin = max(start, free)
            if begin - start < _LATE_S and begin < last:
                self._begins.append(begin)
                self._which.append(index)
                free = begin + self._scheduled[index][3]
        return free

    def _add_up(self):
        """What the days of the week take. Most boluses lie within a day: worth a short way at hundreds of them."""
        days = self.days
        for day, table in enumerate(self._tables):
            last = _DAY_S
            for index in range(len(table) - 1, -1, -1):
                first = (table[index] >> 5) * 60
                days[day] += self._rates[table[index] & _LEVEL] * (last - first)
                last = first
        for index, begin in enumerate(self._begins):
            bolus = self._scheduled[self._which[index]]
            day = begin // _DAY_S
            if day >= 0 and begin + bolus[3] <= (day + 1) * _DAY_S:
                days[day] += bolus[2] * _DAY_S
            else:
                self._spread(begin, begin + bolus[3], bolus[2] * _DAY_S, bolus[3])

    def _spread(self, first, last, amount, seconds):
        """Add amount / seconds for each second from first to last to the days, as far as they lie in the week."""
        begin = first
        last = min(last, _WEEK_S)
        first = max(first, 0)
        done = amount * (first - begin) // seconds
        while first < last:
            day = first // _DAY_S
            first = min(last, (day + 1) * _DAY_S)
            upto = amount * (first - begin) // seconds
            self.days[day] += upto - done
            done = upto

    def bolus_end(self, second):
        """Seconds that the scheduled bolus which should flow at this second of the week still takes; 0: none."""
        index = last_at(self._begins, second)
        if index < 0:
            return 0
        return max(0, self._begins[index] + self._scheduled[self._which[index]][3] - second)

    def advance(self, second, need, extra=0, limit=None):
        """Let the amount `need` (above 0) flow from a second of the week on. extra: nL/day on top. limit: most seconds,
        or None. Returns (seconds, what is left of need): with something left, nothing more flows within the limit."""
        elapsed = 0
        week = self.week + extra * _WEEK_S
        if not week:
            return limit or 0, need
        weeks = (need - 1) // week
        if limit is not None:
            weeks = min(weeks, limit // _WEEK_S)
        elapsed = weeks * _WEEK_S
        need -= weeks * week
        while need > 0 and (limit is None or elapsed < limit):  # eight days and a part of one at most
            rest = second % _DAY_S
            span = _DAY_S - rest
            if limit is not None:
                span = min(span, limit - elapsed)
            whole = self.days[second // _DAY_S] + extra * _DAY_S
            if span == _DAY_S and whole < need:
                need -= whole
            else:
                span, need = self._walk(second, span, need, extra)
            elapsed += span
            second = (second + span) % _WEEK_S
        return elapsed, max(0, need)

    def _walk(self, second, span, need, extra):
        """advance() within one day: from edge to edge."""
        day = second // _DAY_S
        table, laid = self._tables[day], self._begins
        last = second + span
        begun = second
        part = last_at(table, second % _DAY_S // 60 << 5 | _LEVEL)
        number = max(0, last_at(laid, second))
        while second < last:
            ends_at = day * _DAY_S + (table[part + 1] >> 5) * 60 if part + 1 < len(table) else last
            edge = min(last, ends_at)
            rate = self._rates[table[part] & _LEVEL] + extra
            since = 0
            bolus = (0, 1)
            if number < len(laid):
                since = laid[number]
                ends = since + self._scheduled[self._which[number]][3]
                if ends <= second:
                    number += 1
                    continue
                if since > second:
                    edge = min(edge, since)
                else:
                    edge = min(edge, ends)
                    bolus = self._scheduled[self._which[number]][2:]
            done = _amount(bolus, second - since) if bolus[0] else 0
            flow = rate * (edge - second) + _amount(bolus, edge - since) - done
            if flow >= need:
                return second - begun + _first(rate, bolus, second - since, edge - second, need + done), 0
            need -= flow
            second = edge
            if edge == ends_at < last:
                part += 1
        return span, need


def _first(rate, bolus, since, high, need):
    """The first of the seconds 1..high by which rate and bolus, which began `since` seconds before, have given need."""
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        if rate * middle + _amount(bolus, since + middle) >= need:
            high = middle
        else:
            low = middle
    return high


def until(phases, volume_nl, second):
    """Seconds from a second of the week until so much volume has flowed, or None if it never will.

    phases: (Plan, patient boluses nL/day, seconds that it lasts or None for ever), one after the other.
    """
    need = volume_nl * _DAY_S
    total = 0
    for plan, extra, limit in phases:
        if need <= 0:
            break
        seconds, need = plan.advance((second + total) % _WEEK_S, need, extra, limit)
        total += seconds
    return total if need <= 0 else None
