"""What an operator can order: stop and resume, clock, calibration. Each is done whole or refused."""

from firmware import alarms, civil, ledger

_STOPPED_ALARM_S = 48 * 3_600
_REPEATED = alarms.TABLE[alarms.ALARM_REPEATED][0]


class Operations:
    """The operations of one pump. A refusal is a ValueError that names field, value and what is allowed."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self.count_stop(0)

    @property
    def log(self):
        """The event log."""
        return self._app.log

    @property
    def prescription(self):
        """The prescription in force, or None."""
        return self._app.records.prescription

    # -- stop and resume --------------------------------------------------------------------------------------

    def stop(self, seconds):
        """Stop delivery: for so many seconds (1..3,600), or with 0 until `resume`. Returns lines for the operator."""
        app = self._app
        state = app.ledger
        if state.state == ledger.SAFE:
            raise ValueError("stop: an alarm has stopped the pump already")
        if state.state == ledger.STOPPED:
            if seconds:
                raise ValueError("stop for: the pump is stopped until `resume`, and would resume by itself")
            return ()  # the 48 h since the stop began run on
        dosing = app.dosing
        if seconds:
            state.state = ledger.PAUSED
            app.stop_left = seconds
        else:
            state.state = ledger.STOPPED
            self.count_stop(0)
        state.stop_day, state.stop_second = civil.shifted(dosing.day, dosing.second, seconds)
        self.log.log("stop", by=0, seconds=seconds)
        self._state_changed()
        if app.must_record:
            return ["stopped, but not yet stored: the EEPROM refuses, and a power cut would undo it"]
        return ()

    def resume(self):
        """Start delivery. Refused while an alarm that stops delivery is active, or with nothing to give."""
        app = self._app
        if self.prescription is None:
            raise ValueError("resume: there is no prescription")
        if app.alarms.reaction() == alarms.STOP:
            stopping = app.parts.part("remedies").stopping(app.alarms)
            raise ValueError("resume: alarm %s; `clear` comes first" % stopping)
        if app.ledger.state == ledger.RUNNING:
            raise ValueError("resume: delivery is not stopped")
        self._run_again(True)
        self.log.log("resume")

    def end_pause(self):
        """A timed stop is over; if the EEPROM has yet to be told when it is, not before."""
        app = self._app
        if app.must_record:
            app.record_state()
            if app.must_record:
                return
        self._run_again(False)
        self.log.log("stop_end")

    def _run_again(self, ordered):
        self._app.guard.permit(ordered)
        self._app.ledger.state = ledger.RUNNING
        self._app.alarms.gone(alarms.STOPPED_48H)
        self._state_changed()

    def _state_changed(self):
        """The new state takes effect and is in the EEPROM before the operator reads `ok`."""
        self._app.must_record = True
        self._app.apply()
        self._app.record_state()

    def count_stop(self, seconds):
        """So long has the pump been stopped: since `stop`, or since an alarm; a start in SAFE begins anew."""
        self.stopped_s = seconds
        self._stopped_seal = ~seconds

    def watch_stop(self):
        """Once a second while stopped, by the operator or by an alarm, be it cleared or not (R34)."""
        if self.stopped_s != ~self._stopped_seal:
            self._app.selftest.ram_changed()
            return
        self.count_stop(self.stopped_s + 1)
        if self.stopped_s >= _STOPPED_ALARM_S:
            self._app.alarms.raise_(alarms.STOPPED_48H)

    def clear(self, repeated=False):
        """End the alarms whose cause is gone; `alarm_repeated` only if the operator says so. Returns a line for each
        that stays."""
        app = self._app
        if repeated and not app.alarms.active & 1 << alarms.ALARM_REPEATED:
            raise ValueError("clear repeated: alarm_repeated is not active; `clear` does")
        stay = app.alarms.clear(repeated)
        app.guard.cleared()
        self._state_changed()
        lines = ["stays: " + code for code in stay]
        return [line + (", until `clear repeated`" if line.endswith(_REPEATED) else "") for line in lines]

    def silence(self):
        """Keep the alarms silent for two minutes at most. Returns lines for the operator."""
        app = self._app
        app.signals.silence(app.alarms.priority())
        self.log.log("silenced", alarm=app.alarms.foremost())
        return ()

    def test_alarms(self):
        """Sound and show the alarms for the operator. Returns lines for the operator."""
        app = self._app
        app.signals.test(app.alarms.priority())
        self.log.log("alarms_tested")
        return ()

    # -- boluses ----------------------------------------------------------------------------------------------

    def cancel_bolus(self):
        """End every bolus, running, set aside or waiting. Returns lines for the operator."""
        if not self._app.therapy.cancel():
            raise ValueError("bolus cancel: none is running")
        self._app.record_state()
        return ()

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
        """Set RTC and local time at the start of the next second, so that frames stay on the RTC's edges. Refused while
        the records are in doubt: nothing could say then by how much lockouts and limits must not follow. Returns lines
        for the operator."""
        day, second = civil.parse_iso(text)
        self._app.records.need_loaded("clock set")
        doubts = alarms.codes(self._app.alarms.active & alarms.RECORDS_IN_DOUBT)
        if doubts:
            raise ValueError("clock set: alarm %s; `calibrate commit` comes first" % ", ".join(doubts))
        self._app.wallclock.want(day, second)
        until = self._app.therapy.scheduled.silent_until(day, second)
        if not until:
            return ()
        return ["scheduled boluses up to %s count as given or skipped; a commit begins afresh" % until]
