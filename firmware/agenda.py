"""Which scheduled boluses fall due, and which were passed over (F3; identity: index, local date, prescription).

Each has its turn once: given or skipped, it does not come again when the clock is set back.
"""

from binascii import crc32

from micropython import const

from firmware import boluses, civil

_DAY_S = civil.SECONDS_PER_DAY
_WEEK = const(7)
_LATE_S = const(3)  # a tick that is late, or a step of the clock, still finds what fell due
_DONE_MAX = const(256)  # turns that are remembered: ten days of 24 boluses
_MARK_MAX_S = const(90_000)  # a clock that was wrong by more must not silence the schedule for as long
_INDEX_BITS = const(5)
_INDEX_MASK = const(31)
_NONE = ((), ())


class Agenda:
    """The scheduled boluses of one prescription on the local calendar. A due one is `which`: (index, date, therapy), as
    boluses.Boluses takes it."""

    def __init__(self):
        self._items = ()  # (second of the day, index, mask of days)
        self._therapy = 0
        self._seen = 0  # local time, s since 2000, up to which everything has been looked at
        self._done: list = []  # turns, oldest first: date << 5 | index
        self._mark = 0  # local time, s since 2000: nobody knows which turns up to it were had before a reset

    def lay(self, rx):
        """Take up the boluses of a prescription, or None."""
        self._items = ()
        if rx is not None and rx.scheduled:
            therapy = crc32(rx.pack()) & 0xFFFFFFFF
            if therapy != self._therapy:
                self._done = []
                self._mark = 0
            self._therapy = therapy
            found = [(item[1] * 60, index, item[0]) for index, item in enumerate(rx.scheduled)]
            self._items = tuple(sorted(found))

    def begin(self, day, second):
        """The calendar is looked at from this local time on."""
        self._seen = day * _DAY_S + second
        if self._mark > self._seen + _MARK_MAX_S:
            self._mark = 0

    def restore(self, mark_min):
        """After a reset: turns up to this minute (local time, since 2000) have been had. begin() comes next."""
        self._mark = mark_min * 60

    @property
    def restored_min(self):
        """Turns up to this minute were had before the reset, as far as that can be believed; 0: nobody knows."""
        return self._mark // 60

    def mark_min(self, waiting=()):
        """The newest turn that was decided: minutes of local time since 2000. It lies ahead after a clock was set back.
        waiting: those of the due ones that wait, as due() names them; they come in the order of their times."""
        newest = self._mark
        times = {index: at for at, index, _ in self._items}
        for key in self._done:
            at = times.get(key & _INDEX_MASK)
            if at is not None:  # without a prescription there are no items
                newest = max(newest, (key >> _INDEX_BITS) * _DAY_S + at)
        for index, date, _ in waiting:
            time = date * _DAY_S + times[index]
            if time <= self._seen:
                newest = min(newest, time - 60)
        return newest // 60

    def due(self, day, second):
        """Those that fall due with the second that begins after this local time; once a second. (due, passed over):
        the ticks of a pump that was busy for longer than that come too late for those before."""
        if not self._items:
            return _NONE
        now = day * _DAY_S + second + 1
        since = self._seen
        if now <= since:
            return _NONE
        self._seen = now
        if now - since <= _LATE_S and now % 60 >= _LATE_S:
            return _NONE
        late = now - _LATE_S
        return self._between(max(since, late), now), self._between(since, late) if since < late else ()

    def _between(self, since, now):
        """Those with since < due time <= now, in the order of their times, that have not had their turn until now."""
        found = []
        for date in range(since // _DAY_S, now // _DAY_S + 1):
            for at, index, days in self._items:
                time = date * _DAY_S + at
                if since < time <= now and days >> civil.weekday(date) & 1 and self._has_turn(date, index, time):
                    found.append((index, date, self._therapy))
        return found

    def _has_turn(self, date, index, time):
        key = date << _INDEX_BITS | index
        if time <= self._mark or key in self._done:
            return False
        self._done.append(key)
        if len(self._done) > _DONE_MAX:
            self._done.pop(0)
        return True

    def passed(self, since, now, history):
        """What lies in (since, now], each (day, second) of local time, and has not had its turn: (index, newest date,
        count) for each bolus; it has now. Looks at some days at most, however long ago that was. history:
        boluses.Boluses, which knows what was given."""
        since = since[0] * _DAY_S + since[1]
        now = now[0] * _DAY_S + now[1]
        found = []
        for at, index, days in self._items:
            first = (since - at) // _DAY_S + 1  # dates on which it lay in the span: first..last
            last = (now - at) // _DAY_S
            weeks = max(0, last - first + 1) // _WEEK
            count = weeks * len([bit for bit in range(_WEEK) if days >> bit & 1])
            for date in range(first + weeks * _WEEK, last + 1):
                count += days >> civil.weekday(date) & 1
            count -= len([date for date in self._known(index, history) if first <= date <= last])
            newest = -1
            for date in range(max(first, last - _WEEK), last + 1):
                if days >> civil.weekday(date) & 1:
                    newest = date
                    self._has_turn(date, index, date * _DAY_S + at)
            if count > 0 and newest >= 0:
                found.append((index, newest, count))
        return found

    def _known(self, index, history):
        """Dates of the turns that a bolus is known to have had."""
        dates = {key >> _INDEX_BITS for key in self._done if key & _INDEX_MASK == index}
        for entry in history.recent:
            if entry.kind == boluses.SCHEDULED and (entry.index, entry.therapy) == (index, self._therapy):
                dates.add(entry.date)
        return dates
