"""The coming day as a chart: of the prescription that the pump says is in force, no peak and no bolus left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware import alarms, comparison
from host_tests.host.prescription_tables import RATES, bare, continuous, patient, period, scheduled
from thecal.coming_day import DAY_S, Day, Now, coming_day
from thecal.day_answers import AnswerError, in_force, middle
from thecal.day_chart import MARGIN, ROWS, draw
from thecal.demand import demanded_nl
from thecal.models.bench import PumpConfig
from thecal.prescription import DAYS, MINUTES_PER_DAY, Prescription, PrescriptionError
from thecal.prescription_toml import parse_prescription
from thecal.programming import device_prescription

pytestmark = pytest.mark.requirement("F2", "F3", "F8")

MONDAY = datetime(2026, 3, 2)
PUMP = PumpConfig()


def flex(**changes: Any) -> Prescription:
    data = continuous(mode="flex", basal="300 ug/day", period=[period()], scheduled_bolus=[scheduled()], **changes)
    return parse_prescription(data, RATES)


def shown(active: Prescription | None, staged: Prescription | None = None) -> dict[str, str]:
    """What `program show` answers."""
    made = [None if rx is None else device_prescription(rx) for rx in (active, staged)]
    return dict(line.split(": ", 1) for line in comparison.show(*made))


moments = st.datetimes(MONDAY, MONDAY + timedelta(days=14))
clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
days = st.sampled_from(["daily", "mon", "sat-mon", "tue,thu", "sun"])
rates = st.integers(24_000, 2_000_000).map("{} nL/day".format)
tables = st.fixed_dictionaries(
    {"mode": st.just("flex"), "basal": st.one_of(st.just("0 mL/day"), rates)},
    optional={
        "period": st.lists(
            st.fixed_dictionaries({"days": days, "from": clocks, "to": clocks, "rate": rates}), max_size=2
        ),
        "scheduled_bolus": st.lists(
            st.fixed_dictionaries(
                {
                    "days": days,
                    "at": clocks,
                    "dose": st.integers(1, 9_999).map("{} nL".format),
                    "over": st.integers(100, 9_000).map("{} s".format),
                }
            ),
            max_size=3,
        ),
        "patient_bolus": st.just(patient()),
    },
)


def parsed(data: dict[str, Any]) -> Prescription | None:
    try:
        return parse_prescription(continuous(concentration="500 ug/mL", **data), RATES)
    except PrescriptionError:
        return None


@pytest.mark.requirement("F4")
@given(tables)
def test_the_prescription_is_read_back_from_what_the_pump_shows(data: dict[str, Any]):
    rx = parsed(data)
    if rx is not None:
        assert in_force(shown(rx)) == rx
        assert in_force(shown(rx, flex())) == rx  # and not what is staged beside it


@pytest.mark.requirement("F4")
def test_other_modes_and_no_prescription_are_read_too():
    for rx in (parse_prescription(bare(mode), RATES) for mode in ("minimum", "stopped")):
        assert in_force(shown(rx)) == rx
        assert in_force(shown(rx, flex())) == rx
    saline = parse_prescription(continuous(drug="saline", concentration=None), RATES)
    assert in_force(shown(saline)) == saline
    assert in_force(shown(None)) is None
    assert in_force(shown(None, flex())) is None
    limited = flex(limits={"max_per_hour": "60 ug", "max_per_day": "700 ug"})
    assert in_force(shown(limited)) == replace(limited, max_per_hour_nl=None, max_per_day_nl=None)


@pytest.mark.parametrize("key", ["basal", "period 01", "scheduled_bolus 01", "patient_bolus", "concentration"])
def test_what_is_not_understood_is_said_and_not_drawn(key: str):
    with pytest.raises(AnswerError):
        in_force({**shown(flex(patient_bolus=patient())), key: "plenty"})


def by_minute(day: Day) -> list[int]:
    """The rate at the start of each minute."""
    rates = dict(day.changes)
    found = [rates[0]]
    for minute in range(1, MINUTES_PER_DAY):
        found.append(rates.get(minute * 60, found[-1]))
    return found


@settings(max_examples=40)
@given(tables, moments)
def test_the_day_is_that_of_the_demand(data: dict[str, Any], now: datetime):
    rx = parsed(data)
    if rx is None:
        return
    day = coming_day(rx, PUMP, now)
    assert now - timedelta(minutes=1) < day.start <= now
    assert day.basal_nl() == demanded_nl(rx, PUMP, day.start, 0, DAY_S * 10**9)
    assert day.basal_nl() == sum(Fraction(rate, MINUTES_PER_DAY) for rate in by_minute(day))
    expected = [
        (minute * 60, bolus)
        for minute in range(MINUTES_PER_DAY)
        for bolus in rx.scheduled
        if day.at(minute * 60).hour * 60 + day.at(minute * 60).minute == bolus.minute
        and bolus.days_mask >> day.at(minute * 60).weekday() & 1
    ]
    # One that falls due while another flows waits for it, or is skipped.
    assert Counter(one.bolus for one in (*day.given, *day.skipped)) == Counter(bolus for _, bolus in expected)
    alone = [one for one in expected if not any(a <= one[0] <= a + DAY_S // 4 for a, b in expected if (a, b) != one)]
    assert {(one.second, one.bolus) for one in day.given} >= set(alone)


@settings(max_examples=40)
@given(tables, moments, st.sampled_from([80, 120]), st.booleans())
def test_every_rate_and_bolus_is_seen_in_the_chart(data: dict[str, Any], now: datetime, width: int, ascii_only: bool):
    rx = parsed(data)
    if rx is None:
        return
    day = coming_day(rx, PUMP, now)
    lines = draw(day, width, ascii_only=ascii_only).plain.split("\n")
    assert all(len(line) <= width for line in lines)
    assert not ascii_only or all(line.isascii() for line in lines)
    minutes = 15 if width == 120 else 30
    marks, bars = lines[0][MARGIN:], [line[MARGIN:] for line in lines[1 : 1 + ROWS]]
    for column in range(MINUTES_PER_DAY // minutes):
        here = by_minute(day)[column * minutes : (column + 1) * minutes]
        bar = [row[column : column + 1].strip() for row in bars]
        assert bool(bar[-1]) == bool(max(here))
        assert bool(bar[0]) >= (max(here) == max(rate for _, rate in day.changes) > 0)
        count = sum(one.second // 60 // minutes == column for one in day.given)
        mark = marks[column : column + 1].strip()
        assert bool(mark) == bool(count)
        assert count < 2 or mark == str(count)


def test_the_chart_of_a_flex_day():
    rx = flex(patient_bolus=patient())
    assert (
        draw(coming_day(rx, PUMP, MONDAY.replace(hour=6, minute=17, second=12)), ascii_only=True).plain
        == """\
         boluses                                 v
      420 ug/day |   #########
                 |...#########....................................
                 |################################################
                 |################################################
                 |################################################
               0 |################################################
                        09:00 12:00 15:00 18:00 21:00 00:00 03:00 06:00
24 h from mon 06:17: basal 320 ug, 1 scheduled bolus 25 ug
  06:17  300 ug/day
  08:00  420 ug/day
  12:00  300 ug/day
  22:00  bolus 25 ug over 10 min
  button  10 ug over 5 min, lockout 2 h, at most 4 in 24 h"""
    )


def test_each_weekday_has_its_own_day():
    for number, name in enumerate(DAYS):
        rx = parse_prescription(continuous(scheduled_bolus=[scheduled(days=name)]), RATES)
        found = [len(coming_day(rx, PUMP, MONDAY + timedelta(days=day)).given) for day in range(7)]
        assert found == [int(day == number) for day in range(7)]


def test_minimum_and_stopped_have_a_chart_too():
    low = coming_day(parse_prescription(bare("minimum"), RATES), PUMP, MONDAY)
    assert low.changes == ((0, PUMP.min_rate),)
    none = draw(coming_day(parse_prescription(bare("stopped"), RATES), PUMP, MONDAY)).plain
    assert "#" not in none
    assert "0 ug/day" in none


def test_a_rate_far_below_the_highest_still_shows():
    small = flex(limits=None).periods[0]._replace(rate_nl_day=750_000)
    day = coming_day(replace(flex(), basal_nl_day=6_000, periods=(small,)), PUMP, MONDAY)
    lowest_row = draw(day).plain.split("\n")[ROWS][MARGIN:]
    assert " " not in lowest_row
    assert len(lowest_row) == 48


# -- what the pump is in the middle of -------------------------------------------------------------------------------

STATUS = {"state": "dosing", "mode": "flex", "alarms": "none", "reservoir_nl": "20000000"}


def test_an_undisturbed_pump_is_in_the_middle_of_nothing():
    assert middle(STATUS, {}, {}, {}) == Now(reservoir_nl=20_000_000)
    assert middle({**STATUS, "state": "stopped", "mode": "stopped"}, {}, {}, {}).halted == ""


@pytest.mark.parametrize("row", alarms.TABLE, ids=[row[0] for row in alarms.TABLE])
def test_every_alarm_that_changes_delivery_is_drawn_and_told(row: tuple[Any, ...]):
    """Each of the firmware's table, whatever it will be."""
    code, _, reaction, _ = row
    state = "safe" if reaction == alarms.STOP else "dosing"
    rx = flex()
    day = coming_day(rx, PUMP, MONDAY, middle({**STATUS, "state": state, "alarms": f"bolus_denied,{code}"}, {}, {}, {}))
    undisturbed = coming_day(rx, PUMP, MONDAY)
    lowest = min(rate for _, rate in undisturbed.changes)
    assert day.changes == {alarms.STOP: ((0, 0),), alarms.LOWEST: ((0, lowest),)}.get(reaction, undisturbed.changes)
    assert bool(day.given) == (reaction == alarms.UNCHANGED)
    assert len(day.given) + len(day.skipped) == 1
    assert (f"alarm {code}: " in draw(day).plain) == (reaction != alarms.UNCHANGED)


@pytest.mark.parametrize("key", ["state", "alarms", "reservoir_nl"])
def test_a_state_that_is_not_understood_is_said_and_not_drawn(key: str):
    with pytest.raises(AnswerError):
        middle({other: value for other, value in STATUS.items() if other != key}, {}, {}, {})
    for status in ({"bridge_left_nl": "316000"}, {"trial_left_s": "60"}, {"reservoir_nl": "much"}):
        with pytest.raises(AnswerError):
            middle({**STATUS, **status}, {}, {}, {})


def test_boluses_that_overlap_follow_each_other_or_are_skipped_when_30_min_late():
    def bolus(at: str, over: str) -> dict[str, Any]:
        return scheduled(at=at, over=over)

    rx = parse_prescription(
        continuous(scheduled_bolus=[bolus("08:00", "20 min"), bolus("08:05", "40 min"), bolus("08:15", "1 min")]), RATES
    )
    day = coming_day(rx, PUMP, MONDAY)
    assert [(f"{day.at(one.second):%H:%M}", one.bolus.seconds) for one in day.given] == [
        ("08:00", 1200),
        ("08:20", 2400),
    ]
    assert [(f"{day.at(one.second):%H:%M}", one.reason) for one in day.skipped] == [("08:45", "late")]


def test_a_reservoir_that_runs_low_and_empty_is_drawn_so():
    """48 uL an hour, with 240 uL to the low volume and as much again to the end."""
    rx = parse_prescription(
        continuous(
            drug="saline",
            concentration=None,
            basal="48 uL/h",
            scheduled_bolus=[scheduled(at="05:30", dose="10 uL"), scheduled(at="04:00", dose="24 uL", over="1 h")],
        ),
        RATES,
    )
    day = coming_day(rx, PUMP, MONDAY, Now(reservoir_nl=480_000, low_nl=240_000))
    assert (day.low, day.empty) == (4 * 3600 + 40 * 60, 9 * 3600 + 30 * 60)
    assert day.changes == ((0, 1_152_000), (9 * 3600 + 30 * 60, 0))
    assert [one.given_nl for one in day.given] == [24_000]
    assert [one.reason for one in day.skipped] == ["low_reservoir"]
    assert day.basal_nl() + 24_000 == 480_000


def test_a_bridge_that_does_not_flow_is_said_to_wait():
    """Mode stopped; stopped by the operator; a trial that is over before it."""
    bridge = Now(bridge_nl=316_000, bridge_rate=600_000)
    stopped = parse_prescription(bare("stopped"), RATES)
    for rx, now in (
        (stopped, bridge),
        (flex(), replace(bridge, halted="stopped")),
        (flex(), replace(bridge, trial_s=0)),
    ):
        day = coming_day(rx, PUMP, MONDAY, now)
        assert len(day.changes) == 1
        assert not day.given
        assert "  a bridge, which waits: no bolus\n" in draw(day).plain
    assert "which waits" not in draw(coming_day(flex(), PUMP, MONDAY, bridge)).plain
