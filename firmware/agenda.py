"""Which scheduled boluses fall due, and which were passed over (F3; identity: index, local date).

Each has its turn once: given or skipped, it does not come again, whatever the clock does. Turns come in the order of
their times, so one number tells which were had: the time of the newest. A commit begins afresh: what was due before
counts as had, and nothing else. A clock that was ahead for long and is set back leaves the schedule silent until it
gets there again; whoever sets it is told, and a commit ends it.
"""

from micropython import const

from firmware import boluses, civil

_DAY_S = civil.SECONDS_PER_DAY
_WEEK = const(7)
_LATE_S = const(3)  # a tick that is late, or a step of the clock, still finds what fell due
_NONE = ((), ())


class Agenda:
    """The scheduled boluses of one prescription on the local calendar. A due one is `which`: (index, date, therapy), as
    boluses.Boluses takes it."""

    def __init__(self):
        self._items = ()  # (second of the day, index, mask of days)
        self._therapy = 0
        self._seen = 0  # local time, s since 2000, up to which everything has been looked at
        self._mark = 0  # local time, s since 2000: turns up to it have been had
        self._close()

    def _sum(self):
        """A number that changes with every single bit of what is here."""
        total = self._therapy + self._seen + self._mark
        for at, index, days in self._items:
            total += at + index + days
        return total

    def _close(self):
        self._seal = ~self._sum()

    def check(self):
        """Raise RuntimeError if something has changed in RAM: boluses would be passed over for weeks. A restart takes
        all of it from the records."""
        if self._sum() != ~self._seal:
            raise RuntimeError("agenda: a number has changed in RAM")

    def lay(self, rx):
        """Take up the boluses of a prescription, or None."""
        self.check()
        items, therapy = (), self._therapy
        if rx is not None and rx.scheduled:
            therapy = rx.crc()
            items = tuple(sorted([(item[1] * 60, index, item[0]) for index, item in enumerate(rx.scheduled)]))
        self._items, self._therapy = items, therapy
        self._close()

    def begin(self, day, second):
        """The calendar is looked at from this local time on."""
        self.check()
        self._seen = day * _DAY_S + second
        self._close()

    def restart(self, day, second):
        """A prescription was committed at this local time: what was due until then is not given."""
        self.check()
        self._mark = day * _DAY_S + second
        self._close()
        self.begin(day, second)

    def restore(self, mark_min):
        """After a reset: turns up to this minute (local time, since 2000) have been had."""
        self.check()
        self._mark = mark_min * 60
        self._close()

    def silent_until(self, day, second):
        """Local time, s since 2000, up to which no scheduled bolus is given if the clock shows this; 0 if they are."""
        return self._mark if self._items and self._mark > day * _DAY_S + second else 0

    def mark_min(self, waiting=()):
        """The newest turn that was decided: minutes of local time since 2000. It lies ahead after a clock was set back.
        waiting: those of the due ones that wait, as due() names them; they come in the order of their times."""
        self.check()
        mark = self._mark
        times = {index: at for at, index, _ in self._items}
        for index, date, _ in waiting:
            time = date * _DAY_S + times[index]
            if time <= self._seen:
                mark = min(mark, time - 60)
        return mark // 60

    def due(self, day, second):
        """Those that fall due with the second that begins after this local time; once a second. (due, passed over):
        the ticks of a pump that was busy for longer than that come too late for those before."""
        self.check()
        if not self._items:
            return _NONE
        now = day * _DAY_S + second + 1
        since = self._seen
        if now <= since:
            return _NONE
        self._seen = now
        self._close()
        if now - since <= _LATE_S and now % 60 >= _LATE_S:
            return _NONE
        late = now - _LATE_S
        passed = self._between(since, late) if since < late else ()
        found = self._between(max(since, late), now)
        self._close()
        return found, passed

    def _between(self, since, now):
        """Those with since < due time <= now, in the order of their times, that have not had their turn until now."""
        since = max(since, self._mark)
        found = []
        for date in range(since // _DAY_S, now // _DAY_S + 1):
            for at, index, days in self._items:
                time = date * _DAY_S + at
                if since < time <= now and days >> civil.weekday(date) & 1:
                    found.append((index, date, self._therapy))
                    self._mark = time
        return found

    def passed(self, since, now, history):
        """What lies in (since, now], each (day, second) of local time, and has not had its turn: (index, newest date,
        count) for each bolus; it has now. Looks at some days at most, however long ago that was. history:
        boluses.Boluses, which knows what was given."""
        self.check()
        since = max(since[0] * _DAY_S + since[1], self._mark)
        now = now[0] * _DAY_S + now[1]
        mark = self._mark
        found = []
        for at, index, days in self._items:
            first = (since - at) // _DAY_S + 1  # dates on which it lay in the span: first..last
            last = (now - at) // _DAY_S
            weeks = max(0, last - first + 1) // _WEEK
            count = weeks * len([bit for bit in range(_WEEK) if days >> bit & 1])
            for date in range(first + weeks * _WEEK, last + 1):
                count += days >> civil.weekday(date) & 1
            count -= len([date for date in self._given(index, history) if first <= date <= last])
            newest = -1
            for date in range(max(first, last - _WEEK), last + 1):
                if days >> civil.weekday(date) & 1:
                    newest = date
            if newest >= 0:
                mark = max(mark, newest * _DAY_S + at)
                if count > 0:
                    found.append((index, newest, count))
        self._mark = mark
        self._close()
        return found

    def _given(self, index, history):
        """Dates on which a bolus is known to have been given."""
        dates = set()
        for entry in history.recent:
            if entry.kind == boluses.SCHEDULED and (entry.index, entry.therapy) == (index, self._therapy):
                dates.add(entry.date)
        return dates
