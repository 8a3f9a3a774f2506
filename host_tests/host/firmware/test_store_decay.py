"""Slot records that rot, are refused or are of another kind: no older one takes their place (invariants 4, 5, 12)."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import Cut, CuttingEeprom, UnreliableEeprom
from store_rig import (
    AREA,
    BLANK,
    FIRST,
    LAST,
    PAGES,
    SLOTS,
    committed,
    first_page,
    kinds,
    loaded,
    seeds,
    started,
    store_on,
)

from firmware import pages
from firmware.pages import CALIBRATION, PAGE, PRESCRIPTION
from firmware.store import DAMAGED, GOOD, NONE, OTHER_FORMAT, Store
from thecal.models.tears import MODELS, torn
from thecal.programming import MemoryEeprom


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("commits", [1, 2, 4, 7])
def test_every_single_bit_flip_of_the_record_in_force_is_damage_and_never_an_older_record(commits: int):
    payloads = [bytes([number]) * 100 for number in range(commits)]
    image = bytearray(committed(*payloads))
    first = first_page(commits - 1) * PAGE
    for bit in range(3 * PAGE * 8):
        image[first + bit // 8] ^= 1 << bit % 8
        store = store_on(MemoryEeprom(bytes(image)))
        store.load()
        assert (store.condition, store.payload) == (DAMAGED, None)
        image[first + bit // 8] ^= 1 << bit % 8


@pytest.mark.requirement("I4", "I12")
def test_a_bit_flip_anywhere_else_changes_nothing():
    image = bytearray(committed(b"a" * 100, b"b" * 100))
    record = range(first_page(1) * PAGE, (first_page(1) + 3) * PAGE)
    for address in (n for n in range(AREA.start, AREA.stop) if n not in record):
        image[address] ^= 0x10
        assert loaded(bytes(image))[:2] == (GOOD, b"b" * 100)
        image[address] ^= 0x10


@pytest.mark.requirement("I4", "I5")
@given(seeds, st.integers(2, 9))
def test_a_superseded_record_never_returns(seed: int, commits: int):
    """The record in force is lost in any way, and starts and cuts come on top: there is none, or the alarm."""
    random = Random(seed)
    image = bytearray(committed(*(b"%d" % number * 60 for number in range(commits))))
    first = first_page(commits - 1)
    spoilt = random.sample((first, first + 1), random.randint(1, 2))
    for page in spoilt:
        fill = random.choice((b"\xff" * PAGE, bytes(PAGE), random.randbytes(PAGE)))
        image[page * PAGE : page * PAGE + PAGE] = fill
    eeprom = CuttingEeprom(bytes(image))
    for _ in range(4):
        eeprom.dead = False
        eeprom.cut_at = eeprom.writes + random.randrange(3)
        eeprom.tear = lambda old, new: torn(random.choice(MODELS), old, new, random.randrange(PAGE + 1), random)
        store = store_on(eeprom)
        store.load()
        assert (store.condition, store.payload) == (DAMAGED, None)
        try:
            store.settle(acknowledged=False)
        except Cut:
            continue


@pytest.mark.requirement("I12")
@given(seeds, st.sampled_from((0, 1, 2)))
def test_loading_ends_for_any_content(seed: int, kind: int):
    random = Random(seed)
    image = bytearray(committed(b"x" * 300, b"y" * 500) if kind else BLANK)
    if kind == 0:
        image[AREA] = random.randbytes(AREA.stop - AREA.start)
    for _ in range(40 if kind == 2 else 1):
        image[random.randrange(AREA.start, AREA.stop)] = random.randrange(256)
    condition, payload, _ = loaded(bytes(image))
    assert payload in ((None,) if condition != GOOD else (b"y" * 500,))
    if kind == 0:
        assert condition == DAMAGED


@pytest.mark.requirement("I4", "I5")
def test_only_slots_whose_first_pages_are_erased_to_the_last_bit_were_never_used():
    """Parts behind a first page that is blank are those of a commit that was cut before it counted."""
    assert loaded(BLANK)[0] == NONE
    for address in range(AREA.start, AREA.stop):
        image = bytearray(BLANK)
        image[address] = 0xFE
        store = store_on(MemoryEeprom(bytes(image)))
        store.load()
        in_first = (address // PAGE - FIRST) % PAGES == 0
        assert store.condition == (DAMAGED if in_first else NONE)


@pytest.mark.requirement("I4", "I12")
def test_parts_of_two_commits_never_make_one_record():
    """Each part is whole, with a good CRC, and of another commit."""
    image = bytearray(committed(*(bytes([number]) * 100 for number in range(SLOTS + 1))))
    for part in range(3):
        mixed = bytearray(image)
        page, other = (first_page(0) + part) * PAGE, (first_page(1) + part) * PAGE
        mixed[page : page + PAGE] = image[other : other + PAGE]
        store = store_on(MemoryEeprom(bytes(mixed)))
        store.load()
        assert (store.condition, store.payload) == (DAMAGED, None)


@pytest.mark.requirement("I4", "I12")
@pytest.mark.parametrize("version", [1, 3, 255])
@pytest.mark.parametrize("slot", range(SLOTS))
def test_a_record_of_another_format_is_told_from_damage_and_not_dosed_by(
    version: int, slot: int, monkeypatch: pytest.MonkeyPatch
):
    eeprom = MemoryEeprom(committed(b"a", b"b"))
    with monkeypatch.context() as other:
        other.setattr(pages, "EEPROM_FORMAT", version)
        page = bytearray(PAGE)
        pages.seal(page, PRESCRIPTION, 9)
        eeprom.write_page(first_page(slot), bytes(page))
    assert loaded(bytes(eeprom.memory))[:2] == (OTHER_FORMAT, None)


@pytest.mark.requirement("I4")
def test_a_record_of_another_kind_is_damage():
    store = store_on(MemoryEeprom(committed(b"a")), CALIBRATION)
    store.load()
    assert (store.condition, store.payload) == (DAMAGED, None)


# -- numbers and refusals -----------------------------------------------------------------------------------


@pytest.mark.requirement("F4", "I5")
def test_the_sequence_number_wraps():
    eeprom = MemoryEeprom()
    store = store_on(eeprom)
    store.sequence = store._given = LAST - 3
    for number, expected in enumerate((LAST - 2, LAST - 1, 0, 1, 2)):
        store.commit(b"%d" % number)
        assert loaded(bytes(eeprom.memory)) == (GOOD, b"%d" % number, expected)


@pytest.mark.requirement("F4", "I5")
@pytest.mark.parametrize("number", [1, LAST - 2, LAST - 1])
def test_of_two_whole_records_the_newer_wins_and_the_other_is_superseded(number: int):
    eeprom = UnreliableEeprom()
    store = store_on(eeprom)
    store.sequence = store._given = number
    store.commit(b"old")
    eeprom.refuse = lambda page: "keep" if page == FIRST else ""  # the old slot cannot be marked
    store.commit(b"new")
    assert (store.payload, store.unmarked) == (b"new", 1)
    eeprom.refuse = lambda page: ""
    assert kinds(bytes(eeprom.memory)).count(PRESCRIPTION) == 2
    assert started(eeprom).payload == b"new"
    assert kinds(bytes(eeprom.memory)).count(PRESCRIPTION) == 1


@pytest.mark.requirement("F4", "I5", "F10")
@pytest.mark.parametrize("bad", [0, 1, 3])
@pytest.mark.parametrize("fate", ["keep", "take", "worn", "dull"])
def test_a_slot_that_does_not_take_a_record_is_passed_over_and_what_it_took_never_comes_up(bad: int, fate: str):
    eeprom = UnreliableEeprom(committed(b"old"))
    store = started(eeprom)
    failures = [first_page(1) + bad]
    eeprom.refuse = lambda page: fate if page in failures and failures.pop() else ""
    store.commit(b"new" * 50)
    assert loaded(bytes(eeprom.memory))[:2] == (GOOD, b"new" * 50)
    assert kinds(bytes(eeprom.memory))[2] == PRESCRIPTION
    started(eeprom).commit(b"newest")
    assert loaded(bytes(eeprom.memory))[:2] == (GOOD, b"newest")


@pytest.mark.requirement("F4", "I5")
@pytest.mark.parametrize("bad", [0, 1, 2])
@pytest.mark.parametrize("fate", ["keep", "take", "worn", "dull"])
def test_a_commit_that_every_slot_refuses_leaves_the_old_record_in_force_for_good(bad: int, fate: str):
    """Even when a page has taken the data and failed afterwards: a refused record must not come up later."""
    eeprom = UnreliableEeprom(committed(b"old"))
    store = started(eeprom)
    failures = [first_page(slot) + bad for slot in (1, 2, 3)]
    eeprom.refuse = lambda page: fate if page in failures and not failures.remove(page) else ""
    with pytest.raises(OSError, match="page"):
        store.commit(bytes(150))
    assert store.payload == b"old"
    assert loaded(bytes(eeprom.memory))[:2] == (GOOD, b"old")
    store.commit(b"new")
    assert loaded(bytes(eeprom.memory))[:2] == (GOOD, b"new")


@pytest.mark.requirement("F4")
def test_what_is_forgotten_is_gone_and_numbers_go_on():
    eeprom = UnreliableEeprom(committed(b"a", b"b", b"c", b"d", b"e"))
    store = started(eeprom)
    eeprom.refuse = lambda page: "keep" if page == first_page(2) else ""
    with pytest.raises(OSError, match="could not be made empty"):
        store.void_all()
    eeprom.refuse = lambda page: ""
    store.void_all()
    assert (store.condition, store.payload) == (NONE, None)
    assert loaded(bytes(eeprom.memory))[:2] == (NONE, None)
    store.commit(b"first")
    assert loaded(bytes(eeprom.memory)) == (GOOD, b"first", 5)


class OutOfReach(MemoryEeprom):
    """Silent for `length` accesses from the `begin`-th on. A write that it begins with is taken all the same."""

    def __init__(self, memory: bytes, begin: int, length: int) -> None:
        super().__init__(memory)
        self.begin, self.length = begin, length
        self.accesses = 0

    def _is_silent(self) -> bool:
        self.accesses += 1
        return 0 <= self.accesses - 1 - self.begin < self.length

    def read_into(self, address: int, buffer: bytearray) -> None:
        if self._is_silent():
            raise OSError("not acknowledged")
        super().read_into(address, buffer)

    def write_page(self, page: int, data: bytes) -> None:
        silent = self._is_silent()
        if not silent or self.accesses - 1 == self.begin:
            super().write_page(page, data)
        if silent:
            raise OSError(f"page {page}: not acknowledged")


@pytest.mark.requirement("F4", "I4", "I5")
@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 40])
def test_what_a_refused_commit_has_left_is_withdrawn_once_the_part_answers(length: int):
    image = committed(b"a" * 100, b"b" * 100)
    refused = doubtful = 0
    for begin in range(25):
        eeprom = OutOfReach(image, 1 << 30, length)
        store = store_on(eeprom)
        store.load()
        sequence = store.sequence
        eeprom.begin, eeprom.accesses = begin, 0
        answer = ""
        try:
            store.commit(b"c" * 100)
        except OSError as error:
            answer = str(error)
        if answer:
            refused += 1
            assert (store.payload, store.sequence) == (b"b" * 100, sequence)
        assert ("keep the power on" in answer) == bool(answer and store.doubtful)
        wanted = store.payload
        for _ in range(60):
            if not store.doubtful:
                break
            doubtful += 1
            try:
                store.withdraw()
            except OSError:
                assert store.doubtful
        assert not store.doubtful
        assert loaded(bytes(eeprom.memory))[:2] == (GOOD, wanted)
        eeprom.begin = 1 << 30
        store.commit(b"d" * 100)  # no number is given twice
        assert loaded(bytes(eeprom.memory))[:2] == (GOOD, b"d" * 100)
        assert store.sequence > sequence
    if length >= 8:
        assert refused
        assert doubtful


@pytest.mark.requirement("F4", "I4")
@pytest.mark.parametrize("fate", ["worn", "keep"])
def test_a_worn_slot_that_holds_no_whole_record_is_in_doubt_no_longer_than_it_takes_to_read_it(fate: str):
    """Else a single worn page would stop the pump: the commit has gone to the next slot."""
    eeprom = UnreliableEeprom(committed(b"a" * 100, b"b" * 100))
    store = store_on(eeprom)
    store.load()
    page = first_page(2)
    writes: list[int] = []

    def refuse(number: int) -> str:
        writes.append(number)
        return fate if number == page and writes.count(page) > 1 else ""  # PENDING is the last that it takes

    eeprom.refuse = refuse
    store.commit(b"c" * 100)
    assert store.payload == b"c" * 100
    store.withdraw()
    assert store.doubtful == 0
    assert loaded(bytes(eeprom.memory))[:2] == (GOOD, b"c" * 100)


@pytest.mark.requirement("I4", "R18")
@pytest.mark.parametrize("payloads", [(b"a" * 100, b"b" * 100), (b"a" * 100, b"b" * 100, b"c" * 100)])
def test_no_bit_of_what_is_in_doubt_makes_a_record_void(payloads: tuple[bytes, ...]):
    """Neither the one in force nor one that was replaced."""
    image = committed(*payloads)
    for bit in range(30):
        eeprom = MemoryEeprom(image)
        store = store_on(eeprom)
        store.load()
        store.doubtful ^= 1 << bit
        store.withdraw()
        assert store.doubtful == 0
        assert loaded(bytes(eeprom.memory))[:2] == (GOOD, payloads[-1])
        assert bytes(eeprom.memory) == image


@pytest.mark.requirement("F4", "R18")
def test_no_want_of_memory_takes_back_a_commit_that_the_part_has_taken(monkeypatch: pytest.MonkeyPatch):
    """Nor does one before it leave a record that comes into force later."""
    image = committed(b"a" * 100, b"b" * 100)
    taken = refused = 0
    for name in ("_write", "_void", "_supersede", "_mark", "_load_page"):
        for before in (True, False):
            store = store_on(MemoryEeprom(image))
            store.load()
            whole = getattr(Store, name)

            def without(self: Store, *args: int, whole: Any = whole, before: bool = before) -> None:
                if not before:
                    whole(self, *args)
                raise MemoryError

            with monkeypatch.context() as short:
                short.setattr(Store, name, without)
                try:
                    store.commit(b"c" * 100)
                    told = b"c" * 100
                    taken += 1
                except MemoryError:
                    told = b"b" * 100
                    refused += 1
            if name != "_write" or before:  # a record that is whole by then
                assert store.payload == told
                store.withdraw()
                assert loaded(bytes(store._eeprom.memory))[:2] == (GOOD, told), (name, before)
    assert taken
    assert refused
    for number in range(1, 5):  # pending, three parts: the part has taken the page when the memory is short
        store = store_on(MemoryEeprom(image))
        store.load()
        write, writes = store._eeprom.write_page, []

        def short_of_memory(page: int, data: bytes, write: Any = write, writes: Any = writes, at: int = number) -> None:
            write(page, data)
            writes.append(page)
            if len(writes) == at:
                raise MemoryError

        store._eeprom.write_page = short_of_memory
        with pytest.raises(MemoryError):
            store.commit(b"c" * 100)
        store.withdraw()
        assert loaded(bytes(store._eeprom.memory))[:2] == (GOOD, b"b" * 100), number
