"""The ring of page records: the newest is found in any rotation, whatever else the pages hold (F10, invariant 12)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import UnsteadyEeprom
from ring_rig import COUNT, FIRST, LAST, condition_of, filled, found, payload, put, record, ring_on, scanned

from firmware import pages
from firmware.pages import EVENT, LEDGER, PAGE, VOID, WHOLE, following
from firmware.rings import Ring, newest_numbers
from thecal.models.tears import MODELS, Metastable, torn
from thecal.programming import MemoryEeprom


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("start", [-1, 0, LAST - 20, LAST - 2, LAST - 1])
def test_the_newest_record_is_found_after_any_number_of_appends(start: int):
    eeprom = MemoryEeprom()
    ring = ring_on(eeprom, start)
    expected = start
    numbers = []
    for number in range(3 * COUNT):
        ring.append(payload(number))
        expected = following(expected)
        numbers.append(expected)
        assert ring.sequence == expected
        again = scanned(eeprom)
        assert (again.sequence, again.page, again.payload) == (expected, ring.page, payload(number) + b"\0")
        assert again.oldest == numbers[-COUNT:][0]
    assert not any(eeprom.memory[: FIRST * PAGE].replace(b"\xff", b""))
    assert not any(eeprom.memory[(FIRST + COUNT) * PAGE :].replace(b"\xff", b""))


@pytest.mark.requirement("F10")
def test_every_page_takes_its_turn():
    eeprom = MemoryEeprom()
    ring = ring_on(eeprom)
    turns = []
    for number in range(3 * COUNT):
        ring.append(payload(number))
        turns.append(ring.page)
    assert turns == 3 * list(range(FIRST, FIRST + COUNT))


@pytest.mark.requirement("F10", "I12")
@given(st.integers(0, 1 << 32))
def test_the_newest_is_found_among_damaged_pages_in_any_rotation(seed: int):
    random = Random(seed)
    eeprom = MemoryEeprom()
    ring = ring_on(eeprom, random.choice((-1, LAST - 7, random.randrange(LAST))))
    for number in range(random.randint(1, 3 * COUNT)):
        ring.append(payload(number))
    spoilt = [page for page in range(FIRST, FIRST + COUNT) if page != ring.page and random.random() < 0.3]
    for page in spoilt:
        put(eeprom, page, random.randbytes(PAGE))
    again = scanned(eeprom)
    assert (again.sequence, again.page, sorted(again.garbage)) == (ring.sequence, ring.page, spoilt)


@pytest.mark.requirement("I12")
@given(st.integers(0, 1 << 32), st.sampled_from((0, 0xFF, -1)))
def test_a_scan_ends_for_any_content_and_reads_each_page_once_and_garbage_twice(seed: int, fill: int):
    random = Random(seed)
    eeprom = MemoryEeprom(random.randbytes(32_768) if fill < 0 else bytes([fill]) * 32_768)
    reads: list[int] = []
    plain = eeprom.read_into
    eeprom.read_into = lambda address, buffer: (reads.append(address), plain(address, buffer))[1]
    ring = scanned(eeprom)
    assert (ring.sequence, ring.page, ring.payload) == (-1, -1, None)
    assert len(ring.garbage) == (0 if fill == 0xFF else COUNT)
    times = 1 if fill == 0xFF else 2
    assert reads == [page * PAGE for page in range(FIRST, FIRST + COUNT) for _ in range(times)]


@pytest.mark.requirement("F10", "I2", "I12")
@pytest.mark.parametrize("which", range(COUNT))
def test_a_bit_that_came_wrong_over_the_bus_once_costs_no_record(which: int):
    eeprom = MemoryEeprom()
    ring = filled(eeprom, COUNT)
    plain = eeprom.read_into
    flips = [FIRST + which]

    def read(address: int, buffer: bytearray) -> None:
        plain(address, buffer)
        if address // PAGE in flips:
            flips.clear()
            buffer[30] ^= 4

    eeprom.read_into = read
    again = scanned(eeprom)
    assert (again.sequence, again.payload, again.garbage) == (ring.sequence, payload(COUNT - 1) + b"\0", [])
    assert flips == []


@pytest.mark.requirement("F10", "I12")
def test_of_two_pages_with_one_number_the_later_one_is_gone_on_from():
    """A record is stored again, by its own number, when the page where it lies is in doubt."""
    eeprom = MemoryEeprom()
    ring = filled(eeprom, 4)
    ring.append(payload(3), 3)
    again = scanned(eeprom)
    assert (again.sequence, again.page, again.payload) == (3, FIRST + 4, payload(3) + b"\0")
    again.append(payload(4))
    assert found(eeprom) == (4, FIRST + 5)


@pytest.mark.requirement("F12")
@given(st.integers(1, COUNT + 3), st.integers(1, 30))
def test_a_scan_in_parts_finds_the_same(number: int, appended: int):
    eeprom = MemoryEeprom()
    whole = filled(eeprom, appended)
    ring = Ring(eeprom, FIRST, COUNT, LEDGER)
    turns = 1
    while not ring.scan_part(number):
        turns += 1
    assert turns == -(-COUNT // number)
    assert (ring.sequence, ring.page) == (whole.sequence, whole.page)
    assert ring.oldest == max(0, appended - COUNT)


@pytest.mark.requirement("F10", "I12")
def test_pages_of_another_kind_are_garbage_void_ones_are_empty_and_other_formats_are_counted(
    monkeypatch: pytest.MonkeyPatch,
):
    eeprom = MemoryEeprom()
    filled(eeprom, 3)
    put(eeprom, FIRST + 5, record(900, EVENT))
    put(eeprom, FIRST + 6, record(900, VOID))
    with monkeypatch.context() as other:
        other.setattr(pages, "EEPROM_FORMAT", 3)
        put(eeprom, FIRST + 7, record(900))
    ring = scanned(eeprom)
    assert (ring.sequence, ring.oldest, ring.foreign, ring.garbage) == (2, 0, 1, [FIRST + 5])


# -- pages that read differently ---------------------------------------------------------------------------


@pytest.mark.requirement("F10", "I2", "I12")
@given(st.integers(0, 1 << 32), st.sampled_from(MODELS), st.integers(1, 2 * COUNT))
def test_a_page_that_a_cut_left_between_two_states_is_all_or_nothing(seed: int, model: str, before: int):
    """Found as the newest, its content is that of the record; else the one before it is found."""
    random = Random(seed)
    eeprom = UnsteadyEeprom()
    ring = filled(eeprom, before)
    page = FIRST + (ring.page + 1 - FIRST) % COUNT
    old = bytes(eeprom.memory[page * PAGE : page * PAGE + PAGE])
    new = record(before)
    other = torn(model, old, new, random.randrange(PAGE + 1), random)
    eeprom.unsteady[page] = Metastable(other, new, random)
    again = scanned(eeprom)
    assert again.sequence in (before - 1, before)
    assert again.payload == payload(again.sequence) + b"\0"


@pytest.mark.requirement("F10", "I12")
def test_a_newest_page_that_reads_otherwise_twice_of_three_times_is_never_the_newest():
    class Seldom(Metastable):
        turn = -1

        def read(self) -> bytes:
            self.turn += 1
            return self.contents[self.turn % 3 == 0]

    eeprom = UnsteadyEeprom()
    ring = filled(eeprom, 4)
    eeprom.unsteady[ring.page] = Seldom(b"\xff" * PAGE, record(3), Random(1))
    again = scanned(eeprom)
    assert (again.sequence, again.payload, again.garbage) == (2, payload(2) + b"\0", [ring.page])
    again.scrub()
    assert condition_of(eeprom, ring.page) == (WHOLE, VOID)
    assert found(eeprom) == (2, ring.page - 1)


@pytest.mark.requirement("I12")
@given(st.integers(0, 1 << 32))
def test_a_ring_of_nothing_but_unsteady_pages_is_scanned_in_bounded_work(seed: int):
    random = Random(seed)
    eeprom = UnsteadyEeprom()
    filled(eeprom, COUNT)
    for page in range(FIRST, FIRST + COUNT):
        eeprom.unsteady[page] = Metastable(random.randbytes(PAGE), record(page - FIRST), random)
    eeprom.reads = 0
    ring = scanned(eeprom)
    assert eeprom.reads <= 5 * (2 * COUNT + 1)
    assert ring.page < 0 or ring.payload == payload(ring.sequence) + b"\0"


# -- listing --------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F10", "F12")
@pytest.mark.parametrize("start", [-1, LAST - 6])
def test_the_numbers_of_two_rings_are_merged_in_order_across_the_wrap(start: int):
    eeprom = MemoryEeprom()
    rings = [Ring(eeprom, FIRST, COUNT, LEDGER), Ring(eeprom, FIRST + COUNT, COUNT, LEDGER)]
    for ring in rings:
        ring.keep_index()
    numbers = []
    sequence = start
    for turn in range(13):
        sequence = following(sequence)
        numbers.append(sequence)
        rings[turn % 3 == 0].append(payload(turn), sequence)
    for count in range(15):
        assert newest_numbers(rings, sequence, count) == (numbers[-count:] if count else [])
    assert newest_numbers(rings, numbers[7], 4) == numbers[4:8]  # what came later is left out


@pytest.mark.requirement("F10", "I12")
def test_a_record_that_rotted_since_the_scan_is_not_found():
    eeprom = MemoryEeprom()
    ring = ring_on(eeprom)
    ring.keep_index()
    for number in range(4):
        ring.append(payload(number))
    eeprom.memory[(FIRST + 2) * PAGE + 9] ^= 1
    assert [ring.find(number) is None for number in range(4)] == [False, False, True, False]
