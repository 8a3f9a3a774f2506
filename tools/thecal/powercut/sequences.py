"""Watches every page that is written: numbers of records rise, and none is given to two records (I6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from thecal.powercut.journal_truth import hold
from thecal.powercut.page_part import PagePart

_SUPERSEDED = 0x80
_SINGLE = (2, 3)  # event and fault: in one copy only
_SLOTS = 16  # kinds from here on: records of several pages in slots
_MASK = 0xFFFFFFFF
_HALF = 1 << 31


@dataclass
class _Last:
    """The newest record of a kind: its number, its payload, and how many pages hold it."""

    sequence: int
    payload: bytes
    copies: int


class Sequences:
    """Set as part.on_written. Holds for the rings: a number is either newer than all that were fully stored, or it is
    the newest one's and so is the payload.
    """

    def __init__(self, part: PagePart) -> None:
        self._last: dict[int, _Last] = {}
        part.on_written = self.written

    def written(self, page: int, data: bytes) -> None:
        """A page took this. Raises Broken."""
        _, _, kind, sequence = struct.unpack_from("<HBBI", data)
        kind &= ~_SUPERSEDED
        if kind == 0 or kind >= _SLOTS:
            return
        payload = data[8:60]
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
