"""A store of four slots, committed records, and what a start makes of them."""

from __future__ import annotations

from hypothesis import strategies as st

from firmware.pages import PAGE, PRESCRIPTION, examine
from firmware.store import GOOD, Store
from thecal.models.tears import MODELS
from thecal.programming import MemoryEeprom

FIRST, SLOTS, PAGES = 3, 4, 12
AREA = slice(FIRST * PAGE, (FIRST + SLOTS * PAGES) * PAGE)
LONGEST = PAGES * 50 - 6
BLANK = b"\xff" * 32_768
LAST = 0xFFFFFFFF
seeds = st.integers(0, 1 << 32)
models = st.sampled_from(MODELS)


def store_on(eeprom: MemoryEeprom, kind: int = PRESCRIPTION) -> Store:
    return Store(eeprom, FIRST, SLOTS, PAGES, kind)


def started(eeprom: MemoryEeprom, acknowledged: bool = True) -> Store:
    """What a start does: find the record in force, and finish what a cut may have interrupted."""
    store = store_on(eeprom)
    store.load()
    if store.condition == GOOD or not acknowledged:
        store.settle(acknowledged)
    return store


def loaded(image: bytes) -> tuple[int, bytes | None, int]:
    """(condition, payload, sequence) that a start finds; a second start, after what the first one did, agrees."""
    eeprom = MemoryEeprom(image)
    first, second = started(eeprom), started(eeprom)
    assert (second.condition, second.payload, second.sequence) == (first.condition, first.payload, first.sequence)
    assert (first.condition == GOOD) == (first.payload is not None)
    return first.condition, first.payload, first.sequence


def committed(*payloads: bytes) -> bytes:
    eeprom = MemoryEeprom()
    for one in payloads:
        started(eeprom).commit(one)
    return bytes(eeprom.memory)


def first_page(slot: int) -> int:
    return FIRST + (slot % SLOTS) * PAGES


def kinds(image: bytes) -> list[int]:
    """The kind in the first page of each slot."""
    found = []
    for slot in range(SLOTS):
        at = first_page(slot) * PAGE
        found.append(examine(bytearray(image[at : at + PAGE]))[1])
    return found
