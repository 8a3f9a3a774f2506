"""The prescription in force and those that newer ones have replaced, as lines for the operator (F4, F5).

`SEQUENCE: in force|replaced; NAME VALUE; NAME VALUE...`, newest first; what gives doses has a second line. A value
holds no `; `.
"""

from firmware import events, history, units
from firmware.comparison import time_text
from firmware.library import concentration_text
from firmware.prescription import MODES, NO_LIMIT, parse


def lines(app):
    """All that the slots hold. A generator: each record takes its time to be read. Raises ValueError if the part fails.
    app: app.App."""
    records = app.records
    there_is_one = records.prescription is not None
    if there_is_one:
        for line in _of(records.prescriptions.sequence, "in force", records.prescription):
            yield line
    try:
        for sequence, payload in history.History(app.board.eeprom).records():
            there_is_one = True
            try:
                rx = parse(payload)
            except ValueError as error:
                yield "%d: replaced; error %s" % (sequence, error)
                continue
            for line in _of(sequence, "replaced", rx):
                yield line
    except OSError as error:
        raise ValueError("program history: the EEPROM could not be read (%s)" % error)
    if not there_is_one:
        yield "history: none"


def _of(sequence, state, rx):
    ng = rx.concentration
    found = ["digest " + rx.digest(), "patient " + rx.patient, "drug " + rx.drug]
    if ng:
        found.append("concentration " + concentration_text(ng))
    found.append("mode " + MODES[rx.mode])
    if rx.gives_doses:
        found.append("basal " + units.both_text(rx.basal, ng, "/day"))
    found += _course(rx.course)
    yield "%d: %s; %s" % (sequence, state, "; ".join(found))
    if rx.gives_doses:
        yield "%d gives: %s" % (sequence, "; ".join(_doses(rx, ng)))


def _course(course):
    found = []
    if course.bridge_nl:
        found.append("bridge " + units.volume_text(course.bridge_nl))
    if course.trial_s:
        then = events.NAMES["afterwards"][course.afterwards]
        found.append("trial %s then %s%s" % (time_text(course.trial_s), then, ", over" if course.trial_over else ""))
    return found


def _doses(rx, ng):
    yield "periods %d" % len(rx.periods)
    yield "scheduled_boluses %d" % len(rx.scheduled)
    bolus = "none"
    if rx.patient_bolus is not None:
        dose_nl, seconds, lockout, count = rx.patient_bolus
        bolus = "%s over %s, lockout %s, %d per day"
        bolus = bolus % (units.both_text(dose_nl, ng), time_text(seconds), time_text(lockout), count)
    yield "patient_bolus " + bolus
    for name, limit in (("max_per_hour", rx.max_per_hour), ("max_per_day", rx.max_per_day)):
        yield "%s %s" % (name, "none" if limit == NO_LIMIT else units.both_text(limit, ng))
