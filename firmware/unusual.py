"""What of a staged prescription must be typed once more before a commit (F4, F8; R10, R22).

Ten times a dose is a slipped digit or a bounced key more often than it is meant (the 4.8 that became 44.8).
"""

from micropython import const

from firmware import units
from firmware.comparison import NONE, time_text
from firmware.library import Entry, concentration_text
from firmware.prescription import MINIMUM, NO_LIMIT, Prescription, parse

_LISTS = ("period", "scheduled_bolus")
_RATES = ("basal", "period")
_TENFOLD = "ten times or more from "
# Kinds of dose, each compared with the newest prescription that had it.
_BASAL, _SCHEDULED, _PATIENT, _LIMITS = range(4)
_KINDS = const(4)
_DAY = const(1_440)  # minutes
_WEEK = const(10_080)


def warnings(active, rx, min_rate, older=None):
    """What must be typed once more before rx, a validated Prescription, may be committed: (FIELD VALUE, why) of each
    thing. A generator, which gives None between two pieces of work: they may take longer together than a tick can wait.
    active: the prescription in force, or None. min_rate: the pump's, nL/day. older: history.History, or None. Raises
    ValueError if that cannot be read."""
    ng = rx.concentration
    active = active if active is not None else Prescription()
    if _tenfold(active.concentration, ng):
        yield "concentration " + concentration_text(ng), _TENFOLD + concentration_text(active.concentration)
    if not rx.gives_doses:
        return
    before = [active] * _KINDS
    if older is not None:
        for _ in _look_back(before, rx, older):
            yield None
    entry = Entry(rx.drug, ng)
    for name, index, nl, spans, soft in _volumes(active, before, rx, entry, min_rate):
        beyond = entry.beyond(nl, soft, _suffix(name))
        found = [beyond] if beyond else []
        for least, most, old_ng in spans:
            by = _by(old_ng, ng)
            if _tenfold(least * by[0], nl * by[1]) or _tenfold(most * by[0], nl * by[1]):
                old = least if nl * by[1] >= 10 * least * by[0] else most
                found.append(_TENFOLD + units.both_text(old, old_ng, _suffix(name)))
        yield (_name(name, index) + _typed(nl, ng) + _suffix(name), "; ".join(found)) if found else None
    for text, why in _other(before, rx):
        yield text, why


def _look_back(before, rx, older):
    """Of each kind of dose that rx has and the prescription in force has not, as its mode is stopped perhaps, the
    newest one of the drug that had it: a commit of nothing in between must not hide a slipped digit."""
    missing = [kind for kind in range(_KINDS) if _has(rx, kind) and not _has(before[kind], kind)]
    try:
        for payload in older.payloads() if missing else ():
            yield
            try:
                found = parse(payload)
            except ValueError:  # of a drug that nobody knows any more
                continue
            for kind in range(_KINDS):
                if found.drug == rx.drug and kind in missing and _has(found, kind):
                    before[kind] = found
                    missing.remove(kind)
            if not missing:
                return
    except OSError as error:
        raise ValueError("program stage end: what was in force before cannot be read (%s)" % error)


def _has(rx, kind):
    if kind == _LIMITS:
        return rx.gives_doses
    return bool((rx.highest_rate(), rx.scheduled, rx.patient_bolus)[kind])


def _by(old_ng, ng):
    """What an old and a new volume are to be multiplied by: what is compared is the mass, if there is one."""
    return (old_ng, ng) if ng and old_ng else (1, 1)


def _volumes(active, before, rx, entry, min_rate):
    """(name, index, nL, [(lowest, highest nL before it, or 0; ng/mL)], soft limits) of every rate, dose and limit."""
    olds = (active,) if before[_BASAL] is active else (active, before[_BASAL])
    for found in zip(*[_rates(old, rx.periods, min_rate) for old in olds]):  # noqa: B905 - MicroPython
        spans = [(span[0], span[1], olds[place].concentration) for place, (_, span) in enumerate(found)]
        index = found[0][0]
        if index < 0:
            yield "basal", 0, rx.basal, spans, entry.basal[1:3]
        else:
            yield "period", index, rx.periods[index][3], spans, entry.basal[1:3]
    soft = entry.bolus[:2]
    old = before[_SCHEDULED]
    ng = old.concentration
    for index, bolus in enumerate(rx.scheduled):
        doses = [found[2] for found in _alike(old.scheduled, bolus, _by(ng, rx.concentration))] or (0,)
        yield "scheduled_bolus", index, bolus[2], [(min(doses), max(doses), ng)], soft
    if rx.patient_bolus is not None:
        dose = (before[_PATIENT].patient_bolus or (0,))[0]
        yield "patient_bolus", 0, rx.patient_bolus[0], [(dose, dose, before[_PATIENT].concentration)], soft
    for name in ("max_per_hour", "max_per_day"):
        limit = getattr(before[_LIMITS], name)
        if limit != NO_LIMIT != getattr(rx, name):
            yield name, 0, getattr(rx, name), [(limit, limit, before[_LIMITS].concentration)], (0, 0)
    yield "day_at_most", 0, rx.worst_day, (), (0, entry.day[0])


def _rates(old, periods, min_rate):
    """(index, (lowest, highest)) of each new period, and with the index -1 of the new basal rate: the rates above 0
    (nL/day) that hold now in any of its minutes; 0 if there is none."""
    base = min_rate if old.mode == MINIMUM else old.basal
    left = [_shared(before, before) for before in old.periods]  # minutes that no new period takes
    both = _WEEK - sum(left)  # minutes outside of the old periods and the new ones
    for index, period in enumerate(periods):
        rates = []
        rest = _shared(period, period)
        for place, before in enumerate(old.periods):
            common = _shared(period, before)
            if common:
                left[place] -= common
                rest -= common
                rates.append(before[3])
        both -= rest
        if rest:
            rates.append(base)
        yield index, _span(rates)
    rates = [before[3] for place, before in enumerate(old.periods) if left[place]]
    yield -1, _span(rates + [base] if both or not rates else rates)


def _span(rates):
    rates = [rate for rate in rates if rate] or (0,)
    return min(rates), max(rates)


def _shared(period, other):
    """Minutes of the week that two periods share. Neither is longer than a day."""
    days, start, end, _ = period
    if end <= start:
        end += _DAY
    total = 0
    days_, start_, end_, _ = other
    if end_ <= start_:
        end_ += _DAY
    for shift, by in ((6, -_DAY), (0, 0), (1, _DAY)):  # the other one of the day before, the same, the next
        common = min(end, end_ + by) - max(start, start_ + by)
        both = days & (days_ << 7 | days_) >> shift
        while common > 0 and both:
            total += common
            both &= both - 1
    return total


def _alike(before, bolus, by):
    """The old scheduled boluses that a new one is held against: those of its minute on a day of its own; if there are
    none, the one of the nearest mass."""
    days, minute, dose, _ = bolus
    found = [old for old in before if old[1] == minute and old[0] & days]
    if not found and before:
        found = [min(before, key=lambda old: abs(old[2] * by[0] - dose * by[1]))]
    return found


def _other(before, rx):
    """What is no volume: a limit that is gone; durations, lockout and count of boluses."""
    for name in ("max_per_hour", "max_per_day"):
        limit = getattr(before[_LIMITS], name)
        if limit != NO_LIMIT == getattr(rx, name):
            yield "%s %s" % (name, NONE), "was " + units.both_text(limit, before[_LIMITS].concentration)
    by = _by(before[_SCHEDULED].concentration, rx.concentration)
    for index, bolus in enumerate(rx.scheduled):
        for old in _alike(before[_SCHEDULED].scheduled, bolus, by):
            if _tenfold(old[3], bolus[3]):
                yield "scheduled_bolus_%d_over %s" % (index + 1, time_text(bolus[3])), _TENFOLD + time_text(old[3])
                break
    if before[_PATIENT].patient_bolus and rx.patient_bolus:
        _, old_seconds, old_lockout, old_count = before[_PATIENT].patient_bolus
        _, seconds, lockout, count = rx.patient_bolus
        if _tenfold(old_seconds, seconds):
            yield "patient_bolus_over " + time_text(seconds), _TENFOLD + time_text(old_seconds)
        if _tenfold(old_lockout, lockout):
            yield "lockout " + time_text(lockout), _TENFOLD + time_text(old_lockout)
        if _tenfold(old_count, count):
            yield "boluses_per_day %d" % count, _TENFOLD + "%d" % old_count


def _suffix(name):
    return "/day" if name in _RATES else ""


def _name(name, index):
    return "%s_%d " % (name, index + 1) if name in _LISTS else name + " "


def _typed(nl, ng):
    """A volume as it is to be typed once more: its mass, if there is one that can be written."""
    text = units.mass_text(nl, ng)
    return units.volume_text(nl) if text == "0 ug" else text


def _tenfold(old, new):
    """Whether a value has changed by ten times or more, up or down. From or to 0 does not count."""
    return old and new and (new >= 10 * old or old >= 10 * new)
