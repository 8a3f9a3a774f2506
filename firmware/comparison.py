"""A prescription beside the one in force, and what of it must be typed once more before a commit (F4, F8; R10, R22).

Ten times a dose is a slipped digit or a bounced key more often than it is meant (the 4.8 that became 44.8).
"""

from firmware import units
from firmware.days import clock_text, days_text
from firmware.library import NO_BOUND, Entry, concentration_text, mass_text
from firmware.prescription import MODES, NO_LIMIT, Prescription

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
_RATES = ("basal", "period")
_NONE = "none"
_TENFOLD = "ten times or more from "


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
                yield "%s: %s -> %s" % (label, before or _NONE, after or _NONE)


def _list(rx, name):
    if rx is None:
        return ()
    return rx.periods if name == "period" else rx.scheduled


def _text(rx, name, index):
    """One thing of a prescription; None if it has none."""
    if rx is None:
        return None
    if name == "concentration":
        return concentration_text(rx.concentration) if rx.concentration else _NONE
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
    return begin + "%s over %s" % (units.both_text(dose, ng), _time_text(seconds))


def _patient_text(bolus, ng):
    if bolus is None:
        return None
    dose, seconds, lockout, count = bolus
    what = "%s over %s, lockout %s, %d per day"
    return what % (units.both_text(dose, ng), _time_text(seconds), _time_text(lockout), count)


def _time_text(seconds):
    for unit, length in (("h", 3_600), ("min", 60)):
        if not seconds % length:
            return "%d %s" % (seconds // length, unit)
    return "%d s" % seconds


def warnings(active, rx):
    """What must be typed once more before rx, a validated Prescription, may be committed: (FIELD VALUE, why) of each
    thing. A generator. active: the prescription in force, or None."""
    ng = rx.concentration
    old_ng = active.concentration if active is not None else 0
    if _tenfold(old_ng, ng):
        yield "concentration " + concentration_text(ng), _TENFOLD + concentration_text(old_ng)
    if not rx.gives_doses:
        return
    entry = Entry(rx.drug, ng)
    for name, index, nl, old, (low, high) in _volumes(active, rx, entry):
        if not nl:
            continue
        least, most = entry.bounds(low, high) if low or high else (0, NO_BOUND)
        beyond = not least <= nl <= most
        tenfold = _tenfold(old * old_ng, nl * ng) if ng and old_ng and ng != old_ng else _tenfold(old, nl)
        if not (beyond or tenfold):
            continue
        suffix = "/day" if name in _RATES else ""
        why = []
        if beyond:
            bound = "below " + mass_text(low) if nl < least else "above " + mass_text(high)
            why.append("%s%s, the soft limit of %s" % (bound, suffix, rx.drug))
        if tenfold:
            why.append(_TENFOLD + units.both_text(old, old_ng, suffix))
        yield _name(name, index) + _typed(nl, ng) + suffix, "; ".join(why)
    if active is not None:
        for text, why in _other(active, rx, old_ng):
            yield text, why


def _volumes(active, rx, entry):
    """(name, index, nL, nL before or 0, soft limits) of every rate, dose and limit."""
    old = active if active is not None else Prescription()
    soft = entry.basal[1:3]
    yield "basal", 0, rx.basal, old.basal, soft
    before = old.periods
    for index, period in enumerate(rx.periods):  # a new period replaces what was the basal rate
        yield "period", index, period[3], before[index][3] if index < len(before) else old.basal, soft
    soft = entry.bolus[:2]
    before = old.scheduled
    for index, bolus in enumerate(rx.scheduled):
        yield "scheduled_bolus", index, bolus[2], before[index][2] if index < len(before) else 0, soft
    if rx.patient_bolus is not None:
        before = old.patient_bolus or (0,)
        yield "patient_bolus", 0, rx.patient_bolus[0], before[0], soft
    for name in ("max_per_hour", "max_per_day"):
        limit = getattr(old, name)
        if limit != NO_LIMIT != getattr(rx, name):
            yield name, 0, getattr(rx, name), limit, (0, 0)
    yield "day_at_most", 0, rx.worst_day, 0, (0, entry.day[0])


def _other(active, rx, old_ng):
    """What is no volume: a limit that is gone, lockout and count of patient boluses."""
    for name in ("max_per_hour", "max_per_day"):
        limit = getattr(active, name)
        if limit != NO_LIMIT == getattr(rx, name):
            yield "%s %s" % (name, _NONE), "was " + units.both_text(limit, old_ng)
    if active.patient_bolus and rx.patient_bolus:
        _, _, old_lockout, old_count = active.patient_bolus
        _, _, lockout, count = rx.patient_bolus
        if _tenfold(old_lockout, lockout):
            yield "lockout " + _time_text(lockout), _TENFOLD + _time_text(old_lockout)
        if _tenfold(old_count, count):
            yield "boluses_per_day %d" % count, _TENFOLD + "%d" % old_count


def _name(name, index):
    return "%s_%d " % (name, index + 1) if name in _LISTS else name + " "


def _typed(nl, ng):
    """A volume as it is to be typed once more: its mass, if there is one that can be written."""
    text = units.mass_text(nl, ng)
    return units.volume_text(nl) if text == "0 ug" else text


def _tenfold(old, new):
    """Whether a value has changed by ten times or more, up or down. From or to 0 does not count."""
    return old and new and (new >= 10 * old or old >= 10 * new)
