"""The I2C bus, its controller, and the EEPROM on it: what the data sheets say, byte by byte (F10)."""

from __future__ import annotations

from datetime import datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thecal.models.at24c256 import AT24C256, PAGE_SIZE, SIZE
from thecal.models.ds3231 import DS3231
from thecal.models.i2c import I2CBus
from thecal.twin.i2c import MachineI2C, ManualClock

MS = 1_000_000
CYCLE = 5 * MS
OLD = Random(2).randbytes(SIZE)


class Rig:
    """A controller on a bus with one unprotected EEPROM and an RTC."""

    def __init__(self) -> None:
        self.part = AT24C256()
        self.part.load(OLD)
        self.part.write_protect = False
        self.clock = ManualClock()
        self.bus = I2CBus(self.part, DS3231(datetime(2026, 3, 2)))
        self.i2c = MachineI2C(self.bus, self.clock)

    def write(self, address: int, data: bytes) -> None:
        self.i2c.writeto_mem(0x50, address, data, addrsize=16)

    def read(self, address: int, count: int) -> bytes:
        buffer = bytearray(count)
        self.i2c.readfrom_mem_into(0x50, address, buffer, addrsize=16)
        return bytes(buffer)

    def wait(self) -> None:
        self.clock.advance(CYCLE)


@pytest.mark.requirement("F10")
@given(st.integers(0, 0xFFFF), st.binary(min_size=1, max_size=150))
def test_a_write_wraps_within_its_page_and_touches_no_other(address: int, data: bytes) -> None:
    rig = Rig()
    rig.write(address, data)
    address &= SIZE - 1  # the highest bit of the address is ignored
    base = address // PAGE_SIZE * PAGE_SIZE
    expected = bytearray(OLD)
    for number, value in enumerate(data):
        expected[base + (address + number) % PAGE_SIZE] = value
    assert rig.part.image() == expected
    assert rig.part.wear[base // PAGE_SIZE] == sum(rig.part.wear) == 1


@pytest.mark.requirement("F10")
@given(st.integers(0, SIZE - 1), st.integers(1, 300))
def test_reading_runs_over_pages_and_from_the_last_byte_to_the_first(address: int, count: int) -> None:
    assert Rig().read(address, count) == (OLD + OLD)[address : address + count]


@pytest.mark.requirement("F10")
def test_the_part_acknowledges_nothing_for_exactly_its_write_cycle() -> None:
    rig = Rig()
    rig.write(0, b"x")
    stop_ns = rig.clock.time_ns
    for now_ns, acknowledged in ((stop_ns, False), (stop_ns + CYCLE - 1, False), (stop_ns + CYCLE, True)):
        for read in (False, True):
            assert rig.bus.start(0x50, read, now_ns) == acknowledged
        assert rig.part.busy(now_ns) != acknowledged


@pytest.mark.requirement("F10")
def test_the_new_content_can_be_read_when_the_cycle_is_over() -> None:
    rig = Rig()
    rig.write(100, b"new")
    with pytest.raises(OSError, match="5"):
        rig.read(100, 3)
    rig.wait()
    assert rig.read(100, 3) == b"new"


@pytest.mark.requirement("F10")
def test_a_protected_part_acknowledges_data_writes_nothing_and_is_ready_at_once() -> None:
    rig = Rig()
    rig.part.write_protect = True
    rig.write(100, b"new")
    assert rig.read(100, 3) == OLD[100:103]
    assert sum(rig.part.wear) == 0


@pytest.mark.requirement("F10")
@pytest.mark.parametrize(("during", "at_stop", "written"), [(True, False, True), (False, True, False)])
def test_protection_counts_at_the_stop(during: bool, at_stop: bool, written: bool) -> None:
    rig = Rig()
    rig.part.write_protect = during
    rig.i2c.writeto(0x50, b"\0\0new", False)
    rig.part.write_protect = at_stop
    rig.bus.stop(rig.clock.time_ns)
    assert (rig.part.image() != OLD) == written


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("address", [0x50, 0x68, 0x33], ids=["same", "other", "nobody"])
def test_a_start_in_the_middle_of_a_write_drops_it(address: int) -> None:
    rig = Rig()
    rig.i2c.writeto(0x50, b"\0\0new", False)
    rig.bus.start(address, False, rig.clock.time_ns)
    rig.bus.stop(rig.clock.time_ns)
    rig.part.power_cut(rig.clock.time_ns, Random(1))  # nothing is left that a cut could tear
    assert rig.part.image() == OLD


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("data", [b"\0", b"\0\0"])
def test_an_address_without_data_starts_no_write_cycle(data: bytes) -> None:
    rig = Rig()
    rig.i2c.writeto(0x50, data)
    assert not rig.part.busy(rig.clock.time_ns)
    assert rig.part.image() == OLD


@pytest.mark.requirement("F10")
def test_who_watches_the_part_hears_of_each_write_cycle_at_its_begin() -> None:
    rig = Rig()
    heard: list[tuple[int, int]] = []
    rig.part.on_page_written.append(lambda page, now_ns: heard.append((page, now_ns)))
    rig.write(5 * PAGE_SIZE, b"x")
    assert heard == [(5, rig.clock.time_ns)]
    rig.part.write_protect = True
    rig.wait()
    rig.write(6 * PAGE_SIZE, b"x")
    assert len(heard) == 1


@pytest.mark.requirement("F10", "R23")
@given(st.integers(0, 1 << 32), st.integers(0, CYCLE - 1))
def test_a_page_torn_by_a_cut_has_bytes_of_any_kind_and_its_neighbours_are_whole(seed: int, after_ns: int) -> None:
    rig = Rig()
    new = bytes(PAGE_SIZE)
    rig.write(10 * PAGE_SIZE, new)
    rig.part.power_cut(rig.clock.time_ns + after_ns, Random(seed))
    image = rig.part.image()
    assert image[: 10 * PAGE_SIZE] == OLD[: 10 * PAGE_SIZE]
    assert image[11 * PAGE_SIZE :] == OLD[11 * PAGE_SIZE :]
    again = Rig()
    again.write(10 * PAGE_SIZE, new)
    again.part.power_cut(again.clock.time_ns + after_ns, Random(seed))
    assert again.part.image() == image  # the same seed, the same damage


@pytest.mark.requirement("F10", "R23")
def test_a_cut_after_the_cycle_harms_nothing_and_a_part_without_power_is_silent() -> None:
    rig = Rig()
    rig.write(0, b"new")
    rig.wait()
    rig.part.power_cut(rig.clock.time_ns, Random(1))
    rig.part.power_cut(rig.clock.time_ns, Random(1))
    assert not rig.bus.start(0x50, True, rig.clock.time_ns)
    rig.part.power_on(rig.clock.time_ns)
    assert rig.read(0, 3) == b"new"


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("size", [0, SIZE - 1, SIZE + 1])
def test_an_image_of_another_size_is_refused(size: int) -> None:
    part = AT24C256()
    with pytest.raises(ValueError, match=f"{size} bytes, expected {SIZE}"):
        part.load(bytes(size))
    assert part.image() == b"\xff" * SIZE


# -- bus and controller -----------------------------------------------------------------------------------------------


@pytest.mark.requirement("F10")
@given(st.integers(1, 64))
def test_each_byte_takes_nine_bits_of_bus_time(count: int) -> None:
    rig = Rig()
    rig.i2c.writeto(0x50, b"\0\0" + bytes(count))
    assert rig.clock.time_ns == 2_500 + (1 + 2 + count) * 22_500
    rig.wait()
    began = rig.clock.time_ns
    rig.read(0, count)
    assert rig.clock.time_ns - began == 2 * 2_500 + (1 + 2 + 1 + count) * 22_500


@pytest.mark.requirement("F11")
def test_an_address_that_nobody_has_and_a_silent_part_are_not_acknowledged() -> None:
    rig = Rig()
    with pytest.raises(OSError, match="5"):
        rig.i2c.writeto(0x51, b"\0")
    rig.bus.silent.add(0x50)
    with pytest.raises(OSError, match="5"):
        rig.read(0, 1)
    rig.i2c.writeto(0x68, b"\0")
    rig.bus.silent.clear()
    assert rig.read(0, 1) == OLD[:1]


@pytest.mark.requirement("F11")
def test_a_part_that_falls_silent_while_it_is_read_gives_the_released_bus() -> None:
    rig = Rig()
    rig.bus.start(0x50, True, 0)
    rig.bus.silent.add(0x50)
    assert rig.bus.read_byte(0) == 0xFF
    assert not rig.bus.write_byte(0, 0)


@pytest.mark.requirement("F11")
def test_a_held_bus_times_out() -> None:
    rig = Rig()
    rig.bus.held = True
    with pytest.raises(OSError, match="110"):
        rig.i2c.writeto(0x50, b"\0")
    assert rig.clock.time_ns == 5 * MS
    assert not rig.bus.start(0x50, False, 0)


@pytest.mark.requirement("F11")
def test_two_parts_cannot_share_an_address() -> None:
    with pytest.raises(ValueError, match="two parts share one"):
        I2CBus(AT24C256(), AT24C256())


@pytest.mark.requirement("F11")
def test_an_empty_write_which_no_model_would_see_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        Rig().i2c.writeto(0x50, b"")
