"""Slot records: after a cut at any byte the record is wholly the old or wholly the new (invariants 4, 5, 12)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import Cut, CuttingEeprom, UnsteadyEeprom
from store_rig import (
    AREA,
    BLANK,
    LONGEST,
    SLOTS,
    committed,
    kinds,
    loaded,
    models,
    seeds,
    started,
    store_on,
)

from firmware.pages import PAGE, PRESCRIPTION, SUPERSEDED
from firmware.store import GOOD, NONE
from thecal.models.tears import ANY_BYTE, MODELS, Metastable, torn
from thecal.programming import MemoryEeprom


@pytest.mark.requirement("F4", "I5")
@given(st.lists(st.binary(max_size=LONGEST), min_size=1, max_size=9))
def test_the_last_commit_is_in_force_and_the_others_are_superseded(payloads: list[bytes]):
    image = committed(*payloads)
    assert loaded(image) == (GOOD, payloads[-1], len(payloads) - 1)
    assert kinds(image).count(PRESCRIPTION) == 1
    assert kinds(image).count(PRESCRIPTION | SUPERSEDED) == min(len(payloads), SLOTS) - 1
    assert image[: AREA.start].count(0xFF) == AREA.start
    assert image[AREA.stop :].count(0xFF) == len(image) - AREA.stop


@pytest.mark.requirement("F4")
def test_a_record_that_is_too_long_is_refused():
    store = store_on(MemoryEeprom())
    assert store.capacity == LONGEST
    with pytest.raises(ValueError, match=f"{LONGEST + 1} bytes, at most {LONGEST}"):
        store.commit(bytes(LONGEST + 1))
    assert loaded(committed(bytes(LONGEST)))[0] == GOOD


@pytest.mark.requirement("F4", "I5")
def test_slots_take_their_turns():
    image = BLANK
    for number in range(9):
        eeprom = MemoryEeprom(image)
        started(eeprom).commit(b"%d" % number)
        image = bytes(eeprom.memory)
        assert kinds(image)[number % SLOTS] == PRESCRIPTION


# -- cuts ---------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F4", "I5", "I12")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("before", [1, 2, 4, 5])
def test_a_cut_at_any_byte_of_a_commit_leaves_the_old_or_the_new_record(before: int, model: str):
    """Every write of a commit, the marking of the old slot included, cut at every byte."""
    random = Random(before)
    olds = [random.randbytes(random.randrange(60, 200)) for _ in range(before)]
    new = random.randbytes(150)
    image = committed(*olds)
    outcomes = set()
    for write in range(6):  # the mark that it is pending, four pages of the record, the mark of the old slot
        for at in (32,) if model in ANY_BYTE else range(PAGE + 1):
            eeprom = CuttingEeprom(image)
            store = started(eeprom)
            eeprom.cut_at = eeprom.writes + write
            eeprom.tear = lambda old, fresh, at=at: torn(model, old, fresh, at, random)
            with pytest.raises(Cut):
                store.commit(new)
            condition, payload, _ = loaded(bytes(eeprom.memory))
            assert condition == GOOD
            assert payload in (olds[-1], new)
            if write < 4:
                assert payload == olds[-1]
            if write == 5:  # the first part was verified
                assert payload == new
            outcomes.add(payload)
    assert outcomes == {olds[-1], new}
    eeprom = CuttingEeprom(image)
    store = started(eeprom)
    eeprom.cut_at = eeprom.writes + 6
    store.commit(new)


@pytest.mark.requirement("F4", "I5", "I12")
@given(seeds, models, models)
def test_a_start_that_is_cut_loses_neither_record(seed: int, model: str, second: str):
    random = Random(seed)
    old, new = b"old" * 40, b"new" * 30
    eeprom = CuttingEeprom(committed(b"older", old))
    store = started(eeprom)
    eeprom.cut_at = eeprom.writes + random.randrange(4)
    at = random.randrange(PAGE + 1)
    eeprom.tear = lambda was, comes: torn(model, was, comes, at, random)
    with pytest.raises(Cut):
        store.commit(new)
    image = bytes(eeprom.memory)
    found = loaded(image)[1]
    for write in range(9):
        eeprom = CuttingEeprom(image)
        eeprom.cut_at = write
        eeprom.tear = lambda was, comes: torn(second, was, comes, at, random)
        try:
            started(eeprom)
        except Cut:
            condition, payload, _ = loaded(bytes(eeprom.memory))
            assert condition == GOOD
            assert payload in (old, found)
            continue
        return
    pytest.fail("a start wrote more than eight pages")


@pytest.mark.requirement("F4", "I5")
@given(seeds)
def test_commits_after_cuts_after_commits_stay_whole(seed: int):
    random = Random(seed)
    eeprom = CuttingEeprom(committed(b"first" * 20))
    possible = {b"first" * 20}
    for number in range(12):
        store = started(eeprom)
        assert store.condition == GOOD
        assert store.payload in possible
        new = b"%d" % number * random.randrange(1, 297)
        possible = {bytes(store.payload), new}
        eeprom.cut_at = eeprom.writes + random.randrange(14)
        eeprom.tear = lambda old, fresh: torn(random.choice(MODELS), old, fresh, random.randrange(PAGE + 1), random)
        try:
            store.commit(new)
            possible = {new}
        except Cut:
            eeprom.dead = False
            eeprom.cut_at = -1


@pytest.mark.requirement("F4", "I4", "I5")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("write", [0, 1, 2, 3])
def test_a_first_commit_that_is_cut_and_was_not_acknowledged_is_none_or_the_record(write: int, model: str):
    random = Random(write)
    new = bytes(range(120))
    for at in range(PAGE + 1):
        eeprom = CuttingEeprom()
        eeprom.tear = lambda old, fresh, at=at: torn(model, old, fresh, at, random)
        store = started(eeprom, acknowledged=False)
        assert store.condition == NONE
        eeprom.cut_at = eeprom.writes + write
        with pytest.raises(Cut):
            store.commit(new)
        after = MemoryEeprom(bytes(eeprom.memory))
        started(after, acknowledged=False)
        again = started(after, acknowledged=False)
        assert (again.condition, again.payload) in ((NONE, None), *([(GOOD, new)] if write == 3 else []))


@pytest.mark.requirement("F4", "I4", "I5")
@given(seeds, models, st.booleans(), st.integers(0, 5))
def test_a_page_that_a_cut_left_between_two_states_decides_nothing_after_the_first_start(
    seed: int, model: str, first: bool, write: int
):
    """Whatever the page reads at the first start: the record that is found then is found for ever."""
    random = Random(seed)
    old, new = b"old" * 40, b"new" * 30
    cut = CuttingEeprom(BLANK if first else committed(b"older", old))
    store = started(cut, not first)
    cut.cut_at = cut.writes + (write % 3 if first else write % 4)
    torn_pages: list[tuple[int, Metastable]] = []

    def tear(was: bytes, comes: bytes) -> bytes:
        one = torn(model, was, comes, random.randrange(PAGE + 1), random)
        torn_pages.append((cut.page, Metastable(one, comes, random)))
        return one

    cut.tear = tear
    with pytest.raises(Cut):
        store.commit(new)
    eeprom = UnsteadyEeprom(bytes(cut.memory))
    eeprom.unsteady.update(torn_pages)
    found = started(eeprom, not first)
    assert found.payload in (None if first else old, new)
    assert found.condition == GOOD or first
    for _ in range(8):
        assert started(eeprom, not first).payload == found.payload
    found.commit(b"newest")
    for _ in range(8):
        assert started(eeprom).payload == b"newest"
