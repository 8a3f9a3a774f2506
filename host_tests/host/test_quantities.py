"""Quantities on the host: exact, with an exact unit, or refused with field, value and what is allowed."""

from __future__ import annotations

import string
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware import units
from thecal.quantities import (
    MAX_DIGITS,
    UNITS,
    Dimension,
    QuantityError,
    ascii_units,
    parse,
    parse_any,
    parse_signed_duration,
)

pytestmark = pytest.mark.requirement("T1")

MICRO = ("\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}")

# The whole table again, by hand: base units of one of each.
EXPECTED = {
    Dimension.MASS: {"ng": 1, "ug": 10**3, "mcg": 10**3, "mg": 10**6},
    Dimension.VOLUME: {"nL": 1, "uL": 10**3, "mL": 10**6},
    Dimension.CONCENTRATION: {"ng/mL": 1, "ug/mL": 10**3, "mcg/mL": 10**3, "mg/mL": 10**6},
    Dimension.MASS_RATE: {
        "ng/h": 24,
        "ug/h": 24 * 10**3,
        "mcg/h": 24 * 10**3,
        "mg/h": 24 * 10**6,
        "ng/day": 1,
        "ug/day": 10**3,
        "mcg/day": 10**3,
        "mg/day": 10**6,
    },
    Dimension.VOLUME_RATE: {
        "nL/h": 24,
        "uL/h": 24 * 10**3,
        "mL/h": 24 * 10**6,
        "nL/day": 1,
        "uL/day": 10**3,
        "mL/day": 10**6,
    },
    Dimension.DURATION: {"s": 1, "min": 60, "h": 3600, "d": 86400},
    Dimension.LENGTH: {"mm": 1, "cm": 10},
}
ALL = tuple(Dimension)
EVERY_UNIT = [(d, unit, size) for d, row in EXPECTED.items() for unit, size in row.items()]

numbers = st.builds(
    lambda digits, point: digits[:point] + "." + digits[point:] if 0 < point < len(digits) else digits,
    st.text(string.digits, min_size=1, max_size=MAX_DIGITS),
    st.integers(0, MAX_DIGITS),
)


@pytest.mark.requirement("R50", "F8")
def test_every_unit_of_every_dimension_has_its_size():
    assert UNITS == EXPECTED
    for dimension, unit, size in EVERY_UNIT:
        assert parse(f"1 {unit}", dimension) == size
        assert parse_any(f"1 {unit}", ALL) == (size, dimension)


@pytest.mark.requirement("R50")
def test_either_micro_sign_is_u_and_nothing_else():
    for dimension, unit, size in EVERY_UNIT:
        for sign in MICRO:
            if unit.startswith("u"):
                assert parse(f"2.5 {sign}{unit[1:]}", dimension) == Fraction(5, 2) * size
                assert ascii_units(f"2.5 {sign}{unit[1:]}") == f"2.5 {unit}"
            for bad in (f"{sign}{unit}", f"{unit}{sign}", unit.replace("n", sign) + sign):
                with pytest.raises(QuantityError):
                    parse(f"1 {bad}", dimension)


@pytest.mark.requirement("R50")
def test_a_unit_of_another_dimension_is_refused():
    for dimension, unit, _ in EVERY_UNIT:
        for other in ALL:
            if other is not dimension:
                with pytest.raises(QuantityError, match="must be one of"):
                    parse(f"1 {unit}", other)


@pytest.mark.requirement("R50")
def test_case_of_a_unit_matters():
    known = {unit for _, unit, _ in EVERY_UNIT}
    for _, unit, _ in EVERY_UNIT:
        for variant in {unit.upper(), unit.lower(), unit.title(), unit.swapcase()} - known:
            with pytest.raises(QuantityError):
                parse_any(f"1 {variant}", ALL)


@pytest.mark.requirement("R50")
@pytest.mark.parametrize(
    "number",
    [
        "",
        ".",
        ".5",
        "5.",
        "1.2.3",
        "-1",
        "+1",
        "1e3",
        "1E3",
        "1_000",
        "1,5",
        "0x10",
        "1/2",
        "inf",
        "nan",
        "\N{ARABIC-INDIC DIGIT ONE}",
        "\N{SUPERSCRIPT TWO}",
        "1'0",
        "1" * 13,
        "0" * 13,
        "1234567.890123",
        "\N{FULLWIDTH DIGIT ONE}",
    ],
)
def test_a_number_that_is_not_plain_is_refused(number: str):
    with pytest.raises(QuantityError, match="plain decimal digits") as refusal:
        parse(f"{number} ug/day", Dimension.MASS_RATE, "basal")
    assert refusal.value.field == "basal"
    assert refusal.value.value == f"{number} ug/day"
    assert "at most 12" in str(refusal.value)


@pytest.mark.requirement("R50")
@pytest.mark.parametrize(
    "text",
    [
        "300",
        "",
        " ",
        "300ug/day",
        "300 ",
        "300  ug/day",
        "300 ug/day ",
        "300 ug/day\n",
        "300\tug/day",
        "ug/day",
    ],
)
def test_a_text_that_is_not_number_space_unit_is_refused(text: str):
    with pytest.raises(QuantityError, match="a number, a space and a unit is needed, one of ng/h, ug/h") as refusal:
        parse(text, Dimension.MASS_RATE, "basal")
    assert str(refusal.value).startswith("basal = ")


@pytest.mark.requirement("R50")
@pytest.mark.parametrize("text", ["1 h 30 min", "1 h30", "1 min 5 s", "2 days", "1 hour", "1 m"])
def test_compound_and_unknown_durations_are_refused(text: str):
    with pytest.raises(QuantityError, match=r"lockout = .*one of s, min, h, d"):
        parse(text, Dimension.DURATION, "lockout")


@pytest.mark.requirement("R50")
@pytest.mark.parametrize("value", [300, 0, -1, 1.5, float("nan"), float("inf")])
def test_a_bare_number_of_a_toml_file_lacks_a_unit(value: float):
    with pytest.raises(QuantityError, match=r"basal = .*missing unit.*one of ng/h"):
        parse(value, Dimension.MASS_RATE, "basal")


@pytest.mark.requirement("R50")
@pytest.mark.parametrize("value", [True, None, [], {}, ["300 ug/day"], b"300 ug/day"])
def test_what_is_no_text_at_all_is_refused(value: object):
    with pytest.raises(QuantityError, match="basal = "):
        parse(value, Dimension.MASS_RATE, "basal")


@pytest.mark.requirement("R50")
def test_the_error_text_shows_field_value_and_every_allowed_unit():
    with pytest.raises(QuantityError) as refusal:
        parse("300", Dimension.MASS, "max_per_hour")
    assert str(refusal.value) == 'max_per_hour = "300": a number, a space and a unit is needed, one of ng, ug, mcg, mg'
    with pytest.raises(QuantityError) as refusal:
        parse("300 ml", Dimension.VOLUME, "tubing")
    assert str(refusal.value) == 'tubing = "300 ml": the unit "ml" must be one of nL, uL, mL'


@pytest.mark.requirement("F8")
@given(numbers, st.sampled_from(EVERY_UNIT))
def test_reading_is_exact(number: str, row: tuple[Dimension, str, int]):
    dimension, unit, size = row
    whole, _, decimals = number.partition(".")
    assert parse(f"{number} {unit}", dimension) * 10 ** len(decimals) == int(whole + decimals) * size


@given(st.sampled_from(["", "-", "+"]), numbers, st.sampled_from(sorted(EXPECTED[Dimension.DURATION])))
def test_a_signed_duration_is_the_duration_with_its_sign(sign: str, number: str, unit: str):
    plain = parse(f"{number} {unit}", Dimension.DURATION)
    assert parse_signed_duration(f"{sign}{number} {unit}") == (-plain if sign == "-" else plain)


@pytest.mark.parametrize("text", ["--1 s", "+-1 s", "- 1 s", "-", "-1", "-1 ug", "- s", "1 -s"])
def test_a_signed_duration_has_one_sign_in_front_of_its_number(text: str):
    with pytest.raises(QuantityError, match="by = ") as refusal:
        parse_signed_duration(text, "by")
    assert refusal.value.value == text


near_miss = st.text(string.digits + ". ngumLcday/hsi+-e_" + "".join(MICRO), max_size=24)


@given(st.one_of(st.text(max_size=40), near_miss), st.sampled_from(ALL))
def test_any_text_is_either_a_quantity_in_its_only_form_or_refused(text: str, dimension: Dimension):
    try:
        value = parse(text, dimension)
    except QuantityError as refusal:
        message = str(refusal)
        assert message.startswith("quantity = ")
        return
    number, unit = ascii_units(text).split(" ")
    assert unit in EXPECTED[dimension]
    assert set(number) <= set(string.digits + ".")
    assert value == Fraction(number) * EXPECTED[dimension][unit]


def _device(number: str, unit: str, dimension: Dimension, concentration: int) -> int:
    if dimension in (Dimension.MASS_RATE, Dimension.VOLUME_RATE):
        return units.rate("x", number, unit, concentration)
    if dimension in (Dimension.MASS, Dimension.VOLUME):
        return units.dose("x", number, unit, concentration)
    reader = units.concentration if dimension is Dimension.CONCENTRATION else units.duration
    return reader("x", number, unit)


@pytest.mark.requirement("F4", "F8")
@given(
    numbers,
    st.sampled_from([row for row in EVERY_UNIT if row[0] is not Dimension.LENGTH]),
    st.integers(1, 10**9),
)
def test_host_and_pump_read_the_same_quantity_alike(number: str, row: tuple[Dimension, str, int], concentration: int):
    dimension, unit, _ = row
    exact = parse(f"{number} {unit}", dimension)
    if dimension in (Dimension.MASS, Dimension.MASS_RATE):
        exact = exact * 1_000_000 / concentration
    if dimension is Dimension.CONCENTRATION and exact.denominator != 1:
        with pytest.raises(units.QuantityError, match="a whole number of ng/mL"):
            _device(number, unit, dimension, concentration)
    elif dimension is Dimension.DURATION and exact.denominator != 1:
        with pytest.raises(units.QuantityError, match="whole seconds are needed"):
            _device(number, unit, dimension, concentration)
    elif dimension in (Dimension.MASS_RATE, Dimension.VOLUME_RATE) and 0 < exact < 1:
        with pytest.raises(units.QuantityError, match="0, or at least 1 nL/day"):  # never silently nothing
            _device(number, unit, dimension, concentration)
    else:
        assert _device(number, unit, dimension, concentration) == exact // 1


READ_TOGETHER = [
    (Dimension.MASS, Dimension.VOLUME),
    (Dimension.MASS_RATE, Dimension.VOLUME_RATE),
    (Dimension.CONCENTRATION,),
    (Dimension.DURATION,),
]


@pytest.mark.requirement("R50")
@given(near_miss, st.sampled_from(READ_TOGETHER))
def test_the_pump_reads_no_text_that_the_host_refuses(text: str, dimensions: tuple[Dimension, ...]):
    number, _, unit = text.partition(" ")
    try:
        parse_any(text, dimensions)
    except QuantityError:
        with pytest.raises(ValueError):  # noqa: PT011 - any refusal will do
            _device(number, unit, dimensions[0], 1000)
