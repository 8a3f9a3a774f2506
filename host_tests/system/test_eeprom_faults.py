"""A part that fails leads to a named alarm and a safe state, never to a hang or a reset loop."""

from __future__ import annotations

import pytest
from support import S, continuous, scenario

from thecal.sim import Result, Simulation, make_bench
from thecal.twin.twin import Twin

PUMP = {"reservoir": "100 mL"}  # no refill is due soon
PLAN = scenario(continuous("20 mL/day"), "3 min", pump=PUMP)


def run_with_fault(at_s: int, until_s: int | None = None, *lines: tuple[int, str]) -> Result:
    """The EEPROM answers nothing from at_s on, until until_s; lines are typed at their seconds."""
    twin = Twin(make_bench(PLAN), PLAN.seed)
    eeprom = twin.bench.eeprom

    def set_dead(dead: bool) -> None:
        eeprom.dead = dead

    if at_s:
        twin.at(at_s * S, lambda: set_dead(True))
    else:
        set_dead(True)
    if until_s is not None:
        twin.at(until_s * S, lambda: set_dead(False))
    for second, line in lines:
        twin.at(second * S, lambda line=line: twin.send(b"\x15" + line.encode() + b"\r"))
    return Simulation(PLAN, twin).run(lambda share: None)


@pytest.mark.requirement("F10", "F11")
def test_a_dead_eeprom_lets_only_reserved_volume_flow_and_then_stops_the_pump() -> None:
    result = run_with_fault(30)
    assert result.summary.state == "safe"
    assert result.summary.alarms_active == ["eeprom_dead"]
    assert result.summary.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}
    assert result.summary.steps <= result.summary.ledger_steps
    reserved = 55 * 20_000_000 // 86_400 // 25 + 30  # what one reservation holds
    after = [t for t in result.step_times_ns if t > 30 * S]
    assert 0 < len(after) <= reserved


@pytest.mark.requirement("F10", "F11")
def test_after_a_dead_eeprom_has_come_back_clear_and_resume_start_the_pump() -> None:
    result = run_with_fault(30, 110, (130, "clear"), (131, "resume"))
    assert [event.details["alarm"] for event in result.events if event.code == "alarm"] == ["eeprom_dead"]
    assert [event.code for event in result.events if event.code in ("alarm_end", "resume")] == ["alarm_end", "resume"]
    assert result.summary.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}
    assert result.summary.state == "dosing"
    assert result.summary.missed_nl > 20 * 20_000_000 // 86_400


@pytest.mark.requirement("F10", "F11")
def test_an_eeprom_that_is_dead_at_power_on_means_no_step_and_no_reset_loop() -> None:
    result = run_with_fault(0)
    assert result.step_times_ns == []
    assert result.summary.state == "safe"
    assert result.summary.alarms_active == ["eeprom_dead"]
    assert result.summary.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}


@pytest.mark.requirement("R49", "F11")
def test_an_rtc_that_has_lost_its_time_means_the_lowest_programmed_rate_until_the_clock_is_set() -> None:
    plan = scenario(continuous("20 mL/day"), "60 s", {"at": "30 s", "do": "set_clock", "by": "0 s"}, pump=PUMP)
    bench = make_bench(plan)
    bench.rtc.halt(0)
    result = Simulation(plan, Twin(bench, plan.seed)).run(lambda share: None)
    assert [event.details["alarm"] for event in result.events if event.code == "alarm"] == ["rtc_lost"]
    assert [event.code for event in result.events if event.code == "alarm_end"] == ["alarm_end"]
    assert result.summary.alarms_active == []
    assert result.summary.state == "dosing"
