"""Two copies of a ring: a cut at any byte of either leaves the old or the new record (F10; invariants 2, 12)."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mirror_rig import (
    COUNT,
    LAST,
    READS_MAX,
    WRITES_MAX,
    check_settled,
    content,
    filled,
    page_of,
    payload,
    recovered,
    seeds,
    with_pages,
)
from parts import Cut, CuttingEeprom, UnreliableEeprom, UnsteadyEeprom

from firmware.mirror import EMPTY, GOOD
from firmware.pages import GAP, PAGE
from firmware.rings import WriteError
from thecal.models.tears import ANY_BYTE, MODELS, Metastable, torn
from thecal.powercut.page_part import PagePart, PowerCut
from thecal.programming import MemoryEeprom


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("start", [-1, 0, LAST - 9, LAST - 1])
def test_a_record_is_found_with_the_number_it_was_given(start: int):
    for records in range(1, 3 * COUNT):
        image = filled(records, start)
        mirror = recovered(MemoryEeprom(image))
        sequence = start + records
        assert mirror.condition == GOOD
        assert mirror.payload == payload(records - 1)
        assert mirror.sequence == (sequence if sequence < LAST else sequence - LAST)
        check_settled(MemoryEeprom(image), mirror)


@pytest.mark.requirement("F10")
def test_two_blank_rings_are_empty():
    mirror = recovered(MemoryEeprom())
    assert (mirror.condition, mirror.sequence, mirror.payload) == (EMPTY, -1, None)


# -- cuts ---------------------------------------------------------------------------------------------------


def cut_append(image: bytes, write: int, model: str, at: int, random: Random, new: bytes) -> CuttingEeprom | None:
    """An append that is cut in its `write`-th page, or None if it had fewer."""
    eeprom = CuttingEeprom(image)
    mirror = recovered(eeprom)
    eeprom.cut_at = eeprom.writes + write
    eeprom.tear = lambda old, fresh: torn(model, old, fresh, at, random)
    try:
        mirror.append(new)
    except Cut:
        return CuttingEeprom(bytes(eeprom.memory))
    return None


@pytest.mark.requirement("F10", "I2", "I12")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("before", [1, 2, COUNT, COUNT + 3])
def test_a_cut_at_any_byte_of_either_copy_leaves_the_record_before_or_the_new_one(before: int, model: str):
    random = Random(before)
    image = filled(before)
    outcomes = set()
    first = 1 if before == 1 else 0  # the only record of the second copy is renewed before all else
    for write in (0, 1, 2):
        for at in (32,) if model in ANY_BYTE else range(PAGE + 1):
            eeprom = cut_append(image, write, model, at, random, payload(before))
            assert eeprom is not None
            mirror = recovered(eeprom)
            assert mirror.condition == GOOD
            assert mirror.payload in (payload(before - 1), payload(before))
            if write > first:  # the first copy was verified
                assert mirror.payload == payload(before)
            assert (mirror.sequence == before - 1) == (mirror.payload == payload(before - 1))
            check_settled(eeprom, mirror)
            outcomes.add(mirror.payload)
            mirror.append(payload(99))
            assert mirror.sequence > before - 1
            assert recovered(MemoryEeprom(bytes(eeprom.memory))).payload == payload(99)
    assert cut_append(image, 3, model, 0, random, payload(before)) is None
    assert payload(before) in outcomes


@pytest.mark.requirement("F10", "I12")
@pytest.mark.parametrize("model", MODELS)
def test_a_cut_in_the_very_first_record_leaves_an_empty_pair_or_the_record(model: str):
    random = Random(1)
    blank = b"\xff" * 32_768
    for write in (0, 1):
        for at in range(PAGE + 1):
            eeprom = cut_append(blank, write, model, at, random, payload(0))
            assert eeprom is not None
            mirror = recovered(eeprom)
            assert mirror.condition == (EMPTY if mirror.payload is None else GOOD)
            assert mirror.payload in ((payload(0),) if write else (None, payload(0)))
            mirror.append(payload(1))
            assert recovered(eeprom).payload == payload(1)


@pytest.mark.requirement("F10", "I2", "I12")
@given(seeds, st.sampled_from((0, 1, 2, COUNT, COUNT + 3)), st.sampled_from(MODELS), st.sampled_from(MODELS))
def test_a_recovery_that_is_cut_loses_nothing_that_counted(seed: int, before: int, model: str, second: str):
    """Recovery is cut in each of its writes, after an append that was cut. The record before is never lost, and once a
    recovery has ended, all later ones find the same."""
    random = Random(seed)
    torn_image = cut_append(
        filled(before), random.randrange(3 if before else 2), model, random.randrange(PAGE + 1), random, payload(before)
    )
    assert torn_image is not None
    image = bytes(torn_image.memory)
    for write in range(WRITES_MAX):
        eeprom = CuttingEeprom(image)
        eeprom.cut_at = write
        at = random.randrange(PAGE + 1)
        eeprom.tear = lambda old, fresh, at=at: torn(second, old, fresh, at, random)
        try:
            recovered(eeprom)
        except Cut:
            eeprom = CuttingEeprom(bytes(eeprom.memory))
        mirror = recovered(eeprom)
        assert mirror.condition == (EMPTY if mirror.payload is None else GOOD)
        assert mirror.payload in (payload(before - 1) if before else None, payload(before))
        check_settled(eeprom, mirror)
        if write >= eeprom.writes:
            break


@pytest.mark.requirement("F10", "I2", "I12")
@given(
    seeds, st.sampled_from((1, 2, COUNT, COUNT + 3)), st.sampled_from(MODELS), st.sampled_from((0, 1)), st.booleans()
)
def test_a_page_that_a_cut_left_between_two_states_is_never_relied_on(
    seed: int, before: int, model: str, copy: int, fence: bool
):
    """The old or the new record is found, and behind a start the same for ever."""
    random = Random(seed)
    image = filled(before)
    whole = filled(before + 1)
    page = page_of(copy, before)
    eeprom = UnsteadyEeprom(with_pages(image, {page_of(0, before): content(whole, page_of(0, before))} if copy else {}))
    new = content(whole, page)
    one = torn(model, content(image, page), new, random.randrange(PAGE + 1), random)
    eeprom.unsteady[page] = Metastable(one, new, random)
    eeprom.reads = 0
    mirror = recovered(eeprom)
    assert mirror.condition == GOOD
    assert mirror.payload in ((payload(before),) if copy else (payload(before - 1), payload(before)))
    assert eeprom.reads <= READS_MAX + 2 * COUNT + 1  # the ring of that page is read once more without it
    assert eeprom.writes <= WRITES_MAX
    if fence:  # as a start does where it writes no record of its own
        mirror.fence()
    else:
        mirror.append(payload(99))
    for _ in range(8):
        again = recovered(eeprom)
        assert (again.condition, again.payload) == (GOOD, mirror.payload)


@pytest.mark.requirement("F10", "F3", "I2")
@given(seeds, st.integers(1, 2 * COUNT), st.sampled_from(MODELS))
def test_a_page_of_the_second_copy_that_only_seemed_to_hold_the_newest_record_is_mended_by_the_next(
    seed: int, before: int, model: str
):
    """It read as the record at the start: were it left between two states, the copy would lack that record one day, or
    have garbage behind its newest one just when a cut makes garbage of the other copy's page."""
    random = Random(seed)
    image = filled(before)
    page = page_of(1, before - 1)
    old = content(filled(before - 1), page)
    for _ in range(20):
        eeprom = UnsteadyEeprom(image)
        new = content(image, page)
        eeprom.unsteady[page] = Metastable(torn(model, old, new, random.randrange(PAGE + 1), random), new, random)
        mirror = recovered(eeprom)
        assert (mirror.condition, mirror.payload) == (GOOD, payload(before - 1))
        mirror.append(payload(before))
        assert not eeprom.unsteady
        assert recovered(eeprom).payload == payload(before)


@pytest.mark.requirement("F10", "I2", "I12")
@given(seeds, st.sampled_from(MODELS), st.sampled_from(MODELS), st.integers(0, 2))
def test_the_only_record_of_the_second_copy_may_lie_in_an_unsteady_page_when_the_next_record_is_cut(
    seed: int, model: str, second: str, write: int
):
    image = filled(1)
    page = page_of(1, 0)
    part = PagePart(image)
    part.rng = Random(seed)
    new = content(image, page)
    one = torn(model, b"\xff" * PAGE, new, part.rng.randrange(PAGE + 1), part.rng)
    part.unsteady[page] = Metastable(one, new, part.rng)
    mirror = recovered(part)
    part.cut_in(write, second, part.rng.randrange(PAGE + 1))
    with suppress(PowerCut):
        mirror.append(payload(1))
    part.power_on()
    again = recovered(part)
    assert again.condition == GOOD
    assert again.payload in (payload(0), payload(1))
    assert recovered(part).payload == again.payload


@pytest.mark.requirement("F10", "F3")
@pytest.mark.parametrize("worn", [0, 1, 2])
@pytest.mark.parametrize("refused", range(8))
def test_refused_writes_and_then_a_cut_leave_nothing_that_a_fence_does_not_rule_out(refused: int, worn: int):
    """A record that was never acknowledged, and that a start has not found, must not be found by a later one."""
    for seed in range(20):
        part = PagePart(filled(COUNT + 2))
        part.rng = Random(seed)
        part.refusing.update(page_of(0, COUNT + 2 + ahead) for ahead in range(worn))
        mirror = recovered(part)
        part.refuse_writes = refused
        part.cut_in(2 * worn, "old", metastable=True)
        for _ in range(4):
            with suppress(WriteError, PowerCut):
                mirror.append(payload(99))
        assert part.cuts == 1
        part.power_on()
        mirror = recovered(part)
        mirror.fence()
        assert mirror.payload == payload(99) or not part.unsteady


@pytest.mark.requirement("F10", "I2")
@given(st.sampled_from((2, COUNT, COUNT + 3)), st.integers(1, 2 * COUNT))
def test_a_record_that_a_cut_left_unreadable_and_that_reads_later_is_older_than_all_that_came_since(
    before: int, since: int
):
    """The page of a record that was cut wears out at once: the next record passes it over, and it lives on there."""
    cut = CuttingEeprom(filled(before))
    mirror = recovered(cut)
    cut.cut_at = cut.writes
    fresh: list[bytes] = []
    cut.tear = lambda old, new: (fresh.append(new), old)[1]
    with pytest.raises(Cut):
        mirror.append(payload(50))
    eeprom = UnreliableEeprom(bytes(cut.memory))
    eeprom.refuse = lambda page: "worn" if page == cut.page else ""
    mirror = recovered(eeprom)
    assert mirror.payload == payload(before - 1)
    for number in range(since):
        mirror.append(payload(100 + number))
    image = with_pages(bytes(eeprom.memory), {cut.page: fresh[0]})
    again = recovered(MemoryEeprom(image))
    assert (again.condition, again.payload) == (GOOD, payload(99 + since))


@pytest.mark.requirement("F10", "I6")
def test_the_first_record_after_a_start_is_ahead_of_every_number_that_a_cut_can_have_left():
    """Record n goes to the second page, as the first refuses; there the supply fails, and it reads as before at the
    next start. That start's own record must win when the page is whole one day."""
    eeprom = MemoryEeprom(filled(5))
    mirror = recovered(eeprom)
    last = mirror.sequence
    mirror.append(b"after a start")
    assert (mirror.sequence - last) & 0xFFFFFFFF > 3  # a write tries three pages
    mirror.append(b"the next")
    assert mirror.sequence == last + 5


@pytest.mark.requirement("F10", "I4")
def test_a_write_that_was_refused_before_it_began_leaves_the_gap_in_the_numbers():
    """What a cut left unreadable may have the next few numbers; a bus that fails meanwhile changes nothing of that."""
    eeprom = UnreliableEeprom(filled(1))
    mirror = recovered(eeprom)
    first = mirror.sequence
    eeprom.refuse = lambda page: "silent"
    with pytest.raises(OSError, match="silent"):
        mirror.append(payload(1))
    eeprom.refuse = lambda page: ""
    mirror.append(payload(2))
    assert (mirror.sequence - first) & 0xFFFFFFFF >= GAP
