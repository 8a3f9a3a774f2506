"""`calibrate commit`: what it may not free, and when it is in force (F4, F5, F7, F10; R10)."""

from __future__ import annotations

from typing import Any

import pytest
from pump_rig import KIND, Pump, prescription

from firmware import layout
from firmware.pages import CALIBRATION, PAGE

ZICONOTIDE = {"drug": "ziconotide", "concentration": "100 ug/mL"}
SALINE = {"drug": "saline", "concentration": None}


def in_a_bridge(after_s: int, **config: Any) -> Pump:
    """From ziconotide at 150 uL/day to saline."""
    pump = Pump(prescription(**ZICONOTIDE, basal="150 uL/day"), **config)
    pump.run(after_s)
    pump.commit(prescription(**SALINE, basal="1.4 mL/day"))
    return pump


@pytest.mark.requirement("F7", "R10")
def test_no_calibration_makes_a_bridge_flow_faster_than_it_was_confirmed():
    pump = in_a_bridge(60)
    pump.ask("stop")
    pump.ask("calibrate set min_rate 1400000")
    refused = "error: calibration.min_rate = 1400000: at most 150000 nL/day, at which the bridge runs"
    assert pump.ask("calibrate commit", 1)[-1] == refused
    pump.ask("calibrate set min_rate 150000")
    assert pump.ask("calibrate commit", 1)[-1] == "ok"
    pump.close()


def calibration_rots(pump: Pump) -> None:
    memory = pump.bench.eeprom.memory
    for slot in range(layout.CALIBRATION_SLOTS):
        at = (layout.CALIBRATION_FIRST + slot * layout.CALIBRATION_PAGES) * PAGE
        if memory[at + KIND] == CALIBRATION:
            memory[at + 20] ^= 1
    pump.cut()
    assert "calibration_damaged" in pump.status()["alarms"]


@pytest.mark.requirement("F7", "R10")
def test_nor_does_a_calibration_that_takes_the_place_of_a_damaged_one():
    pump = in_a_bridge(60)
    pump.ask("stop")
    calibration_rots(pump)
    pump.stage_calibration(min_rate=1_400_000)
    assert pump.ask("calibrate commit", 4)[-1] == "ok"
    for _ in range(2):
        assert "prescription_damaged" in pump.status()["alarms"]
        pump.ask("clear", 1)
        assert pump.ask("resume", 1)[-1].startswith("error")
        assert pump.steps_within(600) == 0
        pump.cut()  # the next start judges it alike
    pump.ask("calibrate set min_rate 6000")
    assert pump.ask("calibrate commit", 4)[-1] == "ok"
    assert pump.ask("clear", 1) == ["ok"]
    assert pump.ask("resume", 1)[-1] == "ok"
    assert "bridge_left_nl" in pump.status()
    pump.close()


@pytest.mark.requirement("F5", "R10")
@pytest.mark.parametrize("over", [False, True])
def test_no_calibration_makes_a_drug_flow_beyond_its_limits_after_a_trial(over: bool):
    bolus = {"over": "10 min", "lockout": "4 h", "max_per_day": 2}
    doses = [{**ZICONOTIDE, "basal": "0 uL/day", "patient_bolus": {"dose": dose, **bolus}} for dose in ("1 uL", "2 uL")]
    pump = Pump(prescription(**doses[0]))
    pump.run(5)
    pump.confirmed(prescription(**doses[1]))
    assert pump.ask("trial start 1 h then minimum", 1.5)[-1] == "ok"
    if over:
        pump.run(3_700)
    pump.ask("stop")
    pump.ask("calibrate set min_rate 1400000")
    answer = pump.ask("calibrate commit", 1)[-1]
    assert answer.startswith("error: calibration.min_rate, after the trial")
    calibration_rots(pump)
    pump.stage_calibration(min_rate=1_400_000)
    assert pump.ask("calibrate commit", 4)[-1] == "ok"
    assert "prescription_damaged" in pump.status()["alarms"]
    pump.ask("clear", 1)
    assert pump.ask("resume", 1)[-1].startswith("error")
    pump.close()


@pytest.mark.requirement("F4", "F7", "I5")
def test_no_calibration_comes_between_the_end_of_a_bridge_and_its_record():
    """The next start would find the bridge in the record, and the prescription not valid."""
    pump = in_a_bridge(700, tubing_nl=1_000, catheter_mm=0)
    while "bridge_left_nl" in pump.status():
        pump.run(1)
    pump.ask("stop")
    pump.ask("calibrate set min_rate 1400000")
    answer = pump.ask("calibrate commit", 1)[-1]
    assert answer == "error: calibrate commit: the end of a bridge or trial is stored first, within 2 min"
    pump.run(70)
    pump.ask("calibrate set min_rate 1400000")
    assert pump.ask("calibrate commit", 1)[-1] == "ok"
    pump.cut()
    assert pump.status()["alarms"] == "none"
    assert pump.ask("resume", 1)[-1] == "ok"
    assert pump.steps_within(60)
    pump.close()


@pytest.mark.requirement("F5", "F7")
def test_what_was_before_a_trial_is_found_whatever_bridge_it_began_with():
    pump = in_a_bridge(700, tubing_nl=1_000, catheter_mm=0)
    pump.confirmed(prescription(**SALINE, basal="2 mL/day"))
    assert pump.ask("trial start 2 d then stopped", 2)[-1] == "ok"
    while "bridge_left_nl" in pump.status():
        pump.run(1)
    pump.run(90)
    pump.ask("stop")
    pump.ask("calibrate set min_rate 1400000")
    assert pump.ask("calibrate commit", 1)[-1] == "ok"
    answer = pump.ask("trial discard", 3)
    assert answer[0] == "before the trial: found, and checked once more"
    assert not any("mode stopped is staged" in line for line in answer)
    pump.close()


@pytest.mark.requirement("F10", "I4", "I5")
@pytest.mark.parametrize("late_ms", [0, 6.2, 7, 8, 10, 12, 14, 16, 18, 20])
def test_a_first_calibration_is_in_force_if_the_pump_says_so_and_only_then(late_ms: float):
    """Its own record may be taken, and the ledger's behind it refused."""
    pump = Pump(programmed=False)
    pump.stage_calibration()
    pump.outage_behind(CALIBRATION, late_ms, 60)
    told = pump.ask("calibrate commit", 4)[-1] == "ok"
    pump.run(2)
    for _ in range(2):
        pump.run(4)  # behind a cut the watchdog is left to bite, once
        shown = pump.ask("calibrate show", 1)[0]
        assert shown.startswith("calibration: version" if told else "calibration: none"), shown
        assert pump.status()["alarms"] == "none"
        pump.cut()
    pump.close()


@pytest.mark.requirement("F11", "R18")
def test_two_outages_that_lie_apart_are_no_dead_eeprom_and_one_that_ends_can_be_cleared():
    pump = Pump(programmed=False)
    for silent_ms in (1_500, 1_500, 9_000):
        pump.stage_calibration()
        pump.outage_behind(CALIBRATION, 0, silent_ms)
        assert pump.ask("calibrate commit", 4)[-1].startswith("error")
        pump.run(4)
        assert pump.status()["alarms"] == ("none" if silent_ms < 5_000 else "eeprom_dead")
        pump.run(600)
    assert pump.ask("clear", 1)[-1] == "ok"
    assert pump.status()["alarms"] == "none"
    pump.close()
