"""What an operator can order: prescriptions, stop and resume, clock, calibration. Each is done whole or refused."""

from firmware import alarms, calibration, civil, ledger, staging, status, units
from firmware.staging import Staging

_STOPPED_ALARM_S = 48 * 3_600


class Operations:
    """The operations of one pump. A refusal is a ValueError that names field, value and what is allowed."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self.staging = Staging()
        self.staged_calibration = {}

    @property
    def log(self):
        """The event log."""
        return self._app.log

    @property
    def prescription(self):
        """The prescription in force, or None."""
        return self._app.records.prescription

    def status(self):
        """Lines of `key: value`."""
        return status.lines(self._app)

    # -- prescription -----------------------------------------------------------------------------------------

    def stage_end(self, digest):
        """Compute what was staged; host and pump must have come to the same. Returns the comparison with the old."""
        if self._app.records.calibration is None:
            raise ValueError("program stage end: the pump has no calibration; `calibrate` comes first")
        rx = self.staging.end(self._app.records.calibration)
        own = staging.digest(rx)
        if own != digest:
            self.staging.discard()
            raise ValueError("digest = %s: the pump computed %s; nothing is staged" % (digest, own))
        self.log.log("staged", digest=int(own, 16))
        return staging.show(self.prescription, rx)

    def commit(self, digest):
        """Put the staged prescription in force. Dosing goes on undisturbed until then, and by the new one after."""
        app = self._app
        rx = self.staging.complete
        if rx is None:
            raise ValueError("program commit: nothing is staged")
        if staging.digest(rx) != digest:
            raise ValueError("digest = %s: %s is staged" % (digest, staging.digest(rx)))
        rx.validate(app.records.calibration)
        try:
            app.records.commit_prescription(rx)
        except OSError as error:
            app.log.log("write_failed", record=1)
            raise ValueError("program commit: the EEPROM refused it (%s); the old one is in force" % error)
        self.staging.discard()
        app.alarms.gone(alarms.PRESCRIPTION_DAMAGED)
        app.dosing.schedule = rx.schedule(app.records.calibration)
        app.changed()
        app.apply()
        app.log.log("committed", digest=int(digest, 16), sequence=app.records.prescriptions.sequence)

    def discard(self):
        """Forget what is staged."""
        self.staging.discard()
        self.log.log("discarded")

    # -- stop and resume --------------------------------------------------------------------------------------

    def stop(self, seconds):
        """Stop delivery: for so many seconds (1..3,600), or with 0 until `resume`."""
        app = self._app
        state = app.ledger
        if state.state == ledger.SAFE:
            raise ValueError("stop: an alarm has stopped the pump already")
        if state.state == ledger.STOPPED:
            if seconds:
                raise ValueError("stop for: the pump is stopped until `resume`, and would resume by itself")
            return  # the 48 h since the stop began run on
        dosing = app.dosing
        if seconds:
            state.state = ledger.PAUSED
            app.stop_left = seconds
        else:
            state.state = ledger.STOPPED
            app.stopped_for = 0
        state.stop_day, state.stop_second = civil.shifted(dosing.day, dosing.second, seconds)
        self._state_changed()
        self.log.log("stop", by=0, minutes=(seconds + 59) // 60)

    def resume(self):
        """Start delivery. Refused while an alarm that stops delivery is active, or with nothing to give."""
        app = self._app
        if self.prescription is None:
            raise ValueError("resume: there is no prescription")
        if app.alarms.reaction() == alarms.STOP:
            raise ValueError("resume: alarm %s; `clear` comes first" % ", ".join(app.alarms.codes(app.alarms.active)))
        if app.ledger.state == ledger.RUNNING:
            raise ValueError("resume: delivery is not stopped")
        self._run_again()
        self.log.log("resume")

    def end_pause(self):
        """A timed stop is over."""
        self._run_again()
        self.log.log("stop_end")

    def _run_again(self):
        self._app.ledger.state = ledger.RUNNING
        self._app.alarms.gone(alarms.STOPPED_48H)
        self._state_changed()

    def _state_changed(self):
        self._app.must_record = True
        self._app.apply()

    def watch_stop(self):
        """Once a second while stopped by the operator."""
        self._app.stopped_for += 1
        if self._app.stopped_for >= _STOPPED_ALARM_S:
            self._app.alarms.raise_(alarms.STOPPED_48H)

    def clear(self):
        """End the alarms whose cause is gone. Returns a line for each that stays."""
        app = self._app
        stay = app.alarms.clear()
        self._state_changed()
        return ["stays: " + code for code in stay]

    # -- clock ------------------------------------------------------------------------------------------------

    def now_text(self):
        """Local time as the pump counts it."""
        return civil.iso(self._app.dosing.day, self._app.dosing.second)

    def week_second(self):
        """Second of the week, Monday 00:00 is 0."""
        dosing = self._app.dosing
        return civil.weekday(dosing.day) * civil.SECONDS_PER_DAY + dosing.second

    @staticmethod
    def until(day, second, now_day, now_second):
        """Seconds from now to (day, second); negative if it has passed."""
        return civil.seconds_between(now_day, now_second, day, second)

    def set_clock(self, text):
        """Set RTC and local time at the start of the next second, so that frames stay on the RTC's edges."""
        self._app.wallclock.want(*civil.parse_iso(text))

    def finish_clock(self):
        """The second after set_clock() begins."""
        app = self._app
        day, second = app.wallclock.take_wanted()
        if not app.wallclock.set(day, second):
            app.alarms.raise_(alarms.RTC_LOST)
            app.apply()
            return
        self._move_to(day, second, "clock_set")
        app.alarms.gone(alarms.RTC_LOST)
        app.apply()

    def step_clock(self, by):
        """Follow the RTC by a second or two."""
        dosing = self._app.dosing
        day, second = civil.shifted(dosing.day, dosing.second, by)
        self._move_to(day, second, "clock_step")

    def _move_to(self, day, second, code):
        app = self._app
        by = self.until(day, second, app.dosing.day, app.dosing.second)
        app.log.log(code, by_s=by)
        app.dosing.set_time(day, second)
        app.changed()
        if app.ledger.state in (ledger.STOPPED, ledger.PAUSED):
            state = app.ledger  # the length of a stop does not follow the clock
            stop_day, stop_second = civil.shifted(state.stop_day, state.stop_second, by)
            state.stop_day, state.stop_second = (stop_day, stop_second) if stop_day >= 0 else (0, 0)
            app.must_record = True

    # -- calibration ------------------------------------------------------------------------------------------

    def show_calibration(self):
        """Every calibration value with its unit, and what is staged."""
        values = self._app.records.calibration
        lines = values.show() if values is not None else ["calibration: none"]
        return lines + ["staged %s: %s" % (name, value) for name, value in sorted(self.staged_calibration.items())]

    def stage_calibration(self, name, text):
        """Stage one value: a whole number in the unit that `calibrate show` names."""
        value = text
        if name != "serial" and name not in [field[0] for field in calibration.FIELDS]:
            raise ValueError("calibration.%s: no such value; `calibrate show` lists them" % name)
        if name != "serial":
            value, decimals = units.number("calibration." + name, text)
            if decimals:
                raise ValueError("calibration.%s = %s: a whole number" % (name, text))
        staged = dict(self.staged_calibration)
        staged[name] = value
        self._calibration_with(staged)
        self.staged_calibration = staged

    def _calibration_with(self, staged):
        values = self._app.records.calibration
        known = {"serial": values.serial} if values is not None else {}
        if values is not None:
            for field in calibration.FIELDS:
                known[field[0]] = getattr(values, field[0])
        known.update(staged)
        return calibration.Calibration(**known)

    def commit_calibration(self):
        """Put the staged calibration in force. Refused while the pump delivers, or when the prescription forbids it."""
        app = self._app
        if app.records.calibration is None:
            names = ["serial"] + [field[0] for field in calibration.FIELDS]
            missing = [name for name in names if name not in self.staged_calibration]
            if missing:  # no value of a pump is ever assumed
                raise ValueError("calibrate commit: %s missing, and no calibration is in force" % ", ".join(missing))
        values = self._calibration_with(self.staged_calibration)
        if self.prescription is not None:
            if app.ledger.state == ledger.RUNNING:
                raise ValueError("calibrate commit: `stop` comes first")
            self.prescription.validate(values)
        try:
            app.records.commit_calibration(values, app.dosing.day, app.dosing.second)
        except OSError as error:
            app.log.log("write_failed", record=2)
            raise ValueError("calibrate commit: the EEPROM refused it (%s)" % error)
        self.staged_calibration = {}
        app.alarms.gone(alarms.CALIBRATION_DAMAGED)
        app.alarms.gone(alarms.LEDGER_DAMAGED)  # if there was none, a new one has begun
        app.log.log("calibrated", sequence=app.records.calibrations.sequence)
