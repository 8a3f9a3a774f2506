"""The variables of the tick, as the guard reads them, beside what they must be (F11; R17, R18). Nothing is changed."""

from micropython import const

# Numbers of checks: events.NAMES
_CHECK_BOOKS = const(11)
_CHECK_RATE = const(9)
_CHECK_TIME = const(10)
_CHECK_UNDER = const(13)
_CHECK_PULSES = const(2)
_CHECK_SILENT = const(4)

_U32 = 0xFFFFFFFF
_REM = const(432)  # 1 nL/day is 5/432 pL a second
_FLOW = const(5)
_RUNNING = const(0)  # of ledger.state
_ON = const(2)  # of dosing.mode
_UNDER_S = const(60)
_STUCK_FRAMES = const(30)  # longer than the EEPROM may refuse to reserve steps
_EARLY_MS = const(50)  # how far the lateness of the first frame may be off: what its tick took


class Tick:
    """The tick under watch."""

    def __init__(self, board, records, dosing):
        """board: ticks_ms, ticks_diff. records: its ledger and cascade are read. dosing: dosing.Dosing."""
        self._board = board
        self._ledger = records.ledger
        self._cascade = records.cascade
        self._dosing = dosing
        self._ticks = 0
        self._ahead = 0  # ms by which seconds are ahead of frames
        self.begin()

    def begin(self):
        """The next frame is the first one."""
        self._is_first = 1
        self._low_s = 0  # seconds with too little demand

    def steps(self):
        """Steps commanded, in all."""
        return self._ledger.counted + self._ledger.used

    def is_running(self):
        """Whether the ledger's state is that of delivery."""
        return self._ledger.state == _RUNNING

    def pending(self):
        """Steps due and not commanded."""
        return self._dosing.pending

    def local_time(self):
        """(day, second)."""
        return self._dosing.day, self._dosing.second

    def owed(self, under_way, step):
        """What is still to be given, 1/432 pL. under_way: steps commanded and not made."""
        cascade = self._cascade
        return (under_way + self._dosing.pending) * step + cascade.acc_pl * _REM + cascade.rem

    def compare(self, rate, pl_per_step, seconds):
        """The rate of the second that begins, and the volume of a step: the number of a check that fails, or 0. rate:
        what it must be, or -1 while nothing may flow."""
        cascade, ledger = self._cascade, self._ledger
        given = cascade.rate
        if cascade.flow_pl * _REM + cascade.flow_rem != given * _FLOW:
            return _CHECK_RATE
        if self._dosing.pending < 0 or not (0 <= cascade.acc_pl < cascade.pl_per_step and 0 <= cascade.rem < _REM):
            return _CHECK_UNDER  # less than nothing is owed: it would be long until the next step
        is_running = self.is_running()
        is_on = self._dosing.mode == _ON
        if rate >= 0 and not cascade.pl_per_step == ledger.pl_per_step == pl_per_step:
            return _CHECK_BOOKS
        if is_on and (not is_running or given > rate >= 0):
            return _CHECK_RATE
        if not (is_running and (given < rate if is_on else rate >= 0)):
            self._low_s = 0
            return 0
        self._low_s += seconds
        return _CHECK_UNDER if self._low_s > _UNDER_S else 0

    def check_time(self, day, second, seconds, late):
        """Local time, and whether frames have come faster than seconds: the number of a check that fails, or 0."""
        now = self._board.ticks_ms()
        if self._is_first:
            self._is_first = 0
            self._ahead = late % 1_000
        else:
            self._ahead += self._board.ticks_diff(now, self._ticks) - 1_000 * seconds
        self._ticks = now
        fits = self._dosing.day == day and self._dosing.second == second
        return 0 if fits and self._ahead >= -_EARLY_MS else _CHECK_TIME

    def sum(self):
        """A number that changes with every single bit of its own."""
        return self._ticks + self._ahead + self._is_first + self._low_s


class Pulses:
    """`made`: pulses so far, on the ledger's scale. `newest`: those of a frame, but for those of trains that an
    older calibration has commanded. `commanded`: what the ledger had counted a frame ago.

    The counter is looked at right before each tick: every word of the tick before has come to its end by then, in time,
    so that no pulse can hide among those that are still to come.
    """

    def __init__(self, counter):
        """counter: read() tells the pulses since the start, modulo 2**32, or raises OSError."""
        self._counter = counter
        self.count = 0  # pulses, as the counter showed them last
        self._seen = None  # what it shows now
        self.begin(0)

    def begin(self, steps):
        """No train is under way, and so many steps were commanded in all."""
        self.made = self.commanded = self._before = steps
        self.newest = self._older = 0
        self._stuck = 0  # frames since a step was commanded, in which some were due

    def rescale(self, steps):
        """The ledger counts otherwise from here on: so many steps by now. Trains may be under way."""
        under_way = self.commanded - self.made
        self.begin(steps)
        self.made = self._before = steps - under_way
        self._older = under_way

    def look(self):
        """Read the counter."""
        try:
            self._seen = self._counter.read()
        except OSError:
            self._seen = None

    def take(self):
        """Count the pulses that look() has found. Returns whether the counter has answered."""
        count = self._seen
        self._seen = None
        if count is None:
            return False
        pulses = count - self.count & _U32
        self.count = count
        self.made += pulses
        older = min(pulses, self._older)
        self._older -= older
        self.newest = pulses - older
        return True

    def check(self, steps, pending):
        """So many steps are commanded by now: the number of a check that fails, or 0. What was commanded two ticks ago
        must have been made: a train ends before the next tick but one. pending: steps that are due; they must be
        commanded at last, or nothing flows any more, and nobody says so."""
        if self.made > self.commanded:
            return _CHECK_PULSES
        if steps != self.commanded:
            self._stuck = 0
        elif pending:
            self._stuck += 1
        if self.made < self._before or self._stuck > _STUCK_FRAMES:
            return _CHECK_SILENT
        self._before, self.commanded = self.commanded, steps
        return 0

    def sum(self):
        """A number that changes with every single bit of it."""
        return self.count + self.made + self.commanded + self._before + self._older + self._stuck
