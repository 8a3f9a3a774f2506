"""What reviewers of the whole pump found, each as it was shown: console, records, clock, motion (F4, F10, F11, F12)."""

from __future__ import annotations

import pytest
from pump_rig import Pump, prescription

from firmware.console import Console
from thecal.models.bench import PumpConfig
from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription
from thecal.programming import calibration_values


def refused(pump: Pump, line: str) -> str:
    (answer,) = pump.ask(line)
    return answer.removeprefix("error: ")


@pytest.mark.requirement("F4", "I5")
@pytest.mark.parametrize("end", ["power_cut", "hang"])
def test_a_stop_that_was_answered_survives_a_reset_right_after_it(end: str):
    pump = Pump(prescription(basal="20 mL/day"))
    assert pump.ask("stop") == ["ok"]
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(10**9) if end == "power_cut" else pump.twin.hang())
    pump.run(12)
    assert pump.status()["state"] == "stopped"
    assert pump.steps_within(20) == 0


@pytest.mark.requirement("F10", "I2", "I5")
def test_records_that_could_not_be_read_are_not_overwritten():
    pump = Pump(prescription(basal="20 mL/day"))
    pump.run(60)
    pump.bench.eeprom.dead = True
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(10**9))
    pump.run(10)
    pump.bench.eeprom.dead = False
    for name, value in calibration_values(PumpConfig()):
        pump.ask(f"calibrate set {name} {value}")
    assert "could not be read at the start" in refused(pump, "calibrate commit")
    made = pump.bench.motor.steps
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(10**9))
    pump.run(10)
    assert int(pump.status()["ledger_steps"]) >= made > 0


@pytest.mark.requirement("F10")
def test_an_eeprom_that_answers_after_a_moment_is_read_after_all():
    pump = Pump(prescription(basal="20 mL/day"))
    pump.bench.eeprom.dead = True
    now = pump.twin.now_ns()
    pump.twin.at(now, lambda: pump.twin.power_cut(10**9))
    pump.twin.at(now + 2_200_000_000, lambda: setattr(pump.bench.eeprom, "dead", False))
    pump.run(10)
    assert pump.status()["state"] == "dosing"


@pytest.mark.requirement("F7", "I1")
def test_a_new_minimum_rate_is_the_rate_of_the_minimum_mode_at_once():
    least = {"patient": "bench-07", "drug": "saline", "mode": "minimum"}
    pump = Pump(parse_prescription(least, RateRange(6_000, 28_800_000)), min_rate=24_000_000)
    pump.ask("stop")
    assert pump.ask("calibrate set min_rate 6000") == ["ok"]
    assert pump.ask("calibrate commit") == ["ok"]
    assert pump.ask("resume") == ["ok"]
    pump.run(2)
    assert pump.status()["rate"].startswith("6000 nL/day")
    assert pump.steps_within(60) <= 1


@pytest.mark.requirement("R49", "I6")
@pytest.mark.parametrize("end", ["power_cut", "hang"])
def test_a_clock_that_disagreed_is_not_believed_after_a_reset(end: str):
    pump = Pump(prescription(basal="20 mL/day"))
    pump.twin.at(pump.twin.now_ns(), lambda: pump.bench.rtc.jump(6 * 3600, pump.twin.now_ns()))
    pump.run(60)
    assert pump.status()["alarms"] == "rtc_lost"
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(10**9) if end == "power_cut" else pump.twin.hang())
    pump.run(12)
    assert pump.status()["alarms"] == "rtc_lost"
    assert pump.ask("clear") == ["stays: rtc_lost", "ok"]
    assert pump.ask("clock set 2026-03-02T00:05:00") == ["ok"]
    pump.run(2)
    assert pump.status()["alarms"] == "none"


@pytest.mark.requirement("R49")
@pytest.mark.parametrize(("ppb", "alarm"), [(60_000, "none"), (20_000_000, "rtc_lost"), (-20_000_000, "rtc_lost")])
def test_an_rtc_that_drifts_beyond_what_crystals_do_is_lost(ppb: int, alarm: str):
    pump = Pump(prescription(basal="20 mL/day"))
    pump.twin.at(pump.twin.now_ns(), lambda: pump.bench.rtc.set_drift(ppb, pump.twin.now_ns()))
    pump.run(600)
    assert pump.status()["alarms"] == alarm


@pytest.mark.requirement("F11")
def test_a_hang_in_the_first_second_costs_the_time_of_the_hang_and_no_more():
    pump = Pump(prescription(basal="10 mL/day"))
    before = int(pump.status()["missed_nl"])
    now = pump.twin.now_ns()
    pump.twin.at(now, lambda: pump.twin.power_cut(10**9))
    pump.twin.at(now + 3_300_000_000, pump.twin.hang)
    pump.run(20)
    assert pump.twin.resets["watchdog"] == 1
    assert 6 * 115 < int(pump.status()["missed_nl"]) - before <= (3 + 10) * 116


@pytest.mark.requirement("F12", "I7")
def test_an_error_that_nobody_foresaw_refuses_the_command_and_restarts_nothing():
    class Failing:
        def run(self, words: list[str]) -> list[str]:
            raise MemoryError("memory allocation failed")

    class Port:
        data = bytearray(b"status\r")
        out = bytearray()

        def read_byte(self) -> int:
            return self.data.pop(0) if self.data else -1

        def write(self, data: memoryview) -> int:
            self.out += data
            return len(data)

    port = Port()
    console = Console(port, Failing())
    for _ in range(3):
        console.work(True)
    assert b"error: internal: MemoryError memory allocation failed\r\n" in port.out


@pytest.mark.requirement("F12")
def test_refusing_prescriptions_without_end_leaves_the_log_alone():
    pump = Pump(prescription(basal="10 mL/day"))
    for _ in range(50):
        pump.type(b"\x15program commit 00000000\rprogram discard\r")
        pump.run(0.5)
    lines = [line for line in pump.ask("log 100") if "refused" in line or "discarded" in line]
    assert len(lines) == 1
