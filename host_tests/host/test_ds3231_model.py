"""The model of the RTC beyond what its driver uses: drift, faults, the century, the temperature."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thecal.models.ds3231 import BSY, CENTURY, CONTROL, CONV, DS3231, MONTH, OSF, STATUS, TEMPERATURE, WEEKDAY, YEAR

S = 1_000_000_000
START = datetime(2026, 3, 2, 8, 0, 0)


def read(part: DS3231, register: int, now_ns: int) -> int:
    part.start(False, now_ns)
    part.write_byte(register, now_ns)
    part.start(True, now_ns)
    value = part.read_byte(now_ns)
    part.stop(now_ns)
    return value


def write(part: DS3231, register: int, value: int, now_ns: int) -> None:
    part.start(False, now_ns)
    part.write_byte(register, now_ns)
    part.write_byte(value, now_ns)
    part.stop(now_ns)


@pytest.mark.requirement("R49")
@given(st.integers(-100_000, 100_000), st.lists(st.integers(0, 10**15), min_size=1, max_size=5))
def test_drift_is_exact_and_does_not_depend_on_who_looks_when(ppb: int, moments: list[int]) -> None:
    part = DS3231(START, drift_ppb=ppb)
    for now_ns in sorted(moments):
        expected_us = now_ns * (S + ppb) // S // 1000
        assert part.local_time(now_ns) == START + timedelta(microseconds=expected_us)


@pytest.mark.requirement("R49")
def test_a_change_of_drift_counts_from_its_moment() -> None:
    part = DS3231(START)
    part.set_drift(1_000_000, 1000 * S)
    assert part.local_time(3000 * S) == START + timedelta(seconds=3002)


@pytest.mark.requirement("R49")
@given(st.integers(-700 * 86_400, 700 * 86_400), st.integers(0, 10**12))
def test_a_jump_moves_the_time_keeps_the_second_and_sets_no_flag(seconds: int, now_ns: int) -> None:
    part = DS3231(START)
    before = part.local_time(now_ns)
    part.jump(seconds, now_ns)
    after = part.local_time(now_ns)
    assert after == before + timedelta(seconds=seconds)
    assert read(part, WEEKDAY, now_ns) == after.isoweekday()
    assert not read(part, STATUS, now_ns) & OSF


@pytest.mark.requirement("R49")
@pytest.mark.parametrize("seconds", [-40 * 366 * 86_400, 80 * 366 * 86_400, 1 << 60])
def test_a_jump_out_of_the_century_is_refused(seconds: int) -> None:
    part = DS3231(START)
    with pytest.raises(ValueError, match=r"2000 to 2099"):
        part.jump(seconds, 5 * S)
    assert part.local_time(5 * S) == START + timedelta(seconds=5)


@pytest.mark.requirement("R49")
@pytest.mark.parametrize("year", [1999, 2100])
def test_it_cannot_start_outside_of_its_century(year: int) -> None:
    with pytest.raises(ValueError, match="2000 to 2099"):
        DS3231(datetime(year, 1, 1))


@pytest.mark.requirement("R49")
def test_the_century_bit_changes_with_the_century() -> None:
    part = DS3231(datetime(2099, 12, 31, 23, 59, 59))
    assert not read(part, MONTH, 0) & CENTURY
    assert read(part, MONTH, S) == CENTURY | 0x01
    assert read(part, YEAR, S) == 0
    assert part.local_time(S) == datetime(2100, 1, 1)


@pytest.mark.requirement("R49")
def test_osf_can_be_cleared_but_not_set() -> None:
    part = DS3231(START, osf=True)
    write(part, STATUS, OSF, 0)
    assert read(part, STATUS, 0) & OSF
    write(part, STATUS, 0, 0)
    write(part, STATUS, OSF, 0)
    assert not read(part, STATUS, 0) & OSF


@pytest.mark.requirement("R49")
def test_an_impossible_time_stands_still_and_is_no_local_time() -> None:
    part = DS3231(START)
    write(part, 1, 0x77, 0)
    assert read(part, 1, 1000 * S) == 0x77
    with pytest.raises(ValueError, match="minute"):
        part.local_time(1000 * S)


@pytest.mark.requirement("R49")
def test_the_register_pointer_comes_round_after_the_last_register_with_a_fresh_time() -> None:
    part = DS3231(START)
    part.start(False, 0)
    part.write_byte(TEMPERATURE + 1, 0)
    part.start(True, 0)
    part.read_byte(2 * S)
    assert part.read_byte(3 * S) == 2  # the seconds are of the moment at which the pointer came round
    part.start(True, 60 * S)
    assert part.read_byte(60 * S) == 1  # minutes: the pointer has stayed where it was


@pytest.mark.requirement("R37")
@given(st.integers(-40_000, 85_000))
def test_the_temperature_is_in_quarters_of_a_degree(millicelsius: int) -> None:
    part = DS3231(START)
    part.set_temperature(millicelsius, S)
    high, low = read(part, TEMPERATURE, 64 * S), read(part, TEMPERATURE + 1, 64 * S)
    quarters = (high - 256 if high & 0x80 else high) * 4 + (low >> 6)
    assert quarters == millicelsius // 250


@pytest.mark.requirement("R37")
def test_a_change_of_temperature_shows_at_the_next_conversion() -> None:
    part = DS3231(START)
    part.set_temperature(60_000, 100 * S)
    assert read(part, TEMPERATURE, 128 * S - 1) == 25
    assert read(part, TEMPERATURE, 128 * S) == 60
    part.set_temperature(20_000, 193 * S)  # after the conversion at 192 s, which nobody had looked at
    assert read(part, TEMPERATURE, 194 * S) == 60


@pytest.mark.requirement("R37")
def test_a_conversion_can_be_asked_for_and_takes_a_fifth_of_a_second() -> None:
    part = DS3231(START)
    part.set_temperature(60_000, S)
    write(part, CONTROL, 0x1C | CONV, 2 * S)
    running = 2 * S + S // 5 - 1
    assert read(part, CONTROL, running) == 0x1C | CONV
    assert read(part, STATUS, running) & BSY
    assert read(part, TEMPERATURE, running) == 25
    assert read(part, CONTROL, running + 1) == 0x1C
    assert not read(part, STATUS, running + 1) & BSY
    assert read(part, TEMPERATURE, running + 1) == 60


@pytest.mark.requirement("R37")
@pytest.mark.parametrize("millicelsius", [-128_001, 127_751])
def test_a_temperature_beyond_its_register_is_refused(millicelsius: int) -> None:
    with pytest.raises(ValueError, match="-128000 to 127750"):
        DS3231(START).set_temperature(millicelsius, 0)
