"""Two copies of a ring: one page may rot and nothing is lost; more is damage, and said so (F10; invariants 2, 12)."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mirror_rig import (
    COUNT,
    FIRSTS,
    READS_MAX,
    WRITES_MAX,
    check_settled,
    content,
    filled,
    mirror_on,
    page_of,
    payload,
    recovered,
    seeds,
    with_pages,
)
from parts import UnreliableEeprom, UnsteadyEeprom

from firmware.mirror import DAMAGED, GOOD
from firmware.pages import COUNTERS, PAGE, seal
from firmware.rings import WriteError
from thecal.programming import MemoryEeprom


def whole_copy(copy: int, fill: bytes) -> dict[int, bytes]:
    """Every page of a copy, filled with one byte."""
    page = fill * PAGE
    return {number: page for number in range(FIRSTS[copy], FIRSTS[copy] + COUNT)}  # noqa: C420 - fromkeys has no type


def rotten(random: Random, page: bytes) -> bytes:
    """A page of which bits flipped, or all of it was lost."""
    kind = random.choice(("flip", "flips", "erased", "zero", "random"))
    if kind in ("flip", "flips"):
        spoilt = bytearray(page)
        for bit in random.sample(range(PAGE * 8), 1 if kind == "flip" else 5):
            spoilt[bit // 8] ^= 1 << bit % 8
        return bytes(spoilt)
    return {"erased": b"\xff" * PAGE, "zero": bytes(PAGE), "random": random.randbytes(PAGE)}[kind]


@pytest.mark.requirement("F10", "I2", "I12")
@given(seeds, st.integers(2, 3 * COUNT), st.sampled_from((0, 1)))
def test_any_one_page_may_rot_and_nothing_is_lost(seed: int, records: int, copy: int):
    random = Random(seed)
    image = filled(records)
    page = FIRSTS[copy] + random.randrange(min(records, COUNT))
    eeprom = MemoryEeprom(with_pages(image, {page: rotten(random, content(image, page))}))
    mirror = recovered(eeprom)
    assert (mirror.condition, mirror.payload, mirror.sequence) == (GOOD, payload(records - 1), records - 1)
    check_settled(eeprom, mirror)


@pytest.mark.requirement("F10", "I2")
@given(seeds, st.integers(2, 3 * COUNT))
def test_the_newest_record_that_rotted_in_both_copies_is_damage_and_never_the_one_before_it(seed: int, records: int):
    random = Random(seed)
    image = filled(records)
    spoilt = {}
    for copy in (0, 1):
        page = page_of(copy, records - 1)
        rot = content(image, page)
        while rot in (content(image, page), b"\xff" * PAGE):  # an erased page is one that was never written
            rot = rotten(random, content(image, page))
        spoilt[page] = rot
    mirror = recovered(MemoryEeprom(with_pages(image, spoilt)))
    assert (mirror.condition, mirror.payload) == (DAMAGED, None)


@pytest.mark.requirement("F10", "I2")
@pytest.mark.parametrize("fill", [b"\xff", b"\x00", b"\x55"])
@pytest.mark.parametrize("copy", [0, 1])
@pytest.mark.parametrize("records", [2, COUNT, COUNT + 5])
def test_one_copy_that_is_gone_is_damage(records: int, copy: int, fill: bytes):
    gone = whole_copy(copy, fill)
    mirror = recovered(MemoryEeprom(with_pages(filled(records), gone)))
    assert (mirror.condition, mirror.payload) == (DAMAGED, None)


@pytest.mark.requirement("F10", "I2")
@pytest.mark.parametrize("apart", [1, 64, 65, 100_000])
@pytest.mark.parametrize("copy", [0, 1])
def test_a_copy_that_failed_writes_left_far_behind_gets_the_newest_record(apart: int, copy: int):
    page = bytearray(PAGE)
    page[8:60] = payload(2 + apart)
    seal(page, COUNTERS, 2 + apart)
    eeprom = MemoryEeprom(with_pages(filled(3), {page_of(copy, 3): bytes(page)}))
    mirror = recovered(eeprom)
    assert mirror.condition == GOOD
    assert mirror.payload == payload(2 + apart)
    check_settled(eeprom, mirror)


@pytest.mark.requirement("I12")
@given(seeds, st.sampled_from((1, 5, 40, 2_000)))
def test_recovery_ends_for_any_content_in_bounded_work_and_a_second_one_agrees(seed: int, damage: int):
    random = Random(seed)
    image = bytearray(filled(random.randrange(3 * COUNT)))
    for _ in range(damage):
        first = random.choice(FIRSTS) * PAGE
        image[random.randrange(first, first + COUNT * PAGE)] = random.randrange(256)
    eeprom = UnsteadyEeprom(bytes(image))
    mirror = recovered(eeprom)
    assert eeprom.reads <= READS_MAX
    assert eeprom.writes <= WRITES_MAX
    assert (mirror.condition == GOOD) == (mirror.payload is not None)
    again = recovered(eeprom)
    assert (again.condition, again.payload) == (mirror.condition, mirror.payload)


# -- a part that refuses ------------------------------------------------------------------------------------


@pytest.mark.requirement("F10", "I2")
@given(seeds)
def test_records_that_were_acknowledged_survive_a_part_that_refuses_now_and_then(seed: int):
    """An append that raised may be found or not; one that returned is found, unless a newer one is."""
    random = Random(seed)
    eeprom = UnreliableEeprom()
    mirror = mirror_on(eeprom)
    mirror.append(payload(0))
    kept = 0
    for number in range(1, 60):
        fates = random.choice((("",), ("", "keep", "take"), ("keep", "take", "worn")))
        eeprom.refuse = lambda page, fates=fates: random.choice(fates)
        with suppress(WriteError):  # then what was kept before stands, as the next lines show
            mirror.append(payload(number))
            kept = number
        again = recovered(MemoryEeprom(bytes(eeprom.memory)))
        assert again.condition == GOOD
        assert kept <= int(again.payload or b"-1") <= number


@pytest.mark.requirement("F10")
def test_beginning_anew_makes_records_of_a_damaged_pair_possible():
    gone = whole_copy(1, b"U")
    eeprom = MemoryEeprom(with_pages(filled(12), gone))
    mirror = recovered(eeprom)
    assert mirror.condition == DAMAGED
    mirror.begin_anew()
    mirror.append(payload(500))
    again = recovered(MemoryEeprom(bytes(eeprom.memory)))
    assert (again.condition, again.payload) == (GOOD, payload(500))
    assert again.sequence == 12  # numbers go on
    check_settled(eeprom, again)
