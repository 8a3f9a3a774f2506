"""What a stop alarm leaves undelivered is counted in seconds, reported by the hour, and survives a power cut (D3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import S, continuous, on_twin, scenario

from firmware.missed import STOP_ALARM, Missed
from thecal.sim import Result

HOUR = 3_600
EMPTY = {"at": "1 min", "do": "reservoir_empty"}
MINIMUM = {"patient": "bench-07", "drug": "saline", "mode": "minimum"}


def held(result: Result) -> list[dict[str, Any]]:
    return [dict(e.details) for e in result.events if e.code == "missed" and e.details["why"] == "stop_alarm"]


@pytest.mark.requirement("F10", "F11")
@pytest.mark.parametrize(("rx", "rate"), [(MINIMUM, 6_000), (continuous("1 mL/day"), 1_000_000)])
def test_a_pump_that_an_alarm_holds_reports_every_hour_what_it_did_not_give(rx: dict[str, Any], rate: int):
    """In the mode minimum a step is due every six minutes."""
    result = on_twin(scenario(rx, "5.2 h", EMPTY))
    found = [event for event in held(result) if event["seconds"] > 1]
    assert len(found) == 5
    for event in found:
        assert event["seconds"] == HOUR
        assert abs(event["volume_nl"] - rate / 24) <= 25
    (began,) = [event.t_ns for event in result.events if event.code == "alarm"][:1]
    missed = (5.2 * HOUR - began / S) * rate / 86_400
    assert abs(result.summary.missed_nl - missed) <= 25 + 4 * rate / 86_400


@pytest.mark.requirement("F10", "F11")
@pytest.mark.parametrize(("minute", "kept"), [(54, 0), (66, 1), (294, 4)])
def test_a_power_cut_during_the_alarm_forgets_less_than_an_hour_of_it(minute: int, kept: int):
    cut = {"at": f"{minute} min", "do": "power_cut", "for": "10 s"}
    rate = 1_000_000
    result = on_twin(scenario(continuous("1 mL/day"), f"{minute + 1} min", EMPTY, cut))
    hour = rate / 24
    last = result.summary.missed_nl - kept * hour
    # The minute after the cut, and what was recorded with other alarms in the first minutes.
    assert -25 <= last <= 200 * rate / 86_400
    (started,) = [dict(e.details) for e in result.events if e.code == "missed" and e.details["why"] == "start_up"][1:]
    assert int(started["volume_nl"]) > 0  # a start in the alarm is missed too: the pump has power, and owes it


@pytest.mark.requirement("F10")
@given(st.lists(st.tuples(st.sampled_from([0, 0, 0, 1_000, 25_000]), st.integers(1, 900)), max_size=60))
def test_every_second_and_every_picolitre_is_reported_once(parts: list[tuple[int, int]]):
    logged: list[dict[str, int]] = []

    class Book:
        missed_nl = 0

    missed = Missed(Book, lambda code, **fields: logged.append(fields))
    for picolitres, seconds in parts:
        count = len(logged)
        assert missed.add(STOP_ALARM, picolitres, seconds) == (len(logged) > count)
    missed.add(STOP_ALARM, 1_000, 1)
    missed.report()
    assert sum(event["seconds"] for event in logged) == sum(seconds for _, seconds in parts) + 1
    assert sum(event["volume_nl"] for event in logged) == sum(pl for pl, _ in parts) // 1_000 + 1 == Book.missed_nl
