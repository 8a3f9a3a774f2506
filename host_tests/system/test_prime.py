"""Priming on the whole pump: the path's volume beside the basal rate, never a bolus that is paused and resumed (F7)."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from support import S, continuous, on_twin, scenario, steps_by

from thecal.sim import Result

MIN = 60 * S
STEP_NL = 25
BASAL = 4_800_000
PATH_NL = 316_000
SMALL = {"tubing": "0.01 mL", "catheter": "0 cm"}  # 10 uL: 36 s beside 4.8 mL/day
PATIENT = {"dose": "6 uL", "over": "40 s", "lockout": "1 min", "max_per_day": 20}


def say(at: str, line: str) -> dict[str, Any]:
    return {"at": at, "do": "command", "line": line}


def details(result: Result, code: str) -> list[dict[str, Any]]:
    return [dict(event.details) for event in result.events if event.code == code]


def with_patient_bolus() -> dict[str, Any]:
    return {**continuous("4.8 mL/day"), "patient_bolus": PATIENT}


@pytest.mark.requirement("F7", "R04", "R21")
def test_a_prime_gives_the_path_beside_the_basal_rate_and_ends_by_itself():
    rx = {**continuous("4.8 mL/day"), "limits": {"max_per_hour": "0.2 mL"}}  # no limit counts it
    result = on_twin(scenario(rx, "40 min", say("2 min", "prime"), say("39 min", "bolus 1 nL over 5 s")))
    plain = on_twin(scenario(rx, "40 min"))
    seconds = -(-PATH_NL * 86_400 // (28_800_000 - BASAL))
    assert details(result, "bolus")[0] == {"kind": "prime", "dose_nl": PATH_NL, "seconds": seconds}
    assert details(result, "bolus_end")[0] == {"kind": "prime", "how": "done", "given_nl": PATH_NL}
    begin = 2 * MIN + S

    def extra(t_ns: int) -> int:
        return (steps_by(result, t_ns) - steps_by(plain, t_ns)) * STEP_NL

    assert extra(begin) == 0
    for minute in range(1, 19):  # evenly
        assert abs(extra(begin + minute * MIN) - PATH_NL * minute * 60 // seconds) <= 3 * STEP_NL + 2 * 280
    for t_ns in range(begin + (seconds + 3) * S, 38 * MIN, MIN):
        assert abs(extra(t_ns) - PATH_NL) <= STEP_NL
    # The maximum rate is kept in every minute.
    for minute in range(38):
        nl = (steps_by(result, (minute + 1) * MIN) - steps_by(result, minute * MIN)) * STEP_NL
        assert nl <= 28_800_000 // 1_440 + 2 * STEP_NL + 334


@pytest.mark.requirement("F7", "R04", "R05")
def test_priming_cancels_whatever_flows_and_no_order_of_things_gives_too_much_or_too_little():
    """A bolus that was interrupted, primed over and resumed was a class I recall of a syringe pump: every order of a
    clinician bolus, a patient bolus, a prime, a stop and a resume, half a minute apart."""
    words = ("bolus 12 uL over 90 s", "dose", "prime", "stop", "resume")
    primed = 0
    plain: dict[str, Result] = {}
    for order in permutations(words):
        events = [say(f"{60 + 20 * place} s", line) for place, line in enumerate(order)]
        last = say("170 s", "resume")  # if it is stopped
        result = on_twin(scenario(with_patient_bolus(), "6 min", *events, last, pump=SMALL))
        stops = [event for event in events if event["line"] in ("stop", "resume")]
        halts = str(stops)
        if halts not in plain:
            plain[halts] = on_twin(scenario(with_patient_bolus(), "6 min", *stops, last, pump=SMALL))
        ordered = details(result, "bolus")
        ended = details(result, "bolus_end")
        missed = sum(int(event["volume_nl"]) for event in details(result, "missed") if event["why"] == "bolus")
        given = sum(int(end["given_nl"]) for end in ended)
        assert len(ended) == len(ordered), order
        assert abs(sum(int(bolus["dose_nl"]) for bolus in ordered) - given - missed) <= len(ended), order
        extra = (steps_by(result, 6 * MIN) - steps_by(plain[halts], 6 * MIN)) * STEP_NL
        # What a cancelled bolus is said to have given may be a second ahead of the motor; nothing comes later.
        assert -(12_000 + 10_000 + 6_000) // 30 * len(ended) <= extra - given <= STEP_NL * 2, (order, extra, given)
        for end in ended:
            whole = next(int(bolus["dose_nl"]) for bolus in ordered if bolus["kind"] == end["kind"])
            assert (end["how"] == "done") == (end["given_nl"] == whole), order
        if any(bolus["kind"] == "prime" for bolus in ordered):
            primed += 1
            at = [bolus["kind"] for bolus in ordered].index("prime")
            kinds = {bolus["kind"] for bolus in ordered[:at]}
            flowing = {end["kind"] for end in ended if end["how"] == "cancelled"}
            # What flowed when the prime began did not come back: there is nothing to resume.
            begun = next(event.t_ns for event in result.events if event.details.get("kind") == "prime")
            resumed = [event for event in result.events if event.code == "bolus_resumed" and event.t_ns > begun]
            assert not [event for event in resumed if event.details["kind"] in kinds & flowing], order
        quiet = steps_by(result, 350 * S) - steps_by(result, 290 * S)
        assert abs(quiet * STEP_NL - BASAL // 1_440) <= 2 * STEP_NL, order
    assert primed >= 60


@pytest.mark.requirement("F7", "R21")
@pytest.mark.parametrize(
    ("line", "pump", "before", "reason"),
    [
        ("prime", {}, "stop", "prime: delivery is stopped"),
        ("prime", {}, "stop for 5 min", "prime: delivery is stopped"),
        ("prime", {"tubing": "0 mL", "catheter": "0 cm"}, "status", "prime = 0 uL: the calibration says"),
        ("prime", {"reservoir": "0.3 mL", "low_reservoir": "0 mL"}, "status", "prime = 316 uL: the reservoir should"),
        ("prime", {"max_rate": "4.9 mL/day"}, "status", "prime = 316 uL: the basal rate leaves 100000 of 4900000"),
        ("prime now", {}, "status", "prime: nothing or `show` after it"),
        ("prime", {}, "prime", "prime: one is running"),
    ],
)
def test_a_prime_is_refused_with_its_reason_and_changes_nothing(
    line: str, pump: dict[str, Any], before: str, reason: str
):
    result = on_twin(scenario(continuous("4.8 mL/day"), "5 min", say("2 min", before), say("3 min", line), pump=pump))
    plain = on_twin(scenario(continuous("4.8 mL/day"), "5 min", say("2 min", before), pump=pump))
    assert [refusal.answer for refusal in result.refusals if refusal.answer.startswith("error: " + reason)]
    assert result.step_times_ns == plain.step_times_ns


@pytest.mark.requirement("F7", "R21")
def test_a_pump_whose_prescription_is_stopped_is_not_primed():
    rx = {"patient": "bench-07", "drug": "saline", "mode": "stopped"}
    result = on_twin(scenario(rx, "3 min", say("2 min", "prime")))
    assert [refusal.answer for refusal in result.refusals] == ["error: prime: delivery is stopped"]
    assert result.step_times_ns == []


@pytest.mark.requirement("F7", "R21")
def test_an_alarm_that_forbids_boluses_forbids_priming():
    low = {"low_reservoir": "19.999 mL"}
    result = on_twin(scenario(continuous("4.8 mL/day"), "6 min", say("5 min", "prime"), pump=low))
    (refusal,) = [refusal.answer for refusal in result.refusals]
    assert refusal.startswith("error: prime: alarm ")
    assert "low_reservoir" in refusal
    assert not details(result, "bolus")


@pytest.mark.requirement("F7", "F10")
@pytest.mark.parametrize("cut", [{"do": "power_cut", "for": "5 s"}, {"do": "hang"}])
def test_a_reset_ends_a_prime_and_nothing_of_it_comes_later(cut: dict[str, Any]):
    result = on_twin(scenario(continuous("4.8 mL/day"), "30 min", say("2 min", "prime"), {"at": "5 min", **cut}))
    (end,) = details(result, "bolus_end")
    assert (end["kind"], end["how"]) == ("prime", "interrupted")
    quiet = (steps_by(result, 29 * MIN) - steps_by(result, 6 * MIN)) * STEP_NL
    assert abs(quiet - BASAL * 23 // 1_440) <= 2 * STEP_NL


@pytest.mark.requirement("F7", "F8", "R21", "R50")
@pytest.mark.parametrize(("tubing", "path"), [("0.140 mL", "316 uL"), ("0.199 mL", "375 uL")])
def test_what_a_prime_will_do_is_shown_without_doing_it(tubing: str, path: str):
    plan = scenario(continuous("4.8 mL/day"), "4 min", say("2 min", "prime show"), pump={"tubing": tubing})
    result = on_twin(plan)
    text = result.console.decode()
    seconds = -(-int(path.split(maxsplit=1)[0]) * 1_000 * 86_400 // 24_000_000)
    assert f"path: {path}: tubing {tubing[2:5]} uL, catheter 176 uL (800 mm of 0.22 uL/mm); calibration ver" in text
    assert f"prime: {path}\r\nprime_s: {seconds}\r\nprime_flow: " in text
    assert not details(result, "bolus")


@pytest.mark.requirement("F7", "F3", "R09", "I6")
def test_a_prime_that_would_push_a_bolus_out_of_the_history_is_refused():
    """Else the limits of the hour and the day would allow once more what 32 boluses have used up."""
    rx = {**continuous("4.8 mL/day"), "limits": {"max_per_hour": "0.264 mL"}}  # 64 uL beside an hour of basal
    fill = [say(f"{10 + 12 * place} s", "bolus 2 uL over 8 s") for place in range(31)]
    last = [say("390 s", "bolus 2 uL over 30 s"), say("400 s", "prime"), say("430 s", "bolus 2 uL over 8 s")]
    result = on_twin(scenario(rx, "8 min", *fill, *last, pump=SMALL))
    assert [refusal.answer for refusal in result.refusals] == [
        "error: prime: 32 within 24 h, no more can be remembered",
        "error: bolus: 32 within 24 h, no more can be remembered",
    ]
    assert {end["how"] for end in details(result, "bolus_end")} == {"done"}  # the one that flowed was not cancelled
    assert len(details(result, "bolus")) == 32
