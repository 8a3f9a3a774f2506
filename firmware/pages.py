"""The page record: one record a page, and what a page can hold (F10; format in docs/EEPROM.md).

The part refreshes its whole 64-byte page at every write, so a cut can damage any byte of the page that was being
written and none of another page. Hence one record a page, page-aligned, with a CRC-32 over the rest of the page.
"""

import struct
from binascii import crc32

from micropython import const

from firmware.version import EEPROM_FORMAT

PAGE = const(64)
PAYLOAD = const(52)
HEAD_SIZE = const(8)
_HEAD = "<HBBI"  # magic, format, kind, sequence
_MAGIC = const(0x4354)  # "TC" as it lies in memory
_ERASED = b"\xff" * 64
SEQUENCE_MASK = 0xFFFFFFFF
GAP = const(4)  # numbers by which the first record after a start is ahead: more than one write tries pages

# Kinds. A number keeps its meaning for ever.
VOID = const(0)  # made empty on purpose
LEDGER = const(1)
EVENT = const(2)
FAULT = const(3)
BOLUS = const(4)
COUNTERS = const(5)
RETIRED = const(6)
DIARY = const(7)
PRESCRIPTION = const(16)
CALIBRATION = const(17)
KEYS = const(18)  # reserved for the keys of operators
PENDING = const(0x40)  # or-ed into the kind of the first page of a slot while a record is being written to it
SUPERSEDED = const(0x80)  # the same, of a record that a newer one has replaced

# Conditions of a page.
BLANK = const(0)  # every byte erased
WHOLE = const(1)  # a record of this format
FOREIGN = const(2)  # a record of another format
GARBAGE = const(3)  # none of these: torn by a cut, rotten, worn


def seal(page, kind, sequence):
    """Complete a 64-byte page around its payload (bytes 8..59): header and CRC."""
    struct.pack_into(_HEAD, page, 0, _MAGIC, EEPROM_FORMAT, kind, sequence)
    struct.pack_into("<I", page, PAGE - 4, crc32(memoryview(page)[: PAGE - 4]) & SEQUENCE_MASK)


def examine(page):
    """(condition, kind, sequence) of 64 bytes; kind and sequence count for WHOLE and FOREIGN only. Magic, format, kind,
    sequence and CRC have their places in every format, so that an older or newer one is told from damage."""
    magic, version, kind, sequence = struct.unpack_from(_HEAD, page, 0)
    if (
        magic != _MAGIC
        or struct.unpack_from("<I", page, PAGE - 4)[0] != crc32(memoryview(page)[: PAGE - 4]) & SEQUENCE_MASK
    ):
        return (BLANK if page == _ERASED else GARBAGE), VOID, 0
    return (WHOLE if version == EEPROM_FORMAT else FOREIGN), kind, sequence


def newer(sequence, other):
    """Whether sequence comes after other, with wrap-around at 2**32."""
    return 0 < (sequence - other) & SEQUENCE_MASK < 0x80000000


def following(sequence):
    """The number after this one (-1: none yet). 0xFFFFFFFF is never used: it stands for no record."""
    sequence = (sequence + 1) & SEQUENCE_MASK
    return 0 if sequence == SEQUENCE_MASK else sequence
