"""What is in the reservoir (F6; R13, R14), known in two ways that do not depend on each other.

The ledger counts down what was delivered since the operator said what was filled in; a sensor measures the level. Pumps
have been recalled whose only estimate, a level sensor, drifted. Here neither is believed alone where that could harm:

- Low: the lower of both at or below `low_reservoir_nl`. No new boluses; only a refill ends it.
- Empty: either of them says so. A pump that goes on may pump air, which nobody notices; one that stops by a wrong
  estimate alarms at once. By the ledger at 0 nL. By the sensor at 304 mV or less in two readings four seconds apart:
  300 mV is empty and a count of the ADC is 0.8 mV, so an empty reservoir is noticed with up to five counts of error,
  and one of 20 mL is given up with 40 uL left at most.
- Apart: they differ by more than a twentieth of the capacity for a minute (alarm, event `level`), until they differ by
  no more than a fortieth for a minute. A reading that no level gives (below 200 mV, above 2,800 mV: a broken wire, a
  short) is no level: it counts as apart, and neither as empty nor as low, for which then the ledger alone stands.
"""

from micropython import const

from firmware import alarms

EMPTY_MV = const(300)
FULL_MV = const(2_700)
EMPTY_BELOW_MV = const(304)
BROKEN_BELOW_MV = const(200)
BROKEN_ABOVE_MV = const(2_800)
DWELL = const(2)  # readings, 4 s apart, that must agree on low and empty
APART_SHARE = const(20)  # of the capacity: the estimates disagree
TOGETHER_SHARE = const(40)  # of the capacity: they agree again
APART_READINGS = const(15)  # for a minute
REFILL_DUE_S = const(72 * 3_600)  # a pessimistic refill date nearer than this is due
_FORECAST_READINGS = const(37)  # every 148 s: while the pump stands still its dates move on, and are right to 3 min
_UNKNOWN = "unknown"
_DATES = ("refill_expected: ", "refill_pessimistic: ")
_TASK = const(9)  # in resets.TASKS: returned by the task
_PREPARE = const(-1)  # the step of reckoning before the dates
# What can go wrong in reckoning far ahead, by a fault that nobody foresaw. It must not stop a pump that doses.
_FAILURES = (ArithmeticError, LookupError, MemoryError, ValueError)
NO_LEVEL = const(-1)


def level_nl(millivolts, capacity_nl):
    """The level, nL, 0..capacity, by the sensor; NO_LEVEL if it shows what no level gives."""
    if not BROKEN_BELOW_MV <= millivolts <= BROKEN_ABOVE_MV:
        return NO_LEVEL
    above = max(0, min(millivolts, FULL_MV) - EMPTY_MV)
    return above * capacity_nl // (FULL_MV - EMPTY_MV)


class Level:
    """Judges the readings of the sensor: `empty`, `low` and `apart` (from the ledger)."""

    def __init__(self):
        self.apart = False
        self.nl = None  # None: not read yet
        self.forget()

    def forget(self):
        """The reservoir was refilled: what was read so far says nothing any more."""
        self._empty = self._low = self._turns = 0

    def read(self, millivolts, ledger_nl, values):
        """A reading, every 4 s. values: Calibration."""
        self.nl = nl = level_nl(millivolts, values.reservoir_nl)
        known = nl != NO_LEVEL
        self._empty = min(DWELL, (self._empty & 3) + 1) if known and millivolts <= EMPTY_BELOW_MV else 0
        self._low = min(DWELL, (self._low & 3) + 1) if known and nl <= values.low_reservoir_nl else 0
        share = TOGETHER_SHARE if self.apart else APART_SHARE
        differs = not known or abs(nl - ledger_nl) * share > values.reservoir_nl
        self._turns = (self._turns & 15) + 1 if differs != self.apart else 0
        if self._turns >= APART_READINGS:
            self.apart = not self.apart
            self._turns = 0

    @property
    def empty(self):
        """Whether the last two readings said empty."""
        return self._empty == DWELL

    @property
    def low(self):
        """Whether the last two readings said low."""
        return self._low == DWELL


class Reservoir:
    """The reservoir of one pump."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._level = Level()
        self.forecast = None  # forecast.Forecast, once it is loaded
        self._dates = [_UNKNOWN, _UNKNOWN]  # expected and pessimistic, as shown
        self._failed = False  # whether reckoning them did
        self._due_s = None  # seconds to the pessimistic one; None: never
        self._basis = None  # what the dates rest on; None: they have to be reckoned anew
        self._next_basis = None
        self._wait = 0  # readings until that is done in any case
        self._restored = False  # whether an alarm of before the start has been taken up

    def _is_known(self):
        """Whether there is a ledger, and a calibration to read it and the level by."""
        return self._app.records.calibration is not None and self._app.records.has_ledger

    def sense(self, late):
        """Every 4 frames: read the level, and now and then reckon the refill date."""
        app = self._app
        app.diary.work()
        if not self._is_known():
            return _TASK
        was_apart = self._level.apart
        ledger_nl = app.ledger.reservoir_nl
        self._level.read(app.board.millivolts(app.board.LEVEL), ledger_nl, app.records.calibration)
        if self._level.apart:
            app.alarms.raise_(alarms.LEVEL_DISAGREES)
        else:
            app.alarms.gone(alarms.LEVEL_DISAGREES)
        if self._level.apart != was_apart:
            app.log.log("level", ledger_nl=ledger_nl, level_nl=self._level.nl)
        self.watch()
        self._watch_date()
        return _TASK

    def watch(self):
        """Once a frame, and at every reading: low and empty, by whichever estimate says so."""
        app = self._app
        if not self._is_known():
            return
        found = app.alarms
        if not self._restored:
            self._restored = True
            if found.active & 1 << alarms.RESERVOIR_EMPTY:
                found.raise_(alarms.RESERVOIR_EMPTY)  # no reset ends the cause, only a refill
        left_nl = app.ledger.reservoir_nl
        if left_nl <= app.records.calibration.low_reservoir_nl or self._level.low:
            found.raise_(alarms.LOW_RESERVOIR)
        if (left_nl <= 0 or self._level.empty) and not found.present & 1 << alarms.RESERVOIR_EMPTY:
            found.raise_(alarms.RESERVOIR_EMPTY)
            app.apply()

    def _watch_date(self):
        if self.forecast is None:
            return  # it is loaded within the first second
        self._wait -= 1
        if self._wait <= 0 or not self._is_current():
            for step in (_PREPARE, 0, 1):
                self._reckon(step)
        if self._failed:
            return  # nothing is known: the alarm stays as it is
        if self._due_s is not None and self._due_s < REFILL_DUE_S:
            self._app.alarms.raise_(alarms.REFILL_DUE)
        else:
            self._app.alarms.gone(alarms.REFILL_DUE)

    def _is_current(self):
        """Whether the dates rest on what is in force. As long as the volume falls as reckoned, they stay."""
        return self._basis is not None and self._basis == self.forecast.basis()  # pyright: ignore[reportAttributeAccessIssue]

    def _reckon(self, step):
        """_PREPARE, 0 for the expected date, 1 for the pessimistic one, in this order. Raises nothing: where it fails
        both dates are unknown, until something changes or the next look is due."""
        forecast = self.forecast
        try:
            if step == _PREPARE:
                self._failed = True  # until it has come to its end
                self._next_basis = forecast.basis()  # pyright: ignore[reportAttributeAccessIssue]
                forecast.prepare()  # pyright: ignore[reportAttributeAccessIssue]
                self._failed = False
            elif not self._failed:
                seconds = forecast.seconds(step == 1)  # pyright: ignore[reportAttributeAccessIssue]
                self._dates[step] = forecast.text(seconds)  # pyright: ignore[reportAttributeAccessIssue]
                if step == 1:
                    self._due_s = seconds
        except _FAILURES:
            self._failed = True
        if self._failed:
            self._dates = [_UNKNOWN, _UNKNOWN]
        if step == 1:
            self._basis = self._next_basis
            self._wait = _FORECAST_READINGS

    def _with_dates(self, lines):
        """Lines, and after them the refill dates as `key: value`. A generator: what has to be reckoned takes a turn of
        the console for each step."""
        stale = not self._is_current()
        if stale:
            self._reckon(_PREPARE)
        for line in lines:
            yield line
        for step, key in enumerate(_DATES):
            if stale:
                self._reckon(step)
            yield key + self._dates[step]

    def refill(self, words):
        """`refill NUMBER UNIT [measured NUMBER UNIT] [because WORD]`, when the reservoir has been filled: see
        refilling.py. Returns lines for the operator."""
        lines = self._app.parts.part("refilling").order(words)
        self._level.forget()
        self._basis = None
        return self._with_dates(lines)

    def status(self):
        """Lines for `status`: the level by the sensor, and the refill dates. `none`: never low, or only beyond the
        calendar. `unknown`: they cannot be reckoned."""
        nl = self._level.nl
        return self._with_dates(["level_nl: " + ("none" if nl is None or nl == NO_LEVEL else "%d" % nl)])
