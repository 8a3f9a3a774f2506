"""What is damaged never doses (invariant 4), and the pump says so."""

from __future__ import annotations

from random import Random

import pytest
from support import continuous, scenario

from thecal.programming import firmware
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

PLAN = scenario(continuous("20 mL/day"), "30 s")
LAYOUT = firmware("layout")
PAGE = 64


def run_with(image: bytes | bytearray) -> Result:
    bench = make_bench(PLAN)
    bench.eeprom.load(bytes(image))
    return simulate(PLAN, Twin(bench, PLAN.seed))


def programmed() -> bytearray:
    return bytearray(make_bench(PLAN).eeprom.image())


@pytest.mark.requirement("F10", "R10")
@pytest.mark.parametrize("bit", range(0, 8 * (10 + 34 + 4), 5))
def test_a_flipped_bit_in_the_prescription_stops_the_pump(bit: int) -> None:
    image = programmed()
    image[LAYOUT.PRESCRIPTION_FIRST * PAGE + bit // 8] ^= 1 << bit % 8
    result = run_with(image)
    assert result.step_times_ns == []
    assert result.summary.alarms_active == ["prescription_damaged"]
    assert result.summary.state == "safe"


@pytest.mark.requirement("F10")
def test_a_flipped_bit_in_the_calibration_stops_the_pump() -> None:
    image = programmed()
    image[LAYOUT.CALIBRATION_FIRST * PAGE + 12] ^= 1
    result = run_with(image)
    assert result.step_times_ns == []
    assert "calibration_damaged" in result.summary.alarms_active


@pytest.mark.requirement("F10")
def test_a_ledger_without_a_record_stops_the_pump() -> None:
    image = programmed()
    first = LAYOUT.LEDGER_FIRST * PAGE
    image[first : first + LAYOUT.LEDGER_PAGES * PAGE] = bytes(LAYOUT.LEDGER_PAGES * PAGE)
    result = run_with(image)
    assert result.step_times_ns == []
    assert result.summary.alarms_active == ["ledger_damaged"]


@pytest.mark.requirement("F10")
def test_an_erased_eeprom_is_a_pump_that_was_never_programmed() -> None:
    result = run_with(b"\xff" * 32_768)
    assert result.step_times_ns == []
    assert result.summary.state == "stopped"


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("seed", range(20))
def test_random_contents_never_dose(seed: int) -> None:
    result = run_with(Random(seed).randbytes(32_768))
    assert result.step_times_ns == []
    assert result.summary.state == "safe"
    assert result.summary.alarms_active != []
    assert result.summary.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}
