"""A slice of the fault campaign on the emulated board: a hung processor, a bit in a scratch register, an RTC that falls
silent, a motor that does not follow (F11; R17, R18, R42)."""

from __future__ import annotations

import pytest

from thecal.faults import board

SLICE = range(1, 5)  # of the first package: one of each


@pytest.mark.requirement("F11", "R17", "R18", "R42")
def test_no_fault_of_the_slice_on_the_board_is_unsafe_and_a_motor_that_does_not_follow_is_detected() -> None:
    cases = {case.what.partition(" s ")[2]: case for case in board.lead(1, 0, SLICE)}
    assert [what.split(",")[0] for what in cases] == [
        "the processor hangs",
        "scratch register 3",
        "rtc silent for 0.506 s",
        "the motor does not follow",
    ]
    assert [case.line() for case in cases.values() if case.verdict.kind == "unsafe"] == []
    assert cases["the motor does not follow"].verdict.kind == "detected"
