"""Recalls and published counter-examples that concern boluses, as named cases (R05-R09, R21, R38)."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import pytest
from support import S, continuous, on_twin, scenario, steps_by

from thecal.programming import pack
from thecal.scenario_event_types import Program
from thecal.sim import Result

STEP_NL = 25
MIN = 60 * S
HOUR = 60 * MIN
PATH_NL = 140_000 + 800 * 220  # tubing and catheter of the reference hardware


def say(at: str, line: str) -> dict[str, Any]:
    return {"at": at, "do": "command", "line": line}


def codes(result: Result, *wanted: str) -> list[tuple[str, dict[str, Any]]]:
    return [(event.code, dict(event.details)) for event in result.events if event.code in wanted]


def delivered(result: Result, begin_ns: int, end_ns: int) -> int:
    return (steps_by(result, end_ns) - steps_by(result, begin_ns)) * STEP_NL


def most_in_any(result: Result, window_ns: int) -> int:
    """The largest volume delivered in any window of this length, nL."""
    times = result.step_times_ns
    return max(index + 1 - bisect_right(times, t_ns - window_ns) for index, t_ns in enumerate(times)) * STEP_NL


@pytest.mark.requirement("R08", "R09", "F3")
@pytest.mark.parametrize("kind", ["patient", "clinician"])
def test_ec13_a_window_that_is_not_yet_full_of_basal_makes_no_room_for_a_third_bolus(kind: str):
    """The published vector: 26.5 mL in 240 min, basal 6 mL/h from 60 min on, 1 mL at 100, 140 and 180 min. Whoever
    counts only the basal delivered so far gives the third one and, from 295 to 340 min, up to 0.5 mL too much. Here a
    fiftieth of the volumes in a quarter of the time: 530 uL an hour, 480 uL/h, 20 uL."""
    rx = {**continuous("11.52 mL/day"), "limits": {"max_per_hour": "530 uL"}}
    if kind == "patient":
        rx["patient_bolus"] = {"dose": "20 uL", "over": "2 min", "lockout": "10 min", "max_per_day": 24}
    ask = {"do": "patient_bolus"} if kind == "patient" else {"do": "command", "line": "bolus 20 uL over 2 min"}
    asked = [{"at": f"{minute} min", **ask} for minute in (25, 35, 45)]
    result = on_twin(scenario(rx, "150 min", say("5 s", "stop"), say("15 min", "resume"), *asked))
    bolus = ("bolus", {"kind": kind, "dose_nl": 20_000, "seconds": 120})
    denied = ("bolus_denied", {"kind": kind, "reason": "max_per_hour", "dose_nl": 20_000})
    assert codes(result, "bolus", "bolus_denied") == [bolus, bolus, denied]
    most = most_in_any(result, HOUR)
    assert 520_000 - 2 * STEP_NL <= most <= 520_000 + STEP_NL  # the third would have made it 540


@pytest.mark.requirement("R07", "F3", "I6")
def test_ec1_a_press_within_the_lockout_is_denied_shown_and_logged():
    rx = continuous("1 mL/day")
    rx["patient_bolus"] = {"dose": "10 uL", "over": "5 min", "lockout": "30 min", "max_per_day": 4}
    presses = [{"at": f"{minute} min", "do": "patient_bolus"} for minute in (10, 39, 40)]
    result = on_twin(scenario(rx, "1 h", *presses))
    bolus = ("bolus", {"kind": "patient", "dose_nl": 10_000, "seconds": 300})
    denied = ("bolus_denied", {"kind": "patient", "reason": "lockout", "dose_nl": 10_000})
    assert codes(result, "bolus", "bolus_denied") == [bolus, denied, bolus]
    assert "bolus_denied" in result.summary.alarms_history
    assert (result.summary.boluses_accepted, result.summary.boluses_denied) == (2, 1)


@pytest.mark.requirement("R38", "F3")
@pytest.mark.parametrize("gap_ms", [250, 500, 900])
def test_a_key_that_bounces_is_one_press(gap_ms: int):
    rx = continuous("1 mL/day")
    rx["patient_bolus"] = {"dose": "0.3 uL", "over": "1 s", "lockout": "1 s", "max_per_day": 24}
    presses = [{"at": f"{60 + n * gap_ms / 1000:.3f} s", "do": "patient_bolus"} for n in range(2)]
    result = on_twin(scenario(rx, "2 min", *presses))
    assert (result.summary.boluses_accepted, result.summary.boluses_denied) == (1, 0)


def orderings() -> list[tuple[str, list[dict[str, Any]]]]:
    press = {"at": "6 min", "do": "patient_bolus"}
    order = say("5 min", "bolus 60 uL over 10 min")
    return [
        ("clinician", [order]),
        ("patient", [press]),
        ("patient over clinician", [order, press]),
        ("scheduled", []),
        ("patient over scheduled", [press]),
    ]


@pytest.mark.requirement("R21", "F7", "F3", "R06")
@pytest.mark.parametrize("after", ["nothing", "press", "stop and resume", "cancel"])
@pytest.mark.parametrize("running", [name for name, _ in orderings()])
def test_medfusion_a_bolus_that_was_primed_over_is_over_whatever_follows(running: str, after: str):
    """Medfusion 3500 and 4000, class I 2020: bolus interrupted, pump primed, bolus resumed: over- or under-delivery."""
    rx = continuous("2.4 mL/day")
    rx["patient_bolus"] = {"dose": "30 uL", "over": "5 min", "lockout": "1 h", "max_per_day": 4}
    if "scheduled" in running:
        rx["scheduled_bolus"] = [{"days": "daily", "at": "00:04", "dose": "60 uL", "over": "10 min"}]
    follow = {
        "nothing": [],
        "press": [{"at": "9 min", "do": "patient_bolus"}],
        "stop and resume": [say("9 min", "stop"), say("10 min", "resume")],
        "cancel": [say("9 min", "bolus cancel")],
    }[after]
    result = on_twin(scenario(rx, "60 min", *dict(orderings())[running], say("8 min", "prime"), *follow))
    ends = [details for code, details in codes(result, "bolus_end")]
    *cancelled, prime = ends
    assert len(cancelled) == running.count(" over ") + 1
    assert {end["how"] for end in cancelled} == {"cancelled"}
    assert prime["kind"] == "prime"
    assert prime["how"] == ("done" if after in ("nothing", "press") else "cancelled")
    if prime["how"] == "done":
        assert prime["given_nl"] == PATH_NL
    assert codes(result, "bolus_resumed") == []
    basal = 2_400_000 * (60 * 60 - 2 - (61 if after == "stop and resume" else 0)) // 86_400
    given = sum(int(end["given_nl"]) for end in ends)
    flow = 28_800_000 // 86_400
    assert abs(result.summary.delivered_nl - basal - given) <= STEP_NL + 3 * flow
    # Nothing but basal once priming is over.
    assert abs(delivered(result, 40 * MIN, 60 * MIN) - 2_400_000 * 1_200 // 86_400) <= 2 * STEP_NL


@pytest.mark.requirement("R21", "F7")
@pytest.mark.parametrize(("tubing", "path_nl"), [("0.140 mL", 316_000), ("0.199 mL", 375_000)])
def test_the_priming_bolus_is_what_the_calibration_says_and_no_buried_constant(tubing: str, path_nl: int):
    """14,499 reference cards, class I 2016: 0.199 mL of tubing that were 0.140 mL."""
    plan = scenario(continuous("1 mL/day"), "40 min", say("1 min", "prime"), pump={"tubing": tubing})
    result = on_twin(plan)
    (bolus, end) = codes(result, "bolus", "bolus_end")
    assert bolus[1]["dose_nl"] == end[1]["given_nl"] == path_nl
    assert abs(result.summary.delivered_nl - path_nl - 1_000_000 * 2398 // 86_400) <= 3 * STEP_NL


@pytest.mark.requirement("R09", "F10", "I6")
@pytest.mark.parametrize("cut", ["6.001 min", "6.5 min", "20 min"])
def test_an_order_sent_again_after_a_cut_counts_with_the_one_that_was_cut_off(cut: str):
    """Loop and AndroidAPS: a bolus reported as failed was delivered, and sent again."""
    rx = {**continuous("2.4 mL/day"), "limits": {"max_per_hour": "150 uL"}}
    order = "bolus 30 uL over 5 min"
    result = on_twin(
        scenario(
            rx,
            "90 min",
            say("5 min", order),
            {"at": cut, "do": "power_cut", "for": "10 s"},
            say("25 min", order),
            say("69 min", order),
            say("70.2 min", order),
        )
    )
    assert [refusal.event for refusal in result.refusals] == [3, 4]
    assert [refusal.answer.rsplit(maxsplit=1)[-1] for refusal in result.refusals] == ["max_per_hour"] * 2
    assert len(codes(result, "bolus")) == 2


@pytest.mark.requirement("R22", "R50", "F4")
@pytest.mark.parametrize(
    ("new", "questioned"),
    [("20.8 mL/day", True), ("18.8 mL/day", False), ("19.999 mL/day", False), ("0.2 mL/day", True)],
)
def test_alaris_a_rate_ten_times_off_is_typed_again_and_every_rate_is_shown_as_it_was_read(new: str, questioned: bool):
    """A key that bounced, 2006: 4.8 became 44.8. Ten times is questioned; less is shown, beside the old."""
    old = continuous("2 mL/day")
    plan = scenario(old, "2 min", {"at": "1 min", "do": "program", "prescription": continuous(new)})
    (program,) = plan.events
    assert isinstance(program, Program)
    *lines, end = program.lines(pack)
    commit = f"program commit {end.rsplit(maxsplit=1)[-1]}"
    typed = [say(f"{60 + n} s", line) for n, line in enumerate([*lines, end, commit])]
    result = on_twin(scenario(old, "2 min", *typed))
    console = result.console.decode("ascii")
    assert f"basal: 2000 uL/day -> {int(float(new.split(maxsplit=1)[0]) * 1_000)} uL/day" in console.splitlines()
    assert bool(result.refusals) == questioned
    assert len(codes(result, "committed")) == (not questioned)
    confirmed = on_twin(plan)
    assert not confirmed.refusals
    assert len(codes(confirmed, "confirmed")) == questioned
    assert len(codes(confirmed, "committed")) == 1


@pytest.mark.requirement("R47", "F4")
def test_what_is_shown_or_staged_disturbs_nothing_that_runs():
    rx = continuous("2.4 mL/day")
    rx["patient_bolus"] = {"dose": "30 uL", "over": "5 min", "lockout": "1 h", "max_per_day": 4}
    press = {"at": "4 min", "do": "patient_bolus"}
    plain = on_twin(scenario(rx, "12 min", press))
    lines = [
        "prime show",
        "bridge",
        "trial",
        "status",
        "program show",
        "program stage begin",
        "program stage mode stopped",
        "program discard",
    ]
    said = [say(f"{4 + index / 2} min", line) for index, line in enumerate(lines, 1)]
    assert on_twin(scenario(rx, "12 min", press, *said)).step_times_ns == plain.step_times_ns
