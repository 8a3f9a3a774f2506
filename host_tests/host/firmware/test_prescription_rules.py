"""Every rule of a prescription against an exact second reading of it, and every limit at its very edge (F3, F8)."""

from __future__ import annotations

from copy import deepcopy
from fractions import Fraction
from math import ceil, floor
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prescription_oracle import (
    DAY_S,
    HOUR_S,
    PUMP,
    Scheduled,
    boluses,
    highest,
    is_allowed,
    most_begun,
    prescriptions,
    row,
    worst_case,
    worst_day,
)

from firmware import drugs
from firmware.boluses import CAPACITY
from firmware.days import PrescriptionError
from firmware.library import DRUGS, Entry, check_dose
from firmware.prescription import CONTINUOUS, FLEX, MINIMUM, NO_LIMIT, Prescription
from firmware.validation import DAY_BOLUSES, most_a_day, most_within


def accepted(rx: Prescription) -> bool:
    try:
        rx.validate(PUMP)
    except PrescriptionError:
        return False
    return True


@pytest.mark.requirement("F3", "F4", "R04", "R08", "R09", "R10", "R11")
@given(prescriptions(), st.integers(0, 1 << 32))
@settings(max_examples=50)
def test_a_prescription_is_accepted_exactly_when_every_rule_allows_it(rx: Prescription, seed: int):
    assert is_allowed(rx)
    assert accepted(rx)
    random = Random(seed)
    for _ in range(8):
        spoilt = deepcopy(rx)
        for _ in range(random.choice((1, 1, 2))):
            spoil(spoilt, random)
        assert accepted(spoilt) == is_allowed(spoilt)


def spoil(rx: Prescription, random: Random) -> None:
    """Change one number, often by one, often to a bound."""
    scalars = ("basal", "concentration", "mode", "max_per_hour", "max_per_day")
    lists = [found for found in (rx.periods, rx.scheduled) if found]
    choice = random.randrange(4)
    if choice == 0 or not (lists or rx.patient_bolus):
        name = random.choice(scalars)
        setattr(rx, name, other(getattr(rx, name), random) if name != "mode" else random.randrange(5))
    elif choice == 1 and rx.patient_bolus:
        values = list(rx.patient_bolus)
        place = random.randrange(4)
        values[place] = other(values[place], random)
        rx.patient_bolus = tuple(values)
    elif lists:
        found = random.choice(lists)
        at = random.randrange(len(found))
        values = list(found[at])
        place = random.randrange(4)
        values[place] = other(values[place], random)
        found[at] = tuple(values)


def other(value: int, random: Random) -> int:
    bounds = (0, 1, 5_999, 6_000, 1_439, 1_440, 127, 128, 86_400, 86_401, 28_800_000, 28_800_001, 10**9, 10**9 + 1)
    return random.choice((value + 1, max(0, value - 1), value * 10, random.choice(bounds), NO_LIMIT))


@pytest.mark.requirement("F3", "R09")
@given(boluses(), st.sampled_from((1, 60, HOUR_S, DAY_S, 5 * DAY_S)))
@settings(max_examples=200)
def test_the_worst_window_of_a_week_is_found(scheduled: list[Scheduled], window: int):
    assert most_within(scheduled, window) == worst_case(scheduled, window)


@pytest.mark.requirement("F3", "R09")
def test_a_bolus_counts_while_any_part_of_it_lies_in_the_window_and_not_a_second_longer():
    first = (1, 0, 100, 60)  # Monday 00:00:00 to 00:01:00
    for minute, both in ((60, True), (61, False)):
        two = [first, (1, minute, 10, 60)]
        for order in (two, two[::-1]):
            assert most_within(order, HOUR_S) == (110 if both else 100)
    second = (1, 60, 10, 1)  # Monday 01:00; the other is of Sunday 23:59
    assert most_within([(64, 1_439, 100, 60), second], HOUR_S) == 100
    assert most_within([(64, 1_439, 100, 61), second], HOUR_S) == 110


@pytest.mark.requirement("F3", "R09")
@given(boluses())
def test_the_most_boluses_that_begin_in_a_day_are_found(scheduled: list[Scheduled]):
    assert most_a_day(scheduled) == most_begun(scheduled)


@pytest.mark.requirement("F3", "R09")
@given(boluses(), st.integers(1, 24))
@settings(deadline=None)
def test_patient_boluses_leave_the_scheduled_ones_room_in_the_history(scheduled: list[Scheduled], count: int):
    assert DAY_BOLUSES + 2 <= CAPACITY
    rx = of_drug("saline", 0)
    rx.scheduled = [(days, minute, 1, seconds) for days, minute, _, seconds in scheduled]
    rx.patient_bolus = (1, 60, 600, count)
    assert accepted(rx) == (most_begun(rx.scheduled) + count <= DAY_BOLUSES)


@pytest.mark.requirement("F3", "R09")
def test_boluses_of_which_the_history_would_lose_one_are_refused_by_field_value_and_range():
    rx = of_drug("saline", 0)
    rx.scheduled = [(127, hour * 60 + 30, 1, 60) for hour in range(24)]
    rx.patient_bolus = (1, 60, 600, 6)
    assert accepted(rx)
    rx.patient_bolus = (1, 60, 600, 7)
    with pytest.raises(PrescriptionError) as found:
        rx.validate(PUMP)
    assert str(found.value) == "patient_bolus max_per_day = 7: 1 to 6 beside 24 scheduled boluses in 24 h"
    rx.scheduled = [(1 << index % 7, 0, 1, 60) for index in range(24)]  # four on three of the days
    rx.patient_bolus = (1, 60, 600, 24)
    assert accepted(rx)


@pytest.mark.requirement("F3", "R08", "R09")
@given(prescriptions().filter(lambda rx: rx.gives_doses), st.sampled_from((("max_per_hour", 24), ("max_per_day", 1))))
@settings(max_examples=40)
def test_a_limit_may_be_as_low_as_the_worst_window_and_no_lower(rx: Prescription, kind: tuple[str, int]):
    name, parts = kind
    window = DAY_S // parts
    least = ceil(Fraction(highest(rx), parts) + worst_case(rx.scheduled, window))
    rx.max_per_hour = rx.max_per_day = NO_LIMIT
    setattr(rx, name, max(1, least))
    assert accepted(rx)
    setattr(rx, name, least - 1)
    assert not accepted(rx)


@pytest.mark.requirement("F3", "R04")
@given(
    st.integers(6_000, 28_800_000),
    st.integers(0, 28_800_000),
    st.integers(1, DAY_S),
    st.booleans(),
)
def test_a_bolus_may_fill_the_pumps_flow_and_no_more(basal: int, rate: int, seconds: int, scheduled: bool):
    rx = Prescription()
    rx.patient, rx.drug, rx.mode, rx.basal = "p", "saline", FLEX, basal
    rx.periods = [(1, 0, 60, max(6_000, rate))]
    most = floor(Fraction((28_800_000 - highest(rx)) * seconds, DAY_S))

    def give(dose: int) -> bool:
        rx.scheduled = [(1, 0, dose, seconds)] if scheduled else []
        rx.patient_bolus = None if scheduled else (dose, seconds, seconds, 1)
        return accepted(rx)

    assert not give(most + 1)
    assert give(most) == (most > 0)


def of_drug(name: str, concentration: int) -> Prescription:
    rx = Prescription()
    rx.patient, rx.drug, rx.concentration, rx.mode = "p", name, concentration, CONTINUOUS
    return rx


# A row with every kind of limit, in ng: none of them is a whole number of nL at every concentration.
FULL = (
    "baclofen",
    (0, 2_000_000_000),
    (12_000, 20_000, 1_000_001, 1_500_003),
    (1_001, 30_003, 50_007),
    (1_700_001, 2_000_003),
)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library has limits of every kind."""
    rows = tuple(FULL if found[0] == "baclofen" else found for found in drugs.DRUGS)
    monkeypatch.setattr(drugs, "DRUGS", rows)


CONCENTRATIONS = (50_000, 500_000, 2_000_000, 1_999_999, 777_777, 33)


@pytest.mark.requirement("F8", "R10")
@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("concentration", CONCENTRATIONS)
@pytest.mark.parametrize("where", ["basal", "period"])
def test_a_rate_may_reach_the_drugs_hard_limits_and_is_refused_one_nanolitre_beyond(concentration: int, where: str):
    lowest = ceil(Fraction(12_000 * 1_000_000, concentration))
    most = floor(Fraction(1_500_003 * 1_000_000, concentration))
    for rate, allowed in ((lowest, True), (lowest - 1, False), (most, True), (most + 1, False), (0, True)):
        rx = of_drug("baclofen", concentration)
        if where == "period":
            rx.mode, rx.periods = FLEX, [(1, 0, 60, rate)]
        else:
            rx.basal = rate
        in_range = rate == 0 or 6_000 <= rate <= 28_800_000
        assert accepted(rx) == (allowed and in_range) == is_allowed(rx)


@pytest.mark.requirement("F8", "R10")
@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("concentration", CONCENTRATIONS)
def test_a_bolus_may_reach_the_drugs_hard_limit_and_is_refused_one_nanolitre_beyond(concentration: int):
    most = floor(Fraction(50_007 * 1_000_000, concentration))
    for dose, allowed in ((most, True), (most + 1, False)):
        rx = of_drug("baclofen", concentration)
        if concentration > 1_000:  # of a weaker one it is more than flows in a day
            rx.scheduled = [(1, 0, dose, DAY_S)]
            assert accepted(rx) == allowed == is_allowed(rx)
            rx.scheduled, rx.patient_bolus = [], (dose, DAY_S, DAY_S, 1)
            assert accepted(rx) == allowed == is_allowed(rx)
        if allowed:
            check_dose("bolus", dose, rx)
        else:
            with pytest.raises(PrescriptionError, match=r"^bolus = .*: at most 50\.007 ug for baclofen$"):
                check_dose("bolus", dose, rx)


@pytest.mark.requirement("F8", "R10")
@pytest.mark.usefixtures("full")
@given(st.sampled_from(CONCENTRATIONS[:5]), st.integers(1, 24), st.integers(0, 24), st.integers(0, 1_000_000))
@settings(deadline=None)
def test_a_day_of_a_drug_is_basal_scheduled_boluses_and_allotted_patient_boluses(
    concentration: int, count: int, scheduled: int, basal_ng: int
):
    rx = of_drug("baclofen", concentration)
    count = min(count, 30 - scheduled)  # what the history can hold
    basal = basal_ng * 1_000_000 // concentration
    rx.basal = basal if basal >= 6_000 and basal_ng >= 13_000 else 0
    rx.scheduled = [(127, minute, 1_000_000_000 // concentration, 60) for minute in range(scheduled)]
    rest = floor(Fraction(2_000_003 * 1_000_000, concentration)) - worst_day(rx)
    dose = min(rest // count, 50_007 * 1_000_000 // concentration)
    rx.patient_bolus = (dose, DAY_S, DAY_S, count)
    assert accepted(rx) == is_allowed(rx)
    if dose == rest // count and dose:
        assert accepted(rx)
        rx.patient_bolus = (dose + 1, DAY_S, DAY_S, count)
        assert not accepted(rx)


@pytest.mark.requirement("F8", "R10")
@pytest.mark.parametrize("name", [found[0] for found in drugs.DRUGS if found[1]])
def test_every_drugs_own_limits_hold_at_their_edges(name: str):
    _, known, basal, bolus, day = row(name)
    for concentration in (1, 1_000, known[1]) if known[0] == 0 else known:
        rx = of_drug(name, concentration)
        bounds = [bound for bound in (basal[3], day[1]) if bound]
        rx.basal = min([28_800_000, *(bound * 1_000_000 // concentration for bound in bounds)])
        if rx.basal >= 6_000:
            assert accepted(rx)
        rx.basal += 1
        assert not accepted(rx)
        if bolus[2]:
            with pytest.raises(PrescriptionError):
                check_dose("bolus", bolus[2] * 1_000_000 // concentration + 1, rx)
    for wrong in (0, known[-1] + 1, known[-1] * 2):
        assert not accepted(of_drug(name, wrong))


@pytest.mark.requirement("F8", "R10")
@pytest.mark.usefixtures("full")
def test_the_minimum_mode_keeps_a_drugs_upper_limits_and_not_its_lower_ones():
    for concentration, allowed in ((1, True), (250_000_000, True), (250_000_501, False)):
        rx = of_drug("baclofen", concentration)  # 6 uL/day
        rx.mode = MINIMUM
        assert accepted(rx) == allowed == is_allowed(rx)


@pytest.mark.requirement("R11")
def test_a_drug_that_the_library_does_not_know_is_refused_and_numbers_are_for_ever():
    with pytest.raises(PrescriptionError, match="drug = water: one of saline, morphine"):
        Entry("water")
    assert DRUGS[:8] == (
        "saline",
        "morphine",
        "hydromorphone",
        "fentanyl",
        "bupivacaine",
        "clonidine",
        "ziconotide",
        "baclofen",
    )
