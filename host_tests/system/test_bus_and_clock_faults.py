"""The clock moves or stops, a part or the whole bus does not answer: what the pump notices, when, and what it does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import S, check_exact, continuous, flex, on_twin, scenario, steps_by

from thecal import bus_faults
from thecal.bus_faults import DEVICES
from thecal.models.ds3231 import DS3231
from thecal.sim import Result, make_bench

PUMP = {"reservoir": "100 mL"}  # no refill is due soon
RATE = 20_000_000
DAY = 86_400
CENTURY = 36_525 * DAY  # after which the years come round
DETECT_S = 60
ONE_RESERVATION = 58 * RATE // DAY // 25 + 1  # steps: it holds 55 s and what the two seconds ahead need


def run(duration: str, *events: dict[str, Any], rx: dict[str, Any] | None = None, **more: Any) -> Result:
    return on_twin(scenario(rx or continuous("20 mL/day"), duration, *events, pump=PUMP, **more))


def alarms(result: Result) -> list[tuple[str, float]]:
    """(code, true time in s) of each alarm."""
    return [(str(event.details["alarm"]), event.t_ns / S) for event in result.events if event.code == "alarm"]


def unharmed(result: Result) -> bool:
    return result.summary.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}


# -- the clock ------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R49", "F11")
@settings(max_examples=8)
@given(
    at=st.integers(10_000, 60_000),
    by=st.one_of(st.integers(-CENTURY + 3, -3), st.integers(3, CENTURY - 3)),
)
@example(at=30_000, by=3)
@example(at=30_000, by=-3)
@example(at=20_500, by=604_800)
@example(at=20_500, by=CENTURY - 3)
def test_an_rtc_that_jumps_is_noticed_within_a_minute_and_costs_no_more_than_the_lowest_rate(at: int, by: int):
    rx = flex("10 mL/day", ("daily", "06:00", "07:00", "2 mL/day"))
    at_s = f"{at / 1000:.3f}"
    result = run("3 min", {"at": f"{at_s} s", "do": "rtc_jump", "by": f"{by} s"}, rx=rx)
    ((code, noticed_s),) = alarms(result)
    assert code == "rtc_lost"
    assert float(at_s) < noticed_s <= float(at_s) + DETECT_S
    assert result.summary.alarms_active == ["rtc_lost"]
    assert result.summary.state == "dosing"
    assert unharmed(result)
    late = steps_by(result, 180 * S) - steps_by(result, 120 * S)
    assert late <= 60 * 2_000_000 // DAY // 25 + 1  # the lowest rate of the prescription
    before = steps_by(result, 120 * S)
    assert before <= 120 * 10_000_000 // DAY // 25  # until then it has counted on by the processor


@pytest.mark.requirement("R49")
@pytest.mark.parametrize("by", [-2, -1, 1, 2])
def test_an_rtc_that_moves_by_no_more_than_two_seconds_is_followed_once_and_believed(by: int):
    result = run("3 min", {"at": "30 s", "do": "rtc_jump", "by": f"{by} s"})
    assert alarms(result) == []
    assert [event.details["by_s"] for event in result.events if event.code == "clock_step"] == [by]
    check_exact(scenario(continuous("20 mL/day"), "3 min", pump=PUMP), result)


@pytest.mark.requirement("R49", "I6")
def test_an_rtc_that_moves_again_and_again_by_little_is_not_believed_for_long():
    jumps = [{"at": f"{30 + 25 * n} s", "do": "rtc_jump", "by": "1 s"} for n in range(4)]
    result = run("4 min", *jumps)
    ((code, noticed_s),) = alarms(result)
    assert code == "rtc_lost"
    assert noticed_s <= 30 + 25 * 2 + DETECT_S  # the third second is beyond 2 s and 100 ppm
    assert sum(int(event.details["by_s"]) for event in result.events if event.code == "clock_step") == 2


@pytest.mark.requirement("R49", "F11")
@pytest.mark.parametrize("at_s", [10.1, 25.3, 31.0, 38.6, 44.9])
def test_an_rtc_that_stops_is_noticed_within_a_minute(at_s: float):
    result = run("150 s", {"at": f"{at_s} s", "do": "rtc_stop"})
    ((code, noticed_s),) = alarms(result)
    assert code == "rtc_lost"
    assert noticed_s <= at_s + DETECT_S
    assert unharmed(result)


@pytest.mark.requirement("R49")
def test_setting_the_clock_revives_an_rtc_that_has_stopped():
    events = ({"at": "20 s", "do": "rtc_stop"}, {"at": "100 s", "do": "set_clock", "by": "80 s"})
    result = run("4 min", *events)
    assert result.summary.alarms_history == ["rtc_lost"]
    assert result.summary.alarms_active == []
    assert [event.code for event in result.events if event.code in ("clock_set", "clock_step")][-1] == "clock_set"
    times = [event.rtc for event in result.events]
    assert times[-1] < "2026-03-02T00:04:00"


@pytest.mark.requirement("R49", "F11")
def test_an_rtc_that_stops_before_a_restart_is_not_believed_after_it():
    events = ({"at": "30 s", "do": "rtc_stop"}, {"at": "31 s", "do": "power_cut", "for": "1 h"})
    result = run("70 s", *events)
    assert result.summary.state == "off"
    events = ({"at": "30 s", "do": "rtc_stop"}, {"at": "31 s", "do": "power_cut", "for": "10 s"})
    result = run("90 s", *events)
    ((code, noticed_s),) = alarms(result)
    assert (code, noticed_s < 45) == ("rtc_lost", True)


OFF = {"at": "2 h", "do": "power_cut", "for": "10 s"}


def left_while_off(by: int, rx: dict[str, Any], duration: str, *events: dict[str, Any]) -> Result:
    """The power is cut at 2 h, and the RTC, which goes on by its battery, has moved by so many seconds meanwhile."""
    jump = [{"at": "7205 s", "do": "rtc_jump", "by": f"{by} s"}] if by else []
    return run(duration, OFF, *jump, *events, rx=rx)


@pytest.mark.requirement("R49", "R17", "F11")
@pytest.mark.parametrize("by", [-3_600 * 24 * 365, -6_600, -3_600, -600, -80])
def test_an_rtc_set_back_while_the_power_was_off_gives_no_period_twice(by: int):
    """The period ends half an hour before the cut. Believed, the pump would give it, or a part of it, once more."""
    rx = flex("5 mL/day", ("daily", "00:30", "01:30", "10 mL/day"))
    plain = left_while_off(0, rx, "3 h")
    assert plain.summary.alarms_history == []
    result = left_while_off(by, rx, "3 h")
    ((code, noticed_s),) = alarms(result)
    assert (code, noticed_s < 7_215) == ("rtc_lost", True)
    assert result.summary.alarms_active == ["rtc_lost"]
    assert result.summary.state == "dosing"
    assert 0 <= len(plain.step_times_ns) - len(result.step_times_ns) <= 1
    after = [event.rtc for event in result.events if event.code == "boot"][1]
    assert after.startswith(("2026-03-02T01:59", "2026-03-02T02:00"))  # the pump's time, not the RTC's


@pytest.mark.requirement("R49")
def test_an_rtc_may_be_two_seconds_behind_the_newest_record_and_no_more():
    """The record is that of a stop. The time from it to the next start is what the RTC may lose unnoticed."""

    def start(by: int) -> Result:
        stop = {"at": "30 s", "do": "command", "line": "stop"}
        return run("100 s", stop, {"at": "60 s", "do": "power_cut", "for": "10 s"}, *_jump("65 s", by))

    boot = datetime.fromisoformat([event.rtc for event in start(0).events if event.code == "boot"][1])
    (stopped,) = [event.rtc for event in start(0).events if event.code == "stop"]
    between = round((boot - datetime.fromisoformat(stopped)).total_seconds())
    assert 40 <= between <= 44
    assert start(-between - 2).summary.alarms_history == []
    assert start(-between - 3).summary.alarms_history == ["rtc_lost"]


def _jump(at: str, by: int) -> list[dict[str, Any]]:
    return [{"at": at, "do": "rtc_jump", "by": f"{by} s"}] if by else []


@pytest.mark.requirement("R49", "R17", "R08")
def test_a_leap_forward_while_the_power_was_off_is_believed_and_costs_no_more_than_the_limits_twice():
    """Nobody can tell it from a longer time off: docs/LIMITS.md discloses what it costs."""
    rx: dict[str, Any] = continuous("2.4 mL/day")  # 100 uL an hour
    rx["patient_bolus"] = {"dose": "20 uL", "over": "2 min", "lockout": "2 min", "max_per_day": 9}
    rx["limits"] = {"max_per_hour": "150 uL"}
    presses = [{"at": f"{at} s", "do": "patient_bolus"} for at in range(10, 3_600, 130)]
    off = {"at": "1800 s", "do": "power_cut", "for": "5 s"}
    for leap, boluses in ([], 2), (_jump("1802 s", 90_000), 4):
        events = sorted([*presses, off, *leap], key=lambda event: int(event["at"].split()[0]))
        result = run("1 h", *events, rx=rx)
        assert {code for code, _ in alarms(result)} == {"bolus_denied"}
        assert len([event for event in result.events if event.code == "bolus"]) == boluses
        assert result.summary.steps * 25 <= boluses // 2 * 150_000


@pytest.mark.requirement("R49", "F11")
@pytest.mark.parametrize(
    ("by", "lost"), [(-7_200, True), (-20, True), (7_200, True), (120, True), (-2, False), (2, False)]
)
def test_an_rtc_that_has_moved_when_a_hang_ends_is_lost_in_either_direction(by: int, lost: bool):
    result = run("3 min", *_jump("100 s", by), {"at": "101 s", "do": "hang"})
    assert result.summary.resets["watchdog"] == 1
    assert (result.summary.alarms_active == ["rtc_lost"]) == lost
    if lost:
        assert alarms(result)[0][1] < 115


@pytest.mark.requirement("R49", "R15")
@pytest.mark.parametrize(
    ("by", "reset"),
    [(by, {"do": "hang"}) for by in (-50, -200, -86_400 * 365)]
    + [(by, {"do": "power_cut", "for": "5 s"}) for by in (-200, -86_400 * 365)],
)
def test_an_rtc_set_back_ends_a_timed_stop_neither_early_nor_later_than_its_whole_length(
    by: int, reset: dict[str, Any]
):
    """Which of the two clocks is right, nobody can tell."""
    stop = {"at": "30 s", "do": "command", "line": "stop for 10 min"}
    result = run("15 min", stop, *_jump("99 s", by), {"at": "100 s", **reset})
    assert result.summary.alarms_active == ["rtc_lost"]
    resumed_s = min(t for t in result.step_times_ns if t > 40 * S) / S
    assert 630 - 5 <= resumed_s - min(-by, 75) <= 640
    assert result.summary.state == "dosing"


@pytest.mark.requirement("R49", "I6")
@pytest.mark.parametrize("by", [-7_200, -60, 60, 7_200])
@pytest.mark.parametrize("reset", [{"do": "power_cut", "for": "1 s"}, {"do": "hang"}])
def test_the_operators_time_is_believed_after_a_reset_whichever_way_it_was_set(by: int, reset: dict[str, Any]):
    result = run("100 s", {"at": "30 s", "do": "set_clock", "by": f"{by} s"}, {"at": "33 s", **reset})
    assert result.summary.alarms_history == []


# -- the bus --------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F10", "F11", "I2")
@pytest.mark.parametrize("device", ["eeprom", "bus"])
def test_an_eeprom_that_cannot_be_reached_lets_only_reserved_volume_flow_and_then_stops_the_pump(device: str):
    result = run("4 min", {"at": "40 s", "do": "i2c_fault", "device": device, "for": "1 h"})
    assert result.summary.state == "safe"
    assert "eeprom_dead" in result.summary.alarms_active
    assert unharmed(result)
    assert result.summary.steps <= result.summary.ledger_steps
    assert 0 < len([t for t in result.step_times_ns if t > 40 * S]) <= ONE_RESERVATION


@pytest.mark.requirement("R49", "F11")
@pytest.mark.parametrize("device", ["rtc", "bus"])
def test_an_rtc_that_cannot_be_reached_is_lost_within_a_minute(device: str):
    result = run("3 min", {"at": "41 s", "do": "i2c_fault", "device": device, "for": "100 s"})
    found = dict(alarms(result))
    assert "rtc_lost" in found
    if device == "rtc":
        assert found["rtc_lost"] <= 41 + DETECT_S
        assert result.summary.state == "dosing"
    assert unharmed(result)


@pytest.mark.requirement("F11", "I7")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("at_s", [20.0, 55.97, 56.4])
def test_a_part_that_is_silent_for_four_seconds_costs_no_alarm_and_at_most_what_was_not_reserved(
    device: str, at_s: float
):
    """A reservation that runs out just then cannot be renewed: what it lacks is missed, and logged as missed."""
    plain = run("80 s")
    result = run("80 s", {"at": f"{at_s} s", "do": "i2c_fault", "device": device, "for": "4 s"})
    assert alarms(result) == []
    lost = len(plain.step_times_ns) - len(result.step_times_ns)
    assert 0 <= lost <= 4 * RATE // DAY // 25
    assert result.summary.missed_nl - plain.summary.missed_nl == lost * 25
    assert bool(lost) == (device != "rtc" and at_s == 55.97)
    assert unharmed(result)


@pytest.mark.requirement("F11", "I8")
@pytest.mark.parametrize("device", DEVICES)
def test_a_part_that_is_silent_at_power_on_means_an_alarm_and_no_reset_loop(device: str):
    result = run("40 s", {"at": "0 s", "do": "i2c_fault", "device": device, "for": "1 h"})
    assert result.summary.resets["watchdog"] + result.summary.resets["commanded"] == 0
    if device == "rtc":
        assert result.summary.alarms_active == ["rtc_lost"]
    else:
        assert result.step_times_ns == []
        assert result.summary.state == "safe"
        assert "eeprom_dead" in result.summary.alarms_active


@pytest.mark.requirement("F11")
@pytest.mark.parametrize("device", ["eeprom", "bus"])
def test_after_a_bus_fault_has_passed_clear_and_resume_start_the_pump(device: str):
    say = [{"at": f"{at} s", "do": "command", "line": line} for at, line in ((170, "clear"), (171, "resume"))]
    clock = {"at": "165 s", "do": "set_clock", "by": "0 s"}
    result = run("4 min", {"at": "30 s", "do": "i2c_fault", "device": device, "for": "130 s"}, clock, *say)
    assert result.summary.state == "dosing"
    assert result.summary.alarms_active == []
    assert result.summary.missed_nl > 60 * RATE // DAY
    assert unharmed(result)


@pytest.mark.requirement("T1")
def test_faults_of_one_device_that_overlap_last_until_the_later_end():
    long = {"at": "20 s", "do": "i2c_fault", "device": "eeprom", "for": "100 s"}
    short = {"at": "25 s", "do": "i2c_fault", "device": "eeprom", "for": "1 s"}
    one, both = run("2 min", long), run("2 min", long, short)
    assert one.summary.alarms_active == both.summary.alarms_active == ["eeprom_dead"]
    assert one.step_times_ns == both.step_times_ns


@pytest.mark.requirement("T1")
def test_a_clock_whose_registers_hold_no_time_cannot_jump():
    plan = scenario(continuous("20 mL/day"), "10 s")
    bench = make_bench(plan)
    rtc: DS3231 = bench.rtc
    for value in (0x05, 0x1F):  # the month register: 1F is no BCD number
        rtc.write_byte(value, 0)
    bus_faults.jump(bench, 5, 0)
    with pytest.raises(ValueError, match="BCD"):
        rtc.local_time(0)
