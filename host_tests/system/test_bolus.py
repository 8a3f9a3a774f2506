"""A clinician bolus through the whole pump: exact, limited, never repeated and never forgotten (F3, R09, I6)."""

from __future__ import annotations

from typing import Any

import pytest
from support import DAY_NS, S, continuous, on_twin, scenario, steps_by

from thecal.programming import firmware
from thecal.sim import Result

STEP_NL = 25
BASAL = 4_800_000  # nL/day
MIN = 60 * S


def limited(**limits: str) -> dict[str, Any]:
    return {**continuous("4.8 mL/day"), "limits": limits}


def say(at: str, line: str) -> dict[str, Any]:
    return {"at": at, "do": "command", "line": line}


def ends(result: Result) -> list[dict[str, Any]]:
    return [dict(event.details) for event in result.events if event.code == "bolus_end"]


def delivered_between(result: Result, begin_ns: int, end_ns: int) -> int:
    return (steps_by(result, end_ns) - steps_by(result, begin_ns)) * STEP_NL


@pytest.mark.requirement("F3", "R04", "I1")
@pytest.mark.parametrize(("dose", "minutes"), [("25 uL", 10), ("1 uL", 1), ("0.4 mL", 25)])
def test_a_bolus_adds_its_dose_to_the_basal_rate_and_changes_nothing_after_it(dose: str, minutes: int):
    dose_nl = {"25 uL": 25_000, "1 uL": 1_000, "0.4 mL": 400_000}[dose]
    plan = scenario(continuous("4.8 mL/day"), "40 min", say("5 min", f"bolus {dose} over {minutes} min"))
    plain = on_twin(scenario(continuous("4.8 mL/day"), "40 min"))
    result = on_twin(plan)
    begin, end = 5 * MIN + S, (5 + minutes) * MIN + S
    assert steps_by(result, begin) == steps_by(plain, begin)
    extra = (steps_by(result, end + 2 * S) - steps_by(plain, end + 2 * S)) * STEP_NL
    assert abs(extra - dose_nl) <= STEP_NL
    # At every step: not more than demanded, and less than a step and two seconds of flow behind it.
    flow = BASAL * 1_000 * S // DAY_NS + dose_nl * S // (minutes * MIN) + 1
    for index, t_ns in enumerate(result.step_times_ns):
        if begin <= t_ns <= end:
            basal = BASAL * (t_ns - 3 * S + S) // DAY_NS  # dosing begins 2 s after power-on at the earliest
            demanded = basal + dose_nl * (t_ns - begin) // (minutes * MIN)
            assert (index + 1) * STEP_NL <= demanded + STEP_NL
            assert demanded - (index + 1) * STEP_NL <= STEP_NL + 3 * flow
    assert ends(result) == [{"kind": "clinician", "how": "done", "given_nl": dose_nl}]


@pytest.mark.requirement("F3", "F10", "D12")
@pytest.mark.parametrize("what", ["power_cut", "hang", "stop", "cancel", "commit"])
def test_whatever_ends_a_bolus_its_rest_is_missed_and_never_given(what: str):
    event = {
        "power_cut": {"at": "10 min", "do": "power_cut", "for": "20 s"},
        "hang": {"at": "10 min", "do": "hang"},
        "stop": say("10 min", "stop"),
        "cancel": say("10 min", "bolus cancel"),
        "commit": {"at": "10 min", "do": "program", "prescription": continuous("4.8 mL/day")},
    }[what]
    more = [say("10.5 min", "resume")] if what == "stop" else []
    plan = scenario(continuous("4.8 mL/day"), "30 min", say("5 min", "bolus 60 uL over 10 min"), event, *more)
    result = on_twin(plan)
    (end,) = ends(result)
    assert end["how"] == ("interrupted" if what in ("power_cut", "hang") else "cancelled")
    missed = [e.details["volume_nl"] for e in result.events if e.code == "missed" and e.details["why"] == "bolus"]
    assert len(missed) == 1
    assert abs(missed[0] + end["given_nl"] - 60_000) <= 1
    assert abs(end["given_nl"] - 30_000) < 7_000  # half of the time had passed; a cut tells it to a reservation
    # From a minute later on there is basal flow only.
    assert abs(delivered_between(result, 12 * MIN, 29 * MIN) - BASAL * 17 * MIN // DAY_NS) <= 2 * STEP_NL


@pytest.mark.requirement("F3", "F10", "R09", "I6")
@pytest.mark.parametrize(
    "between",
    [
        {"at": "12 min", "do": "power_cut", "for": "20 s"},
        {"at": "12 min", "do": "hang"},
        {"at": "12 min", "do": "set_clock", "by": "5 h"},
        {"at": "12 min", "do": "set_clock", "by": "-5 h"},
    ],
)
def test_no_reset_and_no_clock_change_makes_room_under_a_rolling_limit(between: dict[str, Any]):
    """250 uL an hour: 200 uL of basal, and 50 uL of boluses."""
    cut = {"at": "15 min", "do": "power_cut", "for": "5 s"}
    plan = scenario(
        limited(max_per_hour="250 uL"),
        "80 min",
        say("5 min", "bolus 30 uL over 5 min"),
        between,
        cut,
        say("20 min", "bolus 20.001 uL over 5 min"),
        say("21 min", "bolus 20 uL over 5 min"),
        say("75 min", "bolus 30 uL over 5 min"),
    )
    result = on_twin(plan)
    assert [refusal.answer for refusal in result.refusals] == [
        "error: bolus = 20.001 uL: at most 20 uL, for max_per_hour"
    ]
    assert [end["given_nl"] for end in ends(result)] == [30_000, 20_000]


@pytest.mark.requirement("F3", "F8", "R09")
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("bolus 0 uL over 5 min", "bolus = 0 uL: 1 nL to 1 L"),
        ("bolus 1 ug over 5 min", "bolus = 1 ug: a volume is needed, as no concentration is set"),
        ("bolus 1 uL over 0 s", "bolus over = 0 s: 1 s to 24 h"),
        ("bolus 1 uL over 25 h", "bolus over = 90000 s: 1 s to 24 h"),
        ("bolus 1 mL over 1 s", "bolus = 1 mL over 1 s: at least 3600 s, for max_rate = 28800000 nL/day"),
        ("bolus 21 mL over 24 h", "bolus = 21 mL: the reservoir should hold 19"),
        ("bolus 25 ug", "bolus = 25 ug: `over NUMBER UNIT` is needed after the dose, as in `bolus NUMBER UNIT over"),
        (
            "bolus 25",
            "bolus = 25: a number, a space and a unit, as in `bolus NUMBER UNIT over NUMBER UNIT`; or `cancel`",
        ),
        ("bolus 25 over 5 min", "bolus = 25: a number, a space and a unit"),
        ("bolus", "bolus = nothing: a number, a space and a unit"),
        ("bolus 1 uL in 5 min", "bolus = 1 uL in 5 min: `over NUMBER UNIT` is needed after the dose"),
        ("bolus 1 uL over", "bolus over = nothing: a number, a space and s, min or h; 1 s to 24 h"),
        ("bolus 1 uL over 5", "bolus over = 5: a number, a space and s, min or h; 1 s to 24 h"),
        ("bolus 1 uL over 5 min now", "bolus ... = now: nothing, or `confirm`"),
        ("bolus cancel now", "bolus = cancel now: `over NUMBER UNIT` is needed after the dose"),
        ("bolus cancel", "bolus cancel: none is running"),
        ("refill 0 mL", "refill = 0 mL: 1 nL to 20 mL"),
        ("refill 21 mL", "refill = 21 mL: 1 nL to 20 mL"),
        ("refill 1 ug", "refill = 1 ug: a volume is needed, in nL, uL or mL"),
    ],
)
def test_a_refusal_names_field_value_and_range_and_changes_nothing(line: str, reason: str):
    result = on_twin(scenario(continuous("4.8 mL/day"), "4 min", say("2 min", line)))
    plain = on_twin(scenario(continuous("4.8 mL/day"), "4 min"))
    (refusal,) = result.refusals
    assert refusal.answer.startswith("error: " + reason)
    assert result.step_times_ns == plain.step_times_ns
    assert result.summary == plain.summary


@pytest.mark.requirement("F8", "R10")
def test_a_clinician_bolus_beyond_the_drugs_hard_limit_is_refused_whatever_the_prescription_allows(
    monkeypatch: pytest.MonkeyPatch,
):
    """The library that comes with the pump has no such limit; here no bolus of baclofen may be above 30 ug."""
    drugs = firmware("drugs")
    rows = [(*row[:3], (0, 0, 30_000), row[4]) if row[0] == "baclofen" else row for row in drugs.DRUGS]
    monkeypatch.setattr(drugs, "DRUGS", tuple(rows))
    rx = {**continuous("300 ug/day"), "drug": "baclofen", "concentration": "500 ug/mL"}
    lines = ("bolus 30.002 ug over 10 min", "bolus 60.004 uL over 10 min", "bolus 30 ug over 10 min")
    result = on_twin(scenario(rx, "20 min", *[say(f"{2 + index} min", line) for index, line in enumerate(lines)]))
    assert [refusal.event for refusal in result.refusals] == [1, 2]
    assert all("at most 30 ug for baclofen" in refusal.answer for refusal in result.refusals)
    assert [end["given_nl"] for end in ends(result)] == [60_000]


@pytest.mark.requirement("F8", "R10")
def test_a_clinician_bolus_beyond_the_drugs_soft_limit_is_given_only_when_confirmed_and_that_is_logged(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("thecal.sim.as_confirmed", lambda line: line)
    rx = {**continuous("300 ug/day"), "drug": "baclofen", "concentration": "2000 ug/mL"}
    lines = ("bolus 100 ug over 5 min", "bolus 100.002 ug over 5 min", "bolus 100.002 ug over 5 min confirm")
    result = on_twin(scenario(rx, "30 min", *[say(f"{2 + 8 * index} min", line) for index, line in enumerate(lines)]))
    (refusal,) = result.refusals
    assert refusal.event == 2
    assert "bolus = 100.002 ug: above 100 ug, the soft limit of baclofen" in refusal.answer
    assert [event.code for event in result.events if event.code in ("bolus", "confirmed", "bolus_denied")] == [
        "bolus",
        "bolus",
        "confirmed",
    ]
    assert [end["given_nl"] for end in ends(result)] == [50_000, 50_001]


@pytest.mark.requirement("F8", "R10")
def test_a_bolus_of_a_scenario_counts_as_confirmed():
    rx = {**continuous("300 ug/day"), "drug": "baclofen", "concentration": "2000 ug/mL"}
    result = on_twin(scenario(rx, "5 min", say("2 min", "bolus 150 ug over 10 min")))
    assert result.refusals == []
    assert [event.code for event in result.events if event.code in ("bolus", "confirmed")] == ["bolus", "confirmed"]


@pytest.mark.requirement("F6", "F10")
def test_a_refill_is_what_the_reservoir_holds_from_then_on_through_a_power_cut():
    plan = scenario(
        continuous("4.8 mL/day"),
        "60 min",
        say("30 min", "refill 15 mL"),
        {"at": "40 min", "do": "power_cut", "for": "1 min"},
    )
    result = on_twin(plan)
    (refilled,) = [event.details for event in result.events if event.code == "refilled"]
    assert abs(int(refilled["expected_nl"]) - (20_000_000 - 100_000)) <= 300
    assert refilled["volume_nl"] == 15_000_000
    since = delivered_between(result, 30 * MIN, 60 * MIN)
    assumed = sum(int(event.details["volume_nl"]) for event in result.events if event.code == "assumed")
    # Steps under way while it was refilled may count before or after it.
    assert abs(result.summary.reservoir_nl - (15_000_000 - since - assumed)) <= assumed + 4 * STEP_NL
