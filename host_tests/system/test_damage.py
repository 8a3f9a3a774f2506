"""What is damaged never doses (invariant 4), and the pump says so."""

from __future__ import annotations

from random import Random

import pytest
from support import continuous, scenario

from thecal.programming import firmware
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

PLAN = scenario(continuous("20 mL/day"), "30 s", pump={"reservoir": "100 mL"})
LAYOUT = firmware("layout")
PAGE = 64


def run_with(image: bytes | bytearray) -> Result:
    bench = make_bench(PLAN)
    bench.eeprom.load(bytes(image))
    return simulate(PLAN, Twin(bench, PLAN.seed))


def programmed() -> bytearray:
    return bytearray(make_bench(PLAN).eeprom.image())


@pytest.mark.requirement("F10", "R10")
@pytest.mark.parametrize("bit", range(0, 8 * PAGE, 5))
def test_a_flipped_bit_in_the_prescription_stops_the_pump(bit: int) -> None:
    image = programmed()
    image[LAYOUT.PRESCRIPTION_FIRST * PAGE + bit // 8] ^= 1 << bit % 8
    result = run_with(image)
    assert result.step_times_ns == []
    assert result.summary.alarms_active == ["prescription_damaged"]
    assert result.summary.state == "safe"


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("bit", range(0, 8 * PAGE * 2, 31))
def test_a_flipped_bit_in_the_calibration_stops_the_pump(bit: int) -> None:
    image = programmed()
    image[LAYOUT.CALIBRATION_FIRST * PAGE + bit // 8] ^= 1 << bit % 8
    result = run_with(image)
    assert result.step_times_ns == []
    assert "calibration_damaged" in result.summary.alarms_active


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("fill", [0x00, 0xFF])
@pytest.mark.parametrize("copies", [(0,), (1,), (0, 1)])
def test_a_ledger_or_a_copy_of_it_without_a_record_stops_the_pump(copies: tuple[int, ...], fill: int) -> None:
    image = programmed()
    for copy in copies:
        first = LAYOUT.LEDGER_FIRSTS[copy] * PAGE
        image[first : first + LAYOUT.LEDGER_PAGES * PAGE] = bytes([fill]) * (LAYOUT.LEDGER_PAGES * PAGE)
    result = run_with(image)
    assert result.step_times_ns == []
    assert result.summary.alarms_active == ["ledger_damaged"]


@pytest.mark.requirement("F10", "I2")
@pytest.mark.parametrize("copy", [0, 1])
def test_one_page_of_the_ledger_that_rots_is_made_good_from_the_other_copy(copy: int) -> None:
    whole = run_with(programmed())
    image = programmed()
    newest = LAYOUT.LEDGER_FIRSTS[copy] + 1  # of two records: calibrated, programmed
    image[newest * PAGE + 30] ^= 4
    result = run_with(image)
    assert result.summary.alarms_active == []
    assert len(result.step_times_ns) == len(whole.step_times_ns) > 200
    assert [event.details["region"] for event in result.events if event.code == "scrubbed"] == ["ledger"]


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
