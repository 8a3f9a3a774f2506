"""Refill dates of one pump (F6, R13): when the expected volume will have fallen to the low-reservoir volume.

Expected: by the basal schedule and the scheduled boluses. Pessimistic: as if every patient bolus that the prescription
allots were used too, spread over the day. Both as if nothing interrupted delivery from now on. A bridge and the end of
a trial are reckoned with.
"""

from firmware import boluses, civil
from firmware.prescription import MINIMUM, STOPPED
from firmware.refill_dates import Plan, until
from firmware.schedule import Schedule


class Forecast:
    """Refill dates of one pump, reckoned anew whenever they are asked for."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._plan = None  # of the prescription in force
        self._plan_of = (None, None)  # that prescription, and the schedule by which the pump doses

    def seconds(self, rx):
        """(expected, pessimistic) seconds from now for a prescription, in force or about to be; None: never."""
        app = self._app
        volume_nl = app.ledger.reservoir_nl - app.records.calibration.low_reservoir_nl
        in_force = rx is app.records.prescription
        if in_force and app.therapy.running and app.records.boluses.recent[-1].kind != boluses.SCHEDULED:
            volume_nl -= app.therapy.left_nl
        now = app.operations.week_second()
        plan = self._plan_for(rx, in_force)
        allotted = 0
        if rx.patient_bolus is not None:
            allotted = rx.patient_bolus[0] * rx.patient_bolus[3]
        found = []
        for extra in (0, allotted):
            if found and not extra:
                found.append(found[0])
            else:
                found.append(until(self._phases(rx, in_force, plan, extra, now), volume_nl, now))
        return tuple(found)

    def _gives_scheduled(self):
        """Whether a scheduled bolus flows, or is set aside by the one that does."""
        therapy = self._app.therapy
        for entry in self._app.records.boluses.recent[-2:] if therapy.running else ():
            if entry.kind == boluses.SCHEDULED and entry.start + entry.seconds > therapy.now():
                return True
        return False

    def _plan_for(self, rx, in_force):
        values = self._app.records.calibration
        if not in_force:
            return Plan(rx.schedule(values), rx.scheduled)
        now = self._app.dosing.schedule
        if self._plan is None or self._plan_of[0] is not rx or self._plan_of[1] is not now:
            self._plan = Plan(rx.schedule(values), rx.scheduled)
            self._plan_of = (rx, now)
        return self._plan

    def _phases(self, rx, in_force, plan, extra, now):
        """What is to come, as refill_dates.until takes it."""
        courses = self._app.courses
        trials = courses.trials
        found = []
        if in_force:
            if trials.is_over():
                return [(self._afterwards(), 0, None)]
            left_nl = courses.bridge_left_nl()
            if left_nl and rx.mode != STOPPED:
                rate = courses.bridging.rate()
                found.append((Plan(Schedule(rate, ())), 0, courses.bridging.seconds(left_nl, rate)))
        wait = 0 if in_force and self._gives_scheduled() else plan.bolus_end(now)
        if wait and not found:  # a bolus whose time has begun and that is not being given never will be
            found.append((Plan(rx.schedule(self._app.records.calibration)), extra, wait))
        found.append((plan, extra, None))
        if in_force and rx.course.trial_s:
            found = _cut(found, trials.left_s())
            found.append((self._afterwards(), 0, None))
        return found

    def _afterwards(self):
        """The course after a trial."""
        is_minimum = self._app.courses.trials.mode_afterwards() == MINIMUM
        return Plan(Schedule(self._app.records.calibration.min_rate if is_minimum else 0, ()))

    def lines(self, rx):
        """The dates as `key: value` lines. rx: Prescription, or None."""
        expected = pessimistic = None
        if rx is not None and self._app.records.calibration is not None:
            expected, pessimistic = self.seconds(rx)
        return ["refill_expected: " + self._text(expected), "refill_pessimistic: " + self._text(pessimistic)]

    def _text(self, seconds):
        if seconds is None:
            return "none"
        day, second = civil.shifted(self._app.dosing.day, self._app.dosing.second, seconds)
        return civil.iso(day, second) if day < civil.DAYS else "none"


def _cut(phases, seconds):
    """The phases of the next seconds."""
    found = []
    for plan, extra, limit in phases:
        lasts = seconds if limit is None else min(limit, seconds)
        if lasts:
            found.append((plan, extra, lasts))
        seconds -= lasts
    return found
