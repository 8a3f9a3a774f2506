"""An occlusion that was found by trend, and the way out of it while the pressure stays (F11; R18, R20)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pressure_rig import DAY, Pumped, Watched

from firmware import alarms
from firmware.pressure import OPEN, SENSOR, STILL_S, THRESHOLD, TREND

pytestmark = pytest.mark.requirement("F11", "R20")


def trend_at(pascal: int) -> Pumped:
    """An open line whose pressure has risen with each 100 nL up to this, which was found to be a trend."""
    pumped = Pumped(864_000, 10_000)  # 10 nL a second
    for second in range(60):
        if pumped.second(min(second // 10, 4) * pascal // 4):
            pumped.rate = 0
            return pumped
    raise AssertionError("no trend was found")


@given(st.integers(0, 2**32), st.integers(0, 10), st.integers(0, 49_000))
@settings(max_examples=40)
def test_a_trend_whose_pressure_stays_or_falls_is_gone_after_a_minute(seed: int, noise_mv: int, fallen: int) -> None:
    """With noise of 1 kPa on each reading; sooner if it is down to the middle of what had risen."""
    random = Random(seed)
    pumped = trend_at(16_000)
    found = [
        pumped.second(16_000 - fallen // 10, random.randint(-noise_mv, noise_mv) * 1_000) for _ in range(STILL_S + 1)
    ]
    assert found[-2:] == [TREND, OPEN]
    assert found.index(OPEN) == STILL_S


@pytest.mark.parametrize("rise_pa", [2_200, 5_000])
@pytest.mark.parametrize("every_s", [2, 30, STILL_S])
def test_a_trend_whose_pressure_rises_within_the_minute_stays(rise_pa: int, every_s: int) -> None:
    pumped = trend_at(16_000)
    pascal = 16_000
    while pascal < 60_000:
        assert [pumped.second(pascal) for _ in range(every_s)] == [TREND] * every_s
        pascal += rise_pa
    assert [pumped.second(pascal) for _ in range(STILL_S + 1)][-2:] == [TREND, OPEN]


def test_what_falls_and_rises_again_has_risen() -> None:
    pumped = trend_at(16_000)
    for _ in range(10):
        assert {pumped.second(pascal) for pascal in (16_000, 13_000) for _ in range(STILL_S // 2)} == {TREND}


@pytest.mark.requirement("R18")
@pytest.mark.parametrize(("mv", "found"), [(100, SENSOR), (1_210, THRESHOLD), (3_290, SENSOR)])
def test_a_trend_that_goes_on_to_the_threshold_or_to_no_pressure_at_all_has_their_rule(mv: int, found: int) -> None:
    """And one such reading begins the minute anew."""
    pumped = trend_at(16_000)
    for _ in range(50):
        pumped.judge.read(660, 0)
    pumped.judge.read(mv, 0)
    for _ in range(STILL_S - 1):
        pumped.judge.read(660, 0)
        assert pumped.judge.found == TREND
    for _ in range(3):
        pumped.judge.read(mv, 0)
    assert pumped.judge.found == found
    for _ in range(10 * STILL_S):
        pumped.judge.read(860 if found == THRESHOLD else mv, 0)
        assert pumped.judge.found == found
    for _ in range(3):
        pumped.judge.read(660, 0)
    assert pumped.judge.found == OPEN


@settings(max_examples=20)
@given(st.integers(6_000, 480_000), st.integers(2, 20))
def test_a_closed_line_that_is_taken_for_open_again_and_again_ends_at_the_threshold(rate: int, minutes: int) -> None:
    """Each time it is found anew after half a microlitre at most, and 70 kPa nobody can clear."""
    pumped = Pumped(rate, 25_000)
    pumped.line.occluded = True
    times, before = 0, 0
    while pumped.until_found(DAY) == TREND:
        times += 1
        assert pumped.line.trapped_pl - before <= 500_000 + 25_000
        before = pumped.line.trapped_pl
        pumped.rate, wanted = 0, pumped.rate
        pumped.demanded = pumped.made * DAY * pumped.pl_per_step
        assert [pumped.second() for _ in range(60 * minutes)][-1] == OPEN
        pumped.rate = wanted
    assert times in (2, 3)
    assert pumped.judge.found == THRESHOLD
    assert pumped.line.trapped_pl <= 1_400_000 + 2 * 25_000
    pumped.rate = 0
    assert {pumped.second() for _ in range(1_000)} == {THRESHOLD}


def test_the_operator_clears_a_trend_that_stays_and_the_next_begins_where_the_pressure_is_then() -> None:
    pump = Watched()
    pump.kilopascal = 0
    pump.seconds(20)
    for kilopascal in (4, 8, 12, 16):
        assert not pump.app.alarms.active
        pump.rise(kilopascal)
    assert [fields["found"] for fields in pump.logged] == [TREND]
    assert pump.app.alarms.clear() == ["occlusion"]
    pump.seconds(STILL_S)
    for kilopascal in (20, 30, 40, 50):  # before `clear`: whatever it does then is no trend
        pump.kilopascal = kilopascal
        pump.seconds(STILL_S + 20)
    pump.rise(51)
    assert pump.app.alarms.clear() == []
    pump.seconds(1)
    for kilopascal in (54, 57, 60):
        pump.rise(kilopascal)
        assert not pump.app.alarms.active
    pump.rise(63)
    assert [fields["found"] for fields in pump.logged] == [TREND, TREND]
    assert alarms.codes(pump.app.alarms.active) == ["occlusion"]
    pump.kilopascal = 71
    pump.seconds(3)
    assert [fields["found"] for fields in pump.logged] == [TREND, TREND, THRESHOLD]
    pump.seconds(10 * STILL_S)
    assert pump.app.alarms.clear() == ["occlusion"]
