"""A large record (prescription, calibration) in slots of several pages, committed at once (F4; invariants 4 and 5).

A commit marks a slot that is not in force as pending, writes it part by part, and counts from the moment its first
part, written last, is verified. Then the old record is marked as superseded. So after a cut the record is wholly the
old or wholly the new one; and when the record in force rots later, no older one quietly takes its place.
"""

import struct
from binascii import crc32

from micropython import const

from firmware.pages import (
    BLANK,
    FOREIGN,
    HEAD_SIZE,
    PAGE,
    PAYLOAD,
    PENDING,
    SEQUENCE_MASK,
    SUPERSEDED,
    VOID,
    WHOLE,
    examine,
    following,
    newer,
    seal,
)

_PART_HEAD = const(2)  # part, parts
_PART = const(50)  # bytes of the record in one page
_LENGTH = const(2)
_CRC = const(4)

_DOUBTFUL = "; what it took is made void once it answers: keep the power on until then"
_NO_MEMORY = "no memory left" + _DOUBTFUL  # made beforehand, as there is none then

GOOD = const(0)
NONE = const(1)  # never committed: every slot is blank or void
DAMAGED = const(2)  # something stands there, and it is no whole record
OTHER_FORMAT = const(3)

# What a slot holds.
_EMPTY, _BLANK, _IN_FORCE, _OLD, _FOREIGN, _PENDING, _GARBAGE = range(7)


class Store:
    """The slots of one kind of record. After load(): `condition`, `payload` (GOOD only), `sequence`."""

    def __init__(self, eeprom, first, slots, pages, kind):
        """first: first page of the first slot. slots: at least two. pages: of each slot. kind: pages.PRESCRIPTION or
        CALIBRATION."""
        self._eeprom = eeprom
        self._first = first
        self._slots = slots
        self._pages = pages
        self._kind = kind
        self._meaning = {VOID: _EMPTY, kind: _IN_FORCE, kind | SUPERSEDED: _OLD, kind | PENDING: _PENDING}
        self._page = bytearray(PAGE)
        self._again = bytearray(PAGE)
        self._slot = slots - 1  # the slot in force; a first commit goes to slot 0
        self._found = [(_BLANK, 0)] * slots
        self.sequence = -1
        self._given = -1  # the newest number, which a refused commit may have had
        self.condition = NONE
        self.payload = None
        self.unmarked = 0  # times that an old slot could not be marked; the next load tries again
        self.doubtful = 0  # mask of slots in which a refused record may stand whole; the next start would take it
        self.capacity = pages * _PART - _LENGTH - _CRC

    # -- loading ----------------------------------------------------------------------------------------------

    def load(self):
        """Find the record in force. Ends for any content. Raises EepromError if the part fails."""
        self.condition = DAMAGED  # should this end early
        self.payload = None
        self.sequence = -1
        for slot in range(self._slots):
            kind, sequence, payload = self._read(slot)
            if kind == _GARBAGE:  # or a bit that came wrong over the bus
                kind, sequence, payload = self._read(slot)
            self._found[slot] = kind, sequence
            if kind == _IN_FORCE and (self.payload is None or newer(sequence, self.sequence)):
                self.payload = payload
                self.sequence = sequence
                self._slot = slot
        kinds = [kind for kind, _ in self._found]
        if _FOREIGN in kinds:
            self.condition = OTHER_FORMAT
            self.payload = None
        elif self.payload is not None:
            self.condition = GOOD
        elif all(kind in (_EMPTY, _BLANK, _PENDING) for kind in kinds):
            self.condition = NONE
        for kind, sequence in self._found:  # no number is given twice
            if kind in (_IN_FORCE, _OLD) and (self.sequence < 0 or newer(sequence, self.sequence)):
                self.sequence = sequence
        self._given = self.sequence

    def settle(self, acknowledged):
        """Finish what a cut may have interrupted, before the record in force is relied on. acknowledged: the pump has
        told its operator of the commit; if not, or if the record before it is still in force as well, its first part
        may be a page that a cut left between two states: it is committed again, to another slot, so that at every
        instant one of them is whole. Raises EepromError if the part fails."""
        in_force = [slot for slot in range(self._slots) if self._found[slot][0] == _IN_FORCE]
        if self.condition == GOOD and (len(in_force) > 1 or not acknowledged):
            self.commit(self.payload)
        for slot in range(self._slots):
            found = self._found[slot][0]
            if found == _IN_FORCE and slot != self._slot:
                self._supersede(slot)
            elif found in (_GARBAGE, _PENDING, _BLANK):
                self._void(slot)  # whatever a cut left there, it must not be read as something else one day

    def _read(self, slot):
        """(what, sequence, payload) of one slot."""
        self._load_page(slot, 0)
        condition, kind, sequence = examine(self._page)
        self._eeprom.read_into((self._first + slot * self._pages) * PAGE, self._again)
        if self._again != self._page:
            return _GARBAGE, 0, None  # a cut left it between two states
        if condition in (FOREIGN, BLANK):
            return (_FOREIGN if condition == FOREIGN else _BLANK), 0, None
        what = self._meaning.get(kind, _GARBAGE) if condition == WHOLE else _GARBAGE
        payload = self._join(slot, sequence) if what == _IN_FORCE else None
        if what == _IN_FORCE and payload is None:
            what = _GARBAGE
        return what, sequence, payload

    def _join(self, slot, sequence):
        """The record whose first part is in the page buffer, or None if it is not whole."""
        parts = self._page[HEAD_SIZE + 1]
        if not 1 <= parts <= self._pages:
            return None
        joined = bytearray()
        for part in range(parts):
            if part:
                self._load_page(slot, part)
                if examine(self._page) != (WHOLE, self._kind, sequence):
                    return None
            if self._page[HEAD_SIZE] != part or self._page[HEAD_SIZE + 1] != parts:
                return None
            joined += self._page[HEAD_SIZE + _PART_HEAD : HEAD_SIZE + PAYLOAD]
        (length,) = struct.unpack_from("<H", joined, 0)
        end = _LENGTH + length
        if end + _CRC > len(joined):
            return None
        if struct.unpack_from("<I", joined, end)[0] != crc32(memoryview(joined)[:end]) & SEQUENCE_MASK:
            return None
        return bytes(joined[_LENGTH:end])

    def _load_page(self, slot, part):
        self._eeprom.read_into((self._first + slot * self._pages + part) * PAGE, self._page)

    # -- committing -------------------------------------------------------------------------------------------

    def commit(self, payload):
        """Make payload the record in force. Raises ValueError if it is too long; OSError if no slot takes it, or
        for want of memory if one may have taken it, else MemoryError then; and the old record then is still in force:
        for good once withdraw() has succeeded."""
        if len(payload) > self.capacity:
            raise ValueError("record kind %d: %d bytes, at most %d" % (self._kind, len(payload), self.capacity))
        old = self._slot
        reason = None
        for ahead in range(1, self._slots):  # a worn slot is passed over
            slot = (old + ahead) % self._slots
            last = self.sequence if newer(self.sequence, self._given) else self._given
            self._given = following(last)
            found = _IN_FORCE, self._given  # once it is written, nothing may fail for want of memory
            try:
                self._write(slot, payload)
            except OSError as error:
                reason = error
                continue
            except MemoryError:
                if self.doubtful:
                    raise OSError(_NO_MEMORY)
                raise
            self._slot = slot
            self.sequence = self._given
            self._found[slot] = found
            was_good = self.condition == GOOD
            self.condition = GOOD
            self.payload = payload
            if was_good:
                try:
                    self._supersede(old)
                except Exception:  # noqa: BLE001 - whatever it is, the commit has succeeded
                    self.unmarked += 1
            return
        if reason is None:
            reason = OSError("record kind %d: no slot" % self._kind)
        if self.doubtful:
            reason = OSError("%s%s" % (reason, _DOUBTFUL))
        raise reason

    def _write(self, slot, payload):
        """All parts, the first one, which makes the slot a record, last. Before, its page says that a commit is under
        way: should a cut leave it between that and the record, every later start knows that it is not to be trusted.
        Part by part: a heap that has room for the largest record need not have it twice."""
        first = self._first + slot * self._pages
        seal(self._page, self._kind | PENDING, self._given)
        self._eeprom.write_page(first, self._page)
        self._found[slot] = _PENDING, self._given
        self.doubtful &= ~(1 << slot)
        size = len(payload)
        head = struct.pack("<H", size)
        tail = struct.pack("<I", crc32(payload, crc32(head)) & SEQUENCE_MASK)
        parts = (_LENGTH + size + _CRC + _PART - 1) // _PART
        page = self._page
        for part in range(parts - 1, -1, -1):
            begin = part * _PART - _LENGTH  # in the payload
            end = begin + _PART
            piece = payload[max(0, begin) : end]
            if not part:
                piece = head + piece
            if end > size:
                piece += tail[max(0, begin - size) : end - size]
            page[HEAD_SIZE] = part
            page[HEAD_SIZE + 1] = parts
            page[HEAD_SIZE + _PART_HEAD : PAGE - _CRC] = piece + b"\0" * (_PART - len(piece))
            seal(page, self._kind, self._given)
            try:
                self._eeprom.write_page(first + part, page)
            except Exception:
                self.doubtful |= 1 << slot  # it may have been taken all the same: it must not come into force later
                self._void(slot)
                raise

    def _supersede(self, slot):
        """Mark a record as replaced; it stays readable. Behind a commit a refusal costs nothing: the newer record wins
        at every load, which tries again."""
        try:
            self._load_page(slot, 0)
            if examine(self._page)[0] != WHOLE:  # a bit that came wrong over the bus
                self._load_page(slot, 0)
        except OSError:
            self.unmarked += 1
            return
        condition, _, sequence = examine(self._page)
        if condition == WHOLE:
            seal(self._page, self._kind | SUPERSEDED, sequence)
            self._mark(slot, _OLD, sequence)

    def _void(self, slot):
        for index in range(PAGE):
            self._page[index] = 0
        seal(self._page, VOID, 0)
        self._mark(slot, _EMPTY, 0)

    def _mark(self, slot, what, sequence):
        try:
            self._eeprom.write_page(self._first + slot * self._pages, self._page)
        except OSError:
            self.unmarked += 1
            return
        self._found[slot] = what, sequence
        self.doubtful &= ~(1 << slot)

    def withdraw(self):
        """Try again to make void what a refused commit may have left. Raises OSError if the part still fails, or if a
        whole record stands in a slot that takes nothing any more."""
        for slot in range(self._slots):
            if not self.doubtful >> slot & 1 or self._found[slot][0] != _PENDING:  # no wrong bit makes a record void
                continue
            self._void(slot)
            if self.doubtful >> slot & 1:
                self._load_page(slot, 0)
                if examine(self._page)[:2] == (WHOLE, self._kind):
                    raise OSError("record kind %d: a refused record stands in slot %d" % (self._kind, slot))
        self.doubtful = 0

    def void_all(self):
        """Forget every record, for a pump that begins anew. Raises EepromError if the part fails."""
        unmarked = self.unmarked
        for slot in range(self._slots):
            self._void(slot)
        if self.unmarked != unmarked:
            raise OSError("record kind %d: a slot could not be made empty" % self._kind)
        self.condition = NONE
        self.payload = None
