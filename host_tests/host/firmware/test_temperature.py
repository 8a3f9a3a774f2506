"""Overheating, by both thermometers, on the models of RTC, sensor and board (F11; R37)."""

from __future__ import annotations

import pytest
from temperature_rig import Heated

from firmware import alarms
from firmware.temperature import die_quarters

pytestmark = pytest.mark.requirement("F11", "R37")


HOT = ["over_temperature"]


@pytest.mark.parametrize("after_ms", [0, 100, 300, 5_000, 9_999])
@pytest.mark.parametrize("before", [1, 5, 6, 7, 20])
def test_above_55_degrees_is_noticed_within_30_seconds_and_over_below_50(before: int, after_ms: int) -> None:
    heated = Heated()
    heated.heat(55_000)
    assert heated.readings(before) == [[]] * before
    heated.rig.until_ms(heated.now_ms + after_ms)
    heated.heat(55_250)
    found = heated.readings(3)
    assert (found[0], found[2]) == ([], HOT)
    assert heated.logged == [("temperature", {"celsius": 55, "die_celsius": 56})]
    assert alarms.codes(heated.alarms.active) == heated.alarms.clear() == HOT
    heated.heat(50_000)
    assert heated.readings(20) == [HOT] * 20
    heated.heat(49_750)
    assert heated.readings(3)[-1] == []
    assert heated.alarms.clear() == []


def test_one_hot_reading_is_no_heat() -> None:
    heated = Heated()
    for _ in range(10):
        heated.heat(90_000)
        heated.readings(1)
        heated.heat(20_000)
        assert heated.readings(1) == [[]]
        assert heated.readings(1) == [[]]


@pytest.mark.parametrize("celsius", [-40, 0, 25, 54, 58, 125])
def test_with_a_dead_rtc_the_processors_thermometer_stands_in(celsius: int) -> None:
    heated = Heated()
    heated.rig.bench.i2c.held = True
    heated.heat(celsius * 1_000)
    found = heated.readings(4)
    assert found == ([[], HOT, HOT, HOT] if celsius > 55 else [[]] * 4)
    assert heated.watch.quarters is not None
    assert celsius - 1 <= heated.watch.quarters / 4 <= celsius + 2


def test_an_rtc_that_sticks_to_one_value_hides_no_fire() -> None:
    heated = Heated()
    heated.readings(3)
    for millicelsius, hot in ((70_000, False), (80_000, True)):
        heated.rig.bench.sensors.temperature_mc = millicelsius  # the RTC's register stays at 25
        assert (heated.readings(3)[-1] == HOT) == hot
    heated.rig.bench.sensors.temperature_mc = 30_000
    assert heated.readings(2) == [HOT, []]


def test_heat_that_stopped_the_pump_before_a_reset_is_there_until_it_was_read_otherwise() -> None:
    heated = Heated(1 << alarms.OVER_TEMPERATURE)
    assert heated.alarms.clear() == HOT
    assert heated.readings(2) == [HOT, []]


def test_the_processors_thermometer_is_read_to_two_degrees_and_never_too_cool_by_more_than_a_quarter() -> None:
    for millicelsius in range(-40_000, 125_001, 250):
        uv = 706_000 - 1_721 * (millicelsius - 27_000) // 1_000
        read = die_quarters((uv * 4_096 // 3_300_000) * 3_300 >> 12) * 250
        assert millicelsius - 250 <= read <= millicelsius + 2_000
