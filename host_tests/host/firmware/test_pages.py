"""The page record: what a page of 64 bytes is told from, and numbers that go around (F10, invariant 12)."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware import pages
from firmware.pages import BLANK, FOREIGN, GARBAGE, PAGE, PAYLOAD, WHOLE, examine, following, newer, seal
from firmware.version import EEPROM_FORMAT

LAST = 0xFFFFFFFF
KINDS = (
    pages.VOID,
    pages.LEDGER,
    pages.EVENT,
    pages.FAULT,
    pages.BOLUS,
    pages.COUNTERS,
    pages.RETIRED,
    pages.PRESCRIPTION,
    pages.CALIBRATION,
    pages.KEYS,
)


def sealed(kind: int = pages.LEDGER, sequence: int = 7, body: bytes = bytes(range(PAYLOAD))) -> bytearray:
    page = bytearray(PAGE)
    page[8:60] = body
    seal(page, kind, sequence)
    return page


@pytest.mark.requirement("F10", "I12")
@given(st.sampled_from(KINDS), st.integers(0, LAST), st.binary(min_size=PAYLOAD, max_size=PAYLOAD), st.booleans())
def test_a_sealed_page_tells_its_kind_and_number_and_keeps_its_payload(
    kind: int, sequence: int, body: bytes, superseded: bool
):
    kind |= pages.SUPERSEDED * superseded
    page = sealed(kind, sequence, body)
    assert examine(page) == (WHOLE, kind, sequence)
    assert page[8:60] == body


@pytest.mark.requirement("F10")
def test_no_two_kinds_are_one_and_none_has_the_mark_of_the_superseded():
    assert len({kind & ~pages.SUPERSEDED for kind in KINDS}) == len(KINDS)
    assert all(0 <= kind < pages.SUPERSEDED for kind in KINDS)


@pytest.mark.requirement("I12")
@pytest.mark.parametrize("page", [sealed(), sealed(pages.VOID, 0, bytes(PAYLOAD)), sealed(body=b"\xff" * PAYLOAD)])
def test_every_flip_of_one_or_two_bits_makes_a_page_garbage(page: bytearray):
    bits = range(PAGE * 8)
    for flips in (*((bit,) for bit in bits), *combinations(bits[::3], 2)):
        for bit in flips:
            page[bit // 8] ^= 1 << bit % 8
        assert examine(page)[0] == GARBAGE
        for bit in flips:
            page[bit // 8] ^= 1 << bit % 8
    assert examine(page)[0] == WHOLE


@pytest.mark.requirement("F10", "I12")
def test_only_a_page_that_is_erased_to_the_last_bit_is_blank():
    assert examine(bytearray(b"\xff" * PAGE))[0] == BLANK
    for byte in range(255):
        assert examine(bytearray([byte]) * PAGE)[0] == GARBAGE
    for bit in range(PAGE * 8):
        page = bytearray(b"\xff" * PAGE)
        page[bit // 8] ^= 1 << bit % 8
        assert examine(page)[0] == GARBAGE


@pytest.mark.requirement("I12")
@pytest.mark.parametrize("version", [number for number in range(256) if number != EEPROM_FORMAT])
def test_a_record_of_another_format_is_told_from_damage(version: int, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as other:
        other.setattr(pages, "EEPROM_FORMAT", version)
        page = sealed(pages.BOLUS, 12)
    assert examine(page) == (FOREIGN, pages.BOLUS, 12)
    page[20] ^= 1
    assert examine(page)[0] == GARBAGE


@pytest.mark.requirement("F10", "I12")
@given(st.binary(min_size=PAGE, max_size=PAGE))
def test_any_other_bytes_are_garbage_and_no_record(page: bytes):
    assert examine(bytearray(page))[0] == (BLANK if page == b"\xff" * PAGE else GARBAGE)


@pytest.mark.requirement("F10")
@given(st.integers(0, LAST), st.integers(1, 0x7FFFFFFF))
def test_newer_goes_around_the_wrap(sequence: int, ahead: int):
    later = (sequence + ahead) & LAST
    assert newer(later, sequence)
    assert not newer(sequence, later)
    assert not newer(sequence, sequence)


@pytest.mark.requirement("F10")
@given(st.one_of(st.integers(0, LAST - 1), st.sampled_from((0, LAST - 1, LAST - 2, 0x7FFFFFFF, 0x80000000))))
def test_the_number_that_follows_is_newer_and_never_the_one_that_means_none(sequence: int):
    assert newer(following(sequence), sequence)
    assert following(sequence) != LAST
    assert following(sequence) == (0 if sequence == LAST - 1 else sequence + 1)


@pytest.mark.requirement("F10")
def test_the_first_number_is_0():
    assert following(-1) == 0
