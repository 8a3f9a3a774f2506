"""A trial on the whole pump: for so long and not a second longer, then kept, or discarded (F5)."""

from __future__ import annotations

from typing import Any

import pytest
from support import DAY_NS, S, continuous, on_twin, scenario, steps_by

from thecal.prescription import RateRange, stage_lines
from thecal.prescription_toml import parse_prescription
from thecal.programming import pack
from thecal.sim import Result

MIN = 60 * S
STEP_NL = 25
BEFORE = 4_800_000
TRIED = 9_600_000
LOWEST = 6_000
TRIAL = {
    **continuous("9.6 mL/day"),
    "patient_bolus": {"dose": "20 uL", "over": "10 min", "lockout": "10 min", "max_per_day": 9},
}


def say(at: str, line: str) -> dict[str, Any]:
    return {"at": at, "do": "command", "line": line}


def staged(at_s: int, data: dict[str, Any], last: str = "") -> list[dict[str, Any]]:
    """The console lines that stage a prescription, and one that follows them."""
    lines = stage_lines(parse_prescription(data, RateRange(6_000, 28_800_000)), pack)
    lines += [last] if last else []
    return [say(f"{at_s}.{index:02} s", line) for index, line in enumerate(lines)]


def details(result: Result, code: str) -> list[dict[str, Any]]:
    return [dict(event.details) for event in result.events if event.code == code]


def times(result: Result, code: str) -> list[int]:
    return [event.t_ns for event in result.events if event.code == code]


def clock(result: Result, code: str) -> list[str]:
    return [event.rtc for event in result.events if event.code == code]


def check_rate(result: Result, begin_ns: int, end_ns: int, rate: int) -> None:
    given = (steps_by(result, end_ns) - steps_by(result, begin_ns)) * STEP_NL
    assert abs(given - rate * (end_ns - begin_ns) / DAY_NS) <= 2 * STEP_NL + 2 * rate * S / DAY_NS


@pytest.mark.requirement("F5", "I1")
@pytest.mark.parametrize(("afterwards", "rate", "mode"), [("minimum", LOWEST, "minimum"), ("stopped", 0, "stopped")])
def test_a_trial_ends_by_itself_at_its_second_and_its_bolus_with_it(afterwards: str, rate: int, mode: str):
    events = staged(60, TRIAL, f"trial start 1 h then {afterwards}")
    more = [say("60 min", "dose"), say("65 min", "dose"), say("68 min", "bolus 1 uL over 5 min")]
    result = on_twin(scenario(continuous("4.8 mL/day"), "70 min", *events, *more, say("69 min", "status")))
    (begun,) = times(result, "trial")
    (ended,) = times(result, "trial_end")
    assert details(result, "trial") == [{"seconds": 3_600, "afterwards": afterwards}]
    assert details(result, "trial_end") == [{"how": "done"}]
    # Pump time counts whole seconds: it began in one of them, and ended as another began.
    assert 3_599 * S < ended - begun <= 3_600 * S
    check_rate(result, 5 * S, begun, BEFORE)
    check_rate(result, begun + 2 * S, 60 * MIN, TRIED)
    check_rate(result, ended + 2 * S, 70 * MIN, rate)
    (bolus,) = details(result, "bolus_end")
    assert bolus["how"] == "cancelled"
    assert [denied["reason"] for denied in details(result, "bolus_denied")] == ["trial_over", "trial_over"]
    assert f"mode: {mode}\r\n" in result.console.decode()
    assert "trial_left_s: 0\r\n" in result.console.decode()


INTERRUPTIONS: dict[str, list[dict[str, Any]]] = {
    "power cuts": [{"at": f"{at} min", "do": "power_cut", "for": "5 min"} for at in (2, 20, 50)],
    "hangs": [{"at": f"{at} min", "do": "hang"} for at in (4, 22, 44)],
    "clock": [
        {"at": "10 min", "do": "set_clock", "by": "3 d"},
        {"at": "11 min", "do": "power_cut", "for": "5 s"},
        {"at": "30 min", "do": "set_clock", "by": "-5 d"},
        {"at": "40 min", "do": "power_cut", "for": "5 s"},
    ],
    "stop": [say("10 min", "stop"), {"at": "12 min", "do": "power_cut", "for": "5 s"}, say("30 min", "resume")],
}


@pytest.mark.requirement("F5", "I6")
@pytest.mark.parametrize("what", list(INTERRUPTIONS))
def test_no_reset_and_no_clock_lengthens_or_shortens_a_trial(what: str):
    events = staged(60, TRIAL, "trial start 1 h then minimum")
    result = on_twin(scenario(continuous("4.8 mL/day"), "90 min", *events, *INTERRUPTIONS[what]))
    (begun,) = times(result, "trial")
    (ended,) = times(result, "trial_end")
    # A clock that is set, to the nearest second, takes pump time along by less than a second each.
    assert abs(ended - begun - 3_600 * S) <= (2 * S if what == "clock" else S)
    check_rate(result, ended + 2 * S, 90 * MIN, LOWEST)


@pytest.mark.requirement("F5", "I6")
def test_a_trial_that_would_have_ended_while_the_power_was_off_is_over_at_the_start():
    cut = {"at": "30 min", "do": "power_cut", "for": "40 min"}
    again = {"at": "80 min", "do": "power_cut", "for": "1 min"}
    result = on_twin(
        scenario(continuous("4.8 mL/day"), "90 min", *staged(60, TRIAL, "trial start 1 h then stopped"), cut, again)
    )
    assert details(result, "trial_end") == [{"how": "done"}]
    assert steps_by(result, 90 * MIN) == steps_by(result, 30 * MIN + 2 * S)


@pytest.mark.requirement("F5", "F4", "R22")
@pytest.mark.parametrize("when", [30, 75])
def test_a_trial_is_kept_by_the_same_steps_as_any_prescription(when: int):
    events = staged(60, TRIAL, "trial start 1 h then minimum")
    digest = next(event["line"].split()[-1] for event in events if "stage end" in event["line"])
    keep = [say(f"{when} min", "trial keep"), say(f"{when + 1} min", f"program commit {digest}")]
    result = on_twin(scenario(continuous("4.8 mL/day"), "100 min", *events, *keep))
    assert not result.refusals
    assert [end["how"] for end in details(result, "trial_end")] == ["cancelled" if when == 30 else "done"]
    check_rate(result, (when + 1) * MIN + 2 * S, 100 * MIN, TRIED)
    assert f"digest: {digest}" in result.console.decode().split("trial keep")[1]


@pytest.mark.requirement("F5", "F4", "F7")
@pytest.mark.parametrize("when", [50, 75])
def test_a_trial_is_discarded_for_what_was_before_it_with_a_bridge_if_the_drug_changes(when: int):
    """The path of 10 uL is flushed by the end of the trial: the ends of bridge and trial are commits of their own."""
    tried = {**TRIAL, "drug": "morphine", "concentration": "1 mg/mL"}
    events = staged(60, tried, "trial start 1 h then minimum")
    plan = scenario(
        continuous("4.8 mL/day"),
        "120 min",
        *events,
        say(f"{when} min", "trial discard"),
        *staged_commit(continuous("4.8 mL/day"), when + 1),
        pump={"tubing": "0.01 mL", "catheter": "0 cm"},
    )
    result = on_twin(plan)
    assert not result.refusals
    answer = result.console.decode().split("trial discard")[1]
    assert "drug: morphine -> saline" in answer
    rate = TRIED if when == 50 else LOWEST
    assert details(result, "bridge") == [
        {"volume_nl": 10_000, "rate_nl_day": BEFORE},
        {"volume_nl": 10_000, "rate_nl_day": rate},
    ]
    check_rate(result, (when + 4) * MIN if when == 50 else 119 * MIN, 120 * MIN, BEFORE if when == 50 else LOWEST)


def staged_commit(data: dict[str, Any], at_min: int) -> list[dict[str, Any]]:
    digest = stage_lines(parse_prescription(data, RateRange(6_000, 28_800_000)), pack)[-1].split()[-1]
    return [say(f"{at_min} min", f"program commit {digest}")]


@pytest.mark.requirement("F5")
def test_without_anything_before_it_a_discarded_trial_leaves_the_pump_stopped():
    events = staged(60, TRIAL, "trial start 1 h then minimum")
    rot = {"at": "2 min", "do": "eeprom_write", "address": 0, "bytes": "00" * 64}  # the slot of the one before
    stopped = {"patient": "bench-07", "drug": "saline", "mode": "stopped"}
    more = [rot, say("3 min", "trial discard"), *staged_commit(stopped, 4)]
    result = on_twin(scenario(continuous("4.8 mL/day"), "8 min", *events, *more))
    answer = result.console.decode().split("trial discard\r\n")[1]
    assert answer.startswith("before the trial: nothing is known any more; mode stopped is staged\r\n")
    assert not result.refusals
    assert steps_by(result, 4 * MIN + 2 * S) == steps_by(result, 8 * MIN)
    whole = on_twin(scenario(continuous("4.8 mL/day"), "5 min", *events, say("3 min", "trial discard")))
    assert "basal: 9600 uL/day -> 4800 uL/day" in whole.console.decode().split("trial discard")[1]


@pytest.mark.requirement("F5", "R10")
def test_a_trial_needs_a_staged_and_confirmed_prescription():
    big = {**continuous("9.6 mL/day")}
    events = staged(60, big, "trial start 1 h then minimum")
    result = on_twin(
        scenario(continuous("0.096 mL/day"), "5 min", say("30 s", "trial start 1 h then minimum"), *events)
    )
    first, second = [refusal.answer for refusal in result.refusals]
    assert first.startswith("error: program commit: nothing is staged")
    assert second.startswith("error: program commit: `program confirm basal")
    assert not times(result, "trial")


@pytest.mark.requirement("F5")
def test_scores_are_logged_and_shown_over_a_power_cut():
    events = staged(60, TRIAL, "trial start 2 h then minimum")
    more = [
        say("10 min", "score pain 8 spasticity 3"),
        {"at": "20 min", "do": "power_cut", "for": "1 min"},
        say("40 min", "score pain 5 sedation"),
        say("50 min", "trial"),
        say("51 min", "trial end"),
        say("52 min", "trial"),
    ]
    result = on_twin(scenario(continuous("4.8 mL/day"), "60 min", *events, *more))
    assert details(result, "score") == [
        {"pain": 8, "spasticity": 3, "effects": 0},
        {"pain": 5, "spasticity": 255, "effects": 4},
    ]
    shown, over = result.console.decode().split("trial: ")[-2:]
    lines = shown.split("\r\n")
    assert lines[0] == "running"
    assert lines[1].startswith("trial_left_s: 42")
    assert lines[2].startswith("trial_end: 2026-03-02T02:01:0")
    assert lines[3:6] == ["afterwards: minimum", "scores: 2", "pain: 8 -> 5 (-3)"]
    assert lines[6:8] == ["spasticity: 3 -> 3 (+0)", "effects: sedation"]
    assert over.startswith("over; `trial keep` or `trial discard` comes next")
    assert details(result, "trial_end") == [{"how": "cancelled"}]
    check_rate(result, 52 * MIN, 60 * MIN, LOWEST)
