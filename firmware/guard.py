"""The guard: watches the dose from outside, and cuts the motor's power by itself (F11; R17, R18; invariants 7 and 8).

It imports nothing of what doses. Its evidence is its own: pulses that the second PIO block has counted on STEP, and the
bytes of the records that the EEPROM has acknowledged, which it decodes itself (guard_demand.py). It runs in every frame
between the tick and whatever else may change the pump: so it sees what the tick has just done, milliseconds after the
first step of it at most, and compares

| check | trips when |
|---|---|
| counter | the pulse counter does not answer |
| pulses | there were more pulses than the ledger has counted as commanded |
| reserved | more is counted than the newest acknowledged record reserves |
| silent | steps that were commanded three frames ago have not come |
| ceiling | in any span of time, more flowed than the highest flow |
| max_per_hour, max_per_day | more flowed than the rolling limits allow; priming and bridge do not count |
| demand | pulses, steps on their way, steps that wait and the remainder are together more than what was demanded |
| rate | the rate of the second that begins, or its flow, is not what the prescription says |
| time | local time, or the number of frames, is not its own |
| books | the volume of a step, or the ledger's totals, do not fit together |
| bolus | a bolus has begun that the prescription does not know |
| under | for a minute, less was demanded than the prescription says |
| self | a bit of the guard's own state has changed |
| start | before the first second: DRIVE or STEP is high, or there were pulses |

`demand` has no tolerance: the tick owes (`slack`) what it owed a frame ago plus what its seconds demand, less what came
out; whatever is more is a fault, to 1/432 pL. What it owes less (missed, given up) is taken up as it is. In the frame
of a tick that is late by seconds, two of them count, as in dosing.

Its numbers are sealed: their sum stands beside them, inverted. While it has tripped, DRIVE is cut again in every frame.
The operator's `clear` lets it begin anew with what is there then, once the trains that were under way have ended.
"""

from struct import unpack_from

from micropython import const

from firmware import guard_demand, guard_flow

CHECKS = (
    "none",
    "counter",
    "pulses",
    "reserved",
    "silent",
    "ceiling",
    "max_per_hour",
    "max_per_day",
    "demand",
    "rate",
    "time",
    "books",
    "bolus",
    "under",
    "self",
    "start",
)
(
    _NONE,
    COUNTER,
    PULSES,
    RESERVED,
    SILENT,
    CEILING,
    HOUR,
    DAY,
    DEMAND,
    RATE,
    TIME,
    BOOKS,
    BOLUS,
    UNDER,
    SELF,
    START,
) = range(len(CHECKS))

_DAY_S = const(86_400)
_U32 = 0xFFFFFFFF
_REM = const(432)  # 1 nL/day is 5/432 pL a second
_FLOW = const(5)
_DOSED_S = const(2)  # seconds of a late tick that are dosed
_UNDER_S = const(60)
_EARLY_MS = const(50)  # how far the first frame's lateness may be off: what its tick took
_REST_FRAMES = const(3)  # after a trip, until no train is under way

# Offsets in a ledger record
_VOLUME = const(8)
_SHIFT = const(32)
_LEFT = const(36 + 4)  # of a bolus, nL
_RESERVED = const(46)
_STATE = const(50)
_ASIDE = const(28)
_RUNNING = const(0)
_ON = const(2)  # of dosing.mode


class Guard:
    """The guard of one pump."""

    def __init__(self, board, records, dosing, alarms, report):
        """board: counter, cut, at_rest, ticks_ms, ticks_diff. records, dosing: read, never changed. alarms: (Alarms, of
        the guard, of a lost clock). report: function(check, pulses, allowed) that tells everybody; DRIVE is low by
        then."""
        self._board = board
        self._records = records
        self._dosing = dosing
        self._alarms, self._own, self._lost = alarms
        self._report = report
        self._demand = guard_demand.Demand()
        self._ceiling = guard_flow.Ceiling()
        self._hour = guard_flow.hour()
        self._long = guard_flow.day()
        self._calibration = self._prescription = self._record = None  # the very bytes that were read last
        self._bolus = self._aside = None  # guard_demand.Bolus
        self._waits = 0  # 1: the bolus begins with the next second
        self._tripped = _NONE
        self._rest = 0  # frames since
        self._count = 0  # pulses, as the counter showed them last
        self._made = 0  # pulses, in the count of the ledger
        self._allowed = 0  # steps that the newest record allows, in all
        self._reserves = 0  # whether delivery runs, as that record says
        self._booked = self._volume_pl = 0  # steps and volume in it
        self._one = self._two = self._three = 0  # steps commanded by the newest frames
        self._slack = 0  # what was owed, 1/432 pL
        self._step = self._pl = 0  # volume of a step, 1/432 pL and pL; 0: unknown
        self._prime_pl = 0  # given by priming and not yet made
        self._day = self._second = 0  # local time
        self._ticks = 0
        self._early = 0  # lateness of this frame, ms, as it would have to be by the number of frames
        self._fresh = 1  # the first frame since the guard began
        self._low = 0  # seconds
        self._seal = 0
        self._close()

    # -- its own state ----------------------------------------------------------------------------------------

    def _sum(self):
        bolus, aside = self._bolus, self._aside
        return (
            (bolus.check() if bolus is not None else 0)
            + (aside.check() << 1 if aside is not None else 0)
            + self._ceiling.check()
            + self._hour.check()
            + self._long.check()
            + (self._waits + self._tripped + self._rest + self._count + self._made + self._allowed + self._reserves)
            + (self._booked + self._volume_pl + self._one + self._two + self._three + self._slack + self._step)
            + (self._pl + self._prime_pl + self._day + self._second + self._ticks + self._early + self._fresh)
            + self._low
        )

    def _close(self):
        self._seal = ~self._sum()

    def _open(self):
        if self._sum() != ~self._seal:
            self._trip(SELF, 0)

    def _trip(self, check, allowed):
        """Cut the motor's power, then tell. allowed: steps, where the check has a number of them."""
        self._board.cut(True)
        self._tripped = check
        self._rest = 0
        self._close()
        self._report(check, self._count, allowed)

    # -- what it is told --------------------------------------------------------------------------------------

    def start(self, day, second):
        """Before the first second, and before DRIVE goes high for the first time. (day, second): local time."""
        try:
            self._count = self._board.counter.read()
        except OSError:
            self._trip(COUNTER, 0)
            return
        self._begin(day, second)
        if self._count or not self._board.at_rest():
            self._trip(START, 0)

    def move(self, day, second, by):
        """Local time has been set, or has followed the RTC by so many seconds of pump time."""
        self._open()
        self._day, self._second = day, second
        self._demand.trial_left -= by
        self._close()

    def begins(self, record):
        """A bolus begins with the next second. record: of the history, acknowledged. Returns whether
        the prescription knows it."""
        self._open()
        self._poll()
        _, seconds, dose_nl, _, kind, index = unpack_from("<IIIHBB", record)
        if not self._demand.allows(kind, index, dose_nl, seconds):
            self._trip(BOLUS, 0)
            return False
        self._aside = self._bolus if record[28] else None
        self._bolus = guard_demand.Bolus(kind, dose_nl, seconds)
        self._waits = 1
        self._close()
        return True

    def cleared(self):
        """The operator has cleared what can be cleared."""
        if self._tripped and not self._alarms.active >> self._own & 1:
            self._begin(self._dosing.day, self._dosing.second)
            self._board.cut(False)

    # -- beginnings -------------------------------------------------------------------------------------------

    def _begin(self, day, second):
        """From what is there now: nothing is under way."""
        self._day, self._second = day, second
        self._calibration = self._prescription = self._record = None
        self._tripped = _NONE
        self._fresh = 1
        self._low = self._waits = self._prime_pl = 0
        self._bolus = self._aside = None
        steps = self._steps()
        self._allowed = steps  # a count that a reset has kept may be beyond what is reserved
        self._made = self._one = self._two = self._three = steps
        self._poll()
        self._follow(steps, 0)
        self._slack = self._owed(steps)
        self._close()

    def _steps(self):
        ledger = self._records.ledger
        return ledger.counted + ledger.used

    def _owed(self, steps):
        """What the tick has still to give, as its variables say it, 1/432 pL."""
        dosing, cascade = self._dosing, self._records.cascade
        return (steps - self._made + dosing.pending) * self._step + cascade.acc_pl * _REM + cascade.rem

    def _poll(self):
        """Look for new records."""
        records = self._records
        calibration, prescription = records.calibrations.payload, records.prescriptions.payload
        if calibration is not self._calibration:
            self._calibrated(calibration)
        if prescription is not self._prescription:
            self._prescription = prescription
            self._demand.take(prescription, calibration, self._pump_time())
            self._limit()
        record = records.ledger.mirror.payload
        if record is not self._record:
            self._read(record)

    def _calibrated(self, calibration):
        """Another calibration, and perhaps a ledger that has begun anew. Nothing runs, but trains may be under way."""
        under_way = self._one - self._made
        self._one = self._two = self._three = self._steps()
        self._made = self._one - under_way
        self._allowed = self._one
        self._calibration = calibration
        self._prescription = self._record = None
        pl = max_rate = 0
        if calibration is not None:
            (pl,) = unpack_from("<I", calibration)
            (max_rate,) = unpack_from("<I", calibration, 32)
        self._pl = pl
        self._step = pl * _REM
        if pl:
            self._ceiling.set(self._step, max_rate)
            self._slack = self._owed(self._one)

    def _limit(self):
        """The rolling limits begin anew. What is still to come of what was before does not count."""
        demand = self._demand
        limited = self._pl and not demand.over and not demand.bridging
        owed = self._one - self._made + self._dosing.pending
        self._hour.begin(demand.hour_nl if limited else 0, self._pl, owed)
        self._long.begin(demand.day_nl if limited else 0, self._pl, owed)

    def _pump_time(self):
        record = self._records.ledger.mirror.payload
        if record is None:
            return 0
        return (self._day * _DAY_S + self._second - unpack_from("<I", record, _SHIFT)[0]) & _U32

    def _read(self, record):
        """A ledger record that the EEPROM has acknowledged: these very bytes were written, and read back."""
        known = self._record is not None
        self._record = record
        if record is None:
            return
        low, high = unpack_from("<IH", record)
        (volume_pl,) = unpack_from("<Q", record, _VOLUME)
        counted = high << 32 | low
        if known:
            if volume_pl - self._volume_pl != (counted - self._booked) * self._pl:
                self._trip(BOOKS, 0)
            self._allowed = 0
        self._booked, self._volume_pl = counted, volume_pl
        self._allowed = max(self._allowed, counted + unpack_from("<H", record, _RESERVED)[0])
        self._reserves = record[_STATE] == _RUNNING
        if not (unpack_from("<I", record, _LEFT)[0] or self._reserves and unpack_from("<I", record, _ASIDE)[0]):
            self._bolus = self._aside = None

    def _follow(self, steps, seconds):
        """Bridge and trial, as the pump will find them in this frame."""
        demand = self._demand
        before = demand.over, demand.bridging
        demand.follow((self._volume_pl + (steps - self._booked) * self._pl) // 1_000, seconds)
        if before != (demand.over, demand.bridging):
            self._limit()

    # -- every period -----------------------------------------------------------------------------------------

    def run(self, late):
        """Once a frame, after the tick. late: as the tick was told, ms."""
        self._open()
        if self._tripped:
            self._stay()
            return
        try:
            count = self._board.counter.read()
        except OSError:
            self._trip(COUNTER, 0)
            return
        seconds = 1 + late // 1_000
        pulses = count - self._count & _U32
        self._count = count
        self._made += pulses
        self._poll()
        demanded = self._pass(seconds)
        check = self._judge(seconds, late, pulses, demanded) if not self._tripped else _NONE
        if check:
            self._trip(check, self._allowed)
            return
        self._close()

    def _stay(self):
        """DRIVE stays low; the cause counts as gone when no train can be under way any more, and the counter answers."""
        self._board.cut(True)
        try:
            self._count = self._board.counter.read()
        except OSError:
            self._close()
            return
        self._rest += 1
        self._close()
        if self._rest == _REST_FRAMES:
            self._alarms.gone(self._own)

    def _pass(self, seconds):
        """Seconds have passed: what was demanded in those of them that are dosed, 1/432 pL."""
        demand = self._demand
        lost = self._alarms.active >> self._lost & 1
        total = 0
        while seconds > 0:
            flow = self._bolus
            if self._waits:
                self._waits = 0
                flow = self._aside
            bolus_pl = 0
            if flow is not None:
                bolus_pl = flow.second()
                if flow.passed == flow.seconds:
                    if flow is self._bolus:
                        self._bolus = self._aside
                    self._aside = None
            if self._reserves and seconds <= _DOSED_S:
                total += demand.rate(self._day, self._second, lost) * _FLOW + bolus_pl * _REM
                if bolus_pl and flow.is_prime:
                    self._prime_pl += bolus_pl
            self._second += 1
            if self._second == _DAY_S:
                self._second = 0
                self._day += 1
            seconds -= 1
        return total

    def _judge(self, seconds, late, pulses, demanded):
        """The number of a check that fails, or 0."""
        steps = self._steps()
        if self._made > steps:
            return PULSES
        if steps > self._allowed:
            return RESERVED
        if self._made < self._three:
            return SILENT
        self._three, self._two, self._one = self._two, self._one, steps
        if not self._step:
            return _NONE
        if self._ceiling.add(pulses * self._step, seconds):
            return CEILING
        primed = min(pulses, self._prime_pl // self._pl)
        self._prime_pl -= primed * self._pl
        if self._hour.add(pulses - primed, seconds):
            return HOUR
        if self._long.add(pulses - primed, seconds):
            return DAY
        owed = self._owed(steps)
        if owed > self._slack + demanded - pulses * self._step:
            return DEMAND
        self._slack = owed
        return self._compare(seconds, late) or self._end(steps, seconds)

    def _end(self, steps, seconds):
        self._follow(steps, seconds)
        return _NONE

    def _compare(self, seconds, late):
        """Variables of the tick with its own reckoning: the number of a check that fails, or 0."""
        dosing, cascade, ledger = self._dosing, self._records.cascade, self._records.ledger
        if cascade.pl_per_step != self._pl or ledger.pl_per_step != self._pl:
            return BOOKS
        if self._is_untimely(seconds, late) or dosing.day != self._day or dosing.second != self._second:
            return TIME
        rate = cascade.rate
        if cascade.flow_pl * _REM + cascade.flow_rem != rate * _FLOW:
            return RATE
        low = False
        if self._reserves:
            expected = self._demand.rate(self._day, self._second, self._alarms.active >> self._lost & 1)
            if dosing.mode != _ON:
                low = ledger.state == _RUNNING and expected > 0
            elif rate > expected:
                return RATE
            else:
                low = rate < expected
        self._low = self._low + seconds if low else 0
        return UNDER if self._low > _UNDER_S else _NONE

    def _is_untimely(self, seconds, late):
        """Whether there were more frames than seconds."""
        board = self._board
        now = board.ticks_ms()
        if self._fresh:
            self._fresh = 0
            self._early = late % 1_000
        else:
            self._early += board.ticks_diff(now, self._ticks) - 1_000 * seconds
        self._ticks = now
        return self._early < -_EARLY_MS
