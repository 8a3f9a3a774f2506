"""Boluses by order: asked for, checked against every limit, given, cancelled (F3; R04, R09; D12).

A bolus adds to the basal rate and never changes it. It is in the history and in the ledger before its first step; a
reset of any kind cancels it, and nothing of it is given later.
"""

from micropython import const

from firmware import alarms, boluses, events, missed, units
from firmware.bolus_flow import BolusFlow
from firmware.dosing import ON
from firmware.prescription import CONTINUOUS, FLEX, NO_LIMIT

_HOUR_S = const(3_600)
_DAY_S = const(86_400)
_SECONDS_MAX = const(86_400)
DONE, CANCELLED, INTERRUPTED = range(len(events.NAMES["how"]))


class Therapy:
    """The boluses of one pump. A refusal is a ValueError that names field, value and what is allowed."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._dose_nl = 0  # of the running bolus; 0: none runs

    @property
    def running(self):
        """Whether a bolus flows, or is about to."""
        return self._dose_nl > 0

    @property
    def left_nl(self):
        """What the running bolus has still to give, nL, rounded up."""
        flow = self._flow()
        return (flow.left_pl() + 999) // 1_000 if flow is not None else 0

    def _flow(self):
        dosing = self._app.dosing
        return dosing.next_bolus if dosing.next_bolus is not None else dosing.bolus

    # -- ordering ---------------------------------------------------------------------------------------------

    def order(self, number, unit, seconds):
        """A clinician bolus: a dose (mass or volume) over so many seconds. Returns lines for the operator."""
        app = self._app
        rx = self._allowed()
        dose_nl = units.dose("bolus", number, unit, rx.concentration)
        asked = "bolus = %s %s" % (number, unit)
        if not dose_nl:
            raise ValueError(asked + ": at least 1 nL")
        if not 1 <= seconds <= _SECONDS_MAX:
            raise ValueError("bolus over = %d s: 1 s to 24 h" % seconds)
        self._within_flow(asked, dose_nl, seconds)
        self._within_limits(asked, rx, dose_nl)
        if dose_nl > app.ledger.reservoir_nl:
            raise ValueError("%s: the reservoir should hold %s" % (asked, units.volume_text(app.ledger.reservoir_nl)))
        self._begin(boluses.CLINICIAN, dose_nl, seconds)
        return ["bolus: %s over %d s" % (units.both_text(dose_nl, rx.concentration), seconds)]

    def _allowed(self):
        """The prescription in force. Raises ValueError unless it and the pump's state allow a bolus."""
        app = self._app
        rx = app.records.prescription
        if rx is None or rx.mode not in (CONTINUOUS, FLEX):
            raise ValueError("bolus: the prescription allows none")
        if app.mode() != ON:
            raise ValueError("bolus: delivery is stopped")
        if app.alarms.reaction() != alarms.UNCHANGED:
            raise ValueError("bolus: alarm %s" % ", ".join(alarms.codes(app.alarms.active)))
        if self.running:
            raise ValueError("bolus: one is running, %s left; `bolus cancel` ends it" % units.volume_text(self.left_nl))
        return rx

    def _within_flow(self, asked, dose_nl, seconds):
        highest = self._app.dosing.schedule.highest()
        max_rate = self._app.records.calibration.max_rate
        if dose_nl * _DAY_S > (max_rate - highest) * seconds:
            least = (dose_nl * _DAY_S + max_rate - highest - 1) // (max_rate - highest) if max_rate > highest else 0
            allowed = "at least %d s" % least if least else "none, as basal is at the maximum"
            raise ValueError("%s over %d s: %s, for max_rate = %d nL/day" % (asked, seconds, allowed, max_rate))

    def _within_limits(self, asked, rx, dose_nl):
        """Rolling limits: whole doses of all boluses in the window, this one, a full window of the highest basal."""
        app = self._app
        now = self.now()
        if app.records.boluses.is_full(now, _DAY_S):
            raise ValueError("bolus: %d within 24 h, no more can be remembered" % boluses.CAPACITY)
        highest = app.dosing.schedule.highest()
        for name, limit, window in (("hour", rx.max_per_hour, _HOUR_S), ("day", rx.max_per_day, _DAY_S)):
            if limit == NO_LIMIT:
                continue
            given = app.records.boluses.volume_nl(now, window)
            room = limit * _DAY_S - given * _DAY_S - highest * window
            if dose_nl * _DAY_S > room:
                left = units.both_text(max(0, room) // _DAY_S, rx.concentration)
                raise ValueError("%s: at most %s, for max_per_%s" % (asked, left, name))

    def now(self):
        """Pump time, s."""
        dosing = self._app.dosing
        return self._app.ledger.pump_time(dosing.day, dosing.second)

    def _begin(self, kind, dose_nl, seconds):
        app = self._app
        history = app.records.boluses
        flow = BolusFlow(dose_nl, seconds)
        try:
            history.begin(kind, (self.now() + 1, seconds), dose_nl)
        except OSError as error:
            app.log.log("write_failed", record=4)
            raise ValueError("bolus: the EEPROM refused it (%s); none is given" % error)
        app.ledger.bolus = history.number
        app.ledger.bolus_left_nl = dose_nl
        self._dose_nl = dose_nl
        app.dosing.give_bolus(flow)
        app.log.log("bolus", kind=kind, dose_nl=dose_nl, seconds=seconds)
        app.must_record = True
        app.record_state()
        if app.must_record:
            self.cancel()
            raise ValueError("bolus: the EEPROM refuses the ledger; none is given")

    # -- ending -----------------------------------------------------------------------------------------------

    def cancel(self):
        """End a running bolus; its rest is missed, and never caught up. Returns whether there was one."""
        if not self.running:
            return False
        flow = self._flow()
        self._end(CANCELLED, flow.left_pl() if flow is not None else 0)
        return True

    def keep(self):
        """Once a frame: what is left goes into the ledger's next record; the end of a bolus is logged."""
        app = self._app
        if app.dosing.missed_bolus_pl:
            app.missed.add(missed.LATE, app.dosing.missed_bolus_pl, 0)
            app.dosing.missed_bolus_pl = 0
        if self.running:
            if self._flow() is None:
                self._end(DONE, 0)
            else:
                app.ledger.bolus_left_nl = self.left_nl

    def _end(self, how, rest_pl):
        app = self._app
        kind = app.records.boluses.recent[-1].kind
        app.dosing.end_bolus()
        app.log.log("bolus_end", kind=kind, how=how, given_nl=self._dose_nl - (rest_pl + 999) // 1_000)
        if rest_pl:
            app.missed.add(missed.BOLUS, rest_pl, 0)
            app.missed.report()
        self._dose_nl = 0
        app.ledger.bolus_left_nl = 0
        app.must_record = True

    def take_up(self, since):
        """At the start: a bolus that a reset interrupted is over, and its rest is missed. since: seconds from the
        ledger's record to the last sign of life, or None if nobody knows: then what was reserved counts as given."""
        app = self._app
        book = app.ledger
        history = app.records.boluses
        begun = book.bolus == history.number
        left_nl = book.bolus_left_nl if begun else history.recent[-1].dose_nl if history.recent else 0
        book.bolus = history.number
        book.bolus_left_nl = 0
        if not left_nl or not history.recent:
            return
        entry = history.recent[-1]
        flowed_nl = 0
        if begun:
            flowed_nl = self._flowed_nl(entry, since)
        rest_nl = max(0, min(left_nl, entry.dose_nl) - flowed_nl)
        app.log.log("bolus_end", kind=entry.kind, how=INTERRUPTED, given_nl=entry.dose_nl - rest_nl)
        app.missed.add(missed.BOLUS, rest_nl * 1_000, 0)
        app.missed.report()

    def _flowed_nl(self, entry, since):
        """What of a bolus flowed after the ledger's record: by time, or its share of what was reserved."""
        if since is not None:
            return entry.dose_nl * max(0, since) // entry.seconds
        rate = self._app.dosing.schedule.rate_at(self._app.operations.week_second())
        bolus_rate = entry.dose_nl * _DAY_S // entry.seconds
        assumed_nl = self._app.ledger.used * self._app.ledger.pl_per_step // 1_000
        return assumed_nl * bolus_rate // max(1, bolus_rate + rate)
