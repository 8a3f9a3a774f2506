"""The drug library: which concentrations a drug comes in, and its hard and soft limits (F8; R10, R11, R12).

Limits are masses, and reaching one is allowed. What is compared is the mass in the whole nL that the pump really gives,
exactly.
"""

from firmware import drugs, events, units
from firmware.days import refuse

DRUGS = tuple([row[0] for row in drugs.DRUGS])  # the index of a name is its number in the EEPROM, for ever
# What events say, from here: loaded as early as events are, this module makes every tick 0.7 ms longer (measured; the
# order in which MicroPython first meets names is all that differs).
events.NAMES["drug"] = ("unknown",) + DRUGS
LIBRARY = drugs.LIBRARY
NO_BOUND = 1 << 62  # nL
_NL_PER_ML = 1_000_000


class Entry:
    """One drug's row: `concentrations` as in drugs.py; limits in ng (basal: ng/day), 0 where there is none."""

    def __init__(self, name, ng_per_ml=0):
        """ng_per_ml: the concentration of what flows. Raises PrescriptionError if the library has no such drug: it is
        never given then (R11)."""
        if name not in DRUGS:
            refuse("drug", name, "one of " + ", ".join(DRUGS))
        self.name, self.concentrations, self.basal, self.bolus, self.day = drugs.DRUGS[DRUGS.index(name)]
        self._ng_per_ml = ng_per_ml

    def check_concentration(self):
        """Raise PrescriptionError unless the library has this concentration; saline takes none, that is 0."""
        known = self.concentrations
        asked = self._ng_per_ml
        if not known:
            if asked:
                refuse("concentration", concentration_text(asked), self.name + " takes none")
        elif not known[0]:
            if not 1 <= asked <= known[1]:
                allowed = "0.001 to %s for %s" % (concentration_text(known[1]), self.name)
                refuse("concentration", concentration_text(asked), allowed)
        elif asked not in known:
            allowed = " or ".join([concentration_text(value) for value in known])
            refuse("concentration", concentration_text(asked), "%s comes at %s" % (self.name, allowed))

    def bounds(self, low, high):
        """(least, most) volume, nL, that carries at least `low` and at most `high` ng; exact. 0 ng is no limit."""
        ng = self._ng_per_ml
        if not ng:
            return 0, NO_BOUND
        return -(-low * _NL_PER_ML // ng), high * _NL_PER_ML // ng if high else NO_BOUND

    def check(self, field, nl, limits, suffix=""):
        """Raise PrescriptionError unless a volume (nL) keeps hard limits (low, high; ng). suffix: "/day" for rates."""
        least, most = self.bounds(*limits)
        if not least <= nl <= most:
            bound = "at least " + mass_text(limits[0]) if nl < least else "at most " + mass_text(limits[1])
            refuse(field, units.both_text(nl, self._ng_per_ml, suffix), "%s%s for %s" % (bound, suffix, self.name))

    def beyond(self, nl, soft, suffix=""):
        """Which soft limit (low, high; ng, 0 for none) a volume (nL) is beyond, as text; "" if none. No volume is below
        none. suffix: "/day" for rates."""
        least, most = self.bounds(*soft)
        if not nl or least <= nl <= most:
            return ""
        bound = "below " + mass_text(soft[0]) if nl < least else "above " + mass_text(soft[1])
        return "%s%s, the soft limit of %s" % (bound, suffix, self.name)


def check_dose(field, dose_nl, rx):
    """Raise PrescriptionError if one bolus (nL) is above the hard limit of the prescription's drug (R10)."""
    entry = Entry(rx.drug, rx.concentration)
    entry.check(field, dose_nl, (0, entry.bolus[2]))


def mass_text(ng):
    """A mass in ug, exact."""
    return units.decimal(ng, 1_000) + " ug"


def concentration_text(ng_per_ml):
    """A concentration in ug/mL, exact."""
    return units.decimal(ng_per_ml, 1_000) + " ug/mL"
