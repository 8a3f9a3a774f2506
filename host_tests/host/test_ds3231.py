"""The RTC driver against the model of the part: every date, every fault, and what it refuses to believe (R49)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from host_tests.host.eeprom_rig import CutClock, FaultyBus, PowerCut
from thecal.models import ds3231 as model
from thecal.models.ds3231 import DS3231
from thecal.twin.i2c import MachineI2C, ManualClock
from thecal.twin.install import install

install()
driver = importlib.import_module("ds3231")

S = 1_000_000_000
MS = 1_000_000
START = datetime(2026, 3, 2, 8, 0, 0)
LONGEST_NS = 15 * MS  # a bound on any call on a bus that answers at all
NAMES = ("second", "minute", "hour", "weekday", "day", "month", "year")

times = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31, 23, 59, 59)).map(lambda t: t.replace(microsecond=0))


class Rig:
    """Driver, bus and part."""

    def __init__(self, start: datetime = START, part: DS3231 | None = None) -> None:
        self.part = part or DS3231(start)
        self.clock = ManualClock()
        self.bus = FaultyBus(self.part)
        self.i2c = MachineI2C(self.bus, self.clock)
        self.rtc = driver.DS3231(self.i2c)

    def write(self, register: int, *values: int) -> None:
        self.i2c.writeto(0x68, bytes((register, *values)))

    def register(self, register: int) -> int:
        buffer = bytearray(1)
        self.i2c.readfrom_mem_into(0x68, register, buffer)
        return buffer[0]


def parts(time: datetime) -> tuple[int, ...]:
    return time.timetuple()[:6]


# -- setting and reading ----------------------------------------------------------------------------------------------


@pytest.mark.requirement("R49")
def test_every_date_of_the_century_round_trips_with_its_weekday() -> None:
    rig = Rig()
    day = date(2000, 1, 1)
    while day.year < 2100:
        number = day.toordinal()
        time = (day.year, day.month, day.day, number % 24, number % 60, number * 7 % 60)
        rig.rtc.set(*time)
        assert rig.rtc.read() == time
        assert rig.part.local_time(rig.clock.time_ns).replace(microsecond=0) == datetime(*time)
        assert rig.register(3) == day.isoweekday()
        day += timedelta(days=1)


@pytest.mark.requirement("R49")
@given(times)
def test_any_time_round_trips(time: datetime) -> None:
    rig = Rig()
    rig.rtc.set(*parts(time))
    assert rig.rtc.read() == parts(time)
    assert rig.rtc.seconds() == time.second


@pytest.mark.requirement("R49")
@given(times, st.integers(0, 400 * 86_400))
def test_it_counts_through_midnights_months_and_leap_years(time: datetime, seconds: int) -> None:
    later = time + timedelta(seconds=seconds)
    if later.year > 2099:
        return
    rig = Rig()
    rig.rtc.set(*parts(time))
    rig.clock.advance(seconds * S)
    assert rig.rtc.read() == parts(later)
    assert rig.register(3) == later.isoweekday()


@pytest.mark.requirement("R49")
@given(
    st.tuples(
        st.integers(1990, 2110),
        st.integers(-1, 14),
        st.integers(-1, 33),
        st.integers(-1, 25),
        st.integers(-1, 61),
        st.integers(-1, 61),
    )
)
def test_an_impossible_time_is_refused_by_name_and_leaves_the_clock_alone(
    time: tuple[int, int, int, int, int, int],
) -> None:
    rig = Rig()
    try:
        possible = 2000 <= time[0] <= 2099 and datetime(*time) is not None
    except ValueError:
        possible = False
    if possible:
        rig.rtc.set(*time)
        assert rig.rtc.read() == time
    else:
        with pytest.raises(ValueError, match=r"RTC (year|month|day|hour|minute|second) = -?\d+: \d+ to \d+"):
            rig.rtc.set(*time)
        assert rig.bus.count == 0


@pytest.mark.requirement("R49")
@pytest.mark.parametrize("register", [0, 1, 2, 4, 5, 6])
def test_every_content_of_a_time_register_is_read_as_its_number_or_refused_by_name(register: int) -> None:
    highest = (59, 59, 23, 7, 31, 12, 99)[register]
    lowest = 1 if register in (4, 5) else 0
    position = {0: 5, 1: 4, 2: 3, 4: 2, 5: 1, 6: 0}[register]
    for content in range(256):
        rig = Rig(datetime(2024, 1, 1))  # a month of 31 days in a leap year
        rig.write(register, content)
        held = rig.register(register)  # bits that do not exist read 0
        tens, ones = divmod(held, 16)
        if tens <= 9 and ones <= 9 and lowest <= tens * 10 + ones <= highest:
            number = tens * 10 + ones
            assert rig.rtc.read()[position] == (2000 + number if register == 6 else number)
        else:
            with pytest.raises(driver.RtcError, match=f"{NAMES[register]} register = 0x{held:02x}"):
                rig.rtc.read()


@pytest.mark.requirement("R49")
@pytest.mark.parametrize(("year", "month"), [(2026, 2), (2024, 2), (2026, 4), (2026, 6), (2026, 9), (2026, 11)])
def test_a_day_that_its_month_does_not_have_is_refused(year: int, month: int) -> None:
    last = (date(year, month + 1, 1) - timedelta(days=1)).day
    rig = Rig()
    rig.rtc.set(year, month, last, 0, 0, 0)
    rig.write(4, model.bcd(last + 1))
    with pytest.raises(driver.RtcError, match="day register"):
        rig.rtc.read()


@pytest.mark.requirement("R49")
def test_a_year_that_ends_while_the_clock_is_set_is_overwritten() -> None:
    """Whichever byte of it is written when the second ends."""
    for before_ns in range(0, 500_000, 5_000):
        rig = Rig(datetime(2026, 12, 31, 23, 59, 59))
        rig.clock.advance(S - before_ns)
        rig.rtc.set(2026, 12, 31, 23, 59, 58)
        assert rig.rtc.read() == (2026, 12, 31, 23, 59, 58)


class CutRig(Rig):
    """As Rig; the power of the driver ends at clock.cut_ns, the part's does not."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.clock = CutClock()
        self.rtc = driver.DS3231(MachineI2C(self.bus, self.clock))


@pytest.mark.requirement("R49", "R07", "I2")
@given(times, times)
@example(datetime(2026, 3, 2, 0, 1), datetime(2026, 3, 1, 23, 55))
@example(datetime(2027, 1, 1), datetime(2026, 12, 31, 23, 59, 59))
@example(datetime(2026, 12, 31, 23, 59, 59), datetime(2027, 1, 1))
def test_a_cut_while_the_clock_is_set_leaves_no_mixture_of_two_times(before: datetime, wanted: datetime) -> None:
    """One that is ahead would end lockouts and timed stops at the next start."""
    rig = CutRig(before)
    rig.rtc.set(*parts(wanted))
    whole_ns = rig.clock.time_ns
    seen = set()
    for cut_ns in range(0, whole_ns, 11_000):  # twice in each byte
        rig = CutRig(before)
        rig.clock.cut_ns = cut_ns
        with pytest.raises(PowerCut):
            rig.rtc.set(*parts(wanted))
        rig.clock.cut_ns = 1 << 62
        try:
            seen.add(rig.rtc.read())
        except driver.RtcError:
            seen.add(None)
    assert seen == {parts(before), parts(wanted), None}


# -- the second -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R49")
@given(st.integers(0, S - 1))
def test_setting_restarts_the_second(phase_ns: int) -> None:
    rig = Rig()
    rig.clock.advance(phase_ns)
    began = rig.clock.time_ns
    rig.rtc.set(2026, 3, 2, 9, 0, 0)
    # The second begins with the byte of the seconds register: START, address, pointer and month of a first
    # transaction; START, address, pointer, seconds of the next.
    edge = began + 2_500 + 3 * 22_500 + 2_500 + 3 * 22_500 + S
    looked_ns = 2 * (2_500 + 22_500) + 22_500  # a reading is of its repeated START, with the address acknowledged
    rig.clock.time_ns = edge - looked_ns - 1
    assert rig.rtc.seconds() == 0
    rig.clock.time_ns = edge - looked_ns
    assert rig.rtc.seconds() == 1


@pytest.mark.requirement("R49")
@pytest.mark.parametrize("start", [datetime(2027, 12, 31, 23, 59, 59), datetime(2028, 2, 28, 23, 59, 59), START])
def test_a_reading_across_a_second_is_of_one_side_or_the_other(start: datetime) -> None:
    seen = set()
    for begin in range(S - 300_000, S + 50_000, 2_500):
        rig = Rig(start)
        rig.clock.advance(begin)
        seen.add(rig.rtc.read())
    assert seen == {parts(start), parts(start + timedelta(seconds=1))}


# -- what it says about itself ----------------------------------------------------------------------------------------


@pytest.mark.requirement("R49")
def test_a_clock_that_has_stopped_says_so_until_it_is_set() -> None:
    rig = Rig(part=DS3231(START, osf=True))
    assert rig.rtc.stopped()
    rig.rtc.set(*parts(START))
    assert not rig.rtc.stopped()
    rig.clock.advance(100 * S)
    rig.part.halt(rig.clock.time_ns)
    held = rig.rtc.read()
    rig.clock.advance(100 * S)
    assert rig.rtc.read() == held
    assert rig.rtc.stopped()
    rig.rtc.set(*parts(START))
    rig.clock.advance(10 * S)
    assert not rig.rtc.stopped()
    assert rig.rtc.read() == parts(START + timedelta(seconds=10))


@pytest.mark.requirement("R49")
def test_setting_leaves_the_oscillator_running_on_the_battery_and_the_outputs_off() -> None:
    rig = Rig()
    rig.write(0x0E, 0x80)
    rig.rtc.set(*parts(START))
    assert rig.register(0x0E) == 0x1C
    assert rig.register(0x0F) == 0x00


@pytest.mark.requirement("R49")
def test_a_clock_that_does_not_keep_what_it_is_given_is_reported() -> None:
    class Broken(DS3231):
        def _write(self, register: int, value: int, now_ns: int) -> None:
            if register != model.DATE:
                super()._write(register, value, now_ns)

    rig = Rig(part=Broken(START))
    with pytest.raises(driver.RtcError, match="does not keep"):
        rig.rtc.set(2026, 3, 3, 0, 0, 0)


CALLS: dict[str, Callable[[Any], object]] = {
    "read": lambda rtc: rtc.read(),
    "seconds": lambda rtc: rtc.seconds(),
    "stopped": lambda rtc: rtc.stopped(),
    "set": lambda rtc: rtc.set(2026, 3, 3, 1, 2, 3),
}


@pytest.mark.requirement("R49", "F11")
@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for_ever"])
@pytest.mark.parametrize("name", CALLS)
def test_a_missing_acknowledge_anywhere_is_reported_in_bounded_time_and_then_over(name: str, for_ever: bool) -> None:
    whole = Rig()
    CALLS[name](whole.rtc)
    for first in range(whole.bus.count):
        rig = Rig()
        rig.bus.first, rig.bus.for_ever = first, for_ever
        with pytest.raises(driver.RtcError, match="cannot be"):
            CALLS[name](rig.rtc)
        assert rig.clock.time_ns < LONGEST_NS
        rig.bus.first = -1
        CALLS[name](rig.rtc)


@pytest.mark.requirement("R49", "F11")
@pytest.mark.parametrize("name", CALLS)
def test_a_held_bus_is_reported_after_one_time_out(name: str) -> None:
    rig = Rig()
    rig.bus.held = True
    with pytest.raises(driver.RtcError):
        CALLS[name](rig.rtc)
    assert rig.clock.time_ns <= 5 * MS


# -- temperature ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R37")
@pytest.mark.parametrize("quarters", [-160, -1, 0, 1, 100, 221, 500])
def test_a_temperature_is_that_of_the_call_before_and_of_the_last_64_seconds(quarters: int) -> None:
    rig = Rig()
    assert rig.rtc.temperature() == 100
    rig.clock.advance(300 * MS)
    rig.part.set_temperature(quarters * 250, rig.clock.time_ns)
    assert rig.rtc.temperature() == 100
    assert rig.rtc.temperature() == 100  # its conversion is under way, and not ordered again
    rig.clock.advance(200 * MS)
    assert rig.rtc.temperature() == quarters
    rig.part.set_temperature(0, rig.clock.time_ns + 300 * MS)
    rig.clock.advance(64 * S)
    assert rig.rtc.temperature() == 0
    assert rig.rtc.read() == parts(START + timedelta(seconds=64))  # the clock is not disturbed


@pytest.mark.requirement("R37")
def test_a_temperature_that_cannot_be_read_is_an_error() -> None:
    rig = Rig()
    rig.bus.held = True
    with pytest.raises(driver.RtcError):
        rig.rtc.temperature()
