"""What the events of a scenario do to a whole pump: refills, an empty reservoir, a confirmed prescription (F4, F6)."""

from __future__ import annotations

from typing import Any

import pytest
from support import S, continuous, on_twin, scenario, steps_by

from thecal.refusals import Typed, answer

MIN = 60 * S
RX = continuous("4.8 mL/day")


@pytest.mark.requirement("F6")
@pytest.mark.parametrize("measured", [None, "18.5 mL", "0 mL"])
def test_a_refill_fills_the_reservoir_and_tells_the_pump(measured: str | None) -> None:
    refill: dict[str, Any] = {"at": "30 min", "do": "refill", "volume": "15 mL"}
    if measured is not None:
        refill["measured"] = measured
    result = on_twin(scenario(RX, "60 min", refill))
    assert result.refusals == []
    since = (steps_by(result, 60 * MIN) - steps_by(result, 30 * MIN)) * 25
    assert abs(result.summary.true_reservoir_nl - (15_000_000 - since)) <= 50
    assert abs(result.summary.reservoir_nl - result.summary.true_reservoir_nl) <= 200
    assert [event.code for event in result.events].count("refilled") == 1


@pytest.mark.requirement("F6")
def test_an_empty_reservoir_delivers_nothing_from_then_on() -> None:
    result = on_twin(scenario(RX, "20 min", {"at": "10 min", "do": "reservoir_empty"}))
    assert result.summary.true_reservoir_nl == 0
    assert result.summary.delivered_nl == steps_by(result, 10 * MIN) * 25


@pytest.mark.requirement("F4", "R10")
@pytest.mark.parametrize("basal", ["0.3 mL/day", "4.9 mL/day", "28.8 mL/day"])
def test_a_program_event_confirms_what_the_pump_warns_of_and_is_committed_within_five_seconds(basal: str) -> None:
    wanted = {
        **continuous(basal),
        "mode": "flex",
        "period": [
            {"days": "daily", "from": f"{hour:02}:00", "to": f"{hour:02}:30", "rate": f"{hour + 1} uL/h"}
            for hour in range(24)
        ],
    }
    plan = scenario(RX, "20 min", {"at": "10 min", "do": "program", "prescription": wanted})
    result = on_twin(plan)
    assert result.refusals == []
    (committed,) = [event.t_ns for event in result.events if event.code == "committed"]
    assert 10 * MIN < committed <= 10 * MIN + 5 * S
    confirmed = [event for event in result.events if event.code == "confirmed"]
    assert bool(confirmed) == (b"program confirm " in result.console)
    assert bool(confirmed) == (b"\r\nwarning " in result.console)


@pytest.mark.requirement("F4")
def test_a_program_event_while_the_pump_is_off_changes_nothing() -> None:
    off = {"at": "9 min", "do": "power_cut", "for": "3 min"}
    event = {"at": "10 min", "do": "program", "prescription": continuous("1 mL/day")}
    result = on_twin(scenario(RX, "20 min", off, event))
    assert "committed" not in [event.code for event in result.events]
    assert result.refusals == []


@pytest.mark.requirement("F4", "F12")
def test_an_answer_is_what_stands_between_echo_and_last_line() -> None:
    typed = Typed(1, "stage end", 3)
    head = b"xx\r\nnoise\r\nok\r\n\r\nstage end\r\n"
    assert answer(head, typed) is None
    assert answer(head + b"one\r\ntwo", typed) is None
    assert answer(head + b"one\r\ntwo\r\nok\r\n", typed) == ["one", "two"]
    assert answer(head + b"one\r\nerror: no\r\nmore\r\nok\r\n", typed) == ["one"]
    assert answer(head + b"ok\r\n", typed) == []
