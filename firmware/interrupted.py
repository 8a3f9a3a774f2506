"""Boluses that a reset has interrupted: over, their rest missed and never given (F3; invariant 3)."""

from micropython import const

from firmware import boluses, missed
from firmware.therapy import INTERRUPTED

_DAY_S = const(86_400)


def take_up(app, since):
    """At the start. since: seconds from the ledger's record to the last sign of life, or None if nobody knows: then
    what was reserved counts as given. app: app.App. Returns whether there was one."""
    book = app.ledger
    history = app.records.boluses
    recorded = book.bolus == history.number
    newest_nl, older_nl = book.bolus_left_nl, book.aside_nl
    book.bolus = history.number
    book.bolus_left_nl = book.aside_nl = 0
    if not history.recent:
        return False
    newest = history.recent[-1]
    before = history.recent[-2] if len(history.recent) > 1 else None
    if recorded:
        _interrupt(app, newest, newest_nl, since)
    else:  # it was about to begin, and what the ledger speaks of came before it
        _interrupt(app, newest, newest.dose_nl, 0)
        _interrupt(app, before, newest_nl, since)
    # The one that was set aside flowed only if that one was over.
    _interrupt(app, _set_aside(history.recent), older_nl, 0 if newest_nl else since)
    return newest_nl > 0 or older_nl > 0 or not recorded


def _set_aside(recent):
    for entry in reversed(recent[:-1]):
        if entry.kind in (boluses.CLINICIAN, boluses.SCHEDULED):
            return entry
    return None


def _interrupt(app, entry, left_nl, since):
    if not left_nl or entry is None:
        return
    rest_nl = max(0, min(left_nl, entry.dose_nl) - _flowed_nl(app, entry, since))
    app.log.log("bolus_end", kind=entry.kind, how=INTERRUPTED, given_nl=entry.dose_nl - rest_nl)
    app.missed.add(missed.BOLUS, rest_nl * 1_000, 0)
    app.missed.report()


def _flowed_nl(app, entry, since):
    """What of a bolus flowed after the ledger's record: by time, or its share of what was reserved."""
    if since is not None:
        return entry.dose_nl * max(0, since) // entry.seconds
    rate = app.dosing.schedule.rate_at(app.operations.week_second())
    bolus_rate = entry.dose_nl * _DAY_S // entry.seconds
    assumed_nl = app.ledger.used * app.ledger.pl_per_step // 1_000
    return assumed_nl * bolus_rate // max(1, bolus_rate + rate)
