"""The ring of page records: the newest is found in any rotation, whatever else the pages hold (F10, invariant 12)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import Cut, CuttingEeprom, UnreliableEeprom

from firmware.pages import EVENT, LEDGER, PAGE, PAYLOAD, Ring, WriteError, newer, seal, sequence_of
from thecal.programming import MemoryEeprom

LAST = 0xFFFFFFFF
FIRST, COUNT = 5, 12


def payload(number: int) -> bytes:
    return b"%051d" % number


def ring_on(eeprom: MemoryEeprom, sequence: int = -1, page: int = -1) -> Ring:
    ring = Ring(eeprom, FIRST, COUNT, LEDGER)
    ring.sequence, ring.page = sequence, page
    return ring


def found(eeprom: MemoryEeprom) -> tuple[int, int]:
    ring = Ring(eeprom, FIRST, COUNT, LEDGER)
    ring.scan()
    return ring.sequence, ring.page


@pytest.mark.requirement("F10")
@given(st.integers(0, LAST), st.integers(0, LAST), st.binary(min_size=PAYLOAD, max_size=PAYLOAD))
def test_a_sealed_page_tells_its_sequence_and_no_other_kind_takes_it(sequence: int, flip: int, body: bytes):
    page = bytearray(PAGE)
    page[8:60] = body
    seal(page, LEDGER, sequence)
    assert sequence_of(page, LEDGER) == sequence
    assert sequence_of(page, EVENT) == -1
    page[flip % PAGE] ^= 1 << flip % 8
    assert sequence_of(page, LEDGER) == -1


@pytest.mark.requirement("I12")
def test_every_single_bit_flip_of_a_page_makes_it_no_record():
    page = bytearray(PAGE)
    page[8:60] = payload(7) + b"\1"
    seal(page, LEDGER, 7)
    for bit in range(PAGE * 8):
        page[bit // 8] ^= 1 << bit % 8
        assert sequence_of(page, LEDGER) == -1
        page[bit // 8] ^= 1 << bit % 8


@pytest.mark.requirement("F10")
def test_blank_pages_are_no_records():
    for byte in range(256):
        for kind in range(4):
            assert sequence_of(bytearray([byte]) * PAGE, kind) == -1


@pytest.mark.requirement("F10")
@given(st.integers(0, LAST), st.integers(1, 0x7FFFFFFF))
def test_newer_goes_around_the_wrap(sequence: int, ahead: int):
    later = (sequence + ahead) & LAST
    assert newer(later, sequence)
    assert not newer(sequence, later)
    assert not newer(sequence, sequence)


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("start", [-1, 0, LAST - 20, LAST - 1, LAST])
def test_the_newest_record_is_found_after_any_number_of_appends(start: int):
    eeprom = MemoryEeprom()
    ring = ring_on(eeprom, start)
    for number in range(3 * COUNT):
        ring.append(payload(number))
        expected = (start + 1 + number) & LAST
        assert ring.sequence == expected
        assert found(eeprom) == (expected, ring.page)
        assert ring.read(ring.page) == (expected, payload(number) + b"\0")
    assert not any(eeprom.memory[: FIRST * PAGE].replace(b"\xff", b""))
    assert not any(eeprom.memory[(FIRST + COUNT) * PAGE :].replace(b"\xff", b""))


@pytest.mark.requirement("F10", "I12")
@given(st.integers(0, 1 << 32))
def test_the_newest_is_found_among_damaged_pages_in_any_rotation(seed: int):
    random = Random(seed)
    eeprom = MemoryEeprom()
    ring = ring_on(eeprom, random.choice((-1, LAST - 7, random.randrange(LAST))))
    for number in range(random.randint(1, 3 * COUNT)):
        ring.append(payload(number))
    for page in range(FIRST, FIRST + COUNT):
        if page != ring.page and random.random() < 0.3:
            eeprom.memory[page * PAGE : page * PAGE + PAGE] = random.randbytes(PAGE)
    assert found(eeprom) == (ring.sequence, ring.page)


@pytest.mark.requirement("I12")
@given(st.integers(0, 1 << 32), st.sampled_from((0, 0xFF, -1)))
def test_a_scan_ends_for_any_content_and_reads_each_page_once(seed: int, fill: int):
    random = Random(seed)
    eeprom = MemoryEeprom(random.randbytes(32_768) if fill < 0 else bytes([fill]) * 32_768)
    reads: list[int] = []
    plain = eeprom.read_into
    eeprom.read_into = lambda address, buffer: (reads.append(address), plain(address, buffer))[1]
    assert found(eeprom) == (-1, -1)
    assert reads == [page * PAGE for page in range(FIRST, FIRST + COUNT)]


@pytest.mark.requirement("F12")
@given(st.integers(1, COUNT + 3), st.integers(1, 30))
def test_a_scan_in_parts_finds_the_same(pages: int, appended: int):
    eeprom = MemoryEeprom()
    whole = ring_on(eeprom)
    for number in range(appended):
        whole.append(payload(number))
    ring = Ring(eeprom, FIRST, COUNT, LEDGER)
    turns = 1
    while not ring.scan_part(pages):
        turns += 1
    assert turns == -(-COUNT // pages)
    assert (ring.sequence, ring.page) == (whole.sequence, whole.page)
    assert ring.valid == min(appended, COUNT)


@pytest.mark.requirement("F10", "I2")
@given(st.integers(0, 1 << 32), st.sampled_from(("keep", "take")))
def test_worn_pages_are_passed_over(seed: int, fate: str):
    random = Random(seed)
    worn = set(random.sample(range(FIRST, FIRST + COUNT), 5))
    pages = [FIRST + n % COUNT for n in range(2 * COUNT)]
    runs = max(len(run) for run in "".join("x" if page in worn else " " for page in pages).split(" "))
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
    assert ring.page == FIRST + 4  # the next write goes on behind the three that refused
    eeprom.refuse = lambda page: "keep" if page == FIRST + 5 else ""
    ring.append(payload(3))
    sequence, page = found(eeprom)
    assert ring.read(page) == (sequence, payload(3) + b"\0")


@pytest.mark.requirement("F10", "I12")
@given(st.integers(0, 1 << 32), st.integers(0, 3 * COUNT))
def test_a_cut_in_the_middle_of_a_write_leaves_the_record_before_it_or_the_new_one(seed: int, writes: int):
    random = Random(seed)
    eeprom = CuttingEeprom()
    eeprom.cut_at = writes
    cut = random.randrange(PAGE + 1)
    mode = random.choice(("prefix", "mix", "random", "erased"))

    def tear(old: bytes, new: bytes) -> bytes:
        if mode == "prefix":
            return new[:cut] + old[cut:]
        if mode == "mix":
            return bytes(random.choice(pair) for pair in zip(old, new, strict=True))
        return random.randbytes(PAGE) if mode == "random" else b"\xff" * PAGE

    eeprom.tear = tear
    ring = ring_on(eeprom)
    for number in range(writes):
        ring.append(payload(number))
    with pytest.raises(Cut):
        ring.append(payload(writes))
    sequence, page = found(eeprom)
    assert sequence in (writes - 1, writes)
    if sequence >= 0:
        assert ring.read(page) == (sequence, payload(sequence) + b"\0")
