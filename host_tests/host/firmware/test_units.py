"""Quantities on the pump against exact fractions (R50, F8). The oracle shares nothing with the pump's reading."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware import units
from firmware.units import QuantityError

MASS = {"ng": Fraction(1), "ug": Fraction(1_000), "mcg": Fraction(1_000), "mg": Fraction(1_000_000)}
VOLUME = {"nL": Fraction(1), "uL": Fraction(1_000), "mL": Fraction(1_000_000)}
PER = {"h": 24, "day": 1}
SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}

numbers = st.one_of(
    st.integers(0, 999_999_999_999).map(str),
    st.integers(0, 9_999).map(str),
    st.tuples(st.integers(0, 999_999), st.text("0123456789", min_size=1, max_size=6)).map(lambda n: f"{n[0]}.{n[1]}"),
    st.tuples(st.text("0", max_size=4), st.integers(0, 99), st.text("0", max_size=4)).map(
        lambda n: f"{n[0]}{n[1]}.{n[2]}5"
    ),
)
concentrations = st.one_of(st.integers(1, 1_000_000_000), st.sampled_from((1, 3, 7, 50_000, 500_000, 2_000_000)))


def volume_of(text: str, unit: str, ng_per_ml: int) -> Fraction:
    """Exact nL."""
    if unit in VOLUME:
        return Fraction(text) * VOLUME[unit]
    return Fraction(text) * MASS[unit] * 1_000_000 / ng_per_ml


@pytest.mark.requirement("R50", "F8")
@pytest.mark.parametrize("unit", [*MASS, *VOLUME])
@given(text=numbers, ng_per_ml=concentrations)
def test_a_dose_is_the_exact_volume_rounded_down_once(unit: str, text: str, ng_per_ml: int):
    assert units.dose("dose", text, unit, ng_per_ml) == volume_of(text, unit, ng_per_ml) // 1


@pytest.mark.requirement("R50", "F8")
@pytest.mark.parametrize("per", PER)
@pytest.mark.parametrize("unit", [*MASS, *VOLUME])
@given(text=numbers, ng_per_ml=concentrations)
def test_a_rate_is_the_exact_volume_a_day_rounded_down_once(unit: str, per: str, text: str, ng_per_ml: int):
    exact = volume_of(text, unit, ng_per_ml) * PER[per]
    if 0 < exact < 1:  # what was meant to flow must not become nothing by rounding
        with pytest.raises(QuantityError, match=r"^rate = .* 0, or at least 1 nL/day$"):
            units.rate("rate", text, f"{unit}/{per}", ng_per_ml)
        return
    assert units.rate("rate", text, f"{unit}/{per}", ng_per_ml) == exact // 1


@pytest.mark.requirement("R50", "F8")
@pytest.mark.parametrize("unit", MASS)
@given(text=numbers)
def test_a_concentration_is_exact_or_refused(unit: str, text: str):
    exact = Fraction(text) * MASS[unit]
    if exact.denominator == 1:
        assert units.concentration("concentration", text, unit + "/mL") == exact
    else:
        with pytest.raises(QuantityError, match="whole number of ng/mL"):
            units.concentration("concentration", text, unit + "/mL")


@pytest.mark.requirement("R50")
@pytest.mark.parametrize("unit", SECONDS)
@given(text=numbers)
def test_a_duration_is_whole_seconds_or_refused(unit: str, text: str):
    exact = Fraction(text) * SECONDS[unit]
    if exact.denominator == 1:
        assert units.duration("for", text, unit) == exact
        return
    with pytest.raises(QuantityError) as refusal:
        units.duration("for", text, unit)
    assert str(refusal.value) == f"for = {text} {unit}: whole seconds are needed"


@pytest.mark.requirement("R50", "F8")
@given(numbers, concentrations)
def test_what_is_rounded_is_never_more_than_what_was_written(text: str, ng_per_ml: int):
    nl = units.dose("dose", text, "ug", ng_per_ml)
    assert Fraction(nl * ng_per_ml, 1_000_000) <= Fraction(text) * 1_000
    assert Fraction((nl + 1) * ng_per_ml, 1_000_000) > Fraction(text) * 1_000


def good(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]+(\.[0-9]+)?", text)) and len(text.replace(".", "")) <= 12


@pytest.mark.requirement("R50")
@given(st.one_of(st.text("0123456789.+-eE_ ,x", max_size=14), st.text(max_size=5), numbers))
def test_a_number_is_plain_decimal_or_refused(text: str):
    if good(text):
        mantissa, decimals = units.number("dose", text)
        assert Fraction(mantissa, 10**decimals) == Fraction(text)
        return
    with pytest.raises(QuantityError) as refusal:
        units.number("dose", text, "ug")
    assert str(refusal.value).startswith(f"dose = {text} ug: ")
    assert "plain decimal number of at most 12 digits" in str(refusal.value)


READERS = {
    "dose": lambda text, unit: units.dose("f", text, unit, 2_000_000),
    "rate": lambda text, unit: units.rate("f", text, unit, 2_000_000),
    "concentration": lambda text, unit: units.concentration("f", text, unit),
    "duration": lambda text, unit: units.duration("f", text, unit),
}
WRONG = (
    "",
    "ML",
    "ml",
    "UG",
    "Ug",
    "g",
    "kg",
    "ug/ml",
    "ug/day/day",
    "/day",
    "ug/",
    "ug/d",
    "ul/day",
    "day",
    "µg",
    "hour",
)


@pytest.mark.requirement("R50")
@pytest.mark.parametrize("unit", WRONG)
@pytest.mark.parametrize("reader", READERS)
def test_an_unknown_unit_is_refused_and_the_known_ones_are_named(reader: str, unit: str):
    with pytest.raises(QuantityError) as refusal:
        READERS[reader]("5", unit)
    text = str(refusal.value)
    assert text.startswith("f = 5 ")
    assert text.endswith(("is needed", "2000 ug/mL", "300 ug/day"))


@pytest.mark.requirement("R50")
@pytest.mark.parametrize(
    ("reader", "unit"),
    [
        ("dose", "ug/day"),
        ("rate", "ug"),
        ("rate", "uL"),
        ("concentration", "ug"),
        ("concentration", "mL/mL"),
        ("duration", "uL"),
        ("dose", "min"),
        ("rate", "s"),
    ],
)
def test_a_unit_of_another_dimension_is_refused(reader: str, unit: str):
    with pytest.raises(QuantityError, match=r"^f = 5 "):
        READERS[reader]("5", unit)


@pytest.mark.requirement("R50", "F8")
@pytest.mark.parametrize("unit", MASS)
def test_a_mass_without_a_concentration_is_refused(unit: str):
    with pytest.raises(QuantityError, match="a volume is needed, as no concentration is set"):
        units.dose("dose", "5", unit, 0)
    with pytest.raises(QuantityError, match="a volume is needed, as no concentration is set"):
        units.rate("rate", "5", unit + "/day", 0)


@pytest.mark.requirement("F8", "R50")
@given(st.integers(0, 1 << 40), st.sampled_from((1, 1_000, 1_000_000)), st.integers(0, 6))
def test_decimal_text_is_the_value_cut_after_its_places(value: int, per: int, places: int):
    text = units.decimal(value, per, places)
    assert re.fullmatch(r"[0-9]+(\.[0-9]*[1-9])?", text)
    assert Fraction(text) == Fraction(value * 10**places // per, 10**places)


@pytest.mark.requirement("F8", "R50")
@given(st.integers(0, 28_800_000), concentrations)
def test_a_dose_is_shown_in_volume_and_in_mass(nl: int, ng_per_ml: int):
    volume, unit, mass, mass_unit = units.both_text(nl, ng_per_ml).replace("(", "").replace(")", "").split()
    assert (unit, mass_unit) == ("uL", "ug")
    assert Fraction(volume) == Fraction(nl, 1_000)
    assert Fraction(mass) == Fraction(nl * ng_per_ml // 1_000_000, 1_000)
    assert units.both_text(nl, 0) == f"{volume} uL"
    assert units.both_text(150_000, 2_000_000, "/day") == "150 uL/day (300 ug/day)"
