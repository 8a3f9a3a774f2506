"""A large record (prescription, calibration) in two slots, committed at once (F4; invariants 4 and 5).

A commit writes the slot that is not in force, page by page, and counts from the moment its last page is verified: the
CRC-32 spans the whole record. Then the old slot is retired. So after a cut the record is wholly the old or wholly the
new one; and when the record in force rots later there is no older one left that could quietly take its place.
"""

import struct
from binascii import crc32

from micropython import const

from firmware.pages import PAGE, newer
from firmware.version import EEPROM_FORMAT

_HEAD = "<HBBIH"  # magic, format, kind, sequence, length of the payload
_HEAD_SIZE = const(10)
_MAGIC = const(0x5354)  # "TS" as it lies in memory

PRESCRIPTION = const(1)
CALIBRATION = const(2)

GOOD = const(0)
BLANK = const(1)  # never written: every byte erased
DAMAGED = const(2)  # something stands there, and it is no whole record


def _crc_at(record, end):
    return struct.unpack_from("<I", record, end)[0]


class Store:
    """Two slots for one kind of record. After load(): `condition`, `payload` (GOOD only), `sequence`."""

    def __init__(self, eeprom, first, pages, kind):
        """first: first page of slot A; pages: pages of each slot, B follows A."""
        self._eeprom = eeprom
        self._first = first
        self._pages = pages
        self._kind = kind
        self._slot = 1  # the slot in force; a first commit goes to slot A
        self.sequence = 0
        self.condition = BLANK
        self.payload = None
        self.unretired = 0
        self.capacity = pages * PAGE - _HEAD_SIZE - 4

    def load(self):
        """Find the record in force. Ends for any content. Raises EepromError if the part fails."""
        found = [self._read(slot) for slot in (0, 1)]
        self.payload = None
        good = [slot for slot in (0, 1) if found[slot][0] == GOOD]
        if not good:
            blank = found[0][0] == BLANK and found[1][0] == BLANK
            self.condition = BLANK if blank else DAMAGED
            return
        slot = good[0]
        if len(good) == 2 and newer(found[1][1], found[0][1]):
            slot = 1
        self._slot = slot
        self.condition = GOOD
        _, self.sequence, self.payload = found[slot]
        if len(good) == 2:  # a cut came between the commit and the retiring: finish it
            self._retire(1 - slot)

    def commit(self, payload):
        """Make payload the record in force. Raises EepromError; the old record then is still in force."""
        if len(payload) > self.capacity:
            raise ValueError("record kind %d: %d bytes, at most %d" % (self._kind, len(payload), self.capacity))
        slot = 1 - self._slot
        sequence = (self.sequence + 1) & 0xFFFFFFFF
        record = struct.pack(_HEAD, _MAGIC, EEPROM_FORMAT, self._kind, sequence, len(payload)) + payload
        record += struct.pack("<I", crc32(record) & 0xFFFFFFFF)
        first = self._first + slot * self._pages
        page = bytearray(PAGE)
        # The first page, which makes the slot a record at all, goes last.
        for index in range((len(record) - 1) // PAGE, -1, -1):
            part = record[index * PAGE : (index + 1) * PAGE]
            page[:] = part + b"\0" * (PAGE - len(part))
            try:
                self._eeprom.write_page(first + index, page)
            except OSError:
                self._retire(slot)  # the page may have been taken all the same: it must not come into force later
                raise
        old = self._slot
        self._slot = slot
        self.sequence = sequence
        self.condition = GOOD
        self.payload = payload
        self._retire(old)

    def _read(self, slot):
        """(condition, sequence, payload) of one slot."""
        record = bytearray(self._pages * PAGE)
        first = self._first + slot * self._pages
        for index in range(self._pages):  # a page at a time: no bus transfer may take long
            self._eeprom.read_into((first + index) * PAGE, memoryview(record)[index * PAGE : (index + 1) * PAGE])
        magic, version, kind, sequence, length = struct.unpack_from(_HEAD, record, 0)
        end = _HEAD_SIZE + length
        ours = magic == _MAGIC and version == EEPROM_FORMAT and kind == self._kind
        if ours and end + 4 <= len(record) and _crc_at(record, end) == crc32(memoryview(record)[:end]) & 0xFFFFFFFF:
            return GOOD, sequence, bytes(record[_HEAD_SIZE:end])
        erased = record == b"\xff" * len(record)
        return (BLANK if erased else DAMAGED), 0, None

    def _retire(self, slot):
        """Make a slot unreadable; `unretired` counts how often the part refused. Behind a commit that costs nothing:
        the newer record wins at every load, which tries again."""
        try:
            self._eeprom.write_page(self._first + slot * self._pages, b"\0" * PAGE)
        except OSError:
            self.unretired += 1
