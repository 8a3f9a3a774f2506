"""The EEPROM driver against the model of the part: what it writes, and what it never does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tests.host.eeprom_rig import BYTE, LONGEST_NS, MS, NEW, OLD, PAGE, WRITE_BYTES, Rig, driver
from thecal.models.at24c256 import PAGE_SIZE, PAGES, SIZE
from thecal.twin.i2c import MachineI2C

pages = st.integers(0, PAGES - 1)
page_data = st.binary(min_size=PAGE_SIZE, max_size=PAGE_SIZE)


@pytest.mark.requirement("F10")
@given(st.lists(st.tuples(pages, page_data), max_size=8))
def test_what_is_written_is_there_and_nothing_else_changes(writes: list[tuple[int, bytes]]) -> None:
    rig = Rig()
    expected = bytearray(OLD)
    for page, data in writes:
        rig.eeprom.write_page(page, data)
        expected[page * PAGE_SIZE : (page + 1) * PAGE_SIZE] = data
    assert rig.part.image() == expected
    assert sum(rig.part.wear) == len(writes)


@pytest.mark.requirement("F10")
def test_every_page_can_be_written_and_read() -> None:
    rig = Rig()
    expected = bytearray()
    for page in range(PAGES):
        data = bytes((page + i * 7) & 0xFF for i in range(PAGE_SIZE))
        rig.eeprom.write_page(page, data)
        expected += data
    whole = bytearray(SIZE)
    rig.eeprom.read_into(0, whole)
    assert whole == expected
    assert rig.part.wear == [1] * PAGES


@pytest.mark.requirement("F10")
@given(st.integers(0, SIZE), st.integers(1, 200))
def test_reading_gives_the_bytes_of_the_memory_or_refuses(address: int, length: int) -> None:
    rig = Rig()
    buffer = bytearray(length)
    if address + length > SIZE:
        with pytest.raises(ValueError, match=f"address {address}: 0 to {SIZE - length}"):
            rig.eeprom.read_into(address, buffer)
        assert rig.bus.count == 0
    else:
        rig.eeprom.read_into(address, buffer)
        assert buffer == OLD[address : address + length]


@pytest.mark.requirement("F10")
@pytest.mark.parametrize(("address", "refused"), [(-1, True), (0, False), (SIZE - 64, False), (SIZE - 63, True)])
def test_reading_may_begin_and_end_with_the_memory_and_not_a_byte_beyond(address: int, refused: bool) -> None:
    rig = Rig()
    buffer = bytearray(64)
    if refused:
        with pytest.raises(ValueError, match=f"address {address}: 0 to 32704"):
            rig.eeprom.read_into(address, buffer)
    else:
        rig.eeprom.read_into(address, buffer)
        assert buffer == OLD[address : address + 64]


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("page", [-1, PAGES, 1 << 20])
def test_a_page_that_does_not_exist_is_refused_before_the_bus_is_touched(page: int) -> None:
    rig = Rig()
    with pytest.raises(ValueError, match=f"page {page}: 0 to 511"):
        rig.eeprom.write_page(page, NEW)
    assert (rig.bus.count, rig.pin.levels) == (0, [1])


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_a_write_that_is_not_one_whole_page_is_refused(length: int) -> None:
    rig = Rig()
    with pytest.raises(ValueError, match=f"{length} bytes, must be 64"):
        rig.eeprom.write_page(PAGE, bytes(length))
    assert (rig.bus.count, rig.pin.levels) == (0, [1])


# -- write protection -------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F10")
def test_the_part_is_protected_from_construction_on_and_between_writes() -> None:
    rig = Rig()
    assert rig.pin.levels == [1]
    rig.eeprom.read_into(0, bytearray(10))
    assert rig.pin.levels == [1]
    rig.eeprom.write_page(PAGE, NEW)
    assert rig.pin.levels == [1, 0, 1]


@pytest.mark.requirement("F10")
def test_protection_is_lifted_for_the_write_and_its_cycle_but_not_for_reading_back() -> None:
    rig = Rig()
    seen: list[tuple[bool, bool]] = []
    start = rig.bus.start

    def watch(address: int, read: bool, now_ns: int) -> bool:
        seen.append((read, rig.part.write_protect))
        return start(address, read, now_ns)

    rig.bus.start = watch
    rig.eeprom.write_page(PAGE, NEW)
    assert seen[0] == (False, False)
    assert [protected for _, protected in seen] == sorted(protected for _, protected in seen)
    assert seen[-1] == (True, True)


@pytest.mark.requirement("F10")
def test_a_part_whose_protection_cannot_be_lifted_is_reported() -> None:
    rig = Rig()
    rig.pin.value = lambda level: None  # type: ignore[method-assign]
    rig.part.write_protect = True
    with pytest.raises(driver.EepromError, match=f"page {PAGE}: read back differs"):
        rig.eeprom.write_page(PAGE, NEW)
    assert rig.part.image() == OLD


# -- the write cycle --------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F10")
def test_a_write_waits_for_its_cycle_and_little_longer() -> None:
    rig = Rig()
    rig.eeprom.write_page(PAGE, NEW)
    bus_ns = 2 * (WRITE_BYTES + 1) * BYTE
    assert 5 * MS + bus_ns < rig.clock.time_ns < 7 * MS + bus_ns


@pytest.mark.requirement("F10")
@pytest.mark.parametrize(("cycle_ms", "taken"), [(1, True), (5, True), (9, True), (11, False), (1000, False)])
def test_waiting_for_a_slow_part_has_an_end(cycle_ms: int, taken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thecal.models.at24c256.WRITE_CYCLE_NS", cycle_ms * MS)
    rig = Rig()
    if taken:
        rig.eeprom.write_page(PAGE, NEW)
        assert rig.content(PAGE) == NEW
    else:
        with pytest.raises(driver.EepromError, match=f"page {PAGE}: no end of the write cycle"):
            rig.eeprom.write_page(PAGE, NEW)
    assert rig.part.write_protect
    assert rig.clock.time_ns < LONGEST_NS


@pytest.mark.requirement("F10", "R23")
def test_reading_waits_for_a_cycle_that_was_under_way_at_a_reset() -> None:
    rig = Rig()
    rig.pin.value(0)
    MachineI2C(rig.bus, rig.clock).writeto(0x50, (PAGE * PAGE_SIZE).to_bytes(2, "big") + NEW)
    rig.restart()
    buffer = bytearray(PAGE_SIZE)
    rig.eeprom.read_into(PAGE * PAGE_SIZE, buffer)
    assert buffer == NEW
