"""Which scheduled boluses fall due, and which were passed over (F3; identity: index, local date, prescription)."""

from binascii import crc32

from micropython import const

from firmware import boluses, civil

_DAY_S = civil.SECONDS_PER_DAY
_WEEK = const(7)
_LATE_S = const(3)  # a tick that is late, or a step of the clock, still finds what fell due
_AHEAD_MAX_S = const(7 * 86_400)


class Agenda:
    """The scheduled boluses of one prescription on the local calendar. A due one is `which`: (index, date, therapy, due
    time), as boluses.Boluses takes it."""

    def __init__(self):
        self._items = ()  # (second of the day, index, mask of days)
        self._therapy = 0
        # Local time, s since 2000, up to which everything has been given or skipped. A clock that is set back does not
        # bring it back: what was skipped is not given later.
        self.seen = 0

    def lay(self, rx):
        """Take up the boluses of a prescription, or None."""
        self._items = ()
        if rx is not None and rx.scheduled:
            self._therapy = crc32(rx.pack()) & 0xFFFFFFFF
            found = [(item[1] * 60, index, item[0]) for index, item in enumerate(rx.scheduled)]
            self._items = tuple(sorted(found))

    def begin(self, day, second):
        """A new prescription: the calendar begins here."""
        self.seen = day * _DAY_S + second

    def moved(self, day, second):
        """The clock shows this local time now. What lies behind is done with, and what lies ahead only if it was
        before; but a clock that was wrong by more than a week must not silence the schedule for as long."""
        now = day * _DAY_S + second
        if not now < self.seen <= now + _AHEAD_MAX_S:
            self.seen = now

    def due(self, day, second):
        """Those that fall due with the second that begins after this local time; once a second. What a clock that was
        set, or a long silence, has passed over does not count: see passed()."""
        if not self._items:
            return ()
        second += 1
        if second % 60 >= _LATE_S:
            return ()
        now = day * _DAY_S + second
        since = max(self.seen, now - _LATE_S)
        if now <= since:
            return ()
        self.seen = now
        return self._between(since, now)

    def _between(self, since, now):
        """Those with since < due time <= now, at most a day, in the order of their times."""
        found = []
        for date in range(since // _DAY_S, now // _DAY_S + 1):
            for at, index, days in self._items:
                time = date * _DAY_S + at
                if since < time <= now and days >> civil.weekday(date) & 1:
                    found.append((index, date, self._therapy, time))
        return found

    def passed(self, since_day, since_second, day, second, history, again=False):
        """What lies in (since, now] and was not given: (index, newest date, count) for each bolus. Looks at a week at
        most, however long ago that was. history: boluses.Boluses. again: what has fallen due before counts too, as it
        may have waited."""
        since = since_day * _DAY_S + since_second
        now = day * _DAY_S + second
        if not again:
            since = max(since, min(self.seen, now))
        found = []
        if now <= since:
            return found
        for at, index, days in self._items:
            first = (since - at) // _DAY_S + 1  # dates on which it lay in the span: first..last
            last = (now - at) // _DAY_S
            weeks = (last - first + 1) // _WEEK
            count = weeks * len([bit for bit in range(_WEEK) if days >> bit & 1])
            newest = -1
            for date in range(first + weeks * _WEEK, last + 1):
                count += days >> civil.weekday(date) & 1
            for date in range(last, max(first, last - _WEEK + 1) - 1, -1):
                if days >> civil.weekday(date) & 1:
                    newest = date
                    break
            for entry in history.recent:
                if entry.kind == boluses.SCHEDULED and (entry.index, entry.therapy) == (index, self._therapy):
                    count -= first <= entry.date <= last
            if count > 0 and newest >= 0:
                found.append((index, newest, count))
        return found
