"""What a ring makes of pages that refuse, wear out, are cut or hold garbage (F10; invariants 2, 12)."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import Cut, CuttingEeprom, UnreliableEeprom, UnsteadyEeprom
from ring_rig import COUNT, FIRST, condition_of, filled, found, payload, put, record, ring_on, scanned

from firmware.pages import EVENT, GARBAGE, LEDGER, PAGE, VOID, WHOLE
from firmware.rings import Ring, WriteError, newest_numbers
from thecal.models.tears import MODELS, torn
from thecal.programming import MemoryEeprom

SCRUBBED_MAX = 2


# -- pages that do not take what they are given ------------------------------------------------------------


@pytest.mark.requirement("F10", "I2")
@given(st.integers(0, 1 << 32), st.sampled_from(("worn", "dull")))
def test_worn_pages_are_passed_over(seed: int, fate: str):
    random = Random(seed)
    worn = set(random.sample(range(FIRST, FIRST + COUNT), 5))
    turns = [FIRST + n % COUNT for n in range(2 * COUNT)]
    runs = max(len(run) for run in "".join("x" if page in worn else " " for page in turns).split(" "))
    eeprom = UnreliableEeprom()
    eeprom.refuse = lambda page: fate if page in worn else ""
    ring = ring_on(eeprom)
    for number in range(3 * COUNT):
        try:
            ring.append(payload(number))
        except WriteError:
            assert runs >= 3
            continue
        assert ring.page not in worn
        sequence, page = found(eeprom)
        assert sequence == ring.sequence
        assert ring.read(page) == (sequence, payload(number) + b"\0")


@pytest.mark.requirement("F10", "I2")
def test_a_record_that_no_page_took_uses_up_its_number():
    """A page may have taken it and failed afterwards: were the number given again, there would be two of it."""
    eeprom = UnreliableEeprom()
    ring = ring_on(eeprom)
    ring.append(payload(1))
    eeprom.refuse = lambda page: "take"
    with pytest.raises(WriteError):
        ring.append(payload(2))
    eeprom.refuse = lambda page: "worn" if page == FIRST + 1 else ""
    ring.append(payload(3))
    assert (ring.sequence, ring.page) == (2, FIRST + 2)
    sequence, page = found(eeprom)
    assert ring.read(page) == (sequence, payload(3) + b"\0")


@pytest.mark.requirement("F10", "F3")
@given(st.lists(st.sampled_from(("", "keep", "take")), max_size=60), st.integers(0, COUNT))
def test_a_part_that_does_not_answer_costs_no_page(fates: list[str], records: int):
    """Refused records push nothing out of the ring, and the next one lies right behind the newest."""
    eeprom = UnreliableEeprom()
    ring = filled(eeprom, records)
    eeprom.refuse = lambda page: fates.pop() if fates else ""
    newest = ring.page
    while fates:
        with suppress(WriteError):
            ring.append(payload(99))
            newest = newest + 1 if FIRST <= newest < FIRST + COUNT - 1 else FIRST
        assert ring.page == newest


@pytest.mark.requirement("F10", "I12")
@given(st.integers(0, 1 << 32), st.sampled_from(MODELS), st.integers(0, 3 * COUNT))
def test_a_cut_in_the_middle_of_a_write_leaves_the_record_before_it_or_the_new_one(seed: int, model: str, writes: int):
    random = Random(seed)
    eeprom = CuttingEeprom()
    eeprom.cut_at = writes
    at = random.randrange(PAGE + 1)
    eeprom.tear = lambda old, new: torn(model, old, new, at, random)
    ring = ring_on(eeprom)
    for number in range(writes):
        ring.append(payload(number))
    with pytest.raises(Cut):
        ring.append(payload(writes))
    sequence, page = found(eeprom)
    assert sequence in (writes - 1, writes)
    if sequence >= 0:
        assert ring.read(page) == (sequence, payload(sequence) + b"\0")


# -- garbage ------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F10", "I12")
@pytest.mark.parametrize("spoilt", range(COUNT))
def test_scrubbing_empties_at_most_two_pages_and_begins_behind_the_newest(spoilt: int):
    eeprom = UnsteadyEeprom()
    ring = filled(eeprom, COUNT + 4)
    behind = [FIRST + (ring.page - FIRST + ahead) % COUNT for ahead in range(1, COUNT)]
    for page in behind[:spoilt]:
        put(eeprom, page, b"\x55" * PAGE)
    again = scanned(eeprom)
    eeprom.writes = 0
    again.scrub()
    assert eeprom.writes == min(spoilt, SCRUBBED_MAX)
    for index, page in enumerate(behind[:spoilt]):
        assert condition_of(eeprom, page) == ((WHOLE, VOID) if index < SCRUBBED_MAX else (GARBAGE, VOID))
    left = behind[SCRUBBED_MAX:spoilt]
    assert again.garbage == left
    second = scanned(eeprom)
    assert (second.sequence, second.page, sorted(second.garbage)) == (ring.sequence, ring.page, sorted(left))
    for _ in range(COUNT):
        second.scrub()
    assert scanned(eeprom).garbage == []


@pytest.mark.requirement("F10", "I12")
@pytest.mark.parametrize("records", [0, 1, COUNT - 1, COUNT, COUNT + 3])
def test_a_fence_empties_the_page_behind_the_newest_record_and_no_other(records: int):
    eeprom = MemoryEeprom()
    filled(eeprom, records)
    before = bytes(eeprom.memory)
    ring = scanned(eeprom)
    ring.fence()
    page = FIRST + records % COUNT
    assert condition_of(eeprom, page) == (WHOLE, VOID)
    assert [
        n for n in range(512) if before[n * PAGE : n * PAGE + PAGE] != eeprom.memory[n * PAGE : n * PAGE + PAGE]
    ] == [page]
    assert found(eeprom) == (ring.sequence, ring.page)


@pytest.mark.requirement("F10")
def test_garbage_behind_the_newest_record_is_noticed_and_elsewhere_it_is_not():
    eeprom = MemoryEeprom()
    filled(eeprom, COUNT + 4)
    put(eeprom, FIRST + 6, b"\x55" * PAGE)
    assert not scanned(eeprom).ends_in_garbage()
    put(eeprom, FIRST + 4, b"\x55" * PAGE)
    assert scanned(eeprom).ends_in_garbage()


@pytest.mark.requirement("F10", "I12")
@given(st.integers(0, 1 << 32))
def test_cleaning_leaves_records_of_this_format_and_emptiness_only(seed: int):
    random = Random(seed)
    eeprom = MemoryEeprom()
    kept = filled(eeprom, random.randrange(1, 20))
    for page in range(FIRST, FIRST + COUNT):
        if page != kept.page and random.random() < 0.6:
            put(eeprom, page, random.choice((random.randbytes(PAGE), record(5, EVENT), bytes(PAGE))))
    ring = scanned(eeprom)
    ring.clean()
    again = scanned(eeprom)
    assert (again.garbage, again.foreign) == ([], 0)
    assert (again.sequence, again.page, again.oldest) == (kept.sequence, kept.page, ring.oldest)


@pytest.mark.requirement("F10", "F3")
@given(st.integers(0, 1 << 32), st.integers(1, 3 * COUNT), st.booleans())
def test_a_ring_with_an_index_finds_every_record_it_still_has(seed: int, count: int, again: bool):
    """Behind pages that were passed over too, and by the writer as by one that has just started."""
    random = Random(seed)
    worn = set(random.sample(range(FIRST, FIRST + COUNT), 2))
    eeprom = UnreliableEeprom()
    eeprom.refuse = lambda page: "worn" if page in worn else ""
    ring = ring_on(eeprom)
    ring.keep_index()
    for number in range(count):
        ring.append(payload(number))
    if again:
        ring = Ring(eeprom, FIRST, COUNT, LEDGER)
        ring.keep_index()
        ring.scan()
    kept = list(range(count))[-(COUNT - len(worn)) :]
    assert newest_numbers([ring], ring.sequence, COUNT) == kept
    assert newest_numbers([ring], ring.sequence, 3) == kept[-3:]
    assert [ring.find(number) for number in kept] == [payload(number) + b"\0" for number in kept]
    assert ring.find(kept[0] - 1) is None
    assert ring.find(count) is None
    ring.append(payload(count))
    assert ring.find(count) == payload(count) + b"\0"
