"""Refill dates of one pump (F6, R13): when the expected volume will have fallen to the low-reservoir volume.

Expected: by the basal schedule and the scheduled boluses. Pessimistic: as if every patient bolus that the prescription
allots were used too, spread over the day. Both as if nothing interrupted delivery from now on. A bridge, the end of a
trial and what the running boluses have still to give are reckoned with.
"""

from micropython import const

from firmware import boluses, civil
from firmware.bridging import seconds
from firmware.prescription import MINIMUM, STOPPED
from firmware.refill_dates import Plan, until
from firmware.schedule import Schedule

_ALIKE_S = const(2)  # a bolus that ends so near to where the plan has its end is the one of the plan


class Forecast:
    """Reckons the refill dates of the prescription in force. In three steps, prepare() first: together they would keep
    the console waiting for too long."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._plan = None  # of the prescription in force
        self._plan_of = (None, None)  # that prescription, and the schedule by which the pump doses
        self._now = (0, 0, 0)  # day, second and second of the week at prepare()
        self._volume_nl = 0  # above the low-reservoir volume then, and promised to nobody
        self._phases = ()  # what is to come from then on: (Plan, whether patient boluses are allotted, seconds or None)
        self._expected = None

    def basis(self):
        """What the dates rest on, as a tuple to compare; the volume too, but as long as it falls as reckoned a date
        stays where it is."""
        app = self._app
        running = app.therapy.running
        return (
            app.records.prescription,
            app.records.calibration,
            app.dosing.schedule,
            app.dosing.mode,
            app.records.boluses.number,
            running,
            running and app.ledger.aside_nl > 0,
            app.ledger.shift,
        )

    def prepare(self):
        """Lay out what is to come."""
        app = self._app
        rx = app.records.prescription
        values = app.records.calibration
        self._phases = ()
        if rx is None or values is None:
            return
        now = app.operations.week_second()
        self._now = (app.dosing.day, app.dosing.second, now)
        self._volume_nl = app.ledger.reservoir_nl - values.low_reservoir_nl
        trials = app.courses.trials
        if trials.is_over():
            self._phases = ((self._afterwards(), False, None),)
            return
        plan = self._plan_for(rx)
        found = []
        left_nl = app.courses.bridge_left_nl()
        if left_nl and rx.mode != STOPPED:
            rate = app.courses.bridging.rate()
            found.append((Plan(Schedule(rate, ())), False, seconds(left_nl, rate)))
        wait = plan.bolus_end(now)
        if not self._flows_as_planned(wait):
            if app.therapy.running:
                self._volume_nl -= app.ledger.bolus_left_nl + app.ledger.aside_nl
            if wait and not found:  # the plan's bolus is that already, or it is not given and never will be
                found.append((Plan(app.dosing.schedule), True, wait))
        found.append((plan, True, None))
        if rx.course.trial_s:
            found = _cut(found, trials.left_s())
            found.append((self._afterwards(), False, None))
        self._phases = found

    def _plan_for(self, rx):
        now = self._app.dosing.schedule
        if self._plan is None or self._plan_of[0] is not rx or self._plan_of[1] is not now:
            self._plan = None  # never two at a time in memory
            self._plan = Plan(rx.schedule(self._app.records.calibration), rx.scheduled)
            self._plan_of = (rx, now)
        return self._plan

    def _flows_as_planned(self, left_s):
        """Whether the bolus that flows is the one that the plan has now, begun in time and never set aside."""
        app = self._app
        if not app.therapy.running or not left_s or app.ledger.aside_nl:
            return False
        newest = app.records.boluses.recent[-1]
        return newest.kind == boluses.SCHEDULED and abs(newest.end - app.therapy.now() - left_s) <= _ALIKE_S

    def _afterwards(self):
        """The course after a trial."""
        is_minimum = self._app.courses.trials.mode_afterwards() == MINIMUM
        return Plan(Schedule(self._app.records.calibration.min_rate if is_minimum else 0, ()))

    def seconds(self, is_pessimistic):
        """Seconds after prepare() until the date; None: never. The expected one comes first."""
        extra = 0
        if is_pessimistic:
            allotted = self._app.records.prescription.patient_bolus if self._phases else None
            if allotted is None:
                return self._expected
            extra = allotted[0] * allotted[3]
        phases = [(plan, extra if allots else 0, limit) for plan, allots, limit in self._phases]
        found = until(phases, self._volume_nl, self._now[2]) if phases else None
        if not is_pessimistic:
            self._expected = found
        return found

    def text(self, seconds):
        """Local time so many seconds after prepare(); `none`: never, or beyond the calendar."""
        if seconds is None:
            return "none"
        day, second = civil.shifted(self._now[0], self._now[1], seconds)
        return civil.iso(day, second) if day < civil.DAYS else "none"


def _cut(phases, seconds):
    """The phases of the next seconds."""
    found = []
    for plan, allots, limit in phases:
        lasts = seconds if limit is None else min(limit, seconds)
        if lasts:
            found.append((plan, allots, lasts))
        seconds -= lasts
    return found
