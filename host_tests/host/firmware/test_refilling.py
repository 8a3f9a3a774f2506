"""What a refill tells of the pump, and when it must be explained (F6, R22), against fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware import events
from firmware.refilling import (
    Refill,
    discrepancy_text,
    needs_explanation,
    newest_in_force,
    series,
    suggestion,
)

ML = 1_000_000
OTHER, SPILLED = (events.NAMES["explanation"].index(word) for word in ("other", "spilled"))


def refill(
    programmed: int, actual: int, total: int = 0, after: int = 20 * ML, pl_per_step: int = 25_000, explanation: int = 0
) -> Refill:
    expected = 2 * programmed + actual
    return Refill(
        (0, expected, expected + programmed - actual, programmed, after | explanation << 32 | pl_per_step << 36, total)
    )


@pytest.mark.requirement("F6")
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=6, max_size=6), st.integers(1_000, 1_000_000))
def test_any_entry_of_the_diary_is_read_without_an_exception(values: list[int], pl_per_step: int):
    found = Refill(tuple(values))
    found.values()
    suggestion([found] * 3, pl_per_step)
    newest_in_force([found], 5, 7)
    series([found, found])


@pytest.mark.requirement("F6")
@given(
    st.integers(0, 100 * ML), st.integers(0, 5), st.integers(1_000, 1_000_000), st.integers(0, 2**50), st.integers(0, 9)
)
def test_an_entry_comes_back_as_it_was(after: int, explanation: int, pl_per_step: int, total: int, measured: int):
    packed = after | explanation << 32 | pl_per_step << 36
    one = Refill((825_000_000, 5, measured, 7, packed, total))
    assert (one.after_nl, one.explanation, one.pl_per_step) == (after, explanation, pl_per_step)
    assert Refill(one.values()).values() == one.values()
    assert packed < 2**63


@pytest.mark.requirement("F6", "R22")
def test_the_limit_at_its_edges():
    """More than 2 mL; or more than 20 % of what was delivered and more than 0.1 mL."""
    for sign in (1, -1):
        assert not needs_explanation(sign * 2 * ML, 50 * ML)
        assert needs_explanation(sign * (2 * ML + 1), 50 * ML)
        assert not needs_explanation(sign * ML, 5 * ML)
        assert needs_explanation(sign * (ML + 1), 5 * ML)
        assert needs_explanation(sign * ML, 5 * ML - 1)
        assert not needs_explanation(sign * 100_000, 0)
        assert needs_explanation(sign * 100_001, 0)
        assert needs_explanation(sign * 100_001, 500_000)
        assert not needs_explanation(sign * 100_001, 500_005)


@pytest.mark.requirement("F6")
def test_the_discrepancy_in_words():
    assert discrepancy_text(-150_000, 16_750_000) == "-0.15 mL, -0.8 % of 16.75 mL delivered since the last refill"
    assert discrepancy_text(150_000, 1_500_000) == "0.15 mL, 10 % of 1.5 mL delivered since the last refill"
    assert discrepancy_text(0, 0) == "0 mL, and nothing was delivered since the last refill"


@pytest.mark.requirement("F6")
def test_a_percentage_is_shown_only_of_what_can_be_measured():
    """Right after a refill 0.1 mL too little would be thousands of percent of what was delivered."""
    assert discrepancy_text(-50_000, 100_000) == "-0.05 mL, -50 % of 0.1 mL delivered since the last refill"
    assert discrepancy_text(-50_000, 99_999) == "-0.05 mL; 0.099999 mL delivered since the last refill"
    assert discrepancy_text(100_000, 25) == "0.1 mL; 0.000025 mL delivered since the last refill"


def oracle(pairs: list[tuple[int, int]], pl_per_step: int) -> int | None:
    ratios = [Fraction(actual, programmed) for programmed, actual in pairs]
    mean = sum(ratios) / 3
    same = all(ratio > 1 for ratio in ratios) or all(ratio < 1 for ratio in ratios)
    if not same or max(ratios) > min(ratios) * Fraction(103, 100) or abs(mean - 1) <= Fraction(2, 100):
        return None
    found = int(pl_per_step * mean + Fraction(1, 2))
    return found if 1_000 <= found <= 1_000_000 else None


@pytest.mark.requirement("F6")
@settings(max_examples=400)
@given(
    st.integers(80, 120),
    st.lists(st.tuples(st.integers(ML, 90 * ML), st.integers(-40, 40)), min_size=3, max_size=3),
    st.sampled_from((1_000, 24_989, 25_000, 1_000_000)),
)
def test_a_suggestion_is_the_mean_ratio_exactly(percent: int, made: list[tuple[int, int]], pl_per_step: int):
    pairs = [(programmed, programmed * (1_000 * percent + 1_00 * off) // 100_000) for programmed, off in made]
    found = suggestion([refill(*pair, pl_per_step=pl_per_step) for pair in pairs], pl_per_step)
    assert found == oracle(pairs, pl_per_step)


@pytest.mark.requirement("F6")
def test_what_suggests_nothing():
    good = [refill(10 * ML, 10_500_000)] * 3
    assert suggestion(good, 25_000) == 26_250
    assert suggestion(good[:2], 25_000) is None
    assert suggestion(good, 24_999) is None  # they were made with another one
    assert suggestion([*good[:2], refill(10 * ML, 10_500_000, explanation=SPILLED)], 25_000) is None
    assert suggestion([*good[:2], refill(10 * ML, 10_500_000, explanation=OTHER)], 25_000) == 26_250
    assert suggestion([*good[:2], refill(999_999, 1_050_000)], 25_000) is None
    assert suggestion([*good[:2], refill(10 * ML, 0)], 25_000) is None
    assert suggestion([*good[:2], refill(10 * ML, 10 * ML)], 25_000) is None
    assert suggestion([refill(10 * ML, 10_200_000)] * 3, 25_000) is None  # 2 % and no more
    assert suggestion([refill(10 * ML, 9_799_999)] * 3, 25_000) == 24_500


@pytest.mark.requirement("F6", "F10")
def test_a_refill_counts_if_the_ledger_knows_it():
    told = refill(ML, ML, total=5_000_000, after=20 * ML)
    before = refill(ML, ML, total=3_000_000, after=18 * ML)
    assert newest_in_force([told, before], 19 * ML, 6_000_000) == 0
    assert newest_in_force([told, before], 19 * ML + 3, 6_000_000) is None
    assert newest_in_force([told, before], 15 * ML, 6_000_000) == 1  # a cut came before the ledger took it
    assert newest_in_force([told, before], 19 * ML, 1_000_000) is None  # a ledger that has begun since
    assert newest_in_force([told, before], 0, 25_000_000) == 0
    assert newest_in_force([told, before], 0, 25_000_001) == 0  # counted on below empty
    assert newest_in_force([], 0, 0) is None


@pytest.mark.requirement("F6", "F10")
def test_the_series_leaves_out_what_never_was_in_force():
    third = refill(3 * ML, ML, total=6 * ML)
    never = refill(ML, ML, total=5 * ML)
    second = refill(2 * ML, ML, total=3 * ML)
    first = refill(ML, ML, total=ML)
    assert series([third, never, second, first]) == [third, second, first]
    assert series([third]) == [third]
