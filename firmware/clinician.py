"""The bolus that a clinician orders at the console (F3; R08, R10, R50).

No prescription knows its dose, so nothing that watches could tell it from another: it is read from the typed line
twice, and what stands in the history must be what the second reading says.
"""

from firmware import boluses, library, limits, units
from firmware.validation import MAX_LIMIT

_SECONDS_MAX = 86_400


def order(app, dose, span, confirmed):
    """A dose (mass or volume) in a time, (number, unit) of both as typed. Returns lines for the operator. confirmed: it
    may be beyond the drug's soft limit. A refusal is a ValueError that names field, value and what is allowed."""
    app.selftest.check_tables()
    therapy = app.therapy
    rx = app.records.prescription
    ng_per_ml = rx.concentration if rx is not None else 0
    dose_nl, seconds = _read(dose, span, ng_per_ml)
    asked = "bolus = %s %s" % dose
    if not 1 <= dose_nl <= MAX_LIMIT:
        raise ValueError(asked + ": 1 nL to 1 L")
    if not 1 <= seconds <= _SECONDS_MAX:
        raise ValueError("bolus over = %d s: 1 s to 24 h" % seconds)
    try:
        rx = limits.check_state(app)
        if therapy.running:
            left = units.volume_text(therapy.left_nl)
            raise limits.Denied(limits.RUNNING, "bolus: one is running, %s left; `bolus cancel` ends it" % left)
        library.check_dose(asked, dose_nl, rx)  # those of the prescription were held to it when it was committed
        limits.check_dose(app, asked, dose_nl, seconds, therapy.now() + 1)
        entry = library.Entry(rx.drug, ng_per_ml)
        beyond = entry.beyond(dose_nl, entry.bolus[:2])
        if beyond and not confirmed:
            raise ValueError("%s: %s; the same line with `confirm` at its end gives it" % (asked, beyond))
        therapy.give(boluses.CLINICIAN, dose_nl, seconds, again=lambda: _read(dose, span, rx.concentration))
        if beyond:
            app.log.log("confirmed", warnings=1, digest=0)
    except limits.Denied as denied:
        app.log.log("bolus_denied", kind=boluses.CLINICIAN, reason=denied.reason, dose_nl=dose_nl)
        raise
    return ["bolus: %s over %d s" % (units.both_text(dose_nl, ng_per_ml), seconds)]


def _read(dose, span, ng_per_ml):
    """(nL, s) of a dose and a time as typed."""
    return units.dose("bolus", dose[0], dose[1], ng_per_ml), units.duration("bolus over", span[0], span[1])
