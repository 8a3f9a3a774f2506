"""Periods of a prescription on the host: days, times, and that no two overlap."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from host_tests.host.prescription_tables import RATES, period, periods, refusal, table
from thecal.fields import shown
from thecal.prescription import (
    DAYS,
    MINUTES_PER_WEEK,
    Period,
    first_overlap,
)
from thecal.prescription_toml import parse_prescription

pytestmark = pytest.mark.requirement("T1")

ARABIC_8_O_CLOCK = "\u0660\u0668:\u0660\u0660"


def _days(text: str) -> int:
    return parse_prescription(periods(period(days=text)), RATES).periods[0].days_mask


@pytest.mark.requirement("F2")
def test_every_day_every_range_and_every_pair_of_days():
    assert _days("daily") == 0x7F
    for first in range(7):
        assert _days(DAYS[first]) == 1 << first
        for length in range(2, 8):
            expected = sum(1 << (first + n) % 7 for n in range(length))
            assert _days(f"{DAYS[first]}-{DAYS[(first + length - 1) % 7]}") == expected
        for last in range(7):
            if last != first:
                assert _days(f"{DAYS[first]},{DAYS[last]}") == _days(f"{DAYS[first]}, {DAYS[last]}")
                assert _days(f"{DAYS[first]},{DAYS[last]}") == 1 << first | 1 << last
    assert _days("mon-wed,sat") == 0b0100111
    assert _days("fri-mon") == 0b1110001


@pytest.mark.requirement("F2")
@pytest.mark.parametrize(
    "days",
    [
        "",
        " ",
        "Mon",
        "monday",
        "mon-",
        "-mon",
        "mon-mon",
        "mon--fri",
        "mon-fri-sun",
        "mon fri",
        "mon;fri",
        "mon,",
        ",mon",
        "mon,,fri",
        "mon,mon",
        "mon-wed,tue",
        "daily,mon",
        "daily-mon",
        "mon,daily",
        "mon ,tue",
        "mon,  tue",
        " mon",
        "mon\n",
        1,
        None,
        ["mon"],
        0x7F,
        True,
    ],
)
def test_days_of_any_other_form_are_refused(days: object):
    message = refusal(periods(period(), {**period(), "days": days}))
    assert message.startswith(f"prescription.period[2].days = {shown(days)}: ")
    assert (
        'daily, a day (mon tue wed thu fri sat sun), a range such as mon-fri, or a list such as "mon,wed,fri"'
        in message
    )


def test_a_misspelt_day_gets_a_guess():
    assert 'did you mean "wed"' in refusal(periods(period(days="mon,wde")))


@pytest.mark.requirement("F2")
def test_every_minute_of_the_day_can_be_written():
    for minute in range(1440):
        text = f"{minute // 60:02}:{minute % 60:02}"
        read = parse_prescription(periods(period(**{"from": text, "to": text})), RATES).periods[0]
        assert (read.from_minute, read.to_minute) == (minute, minute)


@pytest.mark.parametrize(
    "time",
    [
        "",
        "8:00",
        "08:0",
        "0800",
        "24:00",
        "08:60",
        "08:00:00",
        "08.00",
        " 08:00",
        "08:00\n",
        "-1:00",
        ARABIC_8_O_CLOCK,
        "8 am",
        800,
        8.0,
        None,
        datetime.time(8, 0),
        [],
    ],
)
@pytest.mark.parametrize("key", ["from", "to"])
def test_a_time_of_any_other_form_is_refused(key: str, time: object):
    assert refusal(periods({**period(), key: time})) == (
        f'prescription.period[1].{key} = {shown(time)}: a time of day in quotes, "00:00" to "23:59", is needed'
    )


@pytest.mark.requirement("F2")
def test_overlapping_periods_are_refused_and_both_are_named():
    tail = "; periods may not overlap"
    same_day = periods(period(), period(**{"from": "11:59", "to": "13:00"}))
    assert refusal(same_day) == (f"prescription.period[2]: overlaps prescription.period[1] on mon 11:59{tail}")
    over_midnight = periods(
        period(days="tue", **{"from": "00:00", "to": "01:00"}),
        period(days="wed"),
        period(days="mon", **{"from": "23:00", "to": "00:01"}),
    )
    assert refusal(over_midnight) == (f"prescription.period[3]: overlaps prescription.period[1] on tue 00:00{tail}")
    over_the_week = periods(
        period(days="sun", **{"from": "22:00", "to": "06:00"}),
        period(days="mon", **{"from": "05:59", "to": "07:00"}),
    )
    assert refusal(over_the_week) == (f"prescription.period[2]: overlaps prescription.period[1] on mon 05:59{tail}")
    whole_day = periods(period(days="sun", **{"from": "12:00", "to": "12:00"}), period(days="mon", to="12:01"))
    assert "on mon 08:00" in refusal(whole_day)


@pytest.mark.requirement("F2")
def test_periods_that_only_touch_are_allowed():
    touching = periods(
        period(days="mon", to="12:00"),
        period(days="mon", **{"from": "12:00", "to": "08:00"}),
        period(days="tue", **{"from": "08:00", "to": "08:00"}),
        period(days="sun", **{"from": "08:00", "to": "08:00"}),
    )
    assert len(parse_prescription(touching, RATES).periods) == 4
    every_day_all_day = periods(period(**{"from": "17:00", "to": "17:00"}))
    assert parse_prescription(every_day_all_day, RATES).periods == ((0x7F, 1020, 1020, 210_000),)


any_period = st.builds(Period, st.integers(1, 127), st.integers(0, 1439), st.integers(0, 1439), st.just(0))


def _by_counting(item: Period) -> set[int]:
    taken: set[int] = set()
    for day in range(7):
        if item.days_mask >> day & 1:
            minute = day * 1440 + item.from_minute
            while True:  # walk until the clock shows `to`
                taken.add(minute % MINUTES_PER_WEEK)
                minute += 1
                if minute % 1440 == item.to_minute:
                    break
    return taken


@pytest.mark.requirement("F2")
@given(any_period, any_period)
@example(Period(1, 480, 481, 0), Period(1, 481, 482, 0))
@example(Period(0x40, 0, 0, 0), Period(1, 0, 0, 0))
def test_overlap_is_a_common_minute_of_the_week(one: Period, other: Period):
    common = _by_counting(one) & _by_counting(other)
    found = first_overlap((one, other))
    assert found == ((0, 1, min(common)) if common else None)


def _many(count: int) -> list[dict[str, Any]]:
    return [
        period(**{"from": f"{n // 2:02}:{n % 2 * 30:02}", "to": f"{n // 2:02}:{n % 2 * 30 + 29:02}"})
        for n in range(count)
    ]


@pytest.mark.requirement("F2")
def test_at_most_24_periods():
    assert len(parse_prescription(periods(*_many(24)), RATES).periods) == 24
    assert refusal(periods(*_many(25))) == "prescription.period: 25 periods; at most 24 are allowed"


def test_periods_must_be_a_list_of_tables():
    assert refusal(table(period=period())) == (
        "prescription.period = a table: a list of tables, each headed [[prescription.period]], is needed"
    )
    assert refusal(table(period=[period(), 3])) == "prescription.period[2] = 3: a table is needed"
    assert refusal(table(limits=[])) == "prescription.limits = a list: a table is needed"
    assert refusal("flex") == 'prescription = "flex": a table is needed'
