"""A change of concentration on the whole pump: the path's volume at the old rate, then the new prescription (F7)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from support import DAY_NS, S, on_twin, scenario, steps_by

from thecal.demand import weekly_rates
from thecal.scenario import Scenario
from thecal.sim import Result

MIN = 60 * S
STEP_NL = 25
PATH_NL = 140_000 + 800 * 220  # of the reference pump
OLD = 10_000_000  # nL/day
NEW = 4_000_000


def morphine(concentration: str, basal: str, **more: Any) -> dict[str, Any]:
    return {
        "patient": "bench-07",
        "drug": "morphine",
        "concentration": concentration,
        "mode": "continuous",
        "basal": basal,
        **more,
    }


FIRST = morphine("500 ug/mL", "10 mL/day")
SECOND = morphine("1 mg/mL", "4 mL/day")
CHANGE = {"at": "2 min", "do": "program", "prescription": SECOND}
FLEX = morphine(
    "500 ug/mL",
    "9 mL/day",
    mode="flex",
    period=[
        {"days": "mon-fri", "from": "06:00", "to": "11:30", "rate": "12 mL/day"},
        {"days": "sat", "from": "20:00", "to": "03:00", "rate": "1.234567 mL/day"},
    ],
)


def say(at: str, line: str) -> dict[str, Any]:
    return {"at": at, "do": "command", "line": line}


def times(result: Result, code: str) -> list[int]:
    return [event.t_ns for event in result.events if event.code == code]


def details(result: Result, code: str) -> list[dict[str, Any]]:
    return [dict(event.details) for event in result.events if event.code == code]


def given_nl(result: Result, begin_ns: int, end_ns: int) -> int:
    return (steps_by(result, end_ns) - steps_by(result, begin_ns)) * STEP_NL


def check_rate(result: Result, begin_ns: int, end_ns: int, rate: Fraction | int) -> None:
    """Between these two times the pump gave this rate (nL/day), to one step and two seconds of flow."""
    exact = Fraction(rate * (end_ns - begin_ns), DAY_NS)
    slack = STEP_NL + Fraction(2 * S * rate, DAY_NS) + STEP_NL
    assert abs(given_nl(result, begin_ns, end_ns) - exact) <= slack


def mean_rate(plan: Scenario) -> Fraction:
    rates = weekly_rates(plan.prescription, plan.pump)
    return Fraction(sum(rates), len(rates))


@pytest.mark.requirement("F7", "I1")
@pytest.mark.parametrize("old", [FIRST, FLEX, morphine("500 ug/mL", "7.654321 mL/day")])
def test_the_old_drug_goes_on_for_the_volume_of_the_path_and_then_the_new_dose_begins(old: dict[str, Any]):
    plan = scenario(old, "70 min", CHANGE)
    result = on_twin(plan)
    rate = int(mean_rate(plan))
    (begun,) = times(result, "bridge")
    (ended,) = times(result, "bridge_end")
    assert details(result, "bridge") == [{"volume_nl": PATH_NL, "rate_nl_day": rate}]
    assert details(result, "bridge_end") == [{"how": "done", "given_nl": PATH_NL}]
    flow = Fraction(rate * S, DAY_NS)
    assert -STEP_NL - 2 * flow <= given_nl(result, begun, ended) - PATH_NL <= STEP_NL + 2 * flow
    # At every step of it: not more than demanded, and less than a step and three seconds of flow behind.
    before = steps_by(result, begun)
    for index in range(before, steps_by(result, ended)):
        demanded = Fraction(rate * (result.step_times_ns[index] - begun), DAY_NS) + 2 * STEP_NL
        made = (index + 1 - before) * STEP_NL
        assert made <= demanded
        assert demanded - made <= 3 * STEP_NL + 3 * flow
    check_rate(result, ended + 2 * S, 70 * MIN, NEW)


INTERRUPTIONS: dict[str, list[dict[str, Any]]] = {
    "power cuts": [{"at": f"{at} min", "do": "power_cut", "for": "70 s"} for at in (5, 6.3, 20, 47)],
    "hangs": [{"at": f"{at} min", "do": "hang"} for at in (4, 22, 44)],
    "stop": [say("10 min", "stop"), {"at": "12 min", "do": "power_cut", "for": "5 s"}, say("20 min", "resume")],
    "stop for": [say("10 min", "stop for 7 min"), {"at": "12 min", "do": "power_cut", "for": "5 s"}],
    "clock": [
        {"at": "10 min", "do": "set_clock", "by": "3 d"},
        {"at": "11 min", "do": "power_cut", "for": "5 s"},
        {"at": "30 min", "do": "set_clock", "by": "-5 d"},
    ],
}


@pytest.mark.requirement("F7", "F10", "I2")
@pytest.mark.parametrize("what", list(INTERRUPTIONS))
def test_nothing_that_happens_to_the_pump_makes_the_bridge_longer_or_shorter(what: str):
    """What a power cut makes the ledger assume counts as delivered: then less of the old drug may have flowed."""
    result = on_twin(scenario(FIRST, "90 min", CHANGE, *INTERRUPTIONS[what]))
    (begun,) = times(result, "bridge")
    (ended,) = times(result, "bridge_end")
    assumed = [event for event in result.events if event.code == "assumed" and event.t_ns < ended]
    given = given_nl(result, begun, ended)
    flow = OLD * S // DAY_NS + 1
    assert given <= PATH_NL + STEP_NL + 2 * flow
    assert given >= PATH_NL - STEP_NL - 2 * flow - sum(int(event.details["volume_nl"]) for event in assumed)
    assert (what == "power cuts") == (len(assumed) >= 3)
    check_rate(result, ended + 2 * S, 90 * MIN, NEW)


@pytest.mark.requirement("F7", "F3")
def test_there_are_no_boluses_and_no_priming_during_a_bridge():
    new = {**SECOND, "patient_bolus": {"dose": "10 uL", "over": "5 min", "lockout": "10 min", "max_per_day": 6}}
    change = {**CHANGE, "prescription": new}
    lines = [say("10 min", "bolus 1 uL over 1 min"), say("11 min", "prime"), say("12 min", "dose")]
    result = on_twin(scenario(FIRST, "60 min", change, *lines, say("58 min", "dose")))
    plain = on_twin(scenario(FIRST, "60 min", change))
    assert [refusal.answer for refusal in result.refusals] == [
        "error: bolus: a bridge runs, and the path holds another drug or concentration",
        "error: prime: a bridge runs; `bridge cancel` ends it",
        "error: bolus: a bridge runs, and the path holds another drug or concentration",
    ]
    assert [denied["reason"] for denied in details(result, "bolus_denied")] == ["bridge", "bridge"]
    (ended,) = times(result, "bridge_end")
    assert steps_by(result, ended) == steps_by(plain, ended)
    assert [bolus["kind"] for bolus in details(result, "bolus")] == ["patient"]


@pytest.mark.requirement("F7", "F4")
def test_a_bridge_is_cancelled_by_hand_and_only_then_may_the_drug_change_again():
    third = {"at": "10 min", "do": "program", "prescription": morphine("250 ug/mL", "6 mL/day")}
    back = {"at": "20 min", "do": "program", "prescription": morphine("250 ug/mL", "6 mL/day")}
    result = on_twin(scenario(FIRST, "40 min", CHANGE, third, say("15 min", "bridge cancel"), back))
    (refusal,) = [refusal.answer for refusal in result.refusals]
    assert refusal.startswith("error: drug = morphine 250 ug/mL: a bridge to morphine 1000 ug/mL runs, ")
    assert [end["how"] for end in details(result, "bridge_end")] == ["cancelled"]
    assert [bridge["rate_nl_day"] for bridge in details(result, "bridge")] == [OLD, NEW]
    check_rate(result, 3 * MIN, 15 * MIN, OLD)
    check_rate(result, 15 * MIN + 3 * S, 20 * MIN, NEW)
    check_rate(result, 21 * MIN, 40 * MIN, NEW)  # the second bridge: of the rate before it


@pytest.mark.requirement("F7", "F4")
def test_a_new_dose_of_the_same_drug_is_taken_up_when_the_bridge_ends():
    again = {"at": "10 min", "do": "program", "prescription": morphine("1 mg/mL", "3 mL/day")}
    result = on_twin(scenario(FIRST, "60 min", CHANGE, again))
    assert len(times(result, "bridge")) == 1
    (begun,) = times(result, "bridge")
    (ended,) = times(result, "bridge_end")
    check_rate(result, begun, ended, OLD)
    check_rate(result, ended + 2 * S, 60 * MIN, 3_000_000)


@pytest.mark.requirement("F7")
def test_the_same_drug_starts_no_bridge():
    result = on_twin(scenario(FIRST, "10 min", {**CHANGE, "prescription": morphine("500 ug/mL", "4 mL/day")}))
    assert not times(result, "bridge")
    check_rate(result, 3 * MIN, 10 * MIN, NEW)


@pytest.mark.requirement("F7", "F8", "R50")
@pytest.mark.parametrize(("tubing", "path"), [("0.140 mL", "316 uL"), ("0.199 mL", "375 uL")])
def test_the_path_that_the_bridge_rests_on_is_shown_before_it_is_confirmed_and_while_it_runs(tubing: str, path: str):
    """Too large a tubing constant, buried in a programmer, was a recall: here it is on the screen."""
    plan = scenario(FIRST, "6 min", CHANGE, say("5 min", "bridge"), say("5.5 min", "status"), pump={"tubing": tubing})
    result = on_twin(plan)
    text = result.console.decode()
    before, after = text.split("program commit", 1)
    shown = f"bridge_path: {path}: tubing {tubing[2:5]} uL, catheter 176 uL (800 mm of 0.22 uL/mm); calibration version"
    assert shown in before
    assert shown in after
    assert f"bridge: {path} of morphine 500 ug/mL goes on first\r\n" in before
    assert f"bridge: {path} of morphine 500 ug/mL goes on first, " in after
    assert "bridge_rate: 10000 uL/day (5000 ug/day)" in before
    assert "bridge_end: 2026-03-02T00:" in before
    assert "bridge_left_nl: " in after


@pytest.mark.requirement("F7", "F3", "I1")
def test_a_therapy_of_scheduled_boluses_alone_goes_on_at_their_dose_a_day():
    """24 boluses of 20 ug a day and no basal: at `min_rate` the path would have been flushed for 52 days."""
    hourly = [{"days": "daily", "at": f"{hour:02}:30", "dose": "20 ug", "over": "10 min"} for hour in range(24)]
    old = {**FIRST, "basal": "0 mL/day", "scheduled_bolus": hourly}
    new = {**SECOND, "basal": "480 ug/day"}
    start = {"at": "65 min", "do": "program", "prescription": new}  # after two boluses
    result = on_twin(scenario(old, "30 h", start, say("66 min", "bridge"), pump={"tubing": "0.1 mL"}))
    assert [found["rate_nl_day"] for found in details(result, "bridge")] == [960_000]
    assert (
        "bridge_dose: 0 uL/day (0 ug/day) of basal, the mean of a week, and 960 uL/day (480 ug/day) of scheduled"
        in (result.console.decode())
    )
    (begun,) = times(result, "bridge")
    (ended,) = times(result, "bridge_end")
    assert abs((ended - begun) / S - 276_000 * 86_400 / 960_000) < 10
    check_rate(result, begun + 2 * S, ended, 960_000)
    check_rate(result, ended + 2 * S, 30 * 60 * MIN, 480_000)


@pytest.mark.requirement("F7", "F4")
def test_a_mistaken_concentration_is_taken_back_at_once_and_a_third_one_stays_refused():
    third = {"at": "10 min", "do": "program", "prescription": morphine("250 ug/mL", "6 mL/day")}
    back = {"at": "20 min", "do": "program", "prescription": FIRST}
    cut = {"at": "15 min", "do": "power_cut", "for": "5 s"}
    result = on_twin(scenario(FIRST, "60 min", CHANGE, third, cut, back))
    (refusal,) = [refusal.answer for refusal in result.refusals]
    assert refusal.startswith("error: drug = morphine 250 ug/mL: a bridge to morphine 1000 ug/mL runs, ")
    (end,) = details(result, "bridge_end")
    assert end["how"] == "cancelled"
    assert 120_000 < end["given_nl"] < 130_000  # 18 min at 10 mL a day
    assert len(details(result, "bridge")) == 1
    shown = result.console.decode().rsplit("program stage end", 1)[1]
    assert "bridge_path: taken to hold morphine 500 ug/mL throughout; `prime`, if it does not" in shown
    check_rate(result, 16 * MIN, 60 * MIN, OLD)
