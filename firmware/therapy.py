"""The boluses of one pump: begun, set aside, ended (F3; R04, R05).

A bolus adds to the basal rate and never changes it. It is in the history and in the ledger before its first step; a
reset of any kind cancels it, and nothing of it is given later. One flows at a time: a patient bolus sets a clinician or
scheduled one aside, which flows on without a gap; a scheduled one that falls due meanwhile waits.
"""

from micropython import const

from firmware import boluses, events, limits, missed, units
from firmware.alarms import BOLUS_DENIED
from firmware.bolus_flow import BolusFlow
from firmware.scheduled import Scheduled

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
        self.scheduled = Scheduled(app)
        self._flowing = None  # Given
        self._aside = None  # Given
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
        if self.scheduled.waiting:
            lines.append("bolus_waiting: %d" % self.scheduled.waiting)
        until = self.scheduled.silent_until(self._app.dosing.day, self._app.dosing.second)
        if until:
            lines.append("scheduled_from: " + until)
        return lines

    def now(self):
        """Pump time, s. Raises RuntimeError if local time has changed in RAM."""
        dosing = self._app.dosing
        dosing.check_time()
        return self._app.ledger.pump_time(dosing.day, dosing.second)

    # -- ordering ---------------------------------------------------------------------------------------------

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
            self.give(boluses.PATIENT, dose_nl, seconds)
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
        limits.check_hold(self._app)
        limits.check_history(self._app, "prime", self.now() + 1)  # no limit counts it, but it takes a place
        if volume_nl > self._app.ledger.reservoir_nl:
            held = units.volume_text(self._app.ledger.reservoir_nl)
            raise limits.Denied(limits.LOW_RESERVOIR, "prime: the reservoir should hold %s" % held)
        self.cancel()
        self.give(boluses.PRIME, volume_nl, seconds)

    def give(self, kind, dose_nl, seconds, which=boluses.NOT_SCHEDULED, again=None):
        """A bolus of a kind (boluses.KINDS) from the next second on; one that runs is set aside. again: function,
        (dose_nl, seconds) as they must stand in the history. Raises limits.Denied if the EEPROM refuses it, or if
        prescription, calibration or dose in RAM are wrong."""
        app = self._app
        if not app.selftest.records_hold():  # the next frame stops delivery for it
            raise limits.Denied(limits.ALARM, "bolus: alarm self_test_failed")
        history = app.records.boluses
        before = self._flowing
        suspends = before is not None and before.flow.left_s > 1  # its last second is this one otherwise
        try:
            dose = dose_nl, app.records.prescription.concentration
            history.begin(kind, (self.now() + 1, seconds), dose, which, suspends)
        except OSError as error:
            app.log.log("write_failed", record=_RECORD_BOLUS)
            raise limits.Denied(limits.WRITE_FAILED, "bolus: the EEPROM refused it (%s); none is given" % error)
        entry = history.recent[-1]
        if again is not None and again() != (entry.dose_nl, entry.seconds):
            app.selftest.ram_changed()
            raise limits.Denied(limits.ALARM, "bolus: not the one that was ordered; none is given")
        if not app.guard.begins(history.mirror.payload):
            raise limits.Denied(limits.ALARM, "bolus: the guard knows of none like it; none is given")
        self._flowing = Given(entry)
        self._aside = before
        if before is not None and suspends:
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
        there_was_one = self.running
        if there_was_one:
            self._app.dosing.end_bolus()
            for given in (self._flowing, self._aside):
                if given is not None:
                    self._end(given, CANCELLED)
            self._flowing = self._aside = None
            self._keep_ledger()
            self._app.must_record = True
        return self.scheduled.cancel() or there_was_one

    def committed(self):
        """A prescription has been put in force: every bolus is cancelled, and its own begin with the next one due."""
        self.cancel()
        self.scheduled.committed()

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
        if self._aside is not None and not self._aside.flow.left_s:
            self._end(self._aside, DONE)  # with the second after which the other one began
            self._aside = None
        if self._flowing is not None:
            self._follow_flow(self._flowing)
        self.scheduled.keep()

    def _follow_flow(self, flowing):
        if not flowing.flow.left_s:
            self._end(flowing, DONE)
            self._flowing, self._aside = self._aside, None
            self._app.must_record = True
            given = self._flowing
            if given is not None:
                self._app.log.log("bolus_resumed", kind=given.entry.kind, left_nl=given.left_nl)
        self._keep_ledger()
