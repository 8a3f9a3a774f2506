"""Damage to the EEPROM as a scenario tells it: written behind the firmware's back, and dead (I4, R37)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import S, continuous, on_twin, scenario

from thecal.models.at24c256 import SIZE
from thecal.programming import firmware
from thecal.scenario import Scenario, ScenarioError, parse_scenario
from thecal.sim import make_bench

LAYOUT = firmware("layout")
PRESCRIPTION = 64 * LAYOUT.PRESCRIPTION_FIRST


def write(at: str, address: int, data: bytes) -> dict[str, Any]:
    return {"at": at, "do": "eeprom_write", "address": address, "bytes": data.hex()}


def cut(at: str) -> dict[str, Any]:
    return {"at": at, "do": "power_cut", "for": "10 s"}


def damaged(address: int, data: bytes) -> Scenario:
    return scenario(continuous("5 mL/day"), "4 min", write("1 min", address, data), cut("2 min"))


def check_stopped(plan: Scenario) -> None:
    result = on_twin(plan)
    assert result.summary.alarms_active == ["prescription_damaged"]
    assert result.summary.state == "safe"
    assert 0 < max(result.step_times_ns) < 125 * S


@pytest.mark.requirement("F4", "F10", "I4")
@pytest.mark.parametrize("offset", [0, 3, 4, 12, 30, 63])
def test_a_prescription_damaged_behind_the_firmware_doses_nothing_after_the_next_start(offset: int):
    address = PRESCRIPTION + offset
    before = make_bench(damaged(address, b"\0")).eeprom.image()[address]
    check_stopped(damaged(address, bytes([before ^ 0x10])))


@pytest.mark.requirement("F4", "F10", "I4")
def test_a_prescription_erased_behind_the_firmware_doses_nothing_after_the_next_start():
    check_stopped(damaged(PRESCRIPTION, b"\xff" * 64))


@pytest.mark.requirement("F10", "I12")
def test_an_eeprom_that_dies_stops_the_pump_when_its_reservation_is_used_up():
    result = on_twin(scenario(continuous("5 mL/day"), "5 min", {"at": "2 min", "do": "eeprom_dead"}))
    assert result.summary.alarms_active == ["eeprom_dead"]
    assert max(result.step_times_ns) < 190 * S  # at most 60 s of flow were reserved
    assert result.summary.steps <= result.summary.ledger_steps


@pytest.mark.requirement("F15")
@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("address", -1, f"event[1].address = -1: a whole number of 0 to {SIZE - 1}"),
        ("address", SIZE, f"event[1].address = {SIZE}: a whole number of 0 to {SIZE - 1}"),
        ("address", "0", "a whole number"),
        ("bytes", "0g", "pairs of hex digits"),
        ("bytes", "0", "pairs of hex digits"),
        ("bytes", " ", "pairs of hex digits"),
        ("bytes", "00" * 3, f"1 to {2} bytes"),
    ],
)
def test_a_bad_write_is_refused_with_what_is_allowed(key: str, value: object, reason: str):
    event = {"at": "1 s", "do": "eeprom_write", "address": SIZE - 2, "bytes": "00", key: value}
    data = {
        "start": "2026-03-02T00:00:00",
        "duration": "10 s",
        "prescription": continuous("1 mL/day"),
        "event": [event],
    }
    with pytest.raises(ScenarioError) as refusal:
        parse_scenario(data, Path())
    assert reason in str(refusal.value)
