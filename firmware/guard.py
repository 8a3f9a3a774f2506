"""The guard: watches the dose from outside, and cuts the motor's power by itself (F11; R17, R18; invariants 7 and 8).

It imports nothing of what doses. Its evidence is its own: pulses that the second PIO block has counted on STEP, and
the bytes of the records that the EEPROM has acknowledged. It runs right behind the tick: a wrong rate is seen a second
before it is dosed, a wrong sum milliseconds after the first of its steps. docs/ARCHITECTURE.md lists what it compares.

The tick may owe what it owed a frame ago plus what its seconds demand, less what came out; more is a fault, to
1/432 pL. Its own numbers are sealed: their sum stands beside them, inverted. Once it has tripped, DRIVE is cut again in
every frame; `clear` lets it begin anew with what is there then.
"""

from struct import unpack_from

from micropython import const

from firmware import guard_flow, guard_records, guard_tick

# Numbers of checks: events.NAMES
_CHECK_BOLUS = const(12)
_CHECK_BOOKS = const(11)
_CHECK_COUNTER = const(1)
_CHECK_DEMAND = const(8)
_CHECK_RESERVED = const(3)
_CHECK_SELF = const(14)
_CHECK_START = const(15)
_CHECK_UNDER = const(13)
_DAY_S = const(86_400)
_REST_FRAMES = const(3)  # after a trip, until no train is under way
_GUARD = const(13)  # in resets.TASKS: returned by run
_PULSES = const(14)  # by look
_SUSPENDS = const(28)  # offset in a bolus record


class Guard:
    """The guard of one pump."""

    def __init__(self, board, records, dosing, alarms, report):
        """board: counter, cut, at_rest, ticks_ms, ticks_diff. records, dosing: read, never changed. alarms: (Alarms,
        number of the guard's, of a lost clock). report: function(check, pulses, allowed) that tells everybody; DRIVE is
        low by then."""
        self._board = board
        self._tick = guard_tick.Tick(board, records, dosing)
        self._alarms, self._own, self._lost = alarms
        self._report = report
        self._evidence = guard_records.Evidence(records)
        self._boluses = guard_flow.Boluses()
        self._flow = guard_flow.Flow()
        self._pulses = guard_tick.Pulses(board.counter)
        self._tripped = 0
        self._rest = 0  # frames since
        self._slack = 0  # what was owed, 1/432 pL
        self._day = self._second = 0  # local time
        self._seal = self._still_seal = 0
        self._close()
        self._close_still()

    def _sum(self):
        """A number that changes with every single bit of what a frame changes."""
        total = self._tripped + self._rest + self._slack + self._day + self._second
        total += self._pulses.sum() + self._tick.sum() + self._flow.sum() + self._evidence.demand.sum()
        return total + self._boluses.sum() if self._boluses.flow or self._boluses.prime_pl else total

    def _close(self):
        self._seal = ~self._sum()

    def _close_still(self):
        """What does not change with every frame has a seal of its own."""
        self._still_seal = ~(self._evidence.sum() + self._flow.still())

    def _is_broken(self):
        """Whether a number has changed since it was sealed."""
        return self._sum() != ~self._seal or self._evidence.sum() + self._flow.still() != ~self._still_seal

    def _open(self):
        if self._is_broken():
            self._trip(_CHECK_SELF)

    def _trip(self, check):
        """Cut the motor's power, then tell."""
        self._board.cut(True)
        self._tripped = check
        self._rest = 0
        self._close()
        self._close_still()
        self._report(check, self._pulses.made, self._evidence.allowed)

    def start(self, day, second):
        """Before the first second, and before DRIVE is high for the first time. (day, second): local time."""
        self.look(0)
        if not self._pulses.take():
            self._trip(_CHECK_COUNTER)
            return
        self._begin(day, second)
        if self._pulses.count or not self._board.at_rest():
            self._trip(_CHECK_START)
        elif self._evidence.permitted and not self._evidence.pause_may_end(day, second):
            self._trip(_CHECK_BOOKS)  # it is about to run, and by the record that it found it is stopped

    def move(self, day, second, by):
        """Local time has been set, or has followed the RTC, and pump time with it by so many seconds."""
        self._open()
        self._day, self._second = day, second
        self._evidence.demand.trial_left -= by
        self._close()

    def permit(self, ordered):
        """Delivery is about to run again. ordered: by the operator; if not, as a timed stop has ended, which the newest
        record must know of."""
        self._open()
        self._poll(self._tick.steps())
        if not ordered and not self._evidence.pause_may_end(self._day, self._second):
            self._trip(_CHECK_BOOKS)
            return
        self._evidence.permitted = True
        self._close()
        self._close_still()

    def begins(self, record):
        """A bolus begins with the next second. record: of the history, acknowledged. Returns whether it may."""
        self._open()
        self._poll(self._tick.steps())
        _, seconds, dose_nl, _, kind, index = unpack_from("<IIIHBB", record)
        if not self._evidence.demand.allows(kind, index, dose_nl, seconds):
            self._trip(_CHECK_BOLUS)
        self._boluses.begin(kind, dose_nl, seconds, record[_SUSPENDS])
        self._close()
        return not self._tripped

    def cleared(self):
        """The operator has cleared what can be cleared."""
        if self._tripped and not self._alarms.active >> self._own & 1:
            self._begin(*self._tick.local_time())
            self._board.cut(False)

    def _begin(self, day, second):
        """With what is there now; no train is under way."""
        self._day, self._second = day, second
        self._tripped = 0
        self._tick.begin()
        self._boluses = guard_flow.Boluses()
        steps = self._tick.steps()
        self._pulses.begin(steps)
        self._evidence.permitted = self._tick.is_running()
        self._evidence.forget(steps)
        self._poll(steps)
        self._follow(steps, 0)
        self._close()

    def _poll(self, steps):
        """Look for new records. steps: commanded in all."""
        evidence = self._evidence
        found = evidence.poll(steps, self._day, self._second)
        if not found:
            return
        if found & guard_records.NEW_CALIBRATION:
            self._rescale(steps)
        if found & guard_records.NEW_PRESCRIPTION:
            self._limit()
        if not evidence.gives and found & guard_records.NEW_RECORD:
            self._boluses.drop()
        self._close_still()
        if found & guard_records.CONTRADICTION:
            self._trip(_CHECK_BOOKS)

    def _rescale(self, steps):
        """Another calibration, and perhaps a ledger that has begun anew. Nothing flows, but trains may be under way."""
        self._pulses.rescale(steps)
        self._flow.scale(self._evidence.step, self._evidence.max_rate)
        self._slack = self._tick.owed(steps - self._pulses.made, self._evidence.step)

    def _limit(self):
        """The rolling limits begin anew. What is still to come of what was before does not count."""
        owed = self._pulses.commanded - self._pulses.made + self._tick.pending()
        self._flow.limit(*self._evidence.demand.limits(), self._evidence.pl or 1, owed)

    def _follow(self, steps, seconds):
        """Bridge and trial, as the pump will find them in this frame."""
        evidence = self._evidence
        if evidence.demand.follow(evidence.volume_nl(steps), seconds):
            self._limit()
            self._close_still()

    def look(self, late):
        """Once a frame, before the tick."""
        self._pulses.look()
        return _PULSES

    def run(self, late):
        """Once a frame, behind the tick. late: as the tick was told, ms."""
        self._open()
        if self._tripped:
            self._stay()
        elif self._pulses.take():
            self._follow_tick(late)
        else:
            self._trip(_CHECK_COUNTER)
        return _GUARD

    def _follow_tick(self, late):
        seconds = 1 + late // 1_000
        steps = self._tick.steps()
        self._poll(steps)
        if self._tripped:
            return
        lost = self._alarms.active >> self._lost & 1
        check = self._judge(steps, self._pass(seconds, lost), seconds) or self._compare(seconds, late, lost)
        if check:
            self._trip(check)
            return
        if self._evidence.demand.in_course:
            self._follow(steps, seconds)
        self._close()

    def _stay(self):
        """DRIVE stays low. The cause counts as gone when the counter answers, and shows no pulse for so long that no
        train can be under way any more."""
        self._board.cut(True)
        before = self._pulses.count
        still = self._pulses.take() and self._pulses.count == before
        self._rest = self._rest + 1 if still else 0
        self._close()
        if self._rest == _REST_FRAMES:
            self._alarms.gone(self._own)

    def _pass(self, seconds, lost):
        """So many seconds have passed: what they demanded, 1/432 pL. lost: whether the clock is not believed."""
        total = self._evidence.demand.demanded(self._day, self._second, seconds, lost, self._boluses)
        self._second += seconds
        if self._second >= _DAY_S:
            self._second -= _DAY_S
            self._day += 1
        return total

    def _judge(self, steps, demanded, seconds):
        """What was made and what is owed: the number of a check that fails, or 0."""
        evidence = self._evidence
        if steps > (evidence.allowed if evidence.runs else self._pulses.commanded):
            return _CHECK_RESERVED
        check = self._pulses.check(steps, self._tick.pending())
        if check:
            return check
        if not evidence.step:
            return 0
        pulses = self._pulses.newest
        volume = pulses * evidence.step
        if self._boluses.prime_pl:
            pulses -= self._boluses.primed(pulses, evidence.pl)
        check = self._flow.add(volume, pulses, seconds)
        if check:
            return check
        owed = self._tick.owed(steps - self._pulses.made, evidence.step)
        if owed > self._slack + demanded - volume:
            return _CHECK_DEMAND
        self._slack = owed
        return 0

    def _compare(self, seconds, late, lost):
        """Variables of the tick with its own reckoning: the number of a check that fails, or 0."""
        evidence, tick = self._evidence, self._tick
        if evidence.pause_is_overdue(self._day, self._second):
            return _CHECK_UNDER
        rate = evidence.demand.rate(self._day, self._second, lost) if evidence.pl else -1
        return tick.check_time(self._day, self._second, seconds, late) or tick.compare(rate, evidence.pl, seconds)
