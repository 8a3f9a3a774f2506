"""A prescription beside the one in force (F4, F8)."""

from firmware import units
from firmware.days import clock_text, days_text
from firmware.library import concentration_text
from firmware.prescription import MODES, NO_LIMIT

_NAMES = (
    "patient",
    "drug",
    "concentration",
    "mode",
    "basal",
    "period",
    "scheduled_bolus",
    "patient_bolus",
    "max_per_hour",
    "max_per_day",
    "day_at_most",
)
_LISTS = ("period", "scheduled_bolus")
NONE = "none"


def show(active, staged):
    """Lines that show the prescription in force and, beside each changed value, the staged one. A generator: each line
    takes its time, and there may be sixty."""
    for name in _NAMES:
        count = 1
        if name in _LISTS:
            count = max(len(_list(active, name)), len(_list(staged, name)))
        for index in range(count):
            before = _text(active, name, index)
            after = _text(staged, name, index) if staged else before
            if before is None and after is None:
                continue
            label = name if name not in _LISTS else "%s %02d" % (name, index + 1)
            if before == after:
                yield "%s: %s" % (label, before)
            else:
                yield "%s: %s -> %s" % (label, before or NONE, after or NONE)


def _list(rx, name):
    if rx is None:
        return ()
    return rx.periods if name == "period" else rx.scheduled


def _text(rx, name, index):
    """One thing of a prescription; None if it has none."""
    if rx is None:
        return None
    if name == "concentration":
        return concentration_text(rx.concentration) if rx.concentration else NONE
    if name == "mode":
        return MODES[rx.mode]
    if name in ("patient", "drug"):
        return getattr(rx, name)
    return _dose_text(rx, name, index) if rx.gives_doses else None


def _dose_text(rx, name, index):
    """A rate, bolus or limit in mass and in volume (F8); None if there is none."""
    ng = rx.concentration
    text = None
    if name == "basal":
        text = units.both_text(rx.basal, ng, "/day")
    elif name == "patient_bolus":
        text = _patient_text(rx.patient_bolus, ng)
    elif name in _LISTS:
        found = _list(rx, name)
        if index < len(found):
            text = (_period_text if name == "period" else _scheduled_text)(found[index], ng)
    else:
        nl = rx.worst_day if name == "day_at_most" else getattr(rx, name)
        if nl != NO_LIMIT:
            text = units.both_text(nl, ng)
    return text


def _period_text(period, ng):
    days, start, end, rate = period
    span = "%s %s-%s " % (days_text(days), clock_text(start), clock_text(end))
    return span + units.both_text(rate, ng, "/day")


def _scheduled_text(bolus, ng):
    days, minute, dose, seconds = bolus
    begin = "%s %s " % (days_text(days), clock_text(minute))
    return begin + "%s over %s" % (units.both_text(dose, ng), time_text(seconds))


def _patient_text(bolus, ng):
    if bolus is None:
        return None
    dose, seconds, lockout, count = bolus
    what = "%s over %s, lockout %s, %d per day"
    return what % (units.both_text(dose, ng), time_text(seconds), time_text(lockout), count)


def time_text(seconds):
    """A duration (s) in the largest unit that it is a whole number of."""
    for unit, length in (("h", 3_600), ("min", 60)):
        if not seconds % length:
            return "%d %s" % (seconds // length, unit)
    return "%d s" % seconds
