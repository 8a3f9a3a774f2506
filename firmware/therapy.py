"""The boluses of one pump: begun, set aside, ended (F3; R04, R05).

A bolus adds to the basal rate and never changes it. It is in the history and in the ledger before its first step; a
reset of any kind cancels it, and nothing of it is given later. One flows at a time: a patient bolus sets a clinician or
scheduled one aside, which flows on without a gap; a scheduled one that falls due meanwhile waits.
"""

from micropython import const

from firmware import boluses, civil, events, library, limits, missed, units
from firmware.agenda import Agenda
from firmware.alarms import BOLUS_DENIED
from firmware.bolus_flow import BolusFlow
from firmware.validation import MAX_LIMIT

_SECONDS_MAX = const(86_400)
_LATE_S = const(1_800)  # a scheduled bolus that waits for longer is skipped
_DENIED_S = const(60)  # for so long the alarm of a denied bolus is shown
_RECORD_BOLUS = const(4)  # index into events.NAMES["record"]
DONE, CANCELLED, INTERRUPTED = range(len(events.NAMES["how"]))


class Given:
    """A bolus that flows or is set aside: its entry in the history, and what is left of it."""

    def __init__(self, entry):
        """entry: boluses.Bolus."""
        self.entry = entry
        self.flow = BolusFlow(entry.dose_nl, entry.seconds)

    @property
    def left_nl(self):
        """What it has still to give, nL, rounded up."""
        return (self.flow.left_pl() + 999) // 1_000


class Therapy:
    """The boluses of one pump. A refusal is a ValueError that names field, value and what is allowed."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._agenda = Agenda()
        self._flowing = None  # Given
        self._aside = None  # Given
        self._waiting: list = []  # scheduled boluses that wait, as agenda.Agenda.due() names them, with their pump time
        self._denied_s = 0  # seconds that the alarm of a denied bolus is still shown

    @property
    def running(self):
        """Whether a bolus flows, or is about to."""
        return self._flowing is not None

    @property
    def left_nl(self):
        """What the running bolus has still to give, nL, rounded up."""
        return self._flowing.left_nl if self._flowing is not None else 0

    def status(self):
        """Lines of `key: value`."""
        lines = ["bolus: none"]
        if self._flowing is not None:
            lines = ["bolus: %s, %d nL left" % (boluses.KINDS[self._flowing.entry.kind], self._flowing.left_nl)]
        if self._aside is not None:
            lines.append("bolus_aside: %s, %d nL left" % (boluses.KINDS[self._aside.entry.kind], self._aside.left_nl))
        if self._waiting:
            lines.append("bolus_waiting: %d" % len(self._waiting))
        return lines

    def now(self):
        """Pump time, s."""
        dosing = self._app.dosing
        return self._app.ledger.pump_time(dosing.day, dosing.second)

    # -- ordering ---------------------------------------------------------------------------------------------

    def order(self, number, unit, seconds):
        """A clinician bolus: a dose (mass or volume) over so many seconds. Returns lines for the operator."""
        rx = self._app.records.prescription
        ng_per_ml = rx.concentration if rx is not None else 0
        dose_nl = units.dose("bolus", number, unit, ng_per_ml)
        asked = "bolus = %s %s" % (number, unit)
        if not 1 <= dose_nl <= MAX_LIMIT:
            raise ValueError(asked + ": 1 nL to 1 L")
        if not 1 <= seconds <= _SECONDS_MAX:
            raise ValueError("bolus over = %d s: 1 s to 24 h" % seconds)
        try:
            rx = limits.check_state(self._app)
            if self.running:
                left = units.volume_text(self.left_nl)
                raise limits.Denied(limits.RUNNING, "bolus: one is running, %s left; `bolus cancel` ends it" % left)
            library.check_dose(asked, dose_nl, rx)  # those of the prescription were held to it when it was committed
            limits.check_dose(self._app, asked, dose_nl, seconds, self.now() + 1)
            self._begin(boluses.CLINICIAN, dose_nl, seconds)
        except limits.Denied as denied:
            self._app.log.log("bolus_denied", kind=boluses.CLINICIAN, reason=denied.reason, dose_nl=dose_nl)
            raise
        return ["bolus: %s over %d s" % (units.both_text(dose_nl, ng_per_ml), seconds)]

    def patient(self):
        """The patient asks for a bolus: accepted or denied with the reason; seen, heard and logged (R07). Returns
        lines for whoever asked at the console."""
        app = self._app
        rx = app.records.prescription
        dose_nl = rx.patient_bolus[0] if rx is not None and rx.patient_bolus is not None else 0
        try:
            rx = limits.check_state(app)
            if rx.patient_bolus is None:
                raise limits.Denied(limits.NOT_PRESCRIBED, "dose: the prescription has no patient_bolus")
            _, seconds, lockout, _ = rx.patient_bolus
            limits.check_patient(app, self.now() + 1)
            running = self._flowing
            if running is not None and running.entry.kind in (boluses.PATIENT, boluses.PRIME):
                raise limits.Denied(limits.RUNNING, "dose: a bolus is running, %d nL left" % running.left_nl)
            limits.check_dose(app, "patient_bolus = %d nL" % dose_nl, dose_nl, seconds, self.now() + 1)
            self._begin(boluses.PATIENT, dose_nl, seconds)
        except limits.Denied as denied:
            app.log.log("bolus_denied", kind=boluses.PATIENT, reason=denied.reason, dose_nl=dose_nl)
            app.alarms.raise_(BOLUS_DENIED)
            self._denied_s = _DENIED_S
            app.signals.denied()
            raise
        app.signals.accepted()
        text = units.both_text(dose_nl, rx.concentration)
        return ["dose: %s over %d s; the next one in %d s at the earliest" % (text, seconds, lockout)]

    def press(self):
        """The patient has pressed the button."""
        try:
            self.patient()
        except limits.Denied:
            return  # said in light, sound and log

    def prime(self, volume_nl, seconds):
        """Fill the path: so much over so many seconds, on top of the basal rate, whatever the limits are. Cancels every
        bolus (never pauses it: resumed after a prime it would give too much or too little). Raises ValueError."""
        limits.check_pump(self._app)
        flowing = self._flowing
        if flowing is not None and flowing.entry.kind == boluses.PRIME:
            raise limits.Denied(limits.RUNNING, "prime: one is running, %d nL left" % self.left_nl)
        if volume_nl > self._app.ledger.reservoir_nl:
            held = units.volume_text(self._app.ledger.reservoir_nl)
            raise limits.Denied(limits.LOW_RESERVOIR, "prime: the reservoir should hold %s" % held)
        self.cancel()
        self._begin(boluses.PRIME, volume_nl, seconds)

    def _begin(self, kind, dose_nl, seconds, which=boluses.NOT_SCHEDULED):
        """From the next second on. A running bolus is set aside."""
        app = self._app
        history = app.records.boluses
        try:
            dose = dose_nl, app.records.prescription.concentration
            history.begin(kind, (self.now() + 1, seconds), dose, which, self.running)
        except OSError as error:
            app.log.log("write_failed", record=_RECORD_BOLUS)
            raise limits.Denied(limits.WRITE_FAILED, "bolus: the EEPROM refused it (%s); none is given" % error)
        if not app.guard.begins(history.mirror.payload):
            raise limits.Denied(limits.ALARM, "bolus: the guard knows of none like it; none is given")
        before = self._flowing
        self._flowing = Given(history.recent[-1])
        if before is not None:
            self._aside = before
            app.log.log("bolus_suspended", kind=before.entry.kind, left_nl=before.left_nl)
        app.dosing.give_bolus(self._flowing.flow, before.flow if before is not None else None)
        app.log.log("bolus", kind=kind, dose_nl=dose_nl, seconds=seconds)
        self._keep_ledger()
        app.ledger.bolus = history.number
        app.must_record = True
        app.record_state()
        if app.must_record:
            self.cancel()
            raise limits.Denied(limits.WRITE_FAILED, "bolus: the EEPROM refuses the ledger; none is given")

    # -- ending -----------------------------------------------------------------------------------------------

    def cancel(self):
        """End every bolus, running, set aside or waiting; the rest is missed, and never caught up. Returns whether
        there was one."""
        there_was_one = self.running or bool(self._waiting)
        if self.running:
            self._app.dosing.end_bolus()
            for given in (self._flowing, self._aside):
                if given is not None:
                    self._end(given, CANCELLED)
            self._flowing = self._aside = None
            self._keep_ledger()
            self._app.must_record = True
        if self._waiting:
            for which, _ in self._waiting:
                self._skip(which, limits.INTERRUPTION)
            self._waiting = []
            self._keep_agenda()
        return there_was_one

    def committed(self):
        """A prescription has been put in force: every bolus is cancelled, and its own begin with the next one due."""
        self.cancel()
        self._agenda.lay(self._app.records.prescription)
        self._agenda.begin(self._app.dosing.day, self._app.dosing.second)
        self._keep_agenda()

    def _end(self, given, how):
        app = self._app
        rest_pl = given.flow.left_pl()
        app.log.log("bolus_end", kind=given.entry.kind, how=how, given_nl=given.entry.dose_nl - given.left_nl)
        if rest_pl:
            app.missed.add(missed.BOLUS, rest_pl, 0)
            app.missed.report()

    def _keep_ledger(self):
        """What is left goes into the ledger's next record."""
        book = self._app.ledger
        newest = self._app.records.boluses.recent[-1] if self._app.records.boluses.recent else None
        book.bolus_left_nl = book.aside_nl = 0
        for given in (self._flowing, self._aside):
            if given is not None and given.entry is newest:
                book.bolus_left_nl = given.left_nl
            elif given is not None:
                book.aside_nl = given.left_nl

    # -- once a second ----------------------------------------------------------------------------------------

    def keep(self):
        """Once a frame: the end of a bolus, what falls due, what waits."""
        app = self._app
        if app.dosing.missed_bolus_pl:
            app.missed.add(missed.LATE, app.dosing.missed_bolus_pl, 0)
            app.dosing.missed_bolus_pl = 0
        if self._denied_s:
            self._denied_s -= 1
            if not self._denied_s:
                app.alarms.gone(BOLUS_DENIED)
        if self._flowing is not None:
            self._follow_flow(self._flowing)
        due, passed = self._agenda.due(app.dosing.day, app.dosing.second)
        waited = len(self._waiting)
        for which in passed:
            self._skip(which, limits.LATE)
        for which in due:
            if not app.records.boluses.was_given(which) and which not in [other for other, _ in self._waiting]:
                self._waiting.append((which, self.now() + 1))
        if self._waiting:
            self._serve_waiting()
        if due or passed or len(self._waiting) != waited:
            self._keep_agenda()

    def _follow_flow(self, flowing):
        if not flowing.flow.left_s:
            self._end(flowing, DONE)
            self._flowing, self._aside = self._aside, None
            self._app.must_record = True
            given = self._flowing
            if given is not None and given.flow.left_s:
                self._app.log.log("bolus_resumed", kind=given.entry.kind, left_nl=given.left_nl)
            elif given is not None:  # it ended in the second in which it was set aside
                self._end(given, DONE)
                self._flowing = None
        self._keep_ledger()

    def _serve_waiting(self):
        """Begin the first scheduled bolus that waits, if it may and nothing flows; skip what must not begin."""
        now = self.now() + 1
        while self._waiting:
            which, due = self._waiting[0]
            try:
                limits.check_state(self._app)
                if now - due >= _LATE_S:
                    raise limits.Denied(limits.LATE, "")
                if self.running:
                    return
                _, _, dose_nl, seconds = self._app.records.prescription.scheduled[which[0]]
                limits.check_dose(self._app, "", dose_nl, seconds, now)
                self._waiting.pop(0)
                self._begin(boluses.SCHEDULED, dose_nl, seconds, which)
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

    # -- clock and start --------------------------------------------------------------------------------------

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
        mark_s = self._agenda.restored_min * 60
        if civil.seconds_between(day, second, 0, mark_s) > 0:
            day, second = civil.shifted(0, 0, mark_s)
        self._skip_passed(day, second, limits.INTERRUPTION)
        self._keep_agenda()

    def _skip_passed(self, day, second, reason):
        app = self._app
        now = app.dosing.day, app.dosing.second
        for index, date, count in self._agenda.passed((day, second), now, app.records.boluses):
            self._skip((index, date), reason, count)
