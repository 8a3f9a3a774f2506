"""A motor that does not follow, a line that is closed, a pump that is too hot: whole pumps on the twin (F11)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import S, continuous, on_twin, scenario, steps_by

from thecal.models.bench import PumpConfig
from thecal.outputs import LoggedEvent
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

pytestmark = pytest.mark.requirement("F11", "R18")
H = 3_600
FOR_EVER = {"for": "3660 d"}


def raised(result: Result, alarm: str) -> list[LoggedEvent]:
    """When an alarm was raised."""
    return [event for event in result.events if event.code == "alarm" and event.details["alarm"] == alarm]


def logged(result: Result, code: str) -> list[dict[str, Any]]:
    return [dict(event.details) for event in result.events if event.code == code]


def at(seconds: float) -> str:
    return f"{seconds:.3f} s"


def command(at_s: float, line: str) -> dict[str, Any]:
    return {"at": at(at_s), "do": "command", "line": line}


# -- any life ---------------------------------------------------------------------------------------------------------


@st.composite
def lives(draw: st.DrawFn) -> tuple[dict[str, Any], int, int, int, list[dict[str, Any]]]:
    """A prescription, pL a step, steps an index, the length of the life (s), and what happens in it. Half of what a
    rate needs for ten indices passes; the pump runs for the last third."""
    rate = draw(
        st.sampled_from([6_000, 20_000, 36_000, 480_000, 5_000_000, 28_800_000]) | st.integers(6_000, 28_800_000)
    )
    pl_per_step = draw(st.sampled_from([1_000, 5_000, 25_000]))
    size = draw(st.sampled_from([1, 3, 20]))
    a_step = pl_per_step * 86_400 // (rate * 1_000) + 1
    length = min(10 * H, max(300, 6 * size * a_step))
    events = []
    for _ in range(draw(st.integers(0, 6))):
        begin = draw(st.integers(5_000, length * 650)) / 1_000
        what = draw(st.sampled_from(["stop", "pause", "cut", "hang", "bolus", "patient", "heat"]))
        if what == "stop":
            events += [command(begin, "stop"), command(begin + draw(st.sampled_from([0.3, 0.9, 2, 30])), "resume")]
        elif what == "pause":
            events.append(command(begin, "stop for 20 s"))
        elif what == "cut":
            events.append({"at": at(begin), "do": "power_cut", "for": "3 s"})
        elif what == "hang":
            events.append({"at": at(begin), "do": "hang"})
        elif what == "bolus":
            events.append(command(begin, f"bolus {draw(st.integers(1, 40)) * 100} nL over 1 min"))
        elif what == "patient":
            events.append({"at": at(begin), "do": "patient_bolus"})
        else:  # a stop in the middle of a stroke, as of any alarm, and the way out of it
            events += [
                {"at": at(begin), "do": "temperature", "celsius": 60},
                {"at": at(begin + 31), "do": "temperature", "celsius": 20},
            ]
    for after in (70, 71):  # whatever stopped it
        events += [command(length * 0.65 + after, "clear"), command(length * 0.65 + after + 0.3, "resume")]
    bolus = {"dose": "0.5 uL", "over": "30 s", "lockout": "1 min", "max_per_day": 10}
    prescription = {**continuous(f"{rate} nL/day"), "patient_bolus": bolus}
    if rate > 27_000_000:
        del prescription["patient_bolus"]
    return prescription, pl_per_step, size, length + 200, events


@settings(max_examples=30)
@given(lives())
def test_no_life_without_a_stall_has_a_stall_alarm(life: tuple[Any, int, int, int, list[dict[str, Any]]]) -> None:
    prescription, pl_per_step, size, length, events = life
    plan = scenario(prescription, f"{length} s", *events, pump={"pl_per_step": pl_per_step, "steps_per_index": size})
    result = on_twin(plan)
    assert {"stall", "guard", "driver_fault", "occlusion"}.isdisjoint(result.summary.alarms_history)
    assert logged(result, "stall") == logged(result, "free_motion") == []
    assert result.summary.state == "dosing"


@settings(max_examples=30)
@given(lives(), st.integers(0, 999))
def test_a_stall_in_any_life_is_found_within_two_indices(
    life: tuple[Any, int, int, int, list[dict[str, Any]]], part: int
) -> None:
    """And never before one index is missing. A second's steps are seen at its end, when the next ones have begun."""
    prescription, pl_per_step, size, length, events = life
    begin_ns = (length - 100) * S + part * S // 1_000
    stall = {"at": at(begin_ns / S), "do": "stall", **FOR_EVER}
    rate = int(prescription["basal"].split()[0])
    a_step_s = pl_per_step * 86_400 / (rate * 1_000)
    end = length + int(a_step_s * (2 * size + 3)) + 5
    plan = scenario(
        prescription, f"{end} s", *events, stall, pump={"pl_per_step": pl_per_step, "steps_per_index": size}
    )
    twin = Twin(make_bench(plan), plan.seed)
    pulses: list[int] = []
    twin.at(begin_ns, lambda: pulses.append(twin.bench.motor.pulses))
    try:
        result = simulate(plan, twin)
    finally:
        twin.close()
    lost = result.summary.step_pulses - pulses[0]
    if "reservoir_empty" in result.summary.alarms_history:
        return
    assert result.summary.alarms_active == ["stall"] or set(result.summary.alarms_active) == {"stall", "refill_due"}
    a_second = rate * 1_000 // (86_400 * pl_per_step)
    assert size < lost <= 2 * size + 3 * a_second + 1
    assert steps_by(result, begin_ns) == result.summary.steps
    (found,) = logged(result, "stall")
    assert found["steps"] >= 2 * size
    assert found["volume_nl"] == found["steps"] * pl_per_step // 1_000


# -- what it costs ----------------------------------------------------------------------------------------------------


def test_a_stall_at_the_minimum_rate_is_found_within_40_steps_and_missed_volume_is_logged() -> None:
    """6 uL/day: a step of 25 nL each 6 min. 1 uL, 4 h."""
    stall = {"at": "3 h", "do": "stall", **FOR_EVER}
    result = on_twin(scenario(continuous("6 uL/day"), "8 h", stall))
    (alarm,) = raised(result, "stall")
    made = steps_by(result, 3 * H * S)
    assert result.summary.steps == made
    assert result.summary.step_pulses - made <= 40
    assert alarm.t_ns <= (3 * H + 40 * 360 + 2) * S
    assert logged(result, "stall") == [{"steps": 40, "volume_nl": 1_000}]
    assert {"why": "stall", "volume_nl": 1_000}.items() <= logged(result, "missed")[1].items()
    assert result.summary.missed_nl >= 1_000
    assert result.summary.ledger_steps == result.summary.step_pulses  # what was lost stays counted as delivered
    assert result.summary.state == "safe"


@pytest.mark.requirement("I8")
def test_after_a_stall_nothing_moves_until_clear_and_resume_and_then_all_is_well() -> None:
    events = [
        {"at": "10 min", "do": "stall", "for": "5 min"},
        {"at": "20 min", "do": "power_cut", "for": "10 s"},
        command(25 * 60, "resume"),
        command(30 * 60, "clear"),
        command(31 * 60, "resume"),
    ]
    result = on_twin(scenario(continuous("4.8 mL/day"), "60 min", *events))
    (alarm,) = raised(result, "stall")
    assert alarm.t_ns < 11 * 60 * S
    assert steps_by(result, 10 * 60 * S) == steps_by(result, (31 * 60) * S)
    assert result.summary.steps > steps_by(result, 31 * 60 * S) + 3_500
    assert result.summary.state == "dosing"
    assert result.summary.ledger_steps >= result.summary.steps
    assert [refusal.event for refusal in result.refusals] == [3]


def test_short_stalls_add_up() -> None:
    """Each of four seconds, nine steps: the fifth makes more than two indices of them."""
    stalls = [{"at": f"{10 + 2 * n} min", "do": "stall", "for": "4 s"} for n in range(8)]
    result = on_twin(scenario(continuous("4.8 mL/day"), "30 min", *stalls))
    (alarm,) = raised(result, "stall")
    assert 12 * 60 * S < alarm.t_ns < 20 * 60 * S


@pytest.mark.requirement("I8")
def test_a_driver_fault_stops_the_motor_within_a_second() -> None:
    plan = scenario(continuous("28.8 mL/day"), "5 min", command(240, "clear"), command(241, "resume"))
    twin = Twin(make_bench(plan), plan.seed)
    drive: list[tuple[int, bool]] = []
    twin.at(100 * S, lambda: setattr(twin.bench.motor, "fault", True))
    twin.at(101 * S + S // 100, lambda: drive.append((twin.now_ns(), twin.bench.motor.drive)))
    twin.at(200 * S, lambda: setattr(twin.bench.motor, "fault", False))
    try:
        result = simulate(plan, twin)
    finally:
        twin.close()
    assert drive == [(101 * S + S // 100, False)]
    assert len(raised(result, "driver_fault")) == 1
    assert result.summary.state == "dosing"
    assert result.summary.steps > steps_by(result, 240 * S) == steps_by(result, 102 * S)


# -- pressure and temperature -----------------------------------------------------------------------------------------


@pytest.mark.requirement("R20")
@pytest.mark.parametrize(
    ("rate", "within_s", "trapped_nl"),
    [("6 uL/day", 7_500, 500), ("36 uL/day", 1_260, 500), ("480 uL/day", 95, 520), ("28.8 mL/day", 8, 2_700)],
)
def test_an_occlusion_is_found_within_the_disclosed_time_and_volume(rate: str, within_s: int, trapped_nl: int) -> None:
    """What docs/LIMITS.md discloses. The bolus after the occlusion is what was trapped."""
    plan = scenario(continuous(rate), "4 h", {"at": "1 h", "do": "occlusion", **FOR_EVER})
    if rate == "28.8 mL/day":
        plan = scenario(continuous(rate), "20 min", {"at": "10 min", "do": "occlusion", **FOR_EVER})
    (begin_ns,) = [event.at_ns for event in plan.events]
    twin = Twin(make_bench(plan), plan.seed)
    try:
        result = simulate(plan, twin)
    finally:
        twin.close()
    (alarm,) = raised(result, "occlusion")
    assert alarm.t_ns - begin_ns <= within_s * S
    assert twin.bench.line.trapped_pl <= trapped_nl * 1_000
    assert twin.bench.line.trapped_pl <= PumpConfig.reservoir_nl * 1_000
    assert result.summary.state == "safe"


@pytest.mark.requirement("R20")
def test_an_occlusion_that_ends_is_cleared_and_dosing_resumed() -> None:
    events = [
        {"at": "10 min", "do": "occlusion", "for": "10 min"},
        command(15 * 60, "clear"),
        command(15 * 60 + 1, "resume"),
        command(25 * 60, "clear"),
        command(25 * 60 + 1, "resume"),
    ]
    result = on_twin(scenario(continuous("4 mL/day"), "30 min", *events))  # found by 70 kPa
    assert len(raised(result, "occlusion")) == 1
    assert [refusal.event for refusal in result.refusals] == [3]
    assert b"stays: occlusion" in result.console
    assert result.summary.state == "dosing"
    assert result.summary.steps > steps_by(result, 25 * 60 * S) == steps_by(result, 20 * 60 * S)


@pytest.mark.requirement("R20")
def test_what_was_found_by_trend_the_operator_clears_while_the_pressure_stays() -> None:
    """A minute after it was found; what is still closed is found again, at last by 70 kPa."""
    ways_out = [command(at, line) for at in (930, 1_230, 1_530, 1_830) for line in ("clear", "resume")]
    early = command(700, "clear")
    closed = {"at": "10 min", "do": "occlusion", **FOR_EVER}
    result = on_twin(scenario(continuous("480 uL/day"), "34 min", closed, early, *ways_out))
    found = [event.details["found"] for event in result.events if event.code == "occlusion"]
    assert found[:2] == ["trend", "trend"]
    assert found[-1] == "threshold"
    assert len(raised(result, "occlusion")) == len(found)
    assert result.console.count(b"stays: occlusion") >= 2  # too early, and at 70 kPa
    assert result.summary.state == "safe"


@pytest.mark.requirement("R37")
@pytest.mark.parametrize("at_s", [600, 603.3, 607.7, 609.9])
@pytest.mark.parametrize("dead_rtc", [False, True])
def test_overheating_stops_the_pump_within_60_seconds_whether_the_rtc_lives_or_not(at_s: float, dead_rtc: bool) -> None:
    events = [
        {"at": f"{at_s} s", "do": "temperature", "celsius": 56},
        command(900, "clear"),
        {"at": "1000 s", "do": "temperature", "celsius": 37},
        command(1_100, "clear"),
        command(1_101, "resume"),
    ]
    plan = scenario(continuous("480 uL/day"), "20 min", *events)
    twin = Twin(make_bench(plan), plan.seed)
    if dead_rtc:
        twin.at(500 * S, lambda: setattr(twin.bench.i2c, "held", True))
        twin.at(950 * S, lambda: setattr(twin.bench.i2c, "held", False))
    try:
        result = simulate(plan, twin)
    finally:
        twin.close()
    shown = b"stays: over_temperature" in result.console
    if not dead_rtc:
        (alarm,) = raised(result, "over_temperature")
        assert alarm.t_ns <= (at_s + 60) * S
        assert result.summary.state == "dosing"
    else:
        assert "over_temperature" in result.summary.alarms_history
    assert shown
    assert steps_by(result, 661 * S) == steps_by(result, 1_100 * S)
