"""A bolus is spread over its seconds exactly, and its arithmetic stays small (F3; invariant 1)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_int import Tracked

from firmware.bolus_flow import BolusFlow
from firmware.cascade import Cascade

MAX_NL_PER_S = 333  # 28.8 mL/day
durations = st.one_of(st.integers(1, 86_400), st.sampled_from((1, 2, 59, 60, 600, 86_399, 86_400)))


@st.composite
def boluses(draw: st.DrawFn) -> tuple[int, int]:
    seconds = draw(durations)
    return draw(st.integers(1, MAX_NL_PER_S * seconds)), seconds


@pytest.mark.requirement("F3", "I1")
@given(boluses())
def test_what_has_flowed_is_the_floor_of_what_was_demanded_at_every_second(bolus: tuple[int, int]):
    dose_nl, seconds = bolus
    flow = BolusFlow(dose_nl, seconds)
    flowed = 0
    for passed in range(1, min(seconds, 2_000) + 1):
        part = flow.second()
        assert 0 <= part <= flow.bound_pl
        flowed += part
        assert flowed == Fraction(dose_nl * 1_000 * passed, seconds).__floor__()
        assert flow.left_pl() == dose_nl * 1_000 - flowed
        assert flow.left_s == seconds - passed
    if seconds <= 2_000:
        assert flowed == dose_nl * 1_000


@pytest.mark.requirement("F3", "I1")
@given(boluses(), st.integers(0, 28_800_000), st.integers(1_000, 1_000_000))
def test_basal_and_bolus_together_make_the_steps_of_their_sum(bolus: tuple[int, int], rate: int, size: int):
    dose_nl, seconds = bolus
    flow, cascade = BolusFlow(dose_nl, seconds), Cascade(size)
    cascade.set_rate(rate)
    cascade.bolus_pl = flow.bound_pl
    steps = 0
    for passed in range(1, min(seconds, 300) + 1):
        most = cascade.steps_a_second()
        bound = cascade.due_within(1)
        due = cascade.second(flow.second())
        assert due <= min(most, bound)
        steps += due
        whole_bolus = Fraction(dose_nl * 1_000 * passed, seconds).__floor__()
        assert steps == (Fraction(rate * 5 * passed, 432) + whole_bolus) // size


@pytest.mark.requirement("F1", "F3")
@pytest.mark.parametrize("seconds", [1, 2, 3, 86_399, 86_400])
def test_a_second_of_a_bolus_stays_in_small_integers(seconds: int):
    flow = BolusFlow(MAX_NL_PER_S * seconds, seconds)
    for name in (
        "_seconds",
        "_whole",
        "_rest",
        "_carry",
        "left_s",
    ):  # what second() reads; the dose is used outside the tick
        setattr(flow, name, Tracked(getattr(flow, name)))
    for _ in range(min(seconds, 3)):
        assert isinstance(flow.second(), Tracked)
