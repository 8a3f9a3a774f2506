"""Prescriptions that newer ones have replaced, as far back as their slots still hold them (F5)."""

from firmware import layout
from firmware.pages import PRESCRIPTION, SUPERSEDED, WHOLE, examine, newer
from firmware.store import Store


class History(Store):
    """Reads the slots of the prescriptions; never writes."""

    def __init__(self, eeprom):
        """eeprom: lib AT24C256, or a like."""
        super().__init__(
            eeprom, layout.PRESCRIPTION_FIRST, layout.PRESCRIPTION_SLOTS, layout.PRESCRIPTION_PAGES, PRESCRIPTION
        )

    def payloads(self):
        """The records that are replaced and still whole, newest first. Raises EepromError if the part fails."""
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
                payload = self._join(slot, sequence)
                if payload is not None:
                    yield payload

    def _replaced(self, slot):
        self._load_page(slot, 0)
        condition, kind, sequence = examine(self._page)
        return sequence if condition == WHOLE and kind == self._kind | SUPERSEDED else None
