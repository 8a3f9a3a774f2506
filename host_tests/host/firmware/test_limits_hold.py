"""What no detour round a limit gains: other boluses, another concentration, a clock, a reset, damage (I6)."""

from __future__ import annotations

from typing import Any

import pytest
from pump_rig import Pump, S
from support import on_twin, scenario

from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription

BACLOFEN = {"patient": "bench-07", "drug": "baclofen", "mode": "continuous"}
SALINE = {"patient": "bench-07", "drug": "saline", "mode": "continuous"}


def pump_with(rx: dict[str, Any]) -> Pump:
    return Pump(parse_prescription(rx, RateRange(6_000, 28_800_000)))


def log(pump: Pump) -> list[str]:
    return pump.ask("log 60", 3)


def bolus_events(result: Any) -> list[tuple[str, Any]]:
    codes = ("bolus", "bolus_denied", "bolus_skipped")
    kinds = [event for event in result.events if event.code in codes and event.details.get("kind") != "scheduled"]
    return [(event.code, event.details.get("reason")) for event in kinds]


@pytest.mark.requirement("F3", "I6", "R07")
def test_a_lockout_is_not_forgotten_however_many_boluses_follow():
    scheduled = [{"days": "daily", "at": f"{hour:02}:30", "dose": "1 uL", "over": "1 min"} for hour in range(24)]
    rx = {
        **SALINE,
        "basal": "100 uL/day",
        "scheduled_bolus": scheduled,
        "patient_bolus": {"dose": "1 uL", "over": "1 min", "lockout": "7 d", "max_per_day": 1},
    }
    presses = [{"at": at, "do": "patient_bolus"} for at in ("10 min", "36 h")]
    assert bolus_events(on_twin(scenario(rx, "37 h", *presses))) == [("bolus", None), ("bolus_denied", "lockout")]


@pytest.mark.requirement("F3", "F8", "R08", "R10")
def test_a_clinician_bolus_keeps_within_the_day_of_the_drug():
    rx = {**BACLOFEN, "concentration": "2000 ug/mL", "basal": "300 ug/day"}
    lines = ["bolus 40000 ug over 24 h", "bolus 1700.002 ug over 20 h", "bolus 1700 ug over 20 h"]
    events = [{"at": f"{minute} min", "do": "command", "line": line} for minute, line in enumerate(lines, 1)]
    result = on_twin(scenario(rx, "10 min", *events, pump={"reservoir": "100 mL"}))
    assert bolus_events(result) == [("bolus_denied", "max_per_day"), ("bolus_denied", "max_per_day"), ("bolus", None)]
    assert "at most 850 uL (1700 ug), for the day's limit of baclofen" in result.refusals[0].answer


@pytest.mark.requirement("F3", "F7", "I6", "R08")
def test_a_mass_limit_does_not_grow_with_a_change_of_concentration():
    limits = {"max_per_day": "300 ug"}
    old = {**BACLOFEN, "concentration": "2000 ug/mL", "basal": "24 ug/day", "limits": limits}
    new = {**BACLOFEN, "concentration": "50 ug/mL", "basal": "24 ug/day", "limits": limits}
    events = [
        {"at": "1 min", "do": "command", "line": "bolus 250 ug over 10 min"},
        {"at": "20 min", "do": "program", "prescription": new},
        {"at": "21 min", "do": "command", "line": "bridge cancel"},
        {"at": "22 min", "do": "command", "line": "bolus 27 ug over 2 h"},
        {"at": "23 min", "do": "command", "line": "bolus 26 ug over 2 h"},
    ]
    result = on_twin(scenario(old, "25 min", *events))
    assert bolus_events(result) == [("bolus", None), ("bolus_denied", "max_per_day"), ("bolus", None)]


@pytest.mark.requirement("F3", "R50")
def test_a_dose_beyond_every_number_is_refused_with_its_range():
    rx = {**BACLOFEN, "concentration": "50 ug/mL", "basal": "24 ug/day"}
    event = {"at": "1 min", "do": "command", "line": "bolus 999999999999 mg over 1 h"}
    result = on_twin(scenario(rx, "2 min", event))
    assert [refusal.answer for refusal in result.refusals] == ["error: bolus = 999999999999 mg: 1 nL to 1 L"]


@pytest.mark.requirement("F3", "R49")
@pytest.mark.parametrize(
    ("busy_s", "reason", "resets"),
    [(4.0, "late", 0), (4.6, "interruption", 1)],
    ids=["late", "too long for the watchdog, which ends it"],
)
def test_a_bolus_that_a_busy_pump_came_too_late_for_is_told(busy_s: float, reason: str, resets: int):
    rx = {
        **SALINE,
        "basal": "100 uL/day",
        "scheduled_bolus": [{"days": "daily", "at": "00:02", "dose": "1 uL", "over": "1 min"}],
    }
    pump = pump_with(rx)

    def be_busy() -> None:
        pump.twin.world.now_ns += int(busy_s * S)

    pump.twin.at(int(118.3 * S), be_busy)
    pump.run(200)
    skipped = [line for line in log(pump) if "bolus_skipped" in line]
    assert len(skipped) == 1
    assert f"reason={reason}" in skipped[0]
    assert len([line for line in log(pump) if " boot " in line]) == 1 + resets
    assert not [line for line in log(pump) if "kind=scheduled" in line]
    pump.close()


@pytest.mark.requirement("R49", "I6")
def test_a_clock_that_jumps_before_a_reset_is_not_believed_and_ends_no_lockout():
    rx = {
        **SALINE,
        "basal": "1 mL/day",
        "patient_bolus": {"dose": "1 uL", "over": "1 min", "lockout": "2 h", "max_per_day": 9},
    }
    pump = pump_with(rx)
    pump.run(60)
    assert pump.ask("dose")[-1] == "ok"
    pump.run(90.3)
    pump.bench.rtc.jump(3 * 3_600, pump.twin.now_ns())
    pump.twin.hang()
    pump.run(30)
    assert pump.status()["alarms"] == "rtc_lost"
    assert "error" in pump.ask("dose")[-1]
    pump.close()


@pytest.mark.requirement("F3", "F4", "I4")
def test_a_prescription_that_comes_back_with_a_new_calibration_gives_its_scheduled_boluses():
    rx = {
        **SALINE,
        "basal": "100 uL/day",
        "scheduled_bolus": [{"days": "daily", "at": "00:20", "dose": "10 uL", "over": "5 min"}],
    }
    pump = pump_with(rx)
    shown = pump.ask("calibrate show")
    pump.bench.eeprom.overwrite(48 * 64, bytes(8 * 64))
    pump.twin.power_cut(2 * S)
    pump.run(8)
    assert "calibration_damaged" in pump.status()["alarms"]
    for line in shown:
        key, colon, value = line.partition(": ")
        if colon and key not in ("calibration", "staged"):
            pump.ask(f"calibrate set {key} {value.split()[0]}")
    for line in ("calibrate commit", "clear", "resume"):
        assert pump.ask(line)[-1] == "ok"
    pump.run(1_800)
    assert [line for line in log(pump) if "bolus_end" in line and "kind=scheduled" in line and "how=done" in line]
    pump.close()
