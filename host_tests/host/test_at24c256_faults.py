"""The EEPROM driver when bus, part or supply fail: bounded, reported, protected, and no other page touched."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tests.host.eeprom_rig import (
    BYTE,
    LONGEST_NS,
    MS,
    NEW,
    OLD,
    OLD_PAGE,
    PAGE,
    WRITE_BYTES,
    CutClock,
    PowerCut,
    Rig,
    driver,
)
from thecal.models.at24c256 import PAGE_SIZE


def clean_events() -> int:
    """Acknowledges that one undisturbed write_page gets."""
    rig = Rig()
    rig.eeprom.write_page(PAGE, NEW)
    return rig.bus.count


def fails(rig: Rig) -> bool:
    """Whether writing a page is reported as failed."""
    try:
        rig.eeprom.write_page(PAGE, NEW)
    except driver.EepromError:
        return True
    return False


# -- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F10", "F11")
@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for_ever"])
def test_a_missing_acknowledge_anywhere_in_a_write_ends_protected_bounded_and_reported(for_ever: bool) -> None:
    events = clean_events()
    assert events > WRITE_BYTES + 3
    for first in range(events):
        rig = Rig()
        rig.bus.first = first
        rig.bus.for_ever = for_ever
        reported = fails(rig)
        assert reported or not for_ever
        # The STOP makes the part write the bytes that it had acknowledged, and no others.
        got = min(max(first - 3, 0), PAGE_SIZE)
        assert rig.content(PAGE) == NEW[:got] + OLD_PAGE[got:]
        assert reported or got == PAGE_SIZE
        assert rig.part.write_protect
        assert rig.others_untouched(PAGE)
        assert rig.clock.time_ns < LONGEST_NS
        rig.bus.first = -1  # the fault is gone: the next write, at once, is taken
        rig.eeprom.write_page(PAGE, NEW)
        assert rig.content(PAGE) == NEW


@pytest.mark.requirement("F10", "F11")
def test_one_missing_acknowledge_does_not_fail_a_read_and_a_silent_part_does() -> None:
    for first in range(4):
        for for_ever in (False, True):
            rig = Rig()
            rig.bus.first, rig.bus.for_ever = first, for_ever
            buffer = bytearray(PAGE_SIZE)
            if for_ever:
                with pytest.raises(driver.EepromError, match=f"page {PAGE}: cannot be read"):
                    rig.eeprom.read_into(PAGE * PAGE_SIZE, buffer)
            else:
                rig.eeprom.read_into(PAGE * PAGE_SIZE, buffer)
                assert buffer == OLD_PAGE
            assert rig.clock.time_ns < LONGEST_NS


@pytest.mark.requirement("F10", "F11")
def test_a_part_that_dies_at_any_byte_of_a_write_is_reported_in_bounded_time() -> None:
    for byte in range(WRITE_BYTES - 1 + 3):  # the last three: a poll, and the address for reading back
        rig = Rig()
        write, left = rig.bus.write_byte, [byte]

        def dying(value: int, now_ns: int, rig: Rig = rig, write: Any = write, left: list[int] = left) -> bool:
            rig.part.dead = left[0] <= 0
            left[0] -= 1
            return write(value, now_ns)

        rig.bus.write_byte = dying  # type: ignore[method-assign]
        with pytest.raises(driver.EepromError):
            rig.eeprom.write_page(PAGE, NEW)
        assert rig.part.write_protect
        assert rig.others_untouched(PAGE)
        assert rig.clock.time_ns < LONGEST_NS


@pytest.mark.requirement("F10", "F11")
def test_a_held_bus_ends_in_an_error_after_bounded_time_and_costs_nothing_afterwards() -> None:
    rig = Rig()
    rig.bus.held = True
    for call in (lambda: rig.eeprom.write_page(PAGE, NEW), lambda: rig.eeprom.read_into(0, bytearray(64))):
        began = rig.clock.time_ns
        with pytest.raises(driver.EepromError):
            call()
        assert rig.part.write_protect
        # Eleven tries at most, each with the 5 ms time-out of the I2C block.
        assert rig.clock.time_ns - began <= 11 * (5 + 1) * MS
    rig.bus.held = False
    rig.eeprom.write_page(PAGE, NEW)
    assert rig.content(PAGE) == NEW


@pytest.mark.requirement("F10")
def test_a_worn_page_is_found_by_reading_it_back() -> None:
    rig = Rig()
    rig.part.worn.add(PAGE)
    with pytest.raises(driver.EepromError, match=f"page {PAGE}: read back differs"):
        rig.eeprom.write_page(PAGE, NEW)
    rig.eeprom.write_page(PAGE + 1, NEW)
    assert rig.content(PAGE + 1) == NEW


# -- power cuts -------------------------------------------------------------------------------------------------------


def cut_during_write(cut_ns: int, seed: int) -> Rig:
    rig = Rig()
    rig.clock.cut_ns = cut_ns
    with pytest.raises(PowerCut):
        rig.eeprom.write_page(PAGE, NEW)
    # The write really ends there: WP has not gone high by software when the supply goes.
    rig.part.write_protect = False
    rig.part.power_cut(rig.clock.time_ns, Random(seed))
    rig.clock.cut_ns = CutClock.cut_ns
    rig.clock.advance(1000 * MS)
    rig.part.power_on(rig.clock.time_ns)
    rig.bus.stop(rig.clock.time_ns)
    return rig


@pytest.mark.requirement("F10", "R23")
def test_a_power_cut_at_any_byte_of_a_write_harms_that_page_alone() -> None:
    send_ns = 2_500 + WRITE_BYTES * BYTE
    whole = Rig()
    whole.eeprom.write_page(PAGE, NEW)
    for cut_ns in range(BYTE // 2, whole.clock.time_ns, BYTE // 2):
        rig = cut_during_write(cut_ns, seed=cut_ns)
        assert rig.others_untouched(PAGE)
        if cut_ns < 2_500 + 3 * BYTE:  # no data byte had come
            assert rig.part.image() == OLD
        if cut_ns > send_ns + 5 * MS:
            assert rig.content(PAGE) == NEW


@pytest.mark.requirement("F10", "R23")
def test_a_cut_in_the_write_cycle_can_leave_a_page_that_is_neither_old_nor_new() -> None:
    results = {cut_during_write(4 * MS, seed).content(PAGE) for seed in range(20)}
    assert len(results) == 20
    assert not results & {OLD_PAGE, NEW}


@pytest.mark.requirement("F10", "R23")
@given(st.integers(1, 9 * MS), st.integers(0, 1 << 32))
def test_after_a_cut_the_part_works_again(cut_ns: int, seed: int) -> None:
    rig = Rig()
    rig.clock.cut_ns = cut_ns
    with suppress(PowerCut):
        rig.eeprom.write_page(PAGE, NEW)
    rig.part.power_cut(rig.clock.time_ns, Random(seed))
    rig.clock.cut_ns = CutClock.cut_ns
    rig.part.power_on(rig.clock.time_ns)
    rig.restart()
    rig.eeprom.write_page(PAGE, NEW)
    assert rig.content(PAGE) == NEW
    assert rig.others_untouched(PAGE)
