"""Line pressure, judged on the models of line and sensor (F11; R18, R20)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pressure_rig import DAY, Pumped, Watched

from firmware import alarms, pressure
from firmware.pressure import OPEN, SENSOR, THRESHOLD, TREND

UL = 1_000_000  # pL
pytestmark = pytest.mark.requirement("F11", "R20")
rates = st.integers(6_000, 28_800_000)  # nL/day
steps = st.sampled_from([1_000, 25_000, 1_000_000])  # pL


@settings(max_examples=40)
@given(rates, steps, st.integers(0, 3_600))
def test_a_closed_line_is_found_by_volume_at_every_rate(rate: int, pl_per_step: int, open_s: int) -> None:
    """At 70 kPa on three readings at the latest; at low rates after 0.5 uL, whatever the flow was before."""
    pumped = Pumped(rate, pl_per_step)
    for _ in range(open_s):
        assert pumped.second() == OPEN
    pumped.line.occluded = True
    a_second = rate * 1_000 // DAY + 1
    pumped.until_found((2 * UL + 4 * pl_per_step) // max(1, a_second) + 60)
    highest = 1_400_000 + 3 * a_second + pl_per_step
    assert pumped.judge.found in (THRESHOLD, TREND)
    assert pumped.line.trapped_pl <= highest
    if a_second <= 10_000 and pl_per_step <= 25_000:
        assert pumped.judge.found == TREND
        assert pumped.line.trapped_pl <= 500_000 + pl_per_step


@settings(max_examples=30)
@given(rates, steps, st.integers(0, 2**32), st.integers(0, 10), st.lists(st.integers(-10_000, 60_000), max_size=3))
def test_noise_and_steps_of_the_pressure_are_no_occlusion(
    rate: int, pl_per_step: int, seed: int, noise_mv: int, stairs: list[int]
) -> None:
    """An hour of an open line, with noise of up to 1 kPa on each reading, and up to three changes of its pressure to
    stay, of up to 7 kPa after each other or of up to 60 kPa in one."""
    random = Random(seed)
    pumped = Pumped(rate, pl_per_step)
    levels = [0, *(stair if len(stairs) == 1 else stair // 10 for stair in stairs)]
    for second in range(3_600):
        pascal = sum(levels[: 1 + second * len(levels) // 3_600])
        assert pumped.second(pascal, random.randint(-noise_mv, noise_mv) * 1_000) == OPEN


def test_seventy_kilopascal_on_three_readings_a_second_apart() -> None:
    for kilopascal, found in ((69_800, OPEN), (70_000, THRESHOLD)):
        pumped = Pumped(0, 25_000)
        assert [pumped.second(kilopascal) for _ in range(4)] == [OPEN, OPEN, found, found]
    pumped = Pumped(0, 25_000)
    for _ in range(50):
        assert [pumped.second(pa) for pa in (90_000, 90_000, 0)] == [OPEN] * 3


@pytest.mark.requirement("R18")
@pytest.mark.parametrize("mv", [0, 150, 3_260, 3_299])
def test_a_sensor_that_shows_what_no_line_gives_counts_as_an_occlusion(mv: int) -> None:
    judge = pressure.Line()
    for reading, found in ((mv, OPEN), (500, OPEN), (mv, OPEN), (mv, OPEN), (mv, SENSOR), (500, SENSOR), (mv, SENSOR)):
        judge.read(reading, 0)
        assert judge.found == found
    for reading, found in ((500, SENSOR), (500, SENSOR), (500, OPEN)):
        judge.read(reading, 0)
        assert judge.found == found


def test_every_reading_is_a_pressure_at_the_limit_or_none() -> None:
    for count in range(4_096):
        judge = pressure.Line()
        mv = count * 3_300 >> 12
        for _ in range(3):
            judge.read(mv, 0)
        expected = SENSOR if mv < 200 or mv > 3_250 else THRESHOLD if mv >= 1_199 else OPEN
        assert judge.found == expected


def test_the_cause_is_gone_in_the_middle_of_what_had_risen() -> None:
    pumped = Pumped(480_000, 25_000)
    pumped.line.occluded = True
    assert pumped.until_found(600) == TREND
    trapped = pumped.line.pressure_pa
    pumped.line.occluded = False
    pumped.rate = 0
    for _ in range(10):
        assert pumped.second(trapped * 6 // 10) == TREND
    assert [pumped.second() for _ in range(3)] == [TREND, TREND, OPEN]
    pumped = Pumped(0, 25_000)
    for _ in range(3):
        pumped.second(80_000)
    assert [pumped.second(35_500) for _ in range(9)] == [THRESHOLD] * 9
    assert [pumped.second(34_000) for _ in range(3)] == [THRESHOLD, THRESHOLD, OPEN]


def test_the_alarm_comes_and_its_cause_goes_and_steps_are_taken_from_the_ledger() -> None:
    pump = Watched()
    pump.line.occluded = True
    for second in range(400):
        if second == 30:
            pump.app.ledger.steps = 0  # it began anew
        if second % 10 == 0:
            pump.step()
        pump.watch.watch()
    (fields,) = pump.logged
    assert fields["found"] == TREND
    assert 600 < fields["millivolts"] < 800
    assert alarms.codes(pump.app.alarms.active) == ["occlusion"]
    assert pump.app.alarms.clear() == ["occlusion"]
    pump.line.occluded = False
    pump.seconds(3)
    assert pump.app.alarms.clear() == []
