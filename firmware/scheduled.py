"""Scheduled boluses: they fall due, wait, are begun or skipped, each once (F3; agenda.py says which fall due)."""

from micropython import const

from firmware import boluses, civil, limits
from firmware.agenda import Agenda

_LATE_S = const(1_800)  # one that waits for longer is skipped


class Scheduled:
    """Those of one pump."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._agenda = Agenda()
        self._waiting: list = []  # as agenda.Agenda.due() names them, with their pump time

    @property
    def waiting(self):
        """How many wait."""
        return len(self._waiting)

    def check(self):
        """Raise RuntimeError if something of the agenda has changed in RAM."""
        self._agenda.check()

    # -- once a second ----------------------------------------------------------------------------------------

    def keep(self):
        """Once a frame: what falls due, what waits."""
        app = self._app
        due, passed = self._agenda.due(app.dosing.day, app.dosing.second)
        waited = len(self._waiting)
        for which in passed:
            self._skip(which, limits.LATE)
        intact = due and app.selftest.boluses_hold()  # if not, each waits, and is skipped: none goes unsaid
        for which in due:
            given = intact and app.records.boluses.was_given(which)
            if not given and which not in [other for other, _ in self._waiting]:
                self._waiting.append((which, app.therapy.now() + 1))
        if self._waiting:
            self._serve_waiting()
        if due or passed or len(self._waiting) != waited:
            self._keep_agenda()

    def _serve_waiting(self):
        """Begin the first scheduled bolus that waits, if it may and nothing flows; skip what must not begin."""
        now = self._app.therapy.now() + 1
        while self._waiting:
            which, due = self._waiting[0]
            try:
                limits.check_state(self._app)
                if now - due >= _LATE_S:
                    raise limits.Denied(limits.LATE, "")
                if self._app.therapy.running:
                    return
                _, _, dose_nl, seconds = self._app.records.prescription.scheduled[which[0]]
                limits.check_dose(self._app, "", dose_nl, seconds, now)
                self._waiting.pop(0)
                self._app.therapy.give(boluses.SCHEDULED, dose_nl, seconds, which)
                return
            except limits.Denied as denied:
                if self._waiting and self._waiting[0][0] is which:
                    self._waiting.pop(0)
                self._skip(which, denied.reason)

    def _skip(self, which, reason, count=1):
        self._app.log.log("bolus_skipped", index=which[0], date=which[1], reason=reason, count=count)
        self._app.must_record = True  # so that no start skips it once more

    def _keep_agenda(self):
        self._app.ledger.decided_min = self._agenda.mark_min([which for which, _ in self._waiting])

    def cancel(self):
        """Those that wait are skipped. Returns whether there was one."""
        if not self._waiting:
            return False
        for which, _ in self._waiting:
            self._skip(which, limits.INTERRUPTION)
        self._waiting = []
        self._keep_agenda()
        return True

    # -- prescription, clock and start ------------------------------------------------------------------------

    def committed(self):
        """A prescription has been put in force: its own begin with the next one due."""
        self._agenda.lay(self._app.records.prescription)
        self._agenda.restart(self._app.dosing.day, self._app.dosing.second)
        self._keep_agenda()

    def silent_until(self, day, second):
        """If the clock showed this, no scheduled bolus would be given until then, as text; "" if they are given."""
        until = self._agenda.silent_until(day, second)
        return civil.iso(until // civil.SECONDS_PER_DAY, until % civil.SECONDS_PER_DAY) if until else ""

    def clock_moved(self, day, second):
        """The operator has set the clock, which showed this local time before. What it has passed over is skipped; what
        lies ahead again has been given or skipped, and is not given now."""
        dosing = self._app.dosing
        if civil.seconds_between(day, second, dosing.day, dosing.second) > 0:
            self._skip_passed(day, second, limits.CLOCK)
        self._agenda.begin(dosing.day, dosing.second)
        self._keep_agenda()

    def begin(self, day, second, was_running):
        """At the start; (day, second): last sign of life. What fell due since is skipped, and, if a bolus was running
        then, what may have waited for its end."""
        dosing = self._app.dosing
        self._agenda.lay(self._app.records.prescription)
        self._agenda.restore(self._app.ledger.decided_min)
        self._agenda.begin(dosing.day, dosing.second)
        if was_running:
            day, second = civil.shifted(day, second, -_LATE_S)
        self._skip_passed(day, second, limits.INTERRUPTION)
        self._keep_agenda()

    def _skip_passed(self, day, second, reason):
        app = self._app
        now = app.dosing.day, app.dosing.second
        for index, date, count in self._agenda.passed((day, second), now, app.records.boluses):
            self._skip((index, date), reason, count)
