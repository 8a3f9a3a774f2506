"""Watches the numbers of the records that a pump writes: in each ring they rise, and no two records share one (I6)."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

from thecal.powercut.devices import Eeprom
from thecal.powercut.expected import Violation
from thecal.powercut.snapshot import PAGES, module

_MAGIC = 0x4354
_RINGS = range(1, 16)  # kinds of records that lie in rings
_MASK = 0xFFFFFFFF
_HALF = 1 << 31


@lru_cache(maxsize=1)
def regions() -> list[range]:
    """For each page, the pages of the ring that it belongs to; empty for a page of no ring."""
    layout = module("layout")
    found = [range(0)] * PAGES
    for name in ("LEDGER", "BOLUS", "COUNTERS", "RETIRED", "FAULTS", "EVENTS"):
        firsts = getattr(layout, f"{name}_FIRSTS", None) or (getattr(layout, f"{name}_FIRST"),)
        for first in firsts:
            ring = range(first, first + getattr(layout, f"{name}_PAGES"))
            for page in ring:
                found[page] = ring
    return found


def record(page: bytes) -> tuple[int, bytes] | None:
    """(number, payload) of a whole record of a ring, or None."""
    magic, _, kind, number = struct.unpack_from("<HBBI", page)
    if magic != _MAGIC or kind not in _RINGS or zlib.crc32(page[:60]) != struct.unpack_from("<I", page, 60)[0]:
        return None
    return number, page[8:60]


class Numbers:
    """Asked before each page write of one EEPROM."""

    def __init__(self, eeprom: Eeprom) -> None:
        self._eeprom = eeprom
        self._newest: dict[int, tuple[int, bytes] | None] = {}

    def written(self, page: int, new: bytes) -> None:
        """The page is about to get this. Raises Violation unless its number is newer than every whole one in its ring,
        or that of the newest record, which then is repeated."""
        ring = regions()[page]
        made = record(new)
        if made is None or not ring:
            return
        if ring.start not in self._newest:
            self._newest[ring.start] = self._find(ring)
        newest = self._newest[ring.start]
        if newest is not None and made != newest:
            ahead = (made[0] - newest[0]) & _MASK
            if not 0 < ahead < _HALF:
                raise Violation(f"page {page}: record {made[0]} after record {newest[0]}")
        self._newest[ring.start] = made

    def _find(self, ring: range) -> tuple[int, bytes] | None:
        """The newest whole record of a ring. What a metastable page holds, nobody knows."""
        newest = None
        for page in ring:
            found = None if page in self._eeprom.metastable else record(self._eeprom.pages[page])
            if found is not None and (newest is None or 0 < (found[0] - newest[0]) & _MASK < _HALF):
                newest = found
        return newest
