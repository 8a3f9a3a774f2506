"""Whether a bolus may be given now: prescription, state, flow, rolling limits, lockout (F3; R06 to R09)."""

from micropython import const

from firmware import alarms, boluses, events, units
from firmware.dosing import ON
from firmware.library import NO_BOUND, Entry
from firmware.prescription import CONTINUOUS, FLEX, NO_LIMIT

_HOUR_S = const(3_600)
_DAY_S = const(86_400)
(
    NOT_PRESCRIBED,
    STOPPED,
    ALARM,
    LOW_RESERVOIR,
    RUNNING,
    BRIDGE,
    TRIAL_OVER,
    LOCKOUT,
    MAX_BOLUSES,
    MAX_PER_HOUR,
    MAX_PER_DAY,
    HISTORY_FULL,
    FLOW,
    WRITE_FAILED,
    CLOCK,
    INTERRUPTION,
    LATE,
) = range(len(events.NAMES["reason"]))


class Denied(ValueError):
    """A bolus that is not given. `reason`: index into events.NAMES["reason"]; the text says what would be allowed."""

    def __init__(self, reason, text):
        super().__init__(text)
        self.reason = reason


def check_state(app):
    """The prescription in force. Raises Denied unless it, pump and alarms allow boluses at all. app: app.App."""
    rx = app.records.prescription
    if rx is None or rx.mode not in (CONTINUOUS, FLEX):
        raise Denied(NOT_PRESCRIBED, "bolus: the prescription allows none")
    check_pump(app)
    return rx


def check_pump(app):
    """Raise Denied unless pump and alarms allow boluses, priming included."""
    refusal = app.courses.bolus_refusal()
    if refusal is not None:
        raise Denied(*refusal)
    if app.mode() != ON:
        raise Denied(STOPPED, "bolus: delivery is stopped")
    reaction = app.alarms.reaction()
    if reaction == alarms.NO_BOLUS:
        raise Denied(LOW_RESERVOIR, "bolus: alarm low_reservoir; a refill comes first")
    if reaction != alarms.UNCHANGED:
        raise Denied(ALARM, "bolus: alarm %s" % ", ".join(alarms.codes(app.alarms.active)))


def check_hold(app):
    """Raise Denied unless what lockout and limits are reckoned with is what was stored."""
    if not app.selftest.limits_hold():  # the next frame stops delivery for it
        raise Denied(ALARM, "bolus: alarm self_test_failed")


def check_dose(app, asked, dose_nl, seconds, start):
    """Raise Denied unless this dose (nL, over so many seconds) may begin at pump time `start`, s. asked: the words that
    a refusal begins with. Reaching a limit is allowed (R08)."""
    check_hold(app)
    _check_flow(app, asked, dose_nl, seconds)
    _check_windows(app, asked, dose_nl, start)
    if dose_nl > app.ledger.reservoir_nl:
        text = "%s: the reservoir should hold %s" % (asked, units.volume_text(app.ledger.reservoir_nl))
        raise Denied(LOW_RESERVOIR, text)


def _check_flow(app, asked, dose_nl, seconds):
    """Basal and bolus together never exceed the pump's highest rate (R04)."""
    highest = app.dosing.schedule.highest()
    max_rate = app.records.calibration.max_rate
    if dose_nl * _DAY_S > (max_rate - highest) * seconds:
        least = (dose_nl * _DAY_S + max_rate - highest - 1) // (max_rate - highest) if max_rate > highest else 0
        allowed = "at least %d s" % least if least else "none, as basal is at the maximum"
        raise Denied(FLOW, "%s over %d s: %s, for max_rate = %d nL/day" % (asked, seconds, allowed, max_rate))


def _check_windows(app, asked, dose_nl, start):
    """Rolling limits: whole doses of all boluses in the window, this one, a full window of the highest basal (R09)."""
    rx = app.records.prescription
    history = app.records.boluses
    check_history(app, "bolus", start)
    highest = app.dosing.schedule.highest()
    entry = Entry(rx.drug, rx.concentration)
    _, hard_day = entry.bounds(0, entry.day[1])
    for name, limit, window, reason in (
        ("max_per_hour", rx.max_per_hour, _HOUR_S, MAX_PER_HOUR),
        ("max_per_day", rx.max_per_day, _DAY_S, MAX_PER_DAY),
        ("the day's limit of " + rx.drug, hard_day, _DAY_S, MAX_PER_DAY),
    ):
        if limit in (NO_LIMIT, NO_BOUND):
            continue
        room = (limit - history.volume_nl(start, window, rx.concentration)) * _DAY_S - highest * window
        if dose_nl * _DAY_S > room:
            left = units.both_text(max(0, room) // _DAY_S, rx.concentration)
            raise Denied(reason, "%s: at most %s, for %s" % (asked, left, name))


def check_history(app, what, start):
    """Raise Denied if a bolus or prime (what) that begins at pump time `start` (s) would push one out of the history
    that still counts for a day: the limits would then allow its dose once more (R09)."""
    if app.records.boluses.is_full(start, _DAY_S):
        raise Denied(HISTORY_FULL, "%s: %d within 24 h, no more can be remembered" % (what, boluses.CAPACITY))


def check_patient(app, start):
    """Raise Denied unless lockout and the day's count allow a patient bolus at pump time `start`, s (R07)."""
    check_hold(app)
    _, _, lockout, max_per_day = app.records.prescription.patient_bolus
    history = app.records.boluses
    last = history.last_patient
    if last >= 0 and start - last < lockout:
        raise Denied(LOCKOUT, "dose: lockout, %d s more" % (last + lockout - start))
    if history.count(boluses.PATIENT, start, _DAY_S) >= max_per_day:
        raise Denied(MAX_BOLUSES, "dose: %d within 24 h is the maximum" % max_per_day)
