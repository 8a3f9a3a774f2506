"""Prescriptions that newer ones have replaced, as far back as their slots still hold them (F5)."""

import struct

from micropython import const

from firmware import layout
from firmware.library import DRUGS
from firmware.pages import HEAD_SIZE, PRESCRIPTION, SUPERSEDED, WHOLE, examine, newer
from firmware.store import Store

_PART_HEAD = const(4)  # part, parts, length of the record
_HEAD = "<16xBBI"  # drug, mode, concentration of a prescription


class History(Store):
    """Reads the slots of the prescriptions; never writes."""

    def __init__(self, eeprom):
        """eeprom: lib AT24C256, or a like."""
        super().__init__(
            eeprom, layout.PRESCRIPTION_FIRST, layout.PRESCRIPTION_SLOTS, layout.PRESCRIPTION_PAGES, PRESCRIPTION
        )

    def records(self):
        """(sequence, payload) of those that are replaced and still whole, newest first. Raises EepromError if the part
        fails."""
        for slot, sequence in self._newest_first():
            payload = self._join(slot, sequence)
            if payload is not None:
                yield sequence, payload

    def payloads(self):
        """The same without their numbers."""
        for _, payload in self.records():
            yield payload

    def drugs(self):
        """(sequence, drug, ng/mL) of each record, by its first part alone, newest first: many records take long to read
        whole. Raises EepromError if the part fails; ValueError at one of a drug that nobody knows."""
        for _, sequence in self._newest_first():
            drug, _, concentration = struct.unpack_from(_HEAD, self._page, HEAD_SIZE + _PART_HEAD)
            if drug >= len(DRUGS):
                raise ValueError("prescription: drug %d" % drug)
            yield sequence, DRUGS[drug], concentration

    def _newest_first(self):
        """(slot, sequence) of each, its first page in the buffer."""
        found = []
        for slot in range(self._slots):
            sequence = self._replaced(slot)
            if sequence is None:
                continue
            place = 0
            while place < len(found) and newer(found[place][0], sequence):
                place += 1
            found.insert(place, (sequence, slot))
        for sequence, slot in found:
            if self._replaced(slot) == sequence:  # its first page is in the buffer again
                yield slot, sequence

    def _replaced(self, slot):
        self._load_page(slot, 0)
        condition, kind, sequence = examine(self._page)
        return sequence if condition == WHOLE and kind == self._kind | SUPERSEDED else None
