"""The battery and the end of service in the life of a whole pump (F9; R36)."""

from __future__ import annotations

from typing import Any

import pytest
from support import S, continuous, on_twin, scenario, steps_by

from thecal.outcome import parsed
from thecal.sim import Result

MIN = 60 * S
RX = continuous("4.8 mL/day")


def battery(at: str, millivolts: int) -> dict[str, Any]:
    return {"at": at, "do": "battery", "millivolts": millivolts}


def say(at: str, line: str) -> dict[str, Any]:
    return {"at": at, "do": "command", "line": line}


def raised(result: Result) -> dict[str, int]:
    """Alarm -> true time, ns, at which it was logged first."""
    times: dict[str, int] = {}
    for event in result.events:
        if event.code == "alarm":
            times.setdefault(str(event.details["alarm"]), event.t_ns)
    return times


def status(result: Result) -> dict[str, str]:
    """The answer to the last `status`."""
    return parsed(result.console.decode("ascii"))


@pytest.mark.requirement("F9", "R36")
def test_a_low_battery_warns_within_fifteen_minutes_and_dosing_goes_on() -> None:
    plan = scenario(RX, "60 min", battery("10 min", 3_299), battery("30 min", 3_900))
    result = on_twin(plan)
    assert set(raised(result)) == {"battery_low", "replace_soon"}
    assert 10 * MIN < raised(result)["battery_low"] <= 25 * MIN
    assert result.step_times_ns == on_twin(scenario(RX, "60 min")).step_times_ns
    # The voltage has recovered; that the battery is old, nothing but a new one takes back.
    assert result.summary.alarms_active == ["replace_soon"]
    severities = {event.details["alarm"]: event.severity for event in result.events if event.code == "alarm"}
    assert set(severities.values()) == {"medium"}


@pytest.mark.requirement("F9", "R36")
@pytest.mark.parametrize("millivolts", [3_300, 3_900, 6_000])
def test_a_good_battery_raises_nothing(millivolts: int) -> None:
    assert raised(on_twin(scenario(RX, "30 min", battery("1 min", millivolts)))) == {}


@pytest.mark.requirement("F9", "R36", "I8")
def test_a_depleted_battery_stops_the_pump_until_an_operator_clears_and_resumes() -> None:
    plan = scenario(
        RX,
        "60 min",
        battery("5 min", 2_990),
        say("20 min", "clear"),
        say("20.5 min", "resume"),
        {"at": "22 min", "do": "power_cut", "for": "10 s"},
        battery("25 min", 3_900),
        say("31 min", "resume"),
        say("40 min", "clear"),
        say("41 min", "resume"),
    )
    result = on_twin(plan)
    stop = raised(result)["battery_depleted"]
    assert stop <= 20 * MIN
    assert steps_by(result, stop + S) == steps_by(result, 41 * MIN)
    assert [refusal.event for refusal in result.refusals] == [3, 6]
    assert all("battery_depleted" in refusal.answer for refusal in result.refusals)
    assert steps_by(result, 60 * MIN) - steps_by(result, 41 * MIN) > 1_000
    assert result.summary.state == "dosing"


@pytest.mark.requirement("F9", "R36", "I8")
def test_a_power_cut_does_not_make_a_depleted_battery_good() -> None:
    """A restart has read nothing yet: what was found before it holds until ten readings say otherwise."""
    cuts = [({"at": f"{at} min", "do": "power_cut", "for": "2 s"}) for at in (10, 12, 20)]
    tries = [
        say(at, line)
        for minute in (10, 12, 14, 20, 21)  # twice within the five minutes after a start, and once behind them
        for at, line in ((f"{minute}.3 min", "clear"), (f"{minute}.4 min", "resume"))
    ]
    result = on_twin(scenario(RX, "30 min", battery("1 min", 2_500), *cuts, *tries))
    stop = raised(result)["battery_depleted"]
    assert stop < 10 * MIN
    assert steps_by(result, stop + S) == result.summary.steps
    assert len(result.refusals) == 5
    assert all("battery_depleted" in refusal.answer for refusal in result.refusals)
    assert result.summary.state == "safe"
    assert "battery_depleted" in result.summary.alarms_active


@pytest.mark.requirement("F9", "R36")
def test_replacement_is_due_by_the_charge_that_was_taken() -> None:
    """1 mAh at 20.2 mA and 1 mA s for each of the 133 steps a minute: a tenth is left after some 145 s."""
    result = on_twin(scenario(RX, "10 min", pump={"battery_mah": 1}))
    (due,) = raised(result).values()
    assert list(raised(result)) == ["replace_soon"]
    expected = 3_600_000 * 9 // 10 / (20_200 + 1_000 * 4_800_000 / 25 / 86_400)
    assert expected * S <= due <= (expected + 31) * S


@pytest.mark.requirement("F9", "F10", "I6")
@pytest.mark.parametrize(
    "between",
    [
        [],
        [{"at": "12 min", "do": "power_cut", "for": "8 min"}],
        [{"at": f"{minute} min", "do": "power_cut", "for": "30 s"} for minute in range(12, 30, 2)],
        [{"at": "15 min", "do": "hang"}],
        [{"at": "15 min", "do": "set_clock", "by": "9 h"}],
        [{"at": "15 min", "do": "set_clock", "by": "-9 h"}, {"at": "16 min", "do": "power_cut", "for": "5 s"}],
    ],
)
def test_service_ends_at_its_time_whatever_happens_in_between(between: list[dict[str, Any]]) -> None:
    plan = scenario(RX, "50 min", battery("1 min", 3_250), *between, pump={"eri_to_eos": "20 min"})
    result = on_twin(plan)
    times = raised(result)
    late = times["end_of_service"] - times["replace_soon"] - 20 * MIN
    assert -2 * S <= late <= 32 * S
    assert steps_by(result, times["end_of_service"] + S) == result.summary.steps
    assert result.summary.state == "safe"


@pytest.mark.requirement("F9", "I8")
def test_a_service_that_ended_while_the_pump_was_off_has_ended_before_its_first_step() -> None:
    cut = {"at": "20 min", "do": "power_cut", "for": "20 min"}
    result = on_twin(scenario(RX, "50 min", battery("1 min", 3_250), cut, pump={"eri_to_eos": "20 min"}))
    assert 40 * MIN < raised(result)["end_of_service"] < 40 * MIN + 3 * S
    assert steps_by(result, 20 * MIN) == result.summary.steps


@pytest.mark.requirement("F9", "I8")
def test_nothing_but_a_new_battery_brings_an_expired_pump_back() -> None:
    plan = scenario(
        RX,
        "40 min",
        battery("1 min", 3_250),
        say("10 min", "clear"),
        say("11 min", "resume"),
        {"at": "12 min", "do": "power_cut", "for": "10 s"},
        say("12.3 min", "clear"),  # within the first seconds, before the battery was ever measured
        say("12.4 min", "resume"),
        battery("20 min", 3_900),
        say("20.1 min", "service battery"),
        say("20.2 min", "clear"),
        say("20.3 min", "resume"),
        pump={"eri_to_eos": "60 s"},
    )
    result = on_twin(plan)
    assert [refusal.event for refusal in result.refusals] == [3, 6]
    assert all("end_of_service" in refusal.answer for refusal in result.refusals)
    resumed = 20 * MIN + 18 * S
    assert steps_by(result, resumed) == steps_by(result, raised(result)["end_of_service"] + S)
    assert result.summary.steps > steps_by(result, resumed)
    assert result.summary.alarms_active == []
    assert "battery_fitted" in [event.code for event in result.events]


@pytest.mark.requirement("F9", "F10")
def test_a_power_cut_costs_at_most_an_hour_of_the_counters() -> None:
    cuts = [{"at": "150 min", "do": "power_cut", "for": "1 min"}, say("155 min", "status")]
    answer = status(on_twin(scenario(RX, "156 min", *cuts, pump={"battery_mah": 1_000})))
    powered = 150 * 60 + 4 * 60
    assert powered - 3_600 <= int(answer["powered_s"]) <= powered
    assert int(answer["powered_s"]) >= 2 * 3_600
    assert int(answer["battery_mv"]) in range(3_896, 3_901)
    assert answer["battery_charge"] == "95 %"
    assert answer["battery_left_days"] == "1"
    assert int(answer["eeprom_writes"]) > 200
