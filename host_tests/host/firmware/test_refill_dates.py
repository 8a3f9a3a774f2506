"""Refill dates are exact: against an oracle that adds up every minute in fractions (F6; R13)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.refill_dates import Plan, until
from firmware.schedule import Schedule

DAY, WEEK = 86_400, 604_800
MINUTE = 60
Period = tuple[int, int, int, int]
Scheduled = tuple[int, int, int, int]


def rate_of(base: int, periods: Sequence[Period], minute: int) -> int:
    """The basal rate in a minute of the week, found by asking each period."""
    for days, start, end, rate in periods:
        for day in range(7):
            if days >> day & 1:
                length = (end - start - 1) % 1_440 + 1
                if (minute - day * 1_440 - start) % 10_080 < length:
                    return rate
    return base


def flows(scheduled: Sequence[Scheduled]) -> list[tuple[int, int, int]]:
    """(begin, end, dose) of the boluses of two weeks, of which the second is 0..WEEK: the first shows what hangs over
    its end. They wait for each other, up to 30 min."""
    starts = sorted(
        (day * DAY + minute * 60, index)
        for index, (days, minute, _, _) in enumerate(scheduled)
        for day in range(7)
        if days >> day & 1
    )
    found: list[tuple[int, int, int]] = []
    free = -WEEK
    for week in (-WEEK, 0):
        for start, index in starts:
            _, _, dose, seconds = scheduled[index]
            begin = max(start + week, free)
            if begin - start - week < 1_800:
                free = begin + seconds
                found.append((begin, free, dose))
    return found


def within(flow: tuple[int, int, int], first: int, last: int) -> Fraction:
    """What of a bolus lies between two seconds, nL."""
    begin, end, dose = flow
    return Fraction(dose * max(0, min(last, end) - max(first, begin)), end - begin)


def week_by_minutes(base: int, periods: Sequence[Period], scheduled: Sequence[Scheduled]) -> list[Fraction]:
    """What each minute of a week takes, nL."""
    minutes = [Fraction(rate_of(base, periods, minute), 1_440) for minute in range(10_080)]
    for flow in flows(scheduled):
        for minute in range(max(0, flow[0] // MINUTE), min(10_080, -(-flow[1] // MINUTE))):
            minutes[minute] += within(flow, minute * MINUTE, (minute + 1) * MINUTE)
    return minutes


def by_oracle(minutes: list[Fraction], extra: int, volume: int, now_minute: int) -> int | None:
    """Minutes until so much has flowed, rounded up to a whole one."""
    flow = [amount + Fraction(extra, 1_440) for amount in minutes[now_minute:] + minutes[:now_minute]]
    total = sum(flow)
    if not total:
        return None
    weeks = int((volume - 1) // total) if volume else 0
    left = volume - weeks * total
    sums = list(accumulate(flow))
    if left > sums[-1]:
        weeks, left = weeks + 1, left - total
    return weeks * 10_080 + bisect_left(sums, left) + 1


rates = st.one_of(st.just(0), st.integers(6_000, 28_800_000))
masks = st.integers(1, 127)


@st.composite
def periods_of_a_day(draw: st.DrawFn) -> list[Period]:
    """Up to three periods that do not overlap: on one mask of days, within a day or across midnight."""
    points = sorted(draw(st.sets(st.integers(0, 1_439), max_size=6)))
    days = draw(masks)
    found = [(days, points[index], points[index + 1], draw(rates)) for index in range(0, len(points) - 1, 2)]
    if len(points) >= 2 and draw(st.booleans()):
        found[-1:] = [(days, points[-1], points[0], draw(rates))]  # nothing else lies there when it is the only one
        found = found[-1:]
    return found


boluses = st.lists(
    st.tuples(masks, st.integers(0, 1_439), st.integers(1, 2_000_000), st.integers(1, 5_400)), max_size=4
)
SUNDAY, MONDAY = 1 << 6, 1
crowd = st.lists(  # Sunday before and Monday after midnight, any other day too, from a second to a day
    st.tuples(
        st.one_of(st.sampled_from([SUNDAY, MONDAY, SUNDAY | MONDAY, 0x7F]), masks),
        st.one_of(st.integers(1_380, 1_439), st.integers(0, 60), st.integers(0, 1_439)),
        st.integers(1, 2_000_000),
        st.one_of(st.integers(1, 3_600), st.sampled_from([1, 1_800, 86_399, 86_400]), st.integers(1, 86_400)),
    ),
    min_size=2,
    max_size=8,
)
any_boluses = st.one_of(boluses, crowd)


@pytest.mark.requirement("F6", "R13", "F3")
@settings(max_examples=200)
@given(crowd)
def test_boluses_around_the_end_of_the_week_flow_one_at_a_time_and_all_of_them_count(scheduled: list[Scheduled]):
    """Whatever waits for whatever: each day takes what the oracle says."""
    plan = Plan(Schedule(0, ()), scheduled)
    for day, found in enumerate(plan.days):
        expected = sum(within(flow, day * DAY, (day + 1) * DAY) for flow in flows(scheduled)) * DAY
        assert abs(found - expected) < 2  # what midnight cuts is floored: at its beginning and at its end
    for second in (0, 1, 1_799, 3_600, WEEK - 3_600, WEEK - 1):
        assert 0 <= plan.bolus_end(second) <= DAY


@pytest.mark.requirement("F6", "R13")
@settings(max_examples=60)
@given(
    rates, periods_of_a_day(), any_boluses, st.integers(0, 100_000), st.integers(1, 100_000_000), st.integers(0, 10_079)
)
def test_a_date_is_right_to_the_minute(
    base: int, periods: list[Period], scheduled: list[Scheduled], extra: int, volume: int, now_minute: int
):
    plan = Plan(Schedule(base, periods), scheduled)
    found = until([(plan, extra, None)], volume, now_minute * 60)
    expected = by_oracle(week_by_minutes(base, periods, scheduled), extra, volume, now_minute)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (expected - 1) * 60 < found <= expected * 60 + 2  # in the oracle's own minute; a rest of 1/86,400 nL behind


@pytest.mark.requirement("F6", "R13")
@given(rates, periods_of_a_day(), any_boluses, st.integers(1, 40_000_000), st.integers(0, WEEK - 1))
def test_a_date_is_the_first_second(
    base: int, periods: list[Period], scheduled: list[Scheduled], volume: int, second: int
):
    """One second earlier, less has flowed than asked for; at the date, as much."""
    plan = Plan(Schedule(base, periods), scheduled)
    found = until([(plan, 0, None)], volume, second)
    if found is None:
        assert plan.week == 0
        return
    assert plan.advance(second, volume * DAY, 0, found) == (found, 0)
    if found > 1:
        seconds, left = plan.advance(second, volume * DAY, 0, found - 1)
        assert (seconds, left > 0) == (found - 1, True)


@pytest.mark.requirement("F6", "R13")
@given(
    rates, periods_of_a_day(), any_boluses, st.integers(0, WEEK - 1), st.integers(1, 3 * WEEK), st.integers(1, 3 * WEEK)
)
def test_what_flows_in_two_spans_flows_in_both(
    base: int, periods: list[Period], scheduled: list[Scheduled], second: int, one: int, other: int
):
    plan = Plan(Schedule(base, periods), scheduled)
    much = 10**15
    _, left = plan.advance(second, much * DAY, 7, one + other)
    _, part = plan.advance(second, much * DAY, 7, one)
    _, rest = plan.advance((second + one) % WEEK, part, 7, other)
    assert rest == left


@pytest.mark.requirement("F6", "R13")
def test_constant_flow_is_exact_at_every_threshold():
    plan = Plan(Schedule(86_400, ()))  # 1 nL a second
    for volume in (1, 2, 59, 86_399, 86_400, 86_401, WEEK - 1, WEEK, WEEK + 1, 52 * WEEK, 99_999_999):
        for second in (0, 1, DAY - 1, DAY, WEEK - 1):
            assert until([(plan, 0, None)], volume, second) == volume
            assert until([(plan, 86_400, None)], volume, second) == -(-volume // 2)


@pytest.mark.requirement("F6", "R13")
def test_nothing_that_flows_has_no_date():
    plan = Plan(Schedule(0, ()))
    assert until([(plan, 0, None)], 1, 0) is None
    assert until([(plan, 1, None)], 1, 0) == DAY
    assert until([(plan, 0, None)], 0, 0) == 0
    assert until([(plan, 0, None)], -5, 0) == 0


@pytest.mark.requirement("F6", "R13")
def test_phases_follow_upon_each_other():
    """A bridge at its own rate, then a trial, then nothing more."""
    slow, fast, off = (Plan(Schedule(rate, ())) for rate in (86_400, 172_800, 0))
    assert until([(slow, 0, 100), (fast, 0, None)], 100, 5) == 100
    assert until([(slow, 0, 100), (fast, 0, None)], 101, 5) == 101
    assert until([(slow, 0, 100), (fast, 0, None)], 104, 5) == 102
    assert until([(slow, 0, 100), (off, 0, None)], 100, 5) == 100
    assert until([(slow, 0, 100), (off, 0, None)], 101, 5) is None
    assert until([(off, 0, 100), (slow, 0, None)], 7, WEEK - 1) == 107


@pytest.mark.requirement("F6", "R13", "F3")
def test_boluses_wait_for_each_other_and_late_ones_do_not_count():
    hour = (0x7F, 600, 3_600, 3_600)  # 10:00, 1 nL a second for an hour
    waits = (0x7F, 631, 60, 60)  # 10:31: begins at 11:00, 29 min late
    skipped = (0x7F, 630, 1_000_000, 60)  # 10:30: would begin 30 min late
    plan = Plan(Schedule(0, ()), [hour, waits])
    assert until([(plan, 0, None)], 3_600, 0) == 11 * 3_600
    assert until([(plan, 0, None)], 3_601, 0) == 11 * 3_600 + 1
    assert Plan(Schedule(0, ()), [hour, waits, skipped]).week == plan.week == 7 * 3_660 * DAY


@pytest.mark.requirement("F6", "R13", "F3")
def test_a_bolus_over_the_end_of_the_week():
    sunday = [(0x40, 1_439, 7_200, 7_200)]  # Sunday 23:59 for two hours, 1 nL a second
    plan = Plan(Schedule(0, ()), sunday)
    assert plan.days == [7_140 * DAY, 0, 0, 0, 0, 0, 60 * DAY]
    assert until([(plan, 0, None)], 7_140, 0) == 7_140
    assert until([(plan, 0, None)], 7_141, 0) == WEEK - 59
    assert plan.bolus_end(0) == 7_140
    assert plan.bolus_end(7_140) == 0
    assert plan.bolus_end(WEEK - 1) == 7_141


@pytest.mark.requirement("F6", "R13", "F3")
def test_boluses_that_have_to_wait_beyond_the_end_of_the_week():
    """Sunday 23:40 for 25 min; those of 23:50 and 23:55, a minute each, begin on Monday at 00:05 and 00:06, and that of
    Monday 00:06 for two minutes at 00:07."""
    long, second, third = (0x40, 1_420, 1_500, 1_500), (0x40, 1_430, 60, 60), (0x40, 1_435, 60, 60)
    monday = (0x01, 6, 120, 120)
    plan = Plan(Schedule(0, ()), [long, second, third, monday])
    assert plan.days == [(300 + 60 + 60 + 120) * DAY, 0, 0, 0, 0, 0, 1_200 * DAY]
    assert until([(plan, 0, None)], 1, 0) == 1
    assert until([(plan, 0, None)], 540, 0) == 540
    assert until([(plan, 0, None)], 541, 0) == WEEK - 1_200 + 1
    assert [plan.bolus_end(at) for at in (0, 299, 300, 360, 420, 539, 540)] == [300, 1, 60, 60, 120, 1, 0]
    only = Plan(Schedule(0, ()), [(0x40, 1_439, 60, 60), (0x40, 1_439, 7, 1)])  # the second begins with the week
    assert only.days == [7 * DAY, 0, 0, 0, 0, 0, 60 * DAY]
    assert until([(only, 0, None)], 7, 0) == 1


@pytest.mark.requirement("F6", "R13")
def test_a_date_lies_at_the_end_of_the_flow_and_not_of_the_week():
    """Only Monday from 00:00 to 01:00 something flows, 1 nL a second."""
    plan = Plan(Schedule(0, [(1, 0, 60, 86_400)]))
    assert plan.week == 3_600 * DAY
    for weeks in (1, 2, 50):
        assert until([(plan, 0, None)], weeks * 3_600, 0) == (weeks - 1) * WEEK + 3_600
        assert until([(plan, 0, None)], weeks * 3_600 + 1, 0) == weeks * WEEK + 1
        assert until([(plan, 0, None)], weeks * 3_600, 3_600) == weeks * WEEK
