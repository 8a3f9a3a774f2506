"""The weekly course of the rate, against one that is written out minute by minute (F2)."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.days import PrescriptionError
from firmware.schedule import WEEK_S, Schedule
from firmware.validation import check_overlap

MINUTES = 10_080
Period = tuple[int, int, int, int]


def written_out(base: int, periods: list[Period]) -> list[int]:
    """The rate of every minute of the week, by walking every period minute by minute."""
    week = [base] * MINUTES
    for days, start, end, rate in periods:
        for day in range(7):
            if not days & 1 << day:
                continue
            minute = day * 1_440 + start
            while True:
                week[minute % MINUTES] = rate
                minute += 1
                if minute % 1_440 == end:
                    break
    return week


def overlap(periods: list[Period]) -> bool:
    """Whether two periods, or two days of one, share a minute."""
    taken: set[int] = set()
    for days, start, end, _ in periods:
        for day in range(7):
            if not days & 1 << day:
                continue
            length = (end - start) % 1_440 or 1_440
            for offset in range(length):
                minute = (day * 1_440 + start + offset) % MINUTES
                if minute in taken:
                    return True
                taken.add(minute)
    return False


rates = st.one_of(st.just(0), st.integers(6_000, 28_800_000))


@st.composite
def courses(draw: st.DrawFn) -> list[Period]:
    """Up to 24 periods that do not overlap: cuts of the day on random days, long ones across midnight too."""
    random = Random(draw(st.integers(0, 1 << 32)))
    wanted = draw(st.sampled_from((0, 1, 2, 5, 24)))
    longest = draw(st.sampled_from((3, 60, 600, 1_440)))
    periods: list[Period] = []
    taken = [False] * MINUTES
    for _ in range(400):
        if len(periods) == wanted:
            break
        days = random.choice((0x7F, 1 << random.randrange(7), random.randrange(1, 128), 0b1000000))
        start = random.choice((0, 1_439, random.randrange(1_440)))
        end = random.choice((start, 0, (start + random.randint(1, longest)) % 1_440))
        length = (end - start) % 1_440 or 1_440
        minutes = [(day * 1_440 + start + n) % MINUTES for day in range(7) if days >> day & 1 for n in range(length)]
        if any(taken[minute] for minute in minutes):
            continue
        for minute in minutes:
            taken[minute] = True
        periods.append((days, start, end, draw(rates)))
    return periods


@pytest.mark.requirement("F2")
@given(rates, courses())
@settings(max_examples=50)
def test_every_minute_of_the_week_has_the_rate_that_was_written_for_it(base: int, periods: list[Period]):
    schedule = Schedule(base, periods)
    week = written_out(base, periods)
    assert [schedule.rate_at(minute * 60) for minute in range(MINUTES)] == week


@pytest.mark.requirement("F2")
@given(rates, courses(), st.lists(st.integers(0, WEEK_S - 1), min_size=1, max_size=60))
@settings(max_examples=50)
def test_a_look_up_depends_on_the_second_alone_and_not_on_the_one_before(
    base: int, periods: list[Period], seconds: list[int]
):
    schedule = Schedule(base, periods)
    week = written_out(base, periods)
    for second in seconds:
        for near in (second, second // 60 * 60, (second // 60 * 60 - 1) % WEEK_S):
            assert schedule.rate_at(near) == week[near // 60]


@pytest.mark.requirement("F2", "I1")
@given(rates, courses(), st.integers(0, WEEK_S - 1), st.one_of(st.integers(0, 200_000), st.just(2 * WEEK_S)))
@settings(max_examples=50)
def test_demand_over_any_time_is_exact(base: int, periods: list[Period], begin: int, seconds: int):
    week = written_out(base, periods)
    whole, rest = Schedule(base, periods).demand(begin, seconds)
    assert 0 <= rest < 86_400
    total = sum(week) * 60 * (seconds // WEEK_S)
    second, left = begin, seconds % WEEK_S
    while left:
        part = min(left, 60 - second % 60)
        total += week[second // 60] * part
        left -= part
        second = (second + part) % WEEK_S
    assert whole + Fraction(rest, 86_400) == Fraction(total, 86_400)


@pytest.mark.requirement("F2")
@given(rates, courses())
@settings(max_examples=50)
def test_the_lowest_programmed_rate_is_the_lowest_above_zero_anywhere_in_the_prescription(
    base: int, periods: list[Period]
):
    programmed = [rate for rate in (base, *(period[3] for period in periods)) if rate]
    assert Schedule(base, periods).lowest() == min(programmed, default=0)


@pytest.mark.requirement("F2")
def test_a_base_that_periods_cover_all_week_still_is_programmed():
    schedule = Schedule(6_000, [(0x7F, 480, 480, 90_000)])
    assert {schedule.rate_at(second) for second in range(0, WEEK_S, 60)} == {90_000}
    assert schedule.lowest() == 6_000


@pytest.mark.requirement("F2")
@pytest.mark.parametrize("start", [0, 1, 720, 1_439])
def test_from_equal_to_to_is_twenty_four_hours(start: int):
    schedule = Schedule(7_000, [(0b1000000, start, start, 8_000)])  # Sunday: over the end of the week
    high = [minute for minute in range(MINUTES) if schedule.rate_at(minute * 60) == 8_000]
    assert len(high) == 1_440
    assert set(high) == {(6 * 1_440 + start + n) % MINUTES for n in range(1_440)}


@pytest.mark.requirement("F2")
def test_an_edge_takes_effect_at_its_very_second():
    schedule = Schedule(6_000, [(0b0000001, 480, 720, 9_000)])
    assert [schedule.rate_at(second) for second in (28_799, 28_800, 43_199, 43_200)] == [6_000, 9_000, 9_000, 6_000]


@pytest.mark.requirement("F2")
def test_neighbours_may_touch_in_either_order_of_writing():
    touching = [(0x7F, 480, 720, 9_000), (0x7F, 720, 480, 7_000)]
    for periods in (touching, touching[::-1]):
        schedule = Schedule(6_000, periods)
        assert [schedule.rate_at(minute * 60) for minute in range(MINUTES)] == written_out(6_000, periods)


@pytest.mark.requirement("F2")
@given(
    st.lists(
        st.tuples(
            st.sampled_from((1, 0b1000000, 0b1000001, 0b0010100, 0x7F)),
            st.sampled_from((0, 1, 300, 301, 1_100, 1_439)),
            st.sampled_from((0, 1, 2, 300, 302, 1_101, 1_439)),
            st.just(6_000),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_overlap_is_found_exactly_when_two_periods_share_a_minute(periods: list[Period]):
    if overlap(periods):
        with pytest.raises(PrescriptionError, match="overlap"):
            check_overlap(periods)
    else:
        check_overlap(periods)
