"""What the prescription in force asks for, reckoned a second time: the guard's own reading of the packed records (F11,
R17, R18).

It shares no line with the code that doses. A rate is looked up by asking each period whether it holds at this minute,
where dosing has laid the week out. What two errors would have to agree on, one cannot do.
"""

from struct import unpack_from

from micropython import const

# Offsets in a prescription record: patient 16 bytes, drug, mode, concentration, basal, max_per_hour, max_per_day, count
_MODE = const(17)
_BASAL = const(22)
_COUNT = const(34)
_PERIODS = const(35)  # days, from minute, to minute, rate
_PERIOD = const(9)
_BOLUS = const(11)  # of a scheduled bolus: days, minute, dose, seconds
_PATIENT = const(13)  # dose, seconds, lockout, a day
_COURSE = const(21)  # bridge volume, rate, end; trial seconds, start, afterwards | over
_OVER = const(0x80)
_TUBING = const(16)  # offset in a calibration record of tubing nL, catheter mm, pL/mm, lowest and highest rate

_STOPPED = const(0)
_CONTINUOUS = const(1)
_FLEX = const(2)
_U32 = 0xFFFFFFFF
_DAY_S = const(86_400)
_REM = const(432)  # 1 nL/day is 5/432 pL a second
_FLOW = const(5)
_DOSED_S = const(2)
_BEHIND_MAX_S = const(2)  # pump time follows the RTC by so much: a trial may begin a little later than it was ordered
_PRIME = const(3)
_NO_LIMIT = 0xFFFFFFFF


class Demand:
    """A prescription with its course, and what of the calibration it needs. Rates in nL/day.

    `over`: the trial has ended. `bridging`: the bridge still runs.
    """

    def __init__(self):
        self._payload = b""
        self.mode = _STOPPED
        self.max_rate = self._min_rate = self._path_nl = 0
        self._count = self._scheduled = 0
        self.over = self.bridging = False
        self.trial_left = 0  # seconds of pump time, while it is not over
        self._trial_s = self._then_stopped = 0
        self._bridge_nl = self._bridge_rate = self._bridge_end = 0
        self._hour_nl = self._day_nl = 0
        self.in_course = False  # whether a trial or a bridge has still to end
        self._is_weekly = False  # whether the rate is what the periods say
        self._at_day = self._minute = -1  # local day and minute of the rate that was looked up last
        self._rate = self._lowest = 0

    def take(self, payload, calibration, pump_time):
        """Read the two records; None for none. pump_time: s, to tell how long a trial has still to run."""
        self.__init__()
        if payload is None or calibration is None or not _fits(payload):
            return
        tubing, length, a_mm, self._min_rate, self.max_rate = unpack_from("<IIIII", calibration, _TUBING)
        self._path_nl = tubing + length * a_mm // 1_000
        self._payload = payload
        self.mode = payload[_MODE]
        self._count = payload[_COUNT]
        self._scheduled = _PERIODS + _PERIOD * self._count
        _, hour_nl, day_nl = unpack_from("<III", payload, _BASAL)
        self._hour_nl = 0 if hour_nl == _NO_LIMIT else hour_nl
        self._day_nl = 0 if day_nl == _NO_LIMIT else day_nl
        course = len(payload) - _COURSE
        self._bridge_nl, self._bridge_rate, self._bridge_end, self._trial_s, start, last = unpack_from(
            "<IIIIIB", payload, course
        )
        self.over = last >= _OVER
        self._then_stopped = last & ~_OVER
        self.trial_left = start + self._trial_s - pump_time
        self.bridging = self._bridge_nl > 0
        self._settle()

    def _settle(self):
        self.in_course = self.bridging or (self._trial_s > 0 and not self.over)
        self._is_weekly = not (self.over or self.bridging) and self.mode in (_CONTINUOUS, _FLEX)

    def follow(self, volume_nl, seconds):
        """Seconds have passed: which part of a course is in force from here on. volume_nl: what the ledger has counted.
        Neither a trial nor a bridge that has ended comes back. Returns whether one has ended now."""
        before = self.over, self.bridging
        if self._trial_s and not self.over:
            self.trial_left -= seconds
            self.over = not 0 < self.trial_left <= self._trial_s + _BEHIND_MAX_S
        if self.bridging:
            left = (self._bridge_end - volume_nl) & _U32
            self.bridging = 0 < left <= self._bridge_nl
        if before == (self.over, self.bridging):
            return False
        self._settle()
        return True

    def rate(self, day, second, lost):
        """The rate at a local time; lost: the clock is not believed, and the lowest rate above 0 flows."""
        if self._is_weekly:
            minute = second // 60
            if minute != self._minute or day != self._at_day:
                self._at_day, self._minute = day, minute
                self._look_up(1 << (day + 5) % 7, minute)  # 2000-01-01 was a Saturday; bit 0 is Monday
            return self._lowest if lost and self._lowest else self._rate
        if self.over:
            return 0 if self._then_stopped else self._min_rate
        if self.mode == _STOPPED:
            return 0
        if self.bridging:
            return max(self._min_rate, min(self._bridge_rate, self.max_rate))
        return self._min_rate

    def _look_up(self, today, minute):
        payload = self._payload
        yesterday = today >> 1 or 1 << 6
        lowest = rate = unpack_from("<I", payload, _BASAL)[0]
        at = _PERIODS
        for _ in range(self._count):
            days, start, end, its_rate = unpack_from("<BHHI", payload, at)
            at += _PERIOD
            if its_rate and (its_rate < lowest or not lowest):
                lowest = its_rate
            if end <= start:  # over midnight: it may have begun yesterday
                if (days & today and minute >= start) or (days & yesterday and minute < end):
                    rate = its_rate
            elif days & today and start <= minute < end:
                rate = its_rate
        self._rate = rate
        self._lowest = lowest

    def demanded(self, day, second, seconds, lost, boluses):
        """What so many seconds from a local time on have demanded, 1/432 pL. boluses: guard_flow.Boluses. Of a late
        tick's seconds the last two are dosed."""
        total = 0
        while seconds > 0:
            dosed = seconds <= _DOSED_S
            if boluses.flow:
                total += boluses.second(dosed) * _REM
            if dosed:
                total += self.rate(day, second, lost) * _FLOW
            second += 1
            if second == _DAY_S:
                second = 0
                day += 1
            seconds -= 1
        return total

    def limits(self):
        """(nL in an hour, nL in a day), 0 for none: what flows in a bridge or after a trial is held by no limit."""
        return (0, 0) if self.over or self.bridging else (self._hour_nl, self._day_nl)

    def sum(self):
        """A number that changes with every single bit of what a frame changes."""
        return self._at_day + self._minute + self._rate + self._lowest + self.trial_left

    def still(self):
        """The same of what stays until a record or a course changes it: much of it is asked for only when a course
        ends, and would be wrong unnoticed until then."""
        total = self.mode + self.max_rate + self._min_rate + self._path_nl + self._count + self._scheduled
        total += self.over + self.bridging + self.in_course + self._is_weekly + self._trial_s + self._then_stopped
        total += self._bridge_nl + self._bridge_rate + self._bridge_end
        return total + self._hour_nl + self._day_nl

    def allows(self, kind, index, dose_nl, seconds):
        """Whether the prescription knows such a bolus. One that a clinician orders stands in no record: the rolling
        limits and the highest flow hold it."""
        if kind == _PRIME:
            return dose_nl == self._path_nl
        payload = self._payload
        if not payload:
            return False
        if kind == 0:
            at = len(payload) - _COURSE - _PATIENT
        elif kind == 2 and index < payload[self._scheduled]:
            at = self._scheduled + 4 + _BOLUS * index
        else:
            return kind == 1
        return unpack_from("<II", payload, at) == (dose_nl, seconds)


def _fits(payload):
    """Whether the lengths in a prescription record add up."""
    size = len(payload)
    at = _PERIODS + _PERIOD * payload[_COUNT] if size > _PERIODS else size
    return at < size and at + 1 + _BOLUS * payload[at] + _PATIENT + _COURSE == size
