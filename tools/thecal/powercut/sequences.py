"""Watches every page that is written: numbers of records rise, and none is given to two records (I6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from thecal.powercut.journal_truth import hold
from thecal.powercut.page_part import PagePart
from thecal.programming import firmware

_SUPERSEDED = 0x80
_SINGLE = (2, 3)  # event and fault: in one copy only
_SLOTS = 16  # kinds from here on: records of several pages in slots
_MASK = 0xFFFFFFFF
_HALF = 1 << 31
_LAYOUT, _PAGES = firmware("layout"), firmware("pages")
_SECOND = {  # kind: pages of the second copy
    kind: range(firsts[1], firsts[1] + pages)
    for kind, firsts, pages in (
        (1, _LAYOUT.LEDGER_FIRSTS, _LAYOUT.LEDGER_PAGES),
        (4, _LAYOUT.BOLUS_FIRSTS, _LAYOUT.BOLUS_PAGES),
        (5, _LAYOUT.COUNTERS_FIRSTS, _LAYOUT.COUNTERS_PAGES),
        (6, _LAYOUT.RETIRED_FIRSTS, _LAYOUT.RETIRED_PAGES),
    )
}


@dataclass
class _Last:
    """The newest record of a kind: its number, its payload, and how many pages hold it."""

    sequence: int
    payload: bytes
    copies: int


class Sequences:
    """Set as part.on_written. Holds for the rings: a number is either newer than all that were fully stored, or it is
    the newest one's and so is the payload; or it is the newest that the second copy holds, which gets it once more,
    with the payload that the first copy got.
    """

    def __init__(self, part: PagePart) -> None:
        self._part = part
        self._last: dict[int, _Last] = {}
        self._first: dict[tuple[int, int], bytes] = {}  # (kind, number): payload, of what the first copies have got
        part.on_written = self.written

    def written(self, page: int, data: bytes) -> None:
        """A page took this. Raises Broken."""
        _, _, kind, sequence = struct.unpack_from("<HBBI", data)
        kind &= ~_SUPERSEDED
        if kind == 0 or kind >= _SLOTS:
            return
        payload = data[8:60]
        if page not in _SECOND.get(kind, ()):
            self._first[kind, sequence] = payload
        elif self._is_renewed(page, kind, sequence, payload):
            return
        last = self._last.get(kind)
        if last is None:
            self._last[kind] = _Last(sequence, payload, 1)
            return
        ahead = (sequence - last.sequence) & _MASK
        if ahead == 0 and payload == last.payload:
            last.copies += 1
            return
        if last.copies > 1 or kind in _SINGLE:
            hold(0 < ahead < _HALF, "I6: a number is used twice, or falls", kind, page, last.sequence, sequence)
        self._last[kind] = _Last(sequence, payload, 1)

    def _is_renewed(self, page: int, kind: int, sequence: int, payload: bytes) -> bool:
        """Whether the second copy gets once more what it has, and nothing newer."""
        last = self._last.get(kind)
        if last is None or not 0 < (last.sequence - sequence) & _MASK < _HALF:
            return False
        newer = [other for other in _SECOND[kind] if self._holds_newer(other, kind, sequence)]
        return not newer and self._first.get((kind, sequence), payload) == payload

    def _holds_newer(self, page: int, kind: int, sequence: int) -> bool:
        """Whether a page that reads the same every time is a newer record of this kind."""
        if page in self._part.unsteady:
            return False
        condition, found, number = _PAGES.examine(bytearray(self._part.page(page)))
        return (condition, found) == (_PAGES.WHOLE, kind) and 0 < (number - sequence) & _MASK < _HALF
