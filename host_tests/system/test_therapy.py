"""Boluses of every kind on a whole pump: who may have one, which comes first, what a reset or the clock does (F3)."""

from __future__ import annotations

from typing import Any

import pytest
from support import S, continuous, on_twin, scenario, steps_by

from thecal.outputs import LoggedEvent
from thecal.programming import firmware
from thecal.scenario import Scenario
from thecal.sim import Result

MIN = 60
HOUR = 3_600
STEP_NL = 25


def therapy(basal: str = "2.4 mL/day", *scheduled: tuple[str, str, str, str], **more: Any) -> dict[str, Any]:
    """Saline at one rate with scheduled boluses (days, at, dose, over); keywords: patient, limits."""
    rx = continuous(basal)
    if scheduled:
        rx["scheduled_bolus"] = [dict(zip(("days", "at", "dose", "over"), bolus, strict=True)) for bolus in scheduled]
    if "patient" in more:
        rx["patient_bolus"] = dict(zip(("dose", "over", "lockout", "max_per_day"), more["patient"], strict=True))
    if "limits" in more:
        rx["limits"] = more["limits"]
    return rx


def press(at: str) -> dict[str, Any]:
    return {"at": at, "do": "patient_bolus"}


def say(at: str, line: str) -> dict[str, Any]:
    return {"at": at, "do": "command", "line": line}


def run(rx: dict[str, Any], duration: str, *events: dict[str, Any], **more: Any) -> Result:
    return on_twin(plan(rx, duration, *events, **more))


def plan(rx: dict[str, Any], duration: str, *events: dict[str, Any], **more: Any) -> Scenario:
    return scenario(rx, duration, *events, **more)


def logged(result: Result, *codes: str) -> list[tuple[Any, ...]]:
    """(code, kind or index, reason or how) of the events with these codes."""
    return [_short(event) for event in result.events if event.code in codes]


def _short(event: LoggedEvent) -> tuple[Any, ...]:
    found = event.details
    return event.code, found.get("kind", found.get("index")), found.get("reason", found.get("how"))


def between(result: Result, first_s: float, last_s: float) -> int:
    """nL of the steps made in a span of true time."""
    return STEP_NL * (steps_by(result, int(last_s * S)) - steps_by(result, int(first_s * S)))


PATIENT = ("10 uL", "3 min", "10 min", 3)


@pytest.mark.requirement("F3", "R07")
def test_a_patient_bolus_is_given_and_the_next_one_denied_until_the_lockout_is_over():
    rx = therapy(patient=PATIENT)
    result = run(rx, "1 h", press("10 min"), press("12 min"), press("19 min"), press("20.1 min"))
    assert logged(result, "bolus", "bolus_denied") == [
        ("bolus", "patient", None),
        ("bolus_denied", "patient", "lockout"),
        ("bolus_denied", "patient", "lockout"),
        ("bolus", "patient", None),
    ]
    assert (result.summary.boluses_accepted, result.summary.boluses_denied) == (2, 2)
    assert between(result, 10 * MIN, 14 * MIN) in range(10_000 + 6_600, 10_000 + 6_725)


@pytest.mark.requirement("F3", "R07")
def test_the_lockout_counts_from_start_to_start_to_the_second():
    """A line typed in second s begins a bolus with second s + 1: 600 s later it is allowed again, 599 s later not."""
    for gap, allowed in ((599, False), (600, True)):
        result = run(therapy(patient=PATIENT), "30 min", say("300 s", "dose"), say(f"{300 + gap} s", "dose"))
        assert len(logged(result, "bolus")) == 1 + allowed
        if not allowed:
            assert result.refusals[0].answer == "error: dose: lockout, 1 s more"


@pytest.mark.requirement("F3")
def test_no_more_than_the_maximum_within_any_24_hours():
    presses = [press(f"{hour} h") for hour in (1, 2, 3, 4, 24.9, 25.01, 25.5)]
    result = run(therapy(patient=PATIENT), "26 h", *presses)
    assert [event[2] for event in logged(result, "bolus", "bolus_denied")] == [
        None,
        None,
        None,
        "max_boluses",
        "max_boluses",
        None,
        "max_boluses",
    ]


@pytest.mark.requirement("F3", "R08", "R09")
def test_patient_boluses_keep_within_the_rolling_hour_with_a_full_window_of_basal():
    """100 uL/h of basal leave 25 uL for boluses: two of 10 uL an hour, whenever they came."""
    rx = therapy(patient=("10 uL", "1 min", "5 min", 24), limits={"max_per_hour": "125 uL"})
    result = run(rx, "2.2 h", *[press(f"{minute} min") for minute in (10, 30, 50, 60, 72, 80, 92, 100)])
    assert [event[2] for event in logged(result, "bolus", "bolus_denied")] == [
        None,
        None,
        "max_per_hour",
        "max_per_hour",
        None,
        "max_per_hour",
        None,
        "max_per_hour",
    ]


@pytest.mark.requirement("F3", "R05", "R04")
@pytest.mark.parametrize("who", ["clinician", "scheduled"])
def test_a_patient_bolus_goes_first_and_the_other_one_resumes_after_it(who: str):
    scheduled = [("daily", "00:10", "50 uL", "10 min")] if who == "scheduled" else []
    order = [say("599.5 s", "bolus 50 uL over 10 min")] if who == "clinician" else []
    rx = therapy("2.4 mL/day", *scheduled, patient=PATIENT)
    result = run(rx, "30 min", *order, press("13.5 min"))
    assert [code for code, _, _ in logged(result, "bolus", "bolus_suspended", "bolus_resumed", "bolus_end")] == [
        "bolus",
        "bolus_suspended",
        "bolus",
        "bolus_end",
        "bolus_resumed",
        "bolus_end",
    ]
    assert {event[2] for event in logged(result, "bolus_end")} == {"done"}
    basal = 100_000 * MIN // HOUR
    with_patient = between(result, 14 * MIN, 16 * MIN)
    assert abs(with_patient - 2 * (basal + 10_000 // 3)) <= 300
    assert abs(between(result, 10 * MIN, 24 * MIN) - 14 * basal - 60_000) <= 50
    assert abs(between(result, 24 * MIN, 29 * MIN) - 5 * basal) <= 50


@pytest.mark.requirement("F3")
def test_a_scheduled_bolus_waits_for_one_that_flows_but_not_for_half_an_hour():
    rx = therapy("1 mL/day", ("daily", "00:20", "5 uL", "1 min"), ("daily", "01:05", "5 uL", "1 min"))
    result = run(rx, "3 h", say("10 min", "bolus 50 uL over 25 min"), say("50 min", "bolus 50 uL over 60 min"))
    assert logged(result, "bolus", "bolus_skipped") == [
        ("bolus", "clinician", None),
        ("bolus", "scheduled", None),
        ("bolus", "clinician", None),
        ("bolus_skipped", 1, "late"),
    ]
    begun = [event.t_ns / S for event in result.events if event.code == "bolus"]
    assert 35 * MIN <= begun[1] < 35 * MIN + 3
    skipped = [event.t_ns / S for event in result.events if event.code == "bolus_skipped"]
    assert abs(skipped[0] - (65 + 30) * MIN) < 3


@pytest.mark.requirement("F3")
@pytest.mark.parametrize("start", ["2026-03-01T23:50:00", "2026-12-31T23:50:00"])
def test_a_scheduled_bolus_begins_with_its_second_across_midnight_the_week_and_the_year(start: str):
    rx = therapy("0 mL/day", ("daily", "00:00", "30 uL", "10 min"), ("daily", "00:10", "6 uL", "1 min"))
    result = run(rx, "30 min", start=start)
    assert between(result, 0, 600) == 0
    assert between(result, 600, 602) > 0
    assert between(result, 0, 30 * MIN) == 36_000
    assert len(logged(result, "bolus_end")) == 2


@pytest.mark.requirement("F3", "R49")
def test_a_clock_set_back_repeats_no_scheduled_bolus_and_a_clock_set_forward_skips_it():
    rx = therapy("1 mL/day", ("daily", "01:00", "5 uL", "1 min"), ("daily", "03:00", "5 uL", "1 min"))
    back = {"at": "65 min", "do": "set_clock", "by": "-30 min"}
    result = run(rx, "3 h", back)
    assert logged(result, "bolus", "bolus_skipped") == [("bolus", "scheduled", None)]
    forward = {"at": "50 min", "do": "set_clock", "by": "30 min"}
    result = run(rx, "3 h", forward)
    assert logged(result, "bolus", "bolus_skipped") == [("bolus_skipped", 0, "clock"), ("bolus", "scheduled", None)]


@pytest.mark.requirement("F3", "I6")
def test_the_clock_never_shortens_a_lockout():
    rx = therapy(patient=("10 uL", "3 min", "60 min", 3))
    events = [press("10 min"), {"at": "20 min", "do": "set_clock", "by": "2 h"}, press("25 min"), press("71 min")]
    result = run(rx, "80 min", *events)
    assert [event[2] for event in logged(result, "bolus", "bolus_denied")] == [None, "lockout", None]


@pytest.mark.requirement("F3", "I6", "I2")
@pytest.mark.parametrize("reset", [{"do": "power_cut", "for": "1 min"}, {"do": "hang"}])
def test_a_reset_cancels_what_flows_and_what_is_set_aside_and_repeats_nothing(reset: dict[str, Any]):
    rx = therapy("2.4 mL/day", ("daily", "00:10", "50 uL", "10 min"), patient=PATIENT)
    result = run(rx, "40 min", press("12 min"), {"at": "13 min", **reset}, press("15 min"))
    assert [event for event in logged(result, "bolus_end") if event[2] != "done"] == [
        ("bolus_end", "patient", "interrupted"),
        ("bolus_end", "scheduled", "interrupted"),
    ]
    assert logged(result, "bolus_denied") == [("bolus_denied", "patient", "lockout")]
    assert len(logged(result, "bolus")) == 2
    assert result.summary.missed_nl in range(30_000, 56_000)


@pytest.mark.requirement("F3")
@pytest.mark.parametrize("line", ["bolus cancel", "stop", "stop for 1 min"])
def test_what_ends_a_bolus_ends_all_of_them_and_nothing_is_caught_up(line: str):
    rx = therapy(
        "2.4 mL/day", ("daily", "00:10", "50 uL", "10 min"), ("daily", "00:11", "5 uL", "1 min"), patient=PATIENT
    )
    result = run(rx, "40 min", press("12 min"), say("13 min", line))
    assert logged(result, "bolus_end", "bolus_skipped") == [
        ("bolus_end", "patient", "cancelled"),
        ("bolus_end", "scheduled", "cancelled"),
        ("bolus_skipped", 1, "interruption"),
    ]
    if line == "stop for 1 min":
        assert abs(between(result, 15 * MIN, 35 * MIN) - 20 * 100_000 // 60) <= 50


@pytest.mark.requirement("F3")
def test_boluses_that_only_wait_are_cancelled_and_the_answer_says_so(monkeypatch: pytest.MonkeyPatch):
    """None flows, and those that wait are not served: there is something to cancel, once."""
    monkeypatch.setattr(firmware("scheduled").Scheduled, "_serve_waiting", lambda _: None)
    rx = therapy("1 mL/day", ("daily", "00:10", "5 uL", "1 min"), ("daily", "00:11", "5 uL", "1 min"))
    result = run(rx, "15 min", say("12 min", "bolus cancel"), say("13 min", "bolus cancel"))
    assert logged(result, "bolus", "bolus_end", "bolus_skipped") == [
        ("bolus_skipped", 0, "interruption"),
        ("bolus_skipped", 1, "interruption"),
    ]
    assert [(refusal.event, refusal.answer) for refusal in result.refusals] == [
        (2, "error: bolus cancel: none is running")
    ]


@pytest.mark.requirement("F3", "R08")
def test_a_scheduled_bolus_beyond_the_limit_is_skipped_and_logged():
    rx = therapy("2.4 mL/day", ("daily", "00:30", "20 uL", "2 min"), limits={"max_per_hour": "125 uL"})
    result = run(rx, "1 h", say("10 min", "bolus 10 uL over 1 min"))
    assert logged(result, "bolus", "bolus_skipped") == [
        ("bolus", "clinician", None),
        ("bolus_skipped", 0, "max_per_hour"),
    ]


@pytest.mark.requirement("F3")
def test_what_falls_due_while_the_pump_is_off_or_stopped_is_skipped():
    rx = therapy("1 mL/day", *[("daily", f"0{hour}:00", "5 uL", "1 min") for hour in (1, 2, 3, 4)])
    events = [
        {"at": "50 min", "do": "power_cut", "for": "20 min"},
        say("110 min", "stop"),
        say("130 min", "resume"),
    ]
    result = run(rx, "5 h", *events)
    assert logged(result, "bolus", "bolus_skipped") == [
        ("bolus_skipped", 0, "interruption"),
        ("bolus_skipped", 1, "stopped"),
        ("bolus", "scheduled", None),
        ("bolus", "scheduled", None),
    ]


@pytest.mark.requirement("F3", "F4")
def test_a_commit_cancels_what_flows_and_gives_nothing_whose_time_has_passed():
    old = therapy("1 mL/day", ("daily", "00:20", "50 uL", "20 min"))
    new = therapy("2 mL/day", ("daily", "00:10", "5 uL", "1 min"), ("daily", "00:40", "5 uL", "1 min"))
    result = run(old, "1 h", {"at": "25 min", "do": "program", "prescription": new})
    assert logged(result, "bolus", "bolus_end", "bolus_skipped") == [
        ("bolus", "scheduled", None),
        ("bolus_end", "scheduled", "cancelled"),
        ("bolus", "scheduled", None),
        ("bolus_end", "scheduled", "done"),
    ]


@pytest.mark.requirement("F3", "R07")
def test_a_denied_bolus_is_an_alarm_that_ends_by_itself():
    result = run(therapy(patient=PATIENT), "30 min", press("5 min"), press("6 min"))
    alarms = [(event.code, event.t_ns // S) for event in result.events if event.code in ("alarm", "alarm_end")]
    assert [code for code, _ in alarms] == ["alarm", "alarm_end"]
    assert alarms[1][1] - alarms[0][1] == 60
    assert result.summary.alarms_active == []


@pytest.mark.requirement("F3")
def test_without_a_patient_bolus_in_the_prescription_the_button_gives_none():
    result = run(therapy(), "30 min", press("5 min"))
    assert logged(result, "bolus", "bolus_denied") == [("bolus_denied", "patient", "not_prescribed")]
