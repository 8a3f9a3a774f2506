"""The two-slot store: after a cut at any byte the record is wholly the old or wholly the new (invariants 4, 5, 12)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import Cut, CuttingEeprom, UnreliableEeprom

from firmware.store import BLANK, DAMAGED, GOOD, PRESCRIPTION, Store
from thecal.programming import MemoryEeprom

FIRST, PAGES, PAGE = 3, 16, 64
AREA = slice(FIRST * PAGE, (FIRST + 2 * PAGES) * PAGE)
LONGEST = PAGES * PAGE - 14
Tear = Callable[[bytes, bytes, int, Random], bytes]

TEARS: dict[str, Tear] = {
    "old from the cut on": lambda old, new, cut, random: new[:cut] + old[cut:],
    "random from the cut on": lambda old, new, cut, random: new[:cut] + random.randbytes(PAGE - cut),
    "erased from the cut on": lambda old, new, cut, random: new[:cut] + b"\xff" * (PAGE - cut),
    "new but for the cut": lambda old, new, cut, random: new[:cut] + old[cut : cut + 1] + new[cut + 1 :],
    "a mix": lambda old, new, cut, random: bytes(random.choice(pair) for pair in zip(old, new, strict=True)),
}


def store_on(eeprom: MemoryEeprom) -> Store:
    return Store(eeprom, FIRST, PAGES, PRESCRIPTION)


def loaded(image: bytes) -> tuple[int, bytes | None, int]:
    """(condition, payload, sequence), and a second load of what the first left behind agrees."""
    eeprom = MemoryEeprom(image)
    results = []
    for _ in range(2):
        store = store_on(eeprom)
        store.load()
        results.append((store.condition, store.payload, store.sequence))
    assert results[0] == results[1]
    assert (results[0][0] == GOOD) == (results[0][1] is not None)
    return results[0]


def committed(*payloads: bytes) -> bytes:
    eeprom = MemoryEeprom()
    for one in payloads:
        store = store_on(eeprom)
        store.load()
        store.commit(one)
    return bytes(eeprom.memory)


@pytest.mark.requirement("F4", "I5")
@given(st.lists(st.binary(max_size=LONGEST), min_size=1, max_size=5))
def test_the_last_commit_is_in_force_and_no_other_can_be_read(payloads: list[bytes]):
    image = committed(*payloads)
    assert loaded(image) == (GOOD, payloads[-1], len(payloads))
    assert sum(store_on(MemoryEeprom(image))._read(slot)[0] == GOOD for slot in (0, 1)) == 1
    assert image[: AREA.start].count(0xFF) == AREA.start
    assert image[AREA.stop :].count(0xFF) == len(image) - AREA.stop


@pytest.mark.requirement("F4")
def test_a_record_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match=f"{LONGEST + 1} bytes, at most {LONGEST}"):
        store_on(MemoryEeprom()).commit(bytes(LONGEST + 1))
    assert loaded(committed(bytes(LONGEST)))[0] == GOOD


@pytest.mark.requirement("F4", "I5", "I12")
@pytest.mark.parametrize("tear", TEARS)
@pytest.mark.parametrize("before", [1, 2, 3])
def test_a_cut_at_any_byte_of_a_commit_leaves_the_old_or_the_new_record(before: int, tear: str):
    """Every write of a commit, the retiring of the old slot included, cut at every byte."""
    random = Random(before)
    olds = [random.randbytes(random.randrange(60, 200)) for _ in range(before)]
    new = random.randbytes(150)
    image = committed(*olds)
    writes = 0
    outcomes = set()
    while True:
        cuts = range(PAGE + 1)
        for cut in cuts:
            eeprom = CuttingEeprom(image)
            store = store_on(eeprom)
            store.load()
            eeprom.cut_at = writes
            eeprom.tear = lambda old, fresh, cut=cut: TEARS[tear](old, fresh, cut, random)
            try:
                store.commit(new)
            except Cut:
                result = loaded(bytes(eeprom.memory))
                assert result[0] == GOOD
                assert result[1:] in ((olds[-1], before), (new, before + 1))
                outcomes.add(result[1])
            else:
                assert writes == 4  # three pages of the record, and one that retires the old slot
                assert outcomes == {olds[-1], new}
                return
        writes += 1


@pytest.mark.requirement("F4", "I5")
@given(st.integers(0, 1 << 32))
def test_commits_after_cuts_after_commits_stay_whole(seed: int):
    random = Random(seed)
    eeprom = CuttingEeprom(committed(b"first" * 20))
    possible = {b"first" * 20}
    for number in range(12):
        store = store_on(eeprom)
        store.load()
        assert store.condition == GOOD
        assert store.payload in possible
        new = b"%d" % number * random.randrange(1, 300)
        possible = {bytes(store.payload), new}
        eeprom.cut_at = eeprom.writes + random.randrange(8)
        eeprom.tear = lambda old, fresh: TEARS["a mix"](old, fresh, 0, random)
        try:
            store.commit(new)
            possible = {new}
        except Cut:
            eeprom.dead = False
            eeprom.cut_at = -1


@pytest.mark.requirement("F4", "I4")
def test_a_first_commit_that_is_cut_gives_nothing_to_dose():
    random = Random(1)
    for write in range(3):
        for cut in range(0, PAGE + 1, 3):
            eeprom = CuttingEeprom()
            eeprom.cut_at = write
            eeprom.tear = lambda old, new, cut=cut: TEARS["random from the cut on"](old, new, cut, random)
            store = store_on(eeprom)
            store.load()
            assert store.condition == BLANK
            with pytest.raises(Cut):
                store.commit(bytes(range(120)))
            condition, payload, _ = loaded(bytes(eeprom.memory))
            assert payload in (None, bytes(range(120)))
            assert condition in ((GOOD,) if payload else (DAMAGED, BLANK))


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("commits", [1, 2, 5])
def test_every_single_bit_flip_of_the_record_in_force_is_damage_and_never_an_older_record(commits: int):
    payloads = [bytes([number]) * 100 for number in range(commits)]
    image = bytearray(committed(*payloads))
    slot = (commits - 1) % 2
    first = (FIRST + slot * PAGES) * PAGE
    length = 10 + 100 + 4
    for bit in range(length * 8):
        image[first + bit // 8] ^= 1 << bit % 8
        store = store_on(MemoryEeprom(bytes(image)))
        store.load()
        assert (store.condition, store.payload) == (DAMAGED, None)
        image[first + bit // 8] ^= 1 << bit % 8


@pytest.mark.requirement("I4", "I12")
def test_a_bit_flip_anywhere_else_changes_nothing():
    image = bytearray(committed(b"a" * 100, b"b" * 100))
    record = range((FIRST + PAGES) * PAGE, (FIRST + PAGES) * PAGE + 114)
    for address in (n for n in range(AREA.start, AREA.stop) if n not in record):
        image[address] ^= 0x10
        store = store_on(MemoryEeprom(bytes(image)))
        store.load()
        assert (store.condition, store.payload) == (GOOD, b"b" * 100)
        image[address] ^= 0x10


@pytest.mark.requirement("I12")
@given(st.integers(0, 1 << 32), st.sampled_from((0, 1, 2)))
def test_loading_ends_for_any_content(seed: int, kind: int):
    random = Random(seed)
    image = bytearray(committed(b"x" * 300, b"y" * 500) if kind else b"\xff" * 32_768)
    if kind == 0:
        image[AREA] = random.randbytes(AREA.stop - AREA.start)
    for _ in range(40 if kind == 2 else 1):
        image[random.randrange(AREA.start, AREA.stop)] = random.randrange(256)
    condition, payload, _ = loaded(bytes(image))
    assert payload in ((None,) if condition != GOOD else (b"y" * 500,))
    if kind == 0:
        assert condition == DAMAGED


@pytest.mark.requirement("I4")
def test_only_an_area_that_is_erased_to_the_last_byte_is_blank():
    assert loaded(b"\xff" * 32_768)[0] == BLANK
    for address in range(AREA.start, AREA.stop):
        image = bytearray(b"\xff" * 32_768)
        image[address] = 0xFE
        store = store_on(MemoryEeprom(bytes(image)))
        store.load()
        assert store.condition == DAMAGED


@pytest.mark.requirement("F4", "I5")
def test_the_sequence_number_wraps():
    eeprom = MemoryEeprom()
    store = store_on(eeprom)
    store.sequence = 0xFFFFFFFE
    for number in range(4):
        store.commit(b"%d" % number)
        assert loaded(bytes(eeprom.memory)) == (GOOD, b"%d" % number, (0xFFFFFFFF + number) & 0xFFFFFFFF)


@pytest.mark.requirement("F4", "I5")
@pytest.mark.parametrize("number", [0, 0xFFFFFFFF])
def test_of_two_whole_records_the_newer_wins_and_the_other_is_retired(number: int):
    eeprom = UnreliableEeprom()
    store = store_on(eeprom)
    store.sequence = (number - 1) & 0xFFFFFFFF
    store.commit(b"old")
    eeprom.refuse = lambda page: "keep" if page == FIRST else ""  # the old slot cannot be retired
    store.commit(b"new")
    assert store.payload == b"new"
    eeprom.refuse = lambda page: ""
    assert loaded(bytes(eeprom.memory))[:2] == (GOOD, b"new")


@pytest.mark.requirement("F4", "I5")
@pytest.mark.parametrize("bad", [0, 1, 2])
@pytest.mark.parametrize("fate", ["keep", "take"])
def test_a_commit_that_the_part_refuses_leaves_the_old_record_in_force_for_good(bad: int, fate: str):
    """Even when the page has taken the data and failed afterwards: a refused record must not come up later."""
    eeprom = UnreliableEeprom(committed(b"old"))
    store = store_on(eeprom)
    store.load()
    failures = [FIRST + PAGES + bad]
    eeprom.refuse = lambda page: fate if page in failures and failures.pop() else ""
    with pytest.raises(OSError, match="page"):
        store.commit(bytes(150))
    assert (store.payload, store.sequence) == (b"old", 1)
    assert loaded(bytes(eeprom.memory)) == (GOOD, b"old", 1)
    store.commit(b"new")
    assert loaded(bytes(eeprom.memory)) == (GOOD, b"new", 2)
