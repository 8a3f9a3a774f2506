"""Quantities with units, read exactly and floored once (mass to volume rounds down; R50: units always explicit).

A quantity arrives from the console as two words, a plain decimal number and a unit. Nothing here is a float: a
number is a whole mantissa and a count of decimals, and a result is one integer division at the end.
"""

_MAX_DIGITS = 12  # enough for 999,999.999999 of anything, and a bound on the big integers below
_NL_PER_ML = 1_000_000

MASS_NG = {"ng": 1, "ug": 1_000, "mcg": 1_000, "mg": 1_000_000}
VOLUME_NL = {"nL": 1, "uL": 1_000, "mL": 1_000_000}
DURATION_S = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
_PER_DAY = {"h": 24, "day": 1}
TABLES = MASS_NG, VOLUME_NL, DURATION_S, _PER_DAY  # for tables.py


class QuantityError(ValueError):
    """A quantity that cannot be read; the text names field, value and what is allowed."""


def _fail(field, number, unit, allowed):
    raise QuantityError("%s = %s %s: %s" % (field, number, unit, allowed))


def number(field, text, unit=""):
    """(mantissa, decimals) of a plain decimal number: value = mantissa / 10**decimals."""
    whole, point, decimals = text.partition(".")
    digits = whole + decimals
    if not whole or (point and not decimals) or len(digits) > _MAX_DIGITS:
        _fail(field, text, unit, "a plain decimal number of at most 12 digits is needed")
    for digit in digits:
        if digit not in "0123456789":
            _fail(field, text, unit, "a plain decimal number of at most 12 digits is needed")
    return int(digits), len(decimals)


def whole(field, text, lowest, highest):
    """A plain whole number. Raises ValueError, naming field, value and range, if it is none or out of it."""
    mantissa, decimals = number(field, text)
    if decimals or not lowest <= mantissa <= highest:
        raise ValueError("%s = %s: a whole number of %d to %d" % (field, text, lowest, highest))
    return mantissa


def _lookup(table, unit, field, text, suffix=""):
    if unit not in table:
        _fail(field, text, unit + suffix, "a unit of " + ", ".join(sorted(table)) + suffix + " is needed")
    return table[unit]


def concentration(field, text, unit):
    """Concentration in whole ng/mL; a fraction is refused, as rounding it down would raise every volume computed from
    it. The unit is a mass unit per mL."""
    mass, slash, volume = unit.partition("/")
    if not slash or volume != "mL":
        _fail(field, text, unit, "a mass per mL is needed, for instance 2000 ug/mL")
    mantissa, decimals = number(field, text, unit)
    whole, rest = divmod(mantissa * _lookup(MASS_NG, mass, field, text, "/mL"), 10**decimals)
    if rest:
        _fail(field, text, unit, "a whole number of ng/mL is needed")
    return whole


def _scaled(field, text, unit, ng_per_ml, times):
    """Amount times `times` in nL, floored once; a mass needs a concentration (ng/mL, 0 when the drug has none)."""
    mantissa, decimals = number(field, text, unit)
    if unit in VOLUME_NL:
        return mantissa * VOLUME_NL[unit] * times // 10**decimals
    if unit not in MASS_NG:
        _fail(field, text, unit, "a unit of mass (ng, ug, mcg, mg) or volume (nL, uL, mL) is needed")
    if not ng_per_ml:
        _fail(field, text, unit, "a volume is needed, as no concentration is set")
    return mantissa * MASS_NG[unit] * times * _NL_PER_ML // (10**decimals * ng_per_ml)


def dose(field, text, unit, ng_per_ml):
    """A dose (mass or volume) in whole nL, floored."""
    return _scaled(field, text, unit, ng_per_ml, 1)


def rate(field, text, unit, ng_per_ml):
    """A rate (mass or volume, per h or per day) in whole nL/day, floored."""
    amount, slash, time = unit.partition("/")
    if not slash or time not in _PER_DAY:
        _fail(field, text, unit, "a rate per h or per day is needed, for instance 300 ug/day")
    found = _scaled(field, text, amount, ng_per_ml, _PER_DAY[time])
    if not found and number(field, text)[0]:
        _fail(field, text, unit, "0, or at least 1 nL/day")
    return found


def duration(field, text, unit):
    """A duration in whole seconds; units s, min, h, d. A fraction of a second is refused: a bolus that is cut to fewer
    seconds flows faster than was asked for, and a lockout is too short."""
    mantissa, decimals = number(field, text, unit)
    found, rest = divmod(mantissa * _lookup(DURATION_S, unit, field, text), 10**decimals)
    if rest:
        _fail(field, text, unit, "whole seconds are needed")
    return found


def decimal(value, per, places=3):
    """value / per as decimal text, truncated to at most `places` decimals, without trailing zeros."""
    whole, rest = divmod(value, per)
    digits = ("%0*d" % (places, rest * 10**places // per)) if places else ""
    digits = digits.rstrip("0")
    return "%d.%s" % (whole, digits) if digits else "%d" % whole


def mass_text(nl, ng_per_ml):
    """The mass that a volume (nL) carries, in ug: what is really delivered, truncated to 1 ng."""
    return decimal(nl * ng_per_ml // _NL_PER_ML, 1_000) + " ug"


def volume_text(nl):
    """A volume (nL) in uL, exact."""
    return decimal(nl, 1_000) + " uL"


def both_text(nl, ng_per_ml, suffix=""):
    """A volume (nL) in volume and, where there is a concentration, in mass (F8): for instance
    150 uL/day (300 ug/day)."""
    text = volume_text(nl) + suffix
    return text + " (" + mass_text(nl, ng_per_ml) + suffix + ")" if ng_per_ml else text
