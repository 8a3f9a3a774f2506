"""Motor and fluid: what is true of the physical pump, whatever the firmware believes."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thecal.models.bench import Bench, PumpConfig
from thecal.models.fluid import Line, Reservoir
from thecal.models.motor import Motor

START = datetime(2026, 3, 2)
REFERENCE = PumpConfig()
trains = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 2_000_000), st.booleans(), st.booleans(), st.booleans()), max_size=12
)


def bench(config: PumpConfig = REFERENCE) -> Bench:
    made = Bench(config, START, seed=1)
    made.motor.drive = True
    return made


# -- motor ------------------------------------------------------------------------------------------------------------


class Recorder:
    """Everything that a motor reports."""

    def __init__(self, motor: Motor) -> None:
        self.steps: list[int] = []
        self.indices: list[int] = []
        self.moved = 0
        motor.on_step.append(self.steps.append)
        motor.on_index.append(self.indices.append)
        motor.on_steps.append(self.run)

    def run(self, first_ns: int, interval_ns: int, count: int) -> None:
        self.moved += count


@pytest.mark.requirement("F10", "F11")
@given(trains, st.integers(1, 25))
def test_a_train_is_the_same_as_its_steps_one_by_one(runs: list[tuple[int, int, bool, bool, bool]], size: int) -> None:
    whole, single = Motor(size), Motor(size)
    heard, expected = Recorder(whole), Recorder(single)
    now = 0
    for count, interval, drive, direction, stalled in runs:
        for motor in (whole, single):
            motor.drive, motor.direction, motor.stalled = drive, direction, stalled
        whole.steps_at(now, interval, count)
        for number in range(count):
            single.step(now + number * interval)
        now += count * interval + 1
    assert (whole.pulses, whole.steps, whole.indices) == (single.pulses, single.steps, single.indices)
    assert list(whole.step_times) == list(single.step_times) == heard.steps == expected.steps
    assert heard.indices == expected.indices
    assert heard.moved == expected.moved == whole.steps


@pytest.mark.requirement("F11")
@pytest.mark.parametrize("backward", [False, True])
def test_the_rotor_index_comes_once_a_turn_at_the_step_that_completes_it(backward: bool) -> None:
    motor = Motor(20)
    motor.drive, motor.direction = True, backward
    seen: list[int] = []
    motor.on_index.append(seen.append)
    motor.steps_at(1000, 10, 65)
    assert seen == [1000 + 10 * (turn * 20 - 1) for turn in (1, 2, 3)]
    assert motor.indices == 3


@pytest.mark.requirement("F11")
def test_turning_back_over_the_mark_shows_it_again() -> None:
    motor = Motor(20)
    motor.drive = True
    motor.steps_at(0, 1, 25)
    motor.direction = True
    motor.steps_at(100, 1, 4)
    assert motor.indices == 1
    motor.steps_at(200, 1, 1)
    assert motor.indices == 2
    assert motor.steps == 20


@pytest.mark.requirement("F10", "F11")
@pytest.mark.parametrize(("drive", "stalled"), [(False, False), (True, True), (False, True)])
def test_a_motor_without_power_or_stalled_takes_pulses_and_makes_no_step(drive: bool, stalled: bool) -> None:
    made = bench()
    made.motor.drive, made.motor.stalled = drive, stalled
    made.motor.steps_at(0, 1000, 500)
    assert made.motor.pulses == 500
    assert (made.motor.steps, made.motor.indices, len(made.motor.step_times)) == (0, 0, 0)
    assert made.reservoir.delivered_pl == 0


@pytest.mark.requirement("F11")
def test_a_rotor_without_an_index_is_refused() -> None:
    with pytest.raises(ValueError, match="steps_per_index = 0: 1 or more"):
        Motor(0)


@pytest.mark.requirement("F1")
def test_a_year_of_steps_takes_seconds() -> None:
    made = bench()
    began = time.perf_counter()
    for number in range(100_000):
        made.motor.steps_at(number * 15_000_000_000, 0, 1)
    assert time.perf_counter() - began < 1  # 2 million steps a year: at most 20 s of it, in fact about one
    assert made.motor.steps == len(made.motor.step_times) == 100_000
    assert made.motor.step_times.itemsize == 8


# -- fluid ------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F6", "R14")
@given(st.integers(1, 1_000_000), st.integers(0, 5_000), st.lists(st.integers(-300, 300), max_size=30))
def test_no_fluid_is_made_or_lost(pl_per_step: int, volume_nl: int, runs: list[int]) -> None:
    tank = Reservoir(5_000, volume_nl, pl_per_step)
    flowed = 0
    for steps in runs:
        before = tank.volume_pl
        flow = tank.pump(steps)
        flowed += flow
        assert abs(flow) <= abs(steps) * pl_per_step
        assert flow == steps * pl_per_step or tank.volume_pl in (0, tank.capacity_pl)
        assert before - flow == tank.volume_pl
    assert tank.delivered_pl == flowed
    assert 0 <= tank.volume_pl == volume_nl * 1000 - flowed <= tank.capacity_pl


@pytest.mark.requirement("F6", "R14")
def test_the_last_step_delivers_what_is_left_and_further_ones_nothing() -> None:
    made = bench(PumpConfig(reservoir_nl=100, pl_per_step=30_000))
    made.motor.steps_at(0, 1, 3)
    assert (made.reservoir.delivered_pl, made.reservoir.empty) == (90_000, False)
    made.motor.step(10)
    assert (made.reservoir.delivered_pl, made.reservoir.empty) == (100_000, True)
    made.motor.steps_at(20, 1, 50)
    assert made.reservoir.delivered_pl == 100_000
    assert made.motor.steps == 54


@pytest.mark.requirement("F6")
def test_a_refill_takes_what_fits() -> None:
    tank = Reservoir(100, 0, 1)
    tank.fill(100)
    assert tank.volume_pl == 100_000
    for volume in (-1, 101):
        with pytest.raises(ValueError, match=f"volume_nl = {volume}: 0 to the capacity, 100 nL"):
            tank.fill(volume)
    assert tank.volume_pl == 100_000


@pytest.mark.requirement("R16")
def test_a_step_backward_takes_its_volume_back() -> None:
    made = bench()
    made.motor.steps_at(0, 1, 10)
    made.motor.direction = True
    made.motor.steps_at(100, 1, 4)
    assert made.motor.steps == 6
    assert made.reservoir.delivered_pl == 6 * 25_000


@pytest.mark.requirement("R20")
def test_an_occluded_line_builds_pressure_and_lets_go_of_it() -> None:
    made = bench()
    made.motor.steps_at(0, 1, 1000)
    assert made.line.pressure_pa == 0
    made.line.occluded = True
    made.motor.steps_at(5000, 1, 56)  # 1400 nL at 20 nL/kPa
    assert made.line.pressure_pa == 70_000
    made.line.occluded = False
    assert (made.line.pressure_pa, made.line.trapped_pl) == (0, 0)
    assert made.reservoir.delivered_pl == 1056 * 25_000


@pytest.mark.requirement("R20")
@given(st.lists(st.integers(-(10**6), 10**6), max_size=20))
def test_pressure_never_falls_below_rest(flows: list[int]) -> None:
    line = Line()
    line.occluded = True
    for flow in flows:
        line.push(flow)
        assert line.pressure_pa >= 0
