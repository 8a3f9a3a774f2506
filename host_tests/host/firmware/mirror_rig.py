"""A pair of rings of eight pages, filled with numbered records, and what a recovery makes of it."""

from __future__ import annotations

from hypothesis import strategies as st
from parts import CuttingEeprom

from firmware.mirror import EMPTY, Mirror
from firmware.pages import COUNTERS, PAGE
from thecal.powercut.page_part import PagePart
from thecal.programming import MemoryEeprom

LAST = 0xFFFFFFFF
FIRSTS, COUNT = (20, 60), 8
# Both rings, garbage twice, and the newest page again; the newest record and four scrubbed pages in either copy.
READS_MAX, WRITES_MAX = 2 * (2 * COUNT + 1), 2 + 2 * 4
seeds = st.integers(0, 1 << 32)


def payload(number: int) -> bytes:
    return b"%052d" % number


def mirror_on(eeprom: MemoryEeprom | PagePart) -> Mirror:
    return Mirror(eeprom, FIRSTS, COUNT, COUNTERS)


def recovered(eeprom: MemoryEeprom | PagePart) -> Mirror:
    mirror = mirror_on(eeprom)
    mirror.recover()
    return mirror


def filled(records: int, start: int = -1) -> bytes:
    """An image with that many records, numbered from start + 1 on; the payload tells which append it was, from 0."""
    eeprom = MemoryEeprom()
    mirror = mirror_on(eeprom)
    mirror.sequence = mirror.copies[0].sequence = mirror.copies[1].sequence = start
    for number in range(records):
        mirror.append(payload(number))
    return bytes(eeprom.memory)


def page_of(copy: int, number: int) -> int:
    """Where the number-th append lies in a copy."""
    return FIRSTS[copy] + number % COUNT


def with_pages(image: bytes, contents: dict[int, bytes]) -> bytes:
    spoilt = bytearray(image)
    for page, content in contents.items():
        spoilt[page * PAGE : page * PAGE + PAGE] = content
    return bytes(spoilt)


def content(image: bytes, page: int) -> bytes:
    return bytes(image[page * PAGE : page * PAGE + PAGE])


def check_settled(eeprom: MemoryEeprom, first: Mirror) -> None:
    """Both copies have the newest record, nothing torn is left near it, and a further recovery writes nothing."""
    again = CuttingEeprom(bytes(eeprom.memory))
    again.cut_at = 0
    second = recovered(again)
    assert (second.condition, second.sequence, second.payload) == (first.condition, first.sequence, first.payload)
    assert second.scrubbed == 0 or first.condition == EMPTY  # the first record will go there
    for copy in second.copies:
        assert (copy.sequence, copy.payload) == (first.sequence, first.payload)
