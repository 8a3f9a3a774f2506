"""One record a page: the 64-byte page record, and rings of such pages (F10; EEPROM format in docs/EEPROM.md).

The part refreshes its whole 64-byte page at every write, so a cut can damage any byte of the page that was being
written and none of another page. Hence one record a page, page-aligned, with a CRC-32 over the rest of the page; and no
page is fixed (no head pointer): the newest record is found by its sequence number, so wear spreads by itself.
"""

import struct
from binascii import crc32

from micropython import const

from firmware.version import EEPROM_FORMAT

PAGE = const(64)
PAYLOAD = const(52)
_HEAD = "<HBBI"  # magic, format, kind, sequence
_HEAD_SIZE = const(8)
_MAGIC = const(0x4354)  # "TC" as it lies in memory
_SEQUENCE_MASK = 0xFFFFFFFF
_TRIES = const(3)  # pages tried before a write counts as failed: a worn page must not end dosing

LEDGER = const(1)
EVENT = const(2)


class WriteError(OSError):
    """No page of the ring took the record."""


def seal(page, kind, sequence):
    """Complete a 64-byte page around its payload (bytes 8..59): header and CRC."""
    struct.pack_into(_HEAD, page, 0, _MAGIC, EEPROM_FORMAT, kind, sequence)
    struct.pack_into("<I", page, PAGE - 4, crc32(memoryview(page)[: PAGE - 4]) & 0xFFFFFFFF)


def sequence_of(page, kind):
    """The sequence number of a valid page of this kind, or -1."""
    magic, version, found, sequence = struct.unpack_from(_HEAD, page, 0)
    if magic != _MAGIC or version != EEPROM_FORMAT or found != kind:
        return -1
    if struct.unpack_from("<I", page, PAGE - 4)[0] != crc32(memoryview(page)[: PAGE - 4]) & 0xFFFFFFFF:
        return -1
    return sequence


def newer(sequence, other):
    """Whether sequence comes after other, with wrap-around at 2**32."""
    return 0 < (sequence - other) & _SEQUENCE_MASK < 0x80000000


class Ring:
    """A ring of page records of one kind. `sequence` is the newest record's (-1: none), `page` where it lies, or
    where it was tried last."""

    def __init__(self, eeprom, first, count, kind):
        """first, count: pages of the ring. kind: the record kind it holds."""
        self._eeprom = eeprom
        self.first = first
        self.count = count
        self._kind = kind
        self.sequence = -1
        self.page = -1
        self.valid = 0  # valid records found so far
        self._next = first  # the page that scan_part reads next
        self._buffer = bytearray(PAGE)

    def scan(self):
        """Find the newest record. Reads every page once; ends for any content. Raises EepromError if the part fails."""
        self.scan_part(self.count)

    def scan_part(self, pages):
        """Read the next `pages` pages of the ring, looking for the newest record. Returns whether all were read."""
        buffer = self._buffer
        last = min(self._next + pages, self.first + self.count)
        while self._next < last:
            page = self._next
            self._eeprom.read_into(page * PAGE, buffer)
            self._next += 1
            sequence = sequence_of(buffer, self._kind)
            if sequence < 0:
                continue
            self.valid += 1
            if self.sequence < 0 or newer(sequence, self.sequence):
                self.sequence = sequence
                self.page = page
        return self._next == self.first + self.count

    def read(self, page):
        """(sequence, payload) of a page of the ring; the sequence is -1 if the page holds no valid record."""
        self._eeprom.read_into(page * PAGE, self._buffer)
        return sequence_of(self._buffer, self._kind), bytes(self._buffer[_HEAD_SIZE : _HEAD_SIZE + PAYLOAD])

    def append(self, payload):
        """Write the next record (at most 52 bytes) after the newest. A page that does not take it is passed over.

        Raises WriteError if three pages in a row refused; the next call goes on behind them. The number is used up all
        the same: a page may have taken the record and failed later, and no other record may have that number.
        """
        sequence = (self.sequence + 1) & _SEQUENCE_MASK
        buffer = self._buffer
        for index in range(PAGE):
            buffer[index] = 0
        buffer[_HEAD_SIZE : _HEAD_SIZE + len(payload)] = payload
        seal(buffer, self._kind, sequence)
        self.sequence = sequence
        reason = None
        for _ in range(_TRIES):
            page = self.first if self.page < 0 else self.page
            self.page = self.first + (page - self.first + 1) % self.count
            try:
                self._eeprom.write_page(self.page, buffer)
                return
            except OSError as error:
                reason = error
        raise WriteError("record kind %d: %s" % (self._kind, reason))
