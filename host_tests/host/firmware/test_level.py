"""Level and ledger, judged at every reading that the sensor can give (F6; R14)."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.calibration import Calibration
from firmware.reservoir import NO_LEVEL, Level, level_nl
from thecal.models.fluid import Line, Reservoir
from thecal.models.sensors import Sensors

ML = 1_000_000
SIZES = (100_000, 10 * ML, 20 * ML, 40 * ML, 100 * ML)


def millivolts(counts: int) -> int:
    """As board.Board.millivolts."""
    return counts * 3_300 >> 12


def readings(judge: Level, count: int, mv: int, ledger_nl: int, values: Any) -> list[tuple[bool, bool, bool]]:
    found = []
    for _ in range(count):
        judge.read(mv, ledger_nl, values)
        found.append((judge.empty, judge.low, judge.apart))
    return found


@pytest.mark.requirement("F6", "R14")
@pytest.mark.parametrize("capacity", SIZES)
def test_the_level_is_right_to_two_counts_of_the_adc(capacity: int):
    """From empty to full, and never more than there is: 0.8 mV of 2,400 is a count, and two are lost to flooring."""
    reservoir = Reservoir(capacity, capacity, 25_000)
    sensors = Sensors(reservoir, Line())
    for share in range(2_001):
        reservoir.fill(capacity * share // 2_000)
        true_nl = capacity * share // 2_000
        found = level_nl(millivolts(sensors.level_counts()), capacity)
        assert true_nl - Fraction(capacity * 2, 2_400) <= found <= true_nl


@pytest.mark.requirement("F6", "R14")
def test_every_reading_of_the_adc_is_empty_a_level_or_no_level():
    values = Calibration()
    for counts in range(4_096):
        mv = millivolts(counts)
        judge = Level()
        (one, two) = readings(judge, 2, mv, 10 * ML, values)
        assert one[:2] == (False, False)
        if mv < 200 or mv > 2_800:
            assert (judge.nl, two[:2]) == (NO_LEVEL, (False, False))
        else:
            assert judge.nl is not None
            assert 0 <= judge.nl <= values.reservoir_nl
            assert two[:2] == (mv <= 304, judge.nl <= 2 * ML)


@pytest.mark.requirement("F6", "R14")
@pytest.mark.parametrize("capacity", SIZES)
def test_an_empty_reservoir_reads_empty_with_five_counts_of_error(capacity: int):
    reservoir = Reservoir(capacity, 0, 25_000)
    counts = Sensors(reservoir, Line()).level_counts()
    for error in range(-100, 6):
        judge = Level()
        assert readings(judge, 2, millivolts(counts + error), 0, Calibration(reservoir_nl=capacity))[1][0]
    judge = Level()
    assert not readings(judge, 9, millivolts(counts + 7), 0, Calibration(reservoir_nl=capacity))[-1][0]
    reservoir.fill(capacity // 500 + capacity // 2_000)  # at 0.25 % it is not given up yet
    assert millivolts(Sensors(reservoir, Line()).level_counts()) > 304


@pytest.mark.requirement("F6", "R14")
def test_one_reading_alone_says_nothing():
    judge, values = Level(), Calibration()
    for _ in range(50):
        assert readings(judge, 1, 300, 10 * ML, values)[0][:2] == (False, False)
        assert readings(judge, 1, 1_500, 10 * ML, values)[0][:2] == (False, False)


@pytest.mark.requirement("F6", "R14")
def test_a_reading_that_is_no_level_counts_as_apart_and_as_nothing_else():
    values = Calibration()
    for mv in (0, 199, 2_801, 3_299):
        found = readings(Level(), 16, mv, 10 * ML, values)
        assert found[13] == (False, False, False)
        assert found[14] == (False, False, True)
    judge = Level()
    readings(judge, 20, 0, 10 * ML, values)
    assert readings(judge, 15, 1_500, 10 * ML, values)[-1] == (False, False, False)


@pytest.mark.requirement("F6", "R14")
def test_apart_at_a_twentieth_for_a_minute_and_together_at_a_fortieth():
    values = Calibration()  # 20 mL: apart beyond 1 mL, together up to 0.5 mL
    level = level_nl(1_500, 20 * ML)
    for sign in (1, -1):
        for off, is_apart in ((ML, False), (ML + 1, True)):
            assert readings(Level(), 15, 1_500, level + sign * off, values)[-1][2] == is_apart
        for off, is_apart in ((500_000, False), (500_001, True)):
            judge = Level()
            readings(judge, 15, 1_500, level + sign * 2 * ML, values)
            assert readings(judge, 14, 1_500, level + sign * off, values)[-1][2]
            assert readings(judge, 1, 1_500, level + sign * off, values)[-1][2] == is_apart


@pytest.mark.requirement("F6", "R14")
@given(st.lists(st.integers(-499_999, 499_999), min_size=100, max_size=200))
def test_noise_around_the_limit_does_not_flicker(noise: list[int]):
    """Whatever noise of half a millilitre lies on a difference of 0.99 mL, the alarm does not come and go."""
    values = Calibration()
    level = level_nl(1_500, 20 * ML)
    judge = Level()
    found = [readings(judge, 1, 1_500, level + 999_999 + off, values)[0][2] for off in noise]
    changes = sum(one != other for one, other in pairwise(found))
    assert changes <= 1
    assert not found[0]


@pytest.mark.requirement("F6", "R14")
def test_low_at_the_very_nanolitre():
    values = Calibration()
    for mv in range(305, 700):
        judge = Level()
        assert readings(judge, 2, mv, 10 * ML, values)[1][1] == (Fraction((mv - 300) * 20, 2_400) * ML // 1 <= 2 * ML)
