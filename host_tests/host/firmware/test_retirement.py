"""Worn pages: found by read-back, passed over for ever, and never so many that a ring ends (F10)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import Cut, CuttingEeprom, UnreliableEeprom

from firmware.layout import (
    BOLUS_FIRSTS,
    BOLUS_PAGES,
    EVENTS_FIRST,
    EVENTS_PAGES,
    LEDGER_FIRSTS,
    LEDGER_PAGES,
    RETIRED_FIRSTS,
    RETIRED_PAGES,
)
from firmware.mirror import Mirror
from firmware.pages import LEDGER, PAGE
from firmware.retirement import Retired
from firmware.rings import Ring, WriteError
from thecal.models.tears import MODELS, torn
from thecal.programming import MemoryEeprom

LIST_MAX = 26
FIRST, COUNT = LEDGER_FIRSTS[0], LEDGER_PAGES


def retired_on(eeprom: MemoryEeprom) -> Retired:
    retired = Retired(eeprom)
    assert retired.load()
    return retired


def wear(eeprom: UnreliableEeprom, *pages: int, fate: str = "worn") -> None:
    eeprom.refuse = lambda page: fate if page in pages else ""


def write(eeprom: MemoryEeprom, retired: Retired, records: int) -> Ring:
    ring = Ring(eeprom, FIRST, COUNT, LEDGER, retired)
    ring.scan()
    for number in range(records):
        ring.append(b"%d" % number)
    return ring


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("fate", ["worn", "dull"])
def test_a_page_that_does_not_keep_what_it_is_given_is_retired_and_never_written_again(fate: str):
    eeprom = UnreliableEeprom()
    worn = (FIRST + 3, FIRST + 4, FIRST + COUNT - 1)
    wear(eeprom, *worn, fate=fate)
    retired = retired_on(eeprom)
    write(eeprom, retired, COUNT)
    assert sorted(retired.pages) == list(worn)
    retired.save()

    again = retired_on(UnreliableEeprom(bytes(eeprom.memory)))
    assert sorted(again.pages) == list(worn)
    touched = []
    second = UnreliableEeprom(bytes(eeprom.memory))
    second.refuse = lambda page: touched.append(page) or ""
    ring = write(second, again, 2 * COUNT)
    assert not set(touched) & set(worn)
    assert ring.sequence == 3 * COUNT - 1


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("fate", ["keep", "take"])
def test_a_part_that_does_not_acknowledge_retires_nothing(fate: str):
    """A bus that fails says nothing about a page."""
    eeprom = UnreliableEeprom()
    retired = retired_on(eeprom)
    ring = write(eeprom, retired, 3)
    wear(eeprom, FIRST + 3, fate=fate)
    for _ in range(4):
        with pytest.raises(WriteError):
            ring.append(b"refused")
    wear(eeprom)
    ring.append(b"taken")
    assert ring.page == FIRST + 3
    assert retired.pages == []
    assert not retired.unsaved


@pytest.mark.requirement("F10")
def test_a_page_that_fails_once_is_not_worn():
    eeprom = UnreliableEeprom()
    failures = [FIRST + 5]
    eeprom.refuse = lambda page: "worn" if page in failures and failures.pop() else ""
    retired = retired_on(eeprom)
    ring = write(eeprom, retired, 6)
    assert retired.pages == []
    assert ring.read(FIRST + 5)[0] == 5


@pytest.mark.requirement("F10")
def test_a_retired_page_is_not_read_either():
    """What it holds may change: a record there, even a newer one, counts for nothing."""
    eeprom = UnreliableEeprom()
    retired = retired_on(eeprom)
    write(eeprom, retired, 10)
    retired.retire(FIRST + 9, FIRST, COUNT)
    ring = Ring(eeprom, FIRST, COUNT, LEDGER, retired)
    ring.scan()
    assert (ring.sequence, ring.page) == (8, FIRST + 8)
    ring.append(b"next")
    assert ring.page == FIRST + 10


@pytest.mark.requirement("F10")
@given(st.integers(0, 1 << 32), st.integers(0, 2 * COUNT))
def test_at_most_a_tenth_of_a_ring_is_retired(seed: int, count: int):
    random = Random(seed)
    worn = set(random.sample(range(FIRST, FIRST + COUNT), min(count, COUNT)))
    eeprom = UnreliableEeprom()
    wear(eeprom, *worn)
    retired = retired_on(eeprom)
    ring = Ring(eeprom, FIRST, COUNT, LEDGER, retired)
    failed = 0
    for number in range(3 * COUNT):
        try:
            ring.append(b"%d" % number)
        except WriteError:
            failed += 1
            continue
        assert ring.page not in worn
    assert len(retired.pages) == min(len(worn), COUNT // 10)
    assert set(retired.pages) <= worn
    assert failed or len(worn) < COUNT - 3


@pytest.mark.requirement("F10")
def test_the_list_is_full_at_26_pages():
    retired = retired_on(MemoryEeprom())
    mirrored = [(first, LEDGER_PAGES) for first in LEDGER_FIRSTS] + [(first, BOLUS_PAGES) for first in BOLUS_FIRSTS]
    for first, count in (*mirrored, (EVENTS_FIRST, EVENTS_PAGES)):
        for page in range(first, first + count):
            retired.retire(page, first, count)
            retired.retire(page, first, count)  # known already
    assert len(retired.pages) == len(set(retired.pages)) == LIST_MAX
    retired.save()


@pytest.mark.requirement("F10")
def test_a_list_that_has_not_changed_is_not_stored_again():
    eeprom = CuttingEeprom()
    retired = retired_on(eeprom)
    before = eeprom.writes
    retired.save()
    assert eeprom.writes == before
    retired.retire(FIRST, FIRST, COUNT)
    retired.save()
    writes = eeprom.writes
    assert writes == before + 2  # one page in either copy
    retired.save()
    retired.retire(FIRST, FIRST, COUNT)
    retired.save()
    assert eeprom.writes == writes


@pytest.mark.requirement("F10", "I12")
@given(st.integers(0, 1 << 32), st.sampled_from(MODELS), st.sampled_from((0, 1)))
def test_a_cut_while_the_list_is_stored_leaves_the_list_before_or_the_new_one(seed: int, model: str, write: int):
    random = Random(seed)
    eeprom = CuttingEeprom()
    retired = retired_on(eeprom)
    lists = []
    for page in range(FIRST, FIRST + 3):
        lists.append(list(retired.pages))
        retired.retire(page, FIRST, COUNT)
        retired.save()
    lists.append(list(retired.pages))
    eeprom.cut_at = eeprom.writes + write
    eeprom.tear = lambda old, new: torn(model, old, new, random.randrange(PAGE + 1), random)
    retired.retire(FIRST + 3, FIRST, COUNT)
    with pytest.raises(Cut):
        retired.save()
    again = retired_on(MemoryEeprom(bytes(eeprom.memory)))
    assert again.pages in (lists[-1], [*lists[-1], FIRST + 3])


@pytest.mark.requirement("F10", "I12")
def test_a_list_that_is_damaged_is_empty_and_the_pages_are_found_again():
    eeprom = UnreliableEeprom()
    wear(eeprom, FIRST + 2)
    retired = retired_on(eeprom)
    write(eeprom, retired, 5)
    retired.save()
    for first in RETIRED_FIRSTS:
        eeprom.memory[first * PAGE : (first + RETIRED_PAGES) * PAGE] = b"\x55" * (RETIRED_PAGES * PAGE)
    again = Retired(eeprom)
    assert not again.load()
    assert again.pages == []
    write(eeprom, again, COUNT)
    assert again.pages == [FIRST + 2]


@pytest.mark.requirement("F10")
def test_what_was_retired_before_the_list_was_read_again_is_kept():
    eeprom = MemoryEeprom()
    retired = retired_on(eeprom)
    retired.retire(FIRST, FIRST, COUNT)
    retired.save()
    retired.retire(FIRST + 1, FIRST, COUNT)
    assert retired.load()
    assert retired.pages == [FIRST, FIRST + 1]
    assert retired.unsaved


@pytest.mark.requirement("F10", "I2")
@given(st.integers(0, 1 << 32))
def test_a_mirror_with_worn_pages_in_both_copies_keeps_every_record_it_acknowledged(seed: int):
    random = Random(seed)
    worn = [first + page for first in LEDGER_FIRSTS for page in random.sample(range(COUNT), random.randrange(5))]
    eeprom = UnreliableEeprom()
    wear(eeprom, *worn, fate=random.choice(("worn", "dull")))
    kept = -1
    for life in range(3):
        retired = retired_on(eeprom)
        mirror = Mirror(eeprom, LEDGER_FIRSTS, COUNT, LEDGER, retired)
        mirror.recover()
        assert kept < 0 or int((mirror.payload or b"-1").rstrip(b"\0")) >= kept
        for number in range(60 * life, 60 * life + 60):
            try:
                mirror.append(b"%d" % number)
                kept = number
            except WriteError:
                continue
        retired.save()
    assert set(retired_on(eeprom).pages) == set(worn)
