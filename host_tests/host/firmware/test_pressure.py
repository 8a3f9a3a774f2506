"""Line pressure, judged on the models of line and sensor (F11; R18, R20)."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware import alarms, pressure
from firmware.alarms import Alarms
from firmware.pressure import OPEN, SENSOR, STILL_S, THRESHOLD, TREND, Pressure
from thecal.models import fluid
from thecal.models.fluid import Reservoir
from thecal.models.sensors import Sensors, counts

DAY = 86_400
UL = 1_000_000  # pL
pytestmark = pytest.mark.requirement("F11", "R20")
rates = st.integers(6_000, 28_800_000)  # nL/day
steps = st.sampled_from([1_000, 25_000, 1_000_000])  # pL


def millivolts(microvolts: int) -> int:
    """As board.Board.millivolts, of a voltage at the pin."""
    return counts(microvolts) * 3_300 >> 12


class Pumped:
    """A line that is pumped into, step by step, and the firmware's judgement. kpa: what else presses on it."""

    def __init__(self, rate: int, pl_per_step: int) -> None:
        self.line = fluid.Line()
        self.judge = pressure.Line()
        self.rate, self.pl_per_step = rate, pl_per_step
        self.demanded = 0  # pL * DAY
        self.made = 0
        self.seconds = 0

    def second(self, pascal: int = 0, noise_uv: int = 0) -> int:
        """A second of flow; what the judge has found."""
        self.demanded += self.rate * 1_000
        made = self.demanded // (DAY * self.pl_per_step) - self.made
        self.made += made
        self.seconds += 1
        self.line.push(made * self.pl_per_step)
        microvolts = 500_000 + (self.line.pressure_pa + pascal) * 10 + noise_uv
        self.judge.read(millivolts(microvolts), made * self.pl_per_step)
        return self.judge.found

    def until_found(self, limit_s: int) -> int:
        """What is found, within so many seconds."""
        for _ in range(limit_s):
            if self.second():
                return self.judge.found
        return OPEN


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


class Watched:
    """The firmware's watch over a line, with a ledger of steps of 25 nL."""

    def __init__(self) -> None:
        self.line = fluid.Line()
        self.kilopascal: int | None = None  # of another cause than the line's
        self.logged: list[dict[str, int]] = []
        self._sensors = Sensors(Reservoir(20_000_000, 20_000_000, 25_000), self.line)
        self.app: Any = SimpleNamespace(
            board=SimpleNamespace(PRESSURE=0, millivolts=self._millivolts),
            ledger=SimpleNamespace(steps=10_000),
            cascade=SimpleNamespace(pl_per_step=25_000),
            alarms=Alarms(lambda code, **fields: None, lambda: 0),
            log=SimpleNamespace(log=self._log),
        )
        self.watch = Pressure(self.app)

    def _millivolts(self, channel: int) -> int:
        if self.kilopascal is not None:
            return 500 + 10 * self.kilopascal
        return self._sensors.adc_counts(0)[channel] * 3_300 >> 12

    def _log(self, code: str, **fields: int) -> None:
        assert code == "occlusion"
        self.logged.append(fields)

    def step(self) -> None:
        self.app.ledger.steps += 1
        self.line.push(25_000)

    def seconds(self, count: int) -> None:
        for _ in range(count):
            self.watch.watch()

    def rise(self, kilopascal: int) -> None:
        """The pressure is another, and at the end of 30 s 100 nL have flowed."""
        self.kilopascal = kilopascal
        self.seconds(29)
        for _ in range(4):
            self.step()
        self.seconds(1)


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
