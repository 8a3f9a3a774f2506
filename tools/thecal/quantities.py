"""Quantities with units, read exactly: the host's own reading, which shares no code with the pump's.

Both compute every dose from the same text and must agree before a prescription is committed, so that neither
a bug here nor one there can reach a patient alone. A quantity is "a number, a space, a unit" (R50): units are
never implied, and their spelling is exact because mL, ML and ml are not the same thing.
"""

from __future__ import annotations

import re
from enum import Enum
from fractions import Fraction
from typing import NamedTuple

from thecal.fields import FieldError, shown

MAX_DIGITS = 12  # as many as the pump takes
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_MICRO_SIGNS = ("\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}")  # they look alike; keyboards have either


class Dimension(Enum):
    """What a quantity measures; the value says in what base unit it is returned."""

    MASS = "ng"
    VOLUME = "nL"
    CONCENTRATION = "ng/mL"
    MASS_RATE = "ng/day"
    VOLUME_RATE = "nL/day"
    DURATION = "s"
    LENGTH = "mm"


class Quantity(NamedTuple):
    """An exact value in the base unit of its dimension."""

    value: Fraction
    dimension: Dimension


class QuantityError(FieldError):
    """A quantity that cannot be read; names field, value and what is allowed."""


_MASS = {"ng": 1, "ug": 1_000, "mcg": 1_000, "mg": 1_000_000}
_VOLUME = {"nL": 1, "uL": 1_000, "mL": 1_000_000}
_PER_DAY = {"/h": 24, "/day": 1}


def _rates(amounts: dict[str, int]) -> dict[str, int]:
    return {unit + per: size * times for per, times in _PER_DAY.items() for unit, size in amounts.items()}


UNITS: dict[Dimension, dict[str, int]] = {
    Dimension.MASS: _MASS,
    Dimension.VOLUME: _VOLUME,
    Dimension.CONCENTRATION: {unit + "/mL": size for unit, size in _MASS.items()},
    Dimension.MASS_RATE: _rates(_MASS),
    Dimension.VOLUME_RATE: _rates(_VOLUME),
    Dimension.DURATION: {"s": 1, "min": 60, "h": 3_600, "d": 86_400},
    Dimension.LENGTH: {"mm": 1, "cm": 10},
}
"""Every unit of every dimension, in base units."""


def ascii_units(text: str) -> str:
    """The text with either micro sign written as u, which is how the pump's ASCII console spells it."""
    for sign in _MICRO_SIGNS:
        text = text.replace(sign, "u")
    return text


def units_of(*dimensions: Dimension) -> str:
    """The units of the dimensions as "one of ng, ug, ...", for error texts."""
    return "one of " + ", ".join(unit for dimension in dimensions for unit in UNITS[dimension])


def parse_any(value: object, dimensions: tuple[Dimension, ...], field: str = "quantity") -> Quantity:
    """Read a quantity of one of several dimensions; the unit tells which.

    Raises QuantityError, naming the field and the allowed units, for anything that is not plain digits with
    at most one point inside (1 to 12 digits, no sign, no exponent), one space, and one of the units in its
    exact spelling.
    """
    units = units_of(*dimensions)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise QuantityError(field, value, f"missing unit; a number, a space and a unit in quotes is needed, {units}")
    if not isinstance(value, str):
        raise QuantityError(field, value, f"a number, a space and a unit in quotes is needed, {units}")
    number, space, unit = value.partition(" ")
    if not space or not unit or unit != unit.strip():
        raise QuantityError(field, value, f"a number, a space and a unit is needed, {units}")
    if not _NUMBER.fullmatch(number) or len(number.replace(".", "")) > MAX_DIGITS:
        raise QuantityError(
            field,
            value,
            f"the number must be plain decimal digits, such as 12.5, at most {MAX_DIGITS} of them",
        )
    plain = _plain_unit(unit)
    for dimension in dimensions:
        if plain in UNITS[dimension]:
            return Quantity(Fraction(number) * UNITS[dimension][plain], dimension)
    raise QuantityError(field, value, f"the unit {shown(unit)} must be {units}")


def parse(value: object, dimension: Dimension, field: str = "quantity") -> Fraction:
    """Read a quantity of one dimension; the exact value in its base unit.

    Raises QuantityError as parse_any does.
    """
    return parse_any(value, (dimension,), field).value


def parse_signed_duration(value: object, field: str = "duration") -> Fraction:
    """Read a duration that may carry a sign ("-90 s", "+2 h"); exact seconds.

    Raises QuantityError as parse_any does.
    """
    if isinstance(value, str) and value[:1] in ("-", "+"):
        try:
            size = parse(value[1:], Dimension.DURATION, field)
        except QuantityError as error:
            raise QuantityError(field, value, error.allowed) from None
        return -size if value[0] == "-" else size
    return parse(value, Dimension.DURATION, field)


def _plain_unit(unit: str) -> str:
    """The ASCII spelling of a unit that starts with a micro sign; every other text stays as it is."""
    return "u" + unit[1:] if unit.startswith(_MICRO_SIGNS) else unit
