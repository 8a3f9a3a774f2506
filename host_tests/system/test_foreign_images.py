"""A pump that finds in its EEPROM what is not its own, or only half of it: a named alarm, and no step."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import continuous, scenario

from thecal.models.board_id import board_id
from thecal.powercut import images
from thecal.powercut.parts import Settings, Silent
from thecal.programming import firmware
from thecal.sim import Result, make_bench

PLAN = scenario(continuous("20 mL/day"), "20 s", pump={"reservoir": "100 mL"})
OWN = make_bench(PLAN).eeprom.image()
POLL_NS = 2_000_000  # so often a start looks for the edge of the RTC's second
SAME = images.start_with(PLAN, OWN)  # what the pump does with its own image
FORMAT = firmware("version").EEPROM_FORMAT
LAYOUT = firmware("layout")
LOGS = (
    (LAYOUT.FAULTS_FIRST, LAYOUT.FAULTS_FIRST + LAYOUT.FAULTS_PAGES),
    (LAYOUT.EVENTS_FIRST, LAYOUT.EVENTS_FIRST + LAYOUT.EVENTS_PAGES),
)


def run_with(image: bytes) -> Result:
    return images.start_with(PLAN, image)


def check_refused(result: Result, *alarms: str) -> None:
    """No step, no reset, and one of these alarms (none given: any)."""
    assert images.refused(result) == ""
    if alarms:
        assert set(alarms) & set(result.summary.alarms_active)


def is_still_there(image: bytes) -> bool:
    """Whether all that the image lacks is in it a second time (rings have two copies), or is a log."""
    left = {image[first : first + images.PAGE] for first in range(0, images.SIZE, images.PAGE)}
    for page in range(images.PAGES):
        content = OWN[page * images.PAGE : (page + 1) * images.PAGE]
        if content not in left and not any(first <= page < end for first, end in LOGS):
            return False
    return True


@pytest.mark.requirement("F10", "I4")
def test_the_pump_doses_with_its_own_image() -> None:
    assert len(SAME.step_times_ns) > 100
    assert SAME.summary.alarms_active == []


@pytest.mark.requirement("F10", "I12", "I4")
@pytest.mark.parametrize("seed", range(40))
def test_noise_is_an_alarm(seed: int) -> None:
    check_refused(run_with(images.noise(seed)))


@pytest.mark.requirement("F10", "I12", "I4")
@pytest.mark.parametrize("seed", range(12))
def test_noise_in_pages_of_the_right_form_is_an_alarm(seed: int) -> None:
    check_refused(run_with(images.sealed_noise(seed)))


@pytest.mark.requirement("F10", "I4")
def test_the_campaign_part_tries_both_kinds_of_noise_and_can_fail(tmp_path: Path) -> None:
    result = images.run(Settings(1, 1, 0, True, tmp_path), Silent())
    assert result.violations == []
    assert result.numbers["images"] == 40
    assert "steps" in images.refused(SAME)
    assert "state stopped" in images.refused(run_with(b"\xff" * images.SIZE))


@pytest.mark.requirement("F10", "I4")
@pytest.mark.parametrize("number", [0, 1, FORMAT + 1, FORMAT + 2, 128, 255])
def test_records_of_another_format_are_told_from_damage(number: int) -> None:
    check_refused(run_with(images.other_format(OWN, number)), "eeprom_format")


@pytest.mark.requirement("F10", "I4")
def test_the_very_first_format_is_no_format_to_dose_by() -> None:
    image = images.format_one(PLAN.pump, PLAN.prescription, PLAN.start)
    check_refused(run_with(image), "eeprom_format")


@pytest.mark.requirement("F10", "I4")
@pytest.mark.parametrize("page", [0, 12, 48, 64, 65, 112, 152, 160, 256, 257, 304, 344, 352])
def test_a_single_page_of_another_format_is_enough(page: int) -> None:
    foreign = images.other_format(OWN[: images.PAGE] * images.PAGES, FORMAT + 1)[: images.PAGE]
    image = bytearray(OWN)
    image[page * images.PAGE : (page + 1) * images.PAGE] = foreign
    check_refused(run_with(bytes(image)), "eeprom_format")


@pytest.mark.requirement("F10", "I4")
def test_the_eeprom_of_another_pump_does_not_dose_here() -> None:
    other = scenario(continuous("20 mL/day"), "20 s", pump={"reservoir": "100 mL", "serial": "bench-02"})
    image = make_bench(other).eeprom.image()
    assert board_id("bench-02") in image
    assert board_id(PLAN.pump.serial) not in image
    check_refused(run_with(image), "other_pump")


@pytest.mark.requirement("F10", "I4", "I5")
@pytest.mark.parametrize(("name", "image"), list(images.half_erased(OWN)), ids=[n for n, _ in images.half_erased(OWN)])
def test_half_an_image_is_an_alarm_unless_nothing_is_lost(name: str, image: bytes) -> None:
    result = run_with(image)
    if result.step_times_ns:
        assert is_still_there(image), name
        pairs = zip(result.step_times_ns, SAME.step_times_ns, strict=True)
        (later,) = {mine - usual for mine, usual in pairs}
        assert abs(later) <= POLL_NS, name
    else:
        check_refused(result)


@pytest.mark.requirement("F10", "I4", "I5")
def test_most_of_what_one_erasure_may_leave_is_an_alarm() -> None:
    """So that the test above does not pass for want of cases: halves, every second page or byte, the first eighths."""
    refused = [name for name, image in images.half_erased(OWN) if not run_with(image).step_times_ns]
    assert len(refused) >= 9
    assert {"lower half", "upper half", "pages 0 to 63", "pages 64 to 127", "pages 256 to 319"} <= set(refused)
