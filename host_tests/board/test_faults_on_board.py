"""A slice of the fault campaign on the emulated board: an RTC that stops, two faults of the RAM, an RTC that leaps
(F11; R17, R18, R42)."""

from __future__ import annotations

import pytest

from thecal.build import build
from thecal.faults import board
from thecal.faults.verdict import MASKED, judge

SLICE = range(10, 14)  # of the first package


@pytest.mark.requirement("F11", "R17", "R18", "R42")
def test_no_fault_of_the_slice_on_the_board_is_unsafe_and_a_clock_that_is_lost_is_detected() -> None:
    cases = board.lead(1, 0, SLICE)
    assert len(cases) == len(SLICE)
    assert [case.line() for case in cases if case.verdict.kind == "unsafe"] == []
    clock = [case.verdict.kind for case in cases if "the RTC" in case.what]
    assert clock == ["detected", "detected"]


@pytest.mark.requirement("F11", "R17", "R37")
def test_a_pin_that_is_held_reaches_the_firmware_and_a_counter_that_leaves_the_memory_is_a_hang() -> None:
    """The emulated pads follow driver and button; and the emulator would go on where there is no memory."""
    held = board.try_one(1, 5, 24)
    assert held.what.endswith("GP7 held high")
    assert held.verdict.kind == "detected"
    lost = board.try_one(1, 2, 4)
    assert lost.what.endswith("register r11, bit 22 flips")
    assert lost.verdict.kind == "detected"


@pytest.mark.requirement("F4", "F11", "R18", "R22")
def test_a_commit_is_acknowledged_in_its_life_on_the_board() -> None:
    build()
    life = next(life for life in (board.plan(77, package) for package in range(200)) if life.kind == "commit")
    seen = board.Branching(life).lead()
    assert seen.heard
    assert judge(life, seen, seen, 0).kind == MASKED
    assert seen.steps > 0
