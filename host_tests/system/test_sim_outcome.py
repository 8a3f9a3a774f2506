"""The outcome of a simulation is the pump at its end: nothing of it may contradict the steps (invariant 2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import continuous, on_twin, scenario

from thecal.outcome import parsed
from thecal.programming import firmware
from thecal.sim import make_bench, simulate, write
from thecal.twin.twin import Twin

FAST = {"pl_per_step": 1_000}


@pytest.mark.requirement("F10", "I2")
def test_the_ledger_covers_the_steps_wherever_a_run_ends() -> None:
    for end_ms in range(60_000, 61_000, 10):
        summary = on_twin(scenario(continuous("28.8 mL/day"), f"{end_ms / 1000:.3f} s", pump=FAST)).summary
        assert summary.steps <= summary.ledger_steps <= summary.steps + 334, end_ms
        assert summary.state == "dosing"
        assert summary.delivered_nl == summary.steps


@pytest.mark.requirement("F10")
def test_an_undisturbed_run_of_whole_seconds_ends_with_ledger_and_motor_equal() -> None:
    summary = on_twin(scenario(continuous("28.8 mL/day"), "60 s", pump=FAST)).summary
    assert summary.ledger_steps == summary.steps == summary.step_pulses


@pytest.mark.requirement("F10", "F11")
@pytest.mark.parametrize(
    ("duration", "event", "state"),
    [
        ("30 s", {"at": "29.9 s", "do": "power_cut", "for": "5 s"}, "off"),
        ("30 s", {"at": "29.8 s", "do": "power_cut", "for": "0.05 s"}, "dosing"),
        ("30 s", {"at": "29 s", "do": "hang"}, "dosing"),
        ("30 s", {"at": "29.7 s", "do": "command", "line": "stop"}, "stopped"),
        ("1 s", {"at": "0.5 s", "do": "command", "line": "status"}, "dosing"),
        ("30 s", {"at": "8 s", "do": "console_flood", "for": "22 s"}, "dosing"),
    ],
)
def test_the_state_is_that_of_the_end(duration: str, event: dict[str, str], state: str) -> None:
    summary = on_twin(scenario(continuous("20 mL/day"), duration, event, pump={"reservoir": "100 mL"})).summary
    assert summary.state == state
    assert summary.steps <= summary.ledger_steps
    assert summary.alarms_active == []


@pytest.mark.requirement("F11")
@pytest.mark.parametrize("at", ["0 s", "0.05 s", "0.1 s"])
def test_a_hang_before_the_watchdog_is_armed_lasts_until_the_next_power_cut(at: str) -> None:
    hang = {"at": at, "do": "hang"}
    assert on_twin(scenario(continuous("20 mL/day"), "60 s", hang)).step_times_ns == []
    cut = {"at": "20 s", "do": "power_cut", "for": "1 s"}
    rescued = on_twin(scenario(continuous("20 mL/day"), "60 s", hang, cut))
    assert rescued.step_times_ns[0] > 21_000_000_000
    assert rescued.summary.resets == {"power_on": 2, "watchdog": 0, "commanded": 0}


@pytest.mark.requirement("F11")
@pytest.mark.parametrize("at", ["0.2 s", "0.5 s", "1 s", "1.5 s", "2 s", "2.5 s"])
def test_a_hang_at_any_later_moment_of_a_start_ends_by_the_watchdog(at: str) -> None:
    result = on_twin(scenario(continuous("20 mL/day"), "60 s", {"at": at, "do": "hang"}))
    assert result.summary.resets == {"power_on": 1, "watchdog": 1, "commanded": 0}
    assert result.step_times_ns[0] < 12_000_000_000


@pytest.mark.requirement("R49")
@pytest.mark.parametrize("at", ["30 s", "30.1 s", "30.49 s", "30.5 s", "30.51 s", "30.9 s", "30.99 s"])
@pytest.mark.parametrize("by", [0, 1, -1, 3600])
def test_the_clock_is_set_by_what_the_event_says(at: str, by: int) -> None:
    result = on_twin(scenario(continuous("20 mL/day"), "40 s", {"at": at, "do": "set_clock", "by": f"{by} s"}))
    (event,) = [event for event in result.events if event.code == "clock_set"]
    assert event.details["by_s"] == by


@pytest.mark.requirement("F4", "F12")
def test_a_refused_program_is_an_event_and_its_reason_is_on_the_console(tmp_path: Path) -> None:
    program = {"at": "20 s", "do": "program", "prescription": continuous("50 mL/day")}
    result = on_twin(scenario(continuous("10 mL/day"), "60 s", program))
    assert [event.code for event in result.events].count("refused") == 1
    write(result, tmp_path)
    assert b"error: basal" in (tmp_path / "console.txt").read_bytes()


@pytest.mark.requirement("F11")
def test_a_bite_during_a_start_is_logged_as_a_bite() -> None:
    result = on_twin(scenario(continuous("20 mL/day"), "20 s", {"at": "0.2 s", "do": "hang"}))
    assert [event.details["cause"] for event in result.events if event.code == "boot"] == ["watchdog"]


@pytest.mark.requirement("F11", "F12")
def test_what_is_typed_while_the_processor_hangs_is_lost_with_the_reset() -> None:
    hang = {"at": "10 s", "do": "hang"}
    stop = {"at": "12 s", "do": "command", "line": "stop"}
    result = on_twin(scenario(continuous("20 mL/day"), "30 s", hang, stop))
    assert result.summary.state == "dosing"
    assert "stop" not in [event.code for event in result.events]
    assert result.refusals == []


@pytest.mark.requirement("F12")
def test_nothing_of_a_scenario_happens_after_its_end() -> None:
    late = {"at": "29.99 s", "do": "command", "line": "stop"}  # arrives 20 ms later
    flood = {"at": "20 s", "do": "console_flood", "for": "30 s"}
    result = on_twin(scenario(continuous("20 mL/day"), "30 s", late, flood))
    assert result.summary.state == "dosing"
    assert result.summary.steps == len(result.step_times_ns)
    assert result.step_times_ns[-1] <= 30_000_000_000
    assert all(event.t_ns <= 30_000_000_000 for event in result.events)


@pytest.mark.requirement("F10", "F11")
def test_damaged_records_are_safe_even_if_the_pump_has_no_time_to_say_so() -> None:
    plan = scenario(continuous("20 mL/day"), "0.1 s", {"at": "0 s", "do": "hang"})
    bench = make_bench(plan)
    bench.eeprom.memory[firmware("layout").PRESCRIPTION_FIRST * 64 + 12] ^= 1
    summary = simulate(plan, Twin(bench, plan.seed)).summary
    assert (summary.state, summary.alarms_active) == ("safe", ["prescription_damaged"])


@pytest.mark.requirement("F12")
def test_an_answer_that_is_not_whole_is_none() -> None:
    whole = "\r\nstatus\r\nstate: dosing\r\nmissed_nl: 7\r\nalarms: none\r\nok\r\n"
    assert parsed(whole)["missed_nl"] == "7"
    for part in range(len(whole) - 2):
        assert parsed(whole[:part]) == {}
    assert parsed("\r\nstatus\r\nstate: dosing\r\nrubbish\r\nok\r\n") == {}
    assert parsed("\r\nstatus\r\nstate: dosing\r\nok\r\n") == {}
