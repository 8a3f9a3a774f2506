"""Rate to steps: exact at every second, for ever, and inside small integers (F1, invariant 1)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.cascade import Cascade

NL_PL = 1_000
DAY_S = 86_400
PRIMES = (1_009, 24_989, 99_991, 499_979, 999_983)

rates = st.one_of(st.just(0), st.integers(6_000, 28_800_000), st.sampled_from((6_000, 6_007, 28_799_999, 28_800_000)))
steps_pl = st.one_of(st.integers(1_000, 1_000_000), st.sampled_from((1_000, 25_000, 1_000_000, *PRIMES)))


def flow(rate: int) -> Fraction:
    """pL a second of a rate in nL/day."""
    return Fraction(rate * NL_PL, DAY_S)


@pytest.mark.requirement("F1", "I1", "R01")
@given(steps_pl, st.lists(st.tuples(rates, st.integers(1, 90)), min_size=1, max_size=12))
def test_after_every_second_the_steps_are_the_floor_of_the_exact_volume(size: int, course: list[tuple[int, int]]):
    cascade = Cascade(size)
    demanded = Fraction(0)
    steps = 0
    for rate, seconds in course:
        cascade.set_rate(rate)
        for _ in range(seconds):
            demanded += flow(rate)
            steps += cascade.second()
            assert steps == demanded // size
            assert cascade.acc_pl + Fraction(cascade.rem, 432) == demanded - steps * size


@pytest.mark.requirement("F1", "I1")
@pytest.mark.parametrize("size", PRIMES)
@pytest.mark.parametrize("rate", [6_007, 149_993, 28_799_999])
def test_a_day_of_seconds_ends_on_the_exact_step(size: int, rate: int):
    cascade = Cascade(size)
    cascade.set_rate(rate)
    second = cascade.second
    steps = sum(second() for _ in range(DAY_S))
    assert steps == rate * NL_PL // size
    assert (cascade.acc_pl, cascade.rem) == (rate * NL_PL % size, 0)


@pytest.mark.requirement("F1", "I1")
@pytest.mark.parametrize("size", PRIMES)
def test_ninety_days_of_changing_rates_do_not_drift(size: int):
    """An hour of one rate after the other, 90 days long, every remainder carried on; sampled at each hour.

    One second of an hour's rate is what it is from any remainder, so the hour is run by jumps: the state after
    3,600 seconds follows from the same exact sum that second() forms, and the last second is its own.
    """
    cascade = Cascade(size)
    demanded = Fraction(0)
    steps = 0
    for hour in range(90 * 24):
        rate = 6_000 + hour * 7_919 % 28_794_000
        cascade.set_rate(rate)
        whole, cascade.rem = divmod(cascade.rem + 3_599 * cascade.flow_rem, 432)
        passed, cascade.acc_pl = divmod(cascade.acc_pl + 3_599 * cascade.flow_pl + whole, size)
        steps += passed + cascade.second()
        demanded += 3_600 * flow(rate)
        assert steps == demanded // size


@pytest.mark.requirement("F1", "I1")
@given(steps_pl, rates, st.integers(0, 10_000))
def test_seconds_add_up_as_the_jump_of_the_drift_test_says(size: int, rate: int, warm_up: int):
    one, jump = Cascade(size), Cascade(size)
    for cascade in (one, jump):
        cascade.set_rate(rate)
        cascade.acc_pl, cascade.rem = warm_up % size, warm_up % 432
    steps = sum(one.second() for _ in range(100))
    whole, jump.rem = divmod(jump.rem + 100 * jump.flow_rem, 432)
    passed, jump.acc_pl = divmod(jump.acc_pl + 100 * jump.flow_pl + whole, size)
    assert (steps, one.acc_pl, one.rem) == (passed, jump.acc_pl, jump.rem)


@pytest.mark.requirement("F10", "I2")
@given(steps_pl, rates, st.integers(0, 999_999), st.integers(0, 431), st.integers(1, 60))
def test_what_is_said_to_fall_due_is_never_exceeded(size: int, rate: int, acc: int, rem: int, seconds: int):
    cascade = Cascade(size)
    cascade.acc_pl, cascade.rem = acc % size, rem
    cascade.set_rate(rate)
    bound = cascade.due_within(seconds)
    floor = cascade.steps_in(seconds)
    made = sum(cascade.second() for _ in range(seconds))
    assert floor <= made <= bound <= made + 1
    assert floor * size <= seconds * flow(rate)


@pytest.mark.requirement("F1", "I1")
@given(steps_pl, rates, rates)
def test_a_cleared_remainder_is_less_than_one_step(size: int, first: int, second: int):
    cascade = Cascade(size)
    demanded = Fraction(0)
    steps = 0
    for rate in (first, second):
        cascade.set_rate(rate)
        for _ in range(20):
            demanded += flow(rate)
            steps += cascade.second()
        cascade.clear()
        assert (cascade.acc_pl, cascade.rem) == (0, 0)
        assert 0 <= demanded - steps * size < 2 * size
