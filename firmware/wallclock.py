"""Local time from the DS3231, counted on by the processor's clock and compared with it (R49).

Dosing counts seconds by the processor; the RTC says which second of the week it is. The control frames are laid on the
second edges of the RTC, so that a schedule edge falls on the start of a frame.
"""

from micropython import const

from firmware import alarms, civil, ledger

_TASK = const(8)  # in resets.TASKS
_STRIKES = const(2)  # looks in a row
_LATE_MS = const(400)
_EDGE_WAIT_MS = const(1_100)
_POLL_MS = const(2)
_TRIES = const(3)  # to see an edge
_STEP_MAX_S = const(2)  # beyond it the two clocks disagree and neither is believed
_FRAMES_PER_STEP = const(10_000)  # 100 ppm


class WallClock:
    """Reads, checks and sets the RTC. Raises nothing: it reports through its return values."""

    def __init__(self, rtc, board):
        """rtc: lib DS3231. board: ticks_ms, ticks_diff, sleep_ms, collect."""
        self._rtc = rtc
        self._board = board
        self._followed = 0  # seconds that the RTC has run away from the processor since it was set or the pump started
        # day, second, the ticks_ms when the operator said so, and the inverted sum of these; None alone is no order
        self._wanted = None

    def read(self):
        """(day, second) as the RTC has it, or None if it cannot be read."""
        try:
            year, month, mday, hour, minute, second = self._rtc.read()
            return civil.day_number(year, month, mday), hour * 3600 + minute * 60 + second
        except (OSError, ValueError):
            return None

    def wait_for_edge(self):
        """Wait for the RTC's next second, at most 1.1 s, and read it: (day, second), or None if its oscillator has
        stopped at any time since it was set, if it does not count, or if three transfers fail."""
        began = self._board.ticks_ms()
        for _ in range(_TRIES):  # hundreds of transfers: one that is disturbed says nothing of the RTC
            try:
                return self._read_twice() if self._sees_edge(began) else None
            except OSError:
                self._board.sleep_ms(_POLL_MS)
        return None

    def _sees_edge(self, began):
        if self._rtc.stopped():
            return False
        first = self._rtc.seconds()
        self._board.collect()  # between the edge and the frames that are laid on it, its 30 ms would stay
        while self._rtc.seconds() == first:
            if self._board.ticks_diff(self._board.ticks_ms(), began) > _EDGE_WAIT_MS:
                return False
            self._board.sleep_ms(_POLL_MS)
        return True

    def _read_twice(self):
        """What two readings in a row agree on: a bit can come wrong over the bus. None if three readings do not."""
        before = self.read()
        for _ in range(2):
            now = self.read()
            if before is not None and now is not None and 0 <= civil.seconds_between(*before, *now) <= 1:
                return now
            before = now
        return None

    def difference(self, day, second):
        """RTC minus the given local time in seconds, or None if it cannot be read or is more than 2 s off.
        An oscillator that stops while the pump runs shows as a difference that grows."""
        now = self.read()
        if now is None:
            return None
        by = civil.seconds_between(day, second, now[0], now[1])
        return by if -_STEP_MAX_S <= by <= _STEP_MAX_S else None

    def allows(self, by, frames):
        """Whether to follow the RTC by so many seconds more. Both clocks are crystals: together they may part by 2 s
        and 100 ppm of the time (in frames of a second), and no further (R49)."""
        self._followed += by
        limit = _STEP_MAX_S + frames // _FRAMES_PER_STEP
        return -limit <= self._followed <= limit

    def want(self, day, second):
        """Take note of the operator's local time; it is set at the start of a frame."""
        since = self._board.ticks_ms()
        self._wanted = (day, second, since, ~(day + second + since))

    @property
    def is_wanted(self):
        """Whether the operator has said what time it is, and it is not set yet."""
        return self._wanted is not None

    def take_wanted(self):
        """The operator's local time, counted on to now and rounded to a second; it is wanted no longer. None if that is
        not what the operator said: a bit of it has changed in RAM."""
        if self._wanted is None:
            raise RuntimeError("clock: nobody has said what time it is")
        day, second, since, seal = self._wanted
        self._wanted = None
        if day + second + since != ~seal:
            return None
        self._followed = 0
        waited = self._board.ticks_diff(self._board.ticks_ms(), since)
        return civil.shifted(day, second, (waited + 500) // 1_000)

    def set(self, day, second):
        """Set the RTC. Returns whether it took the time."""
        year, month, mday = civil.date(day)
        try:
            self._rtc.set(year, month, mday, second // 3600, second // 60 % 60, second % 60)
        except (OSError, ValueError):  # ValueError: the end of the century came in between
            return False
        return True


class Timekeeping:
    """Moves the clock of one pump, with dosing, guard, ledger and what is scheduled. WallClock asks the RTC."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._failures = 0  # looks in a row at which the RTC was not where it should be

    def check(self, late):
        """Every 20 s, in the middle of a second: is the RTC where counting says it is?"""
        app = self._app
        app.log.retry()
        if late > _LATE_MS:
            return _TASK  # too near to the next second to tell whose it is
        if app.wallclock.is_wanted or app.alarms.active & 1 << alarms.RTC_LOST:
            return _TASK
        by = app.wallclock.difference(app.dosing.day, app.dosing.second)
        if by is None:
            self._failures = (self._failures & 3) + 1
            if self._failures >= _STRIKES:
                self._lost()
            return _TASK
        self._failures = 0
        if by and app.wallclock.allows(by, app.seconds()):
            self._step(by)
        elif by:
            self._lost()
        return _TASK

    def _lost(self):
        self._app.alarms.raise_(alarms.RTC_LOST)
        self._app.apply()

    def finish(self):
        """Set the clock as the operator said: the second after it begins."""
        app = self._app
        wanted = app.wallclock.take_wanted()
        if wanted is None:
            app.selftest.ram_changed()
            return
        day, second = wanted
        app.dosing.check_time()
        by = civil.seconds_between(app.dosing.day, app.dosing.second, day, second)
        if by > 0:  # recorded before: a power cut in between must shorten neither a lockout nor a timed stop
            self._shift(by)
            app.record_state()
            if app.must_record and app.records.calibration is not None:
                self._shift(-by)  # refused, and logged so: the clock stays as it is
                return
        if not app.wallclock.set(day, second):  # it may have taken the time all the same: it is not believed now
            self._shift(-max(0, by))
            self._lost()
            return
        self._shift(min(0, by))
        self._move_to(day, second, "clock_set")
        app.alarms.gone(alarms.RTC_LOST)
        app.apply()
        app.record_state()  # a timed stop may end in this very frame, and its end is looked up in the record

    def _shift(self, by):
        """Pump time does not follow the clock, nor does the length of a stop."""
        self._app.ledger.shift += by
        self._app.must_record = True
        self._move_stop(by)

    def _move_stop(self, by):
        state = self._app.ledger
        if state.state in (ledger.STOPPED, ledger.PAUSED):
            day, second = civil.shifted(state.stop_day, state.stop_second, by)
            state.stop_day, state.stop_second = (day, second) if day >= 0 else (0, 0)
            self._app.must_record = True

    def _step(self, by):
        """Follow the RTC by a second or two."""
        dosing = self._app.dosing
        day, second = civil.shifted(dosing.day, dosing.second, by)
        self._move_to(day, second, "clock_step")
        self._move_stop(by)

    def _move_to(self, day, second, code):
        app = self._app
        by = civil.seconds_between(app.dosing.day, app.dosing.second, day, second)
        app.log.log(code, by_s=by)
        before = app.dosing.day, app.dosing.second
        app.dosing.set_time(day, second)
        app.guard.move(day, second, by if code == "clock_step" else 0)
        app.ledger.note(day, second, app.cascade)  # so that a reset finds the clock where it left it
        if code == "clock_set":
            app.therapy.scheduled.clock_moved(*before)
        app.changed()
