"""What the pump measures, and the bench as a whole."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thecal.models import pins, sensors
from thecal.models.bench import Bench, PumpConfig
from thecal.models.fluid import Line
from thecal.programming import firmware

START = datetime(2026, 3, 2)


# -- sensors ----------------------------------------------------------------------------------------------------------


def millivolts(counts: int) -> Fraction:
    return Fraction(counts * sensors.REFERENCE_MV, sensors.FULL_SCALE)


ONE_COUNT = millivolts(1)


@pytest.mark.requirement("R36")
@given(st.integers(0, 6_500))
def test_the_battery_can_be_read_back_from_its_counts(battery_mv: int) -> None:
    made = Bench(PumpConfig(), START, seed=1)
    made.sensors.battery_mv = battery_mv
    read = millivolts(made.sensors.adc_counts(0)[pins.ADC.index(pins.BATTERY)]) * sensors.BATTERY_DIVIDER
    assert battery_mv - sensors.BATTERY_DIVIDER * ONE_COUNT - 1 <= read <= battery_mv


@pytest.mark.requirement("R20")
@given(st.integers(0, 279_000))
def test_the_pressure_can_be_read_back_from_its_counts(pressure_pa: int) -> None:
    made = Bench(PumpConfig(), START, seed=1)
    made.line.occluded = True
    made.line.push(pressure_pa * Line.COMPLIANCE_PL_PER_PA)
    counts = made.sensors.adc_counts(0)[pins.ADC.index(pins.PRESSURE)]
    read = (millivolts(counts) - sensors.PRESSURE_ZERO_MV) / sensors.PRESSURE_MV_PER_KPA * 1000
    assert pressure_pa - 1000 * ONE_COUNT / sensors.PRESSURE_MV_PER_KPA <= read <= pressure_pa


@pytest.mark.requirement("F6", "R14")
@given(st.integers(0, 20_000_000))
def test_the_level_can_be_read_back_from_its_counts(volume_nl: int) -> None:
    made = Bench(PumpConfig(), START, seed=1)
    made.reservoir.fill(volume_nl)
    counts = made.sensors.adc_counts(0)[pins.ADC.index(pins.LEVEL)]
    span_mv = sensors.LEVEL_FULL_MV - sensors.LEVEL_EMPTY_MV
    read = (millivolts(counts) - sensors.LEVEL_EMPTY_MV) / span_mv * made.config.reservoir_nl
    step = ONE_COUNT / span_mv * made.config.reservoir_nl
    assert volume_nl - step - 20 <= read <= volume_nl


@pytest.mark.requirement("R37")
@given(st.integers(-20_000, 85_000))
def test_the_temperature_reaches_both_sensors(millicelsius: int) -> None:
    made = Bench(PumpConfig(), START, seed=1)
    made.set_temperature(millicelsius, 1)
    read = 27 - (millivolts(made.sensors.adc_counts(0)[4]) - 706) / Fraction("1.721")
    assert abs(read - Fraction(millicelsius, 1000)) <= 1
    made.rtc.start(False, 64 * 10**9)
    made.rtc.write_byte(0x11, 64 * 10**9)
    whole = made.rtc.read_byte(64 * 10**9)
    assert (whole - 256 if whole & 0x80 else whole) == millicelsius // 1000


@pytest.mark.requirement("F11")
@pytest.mark.parametrize("microvolts", [-1_000_000, -1, 3_300_000, 9_000_000])
def test_the_converter_stays_within_its_twelve_bits(microvolts: int) -> None:
    assert sensors.counts(microvolts) == (0 if microvolts < 0 else 4095)


# -- bench ------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F1")
def test_the_reference_hardware_is_the_same_for_host_and_pump() -> None:
    config = PumpConfig()
    fields = firmware("calibration").FIELDS
    assert {name: getattr(config, name) for name, *_ in fields} == {name: value for name, *_, value in fields}
    assert sorted(vars(config)) == sorted([*(name for name, *_ in fields), "serial"])


@pytest.mark.requirement("F1")
def test_host_and_pump_agree_on_the_pins() -> None:
    board = vars(firmware("board"))
    shared = {name for name, value in vars(pins).items() if isinstance(value, int) and f"_{name}" in board}
    assert {"STEP", "DIR", "SDA", "SCL", "DRIVE", "WP", "LED"} <= shared
    assert all(board[f"_{name}"] == getattr(pins, name) for name in shared)


@pytest.mark.requirement("F1")
def test_a_new_bench_is_full_erased_unpowered_and_on_time() -> None:
    made = Bench(PumpConfig(), START, seed=1)
    assert made.reservoir.volume_pl == 20_000_000_000
    assert set(made.eeprom.memory) == {0xFF}
    assert made.eeprom.write_protect
    assert not made.motor.drive
    assert made.rtc.local_time(5 * 10**9) == datetime(2026, 3, 2, 0, 0, 5)
    assert sorted(made.i2c.devices) == [0x50, 0x68]
