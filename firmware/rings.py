"""A ring of page records of one kind: append-only, no head pointer, worn pages passed over (F10; docs/EEPROM.md).

No page is fixed: the newest record is found by its sequence number, so wear spreads by itself.
"""

from array import array

from micropython import const

from firmware.pages import (
    FOREIGN,
    GARBAGE,
    HEAD_SIZE,
    PAGE,
    PAYLOAD,
    SEQUENCE_MASK,
    VOID,
    WHOLE,
    examine,
    following,
    newer,
    seal,
)

_TRIES = const(3)  # attempts before a write counts as failed: neither a worn page nor a disturbance ends dosing
_ROUNDS = const(2)  # searches for a newest record that reads the same twice
_SCRUBBED_MAX = const(2)  # garbage pages made empty at one start: its time is bounded


def newest_numbers(rings, last, count):
    """Up to `count` newest sequence numbers that stand in the indices of these rings, oldest first, up to `last`."""
    ages = set()
    for ring in rings:
        for sequence in ring.index:
            if sequence != SEQUENCE_MASK and not newer(sequence, last):
                ages.add((last - sequence) & SEQUENCE_MASK)
    return [(last - age) & SEQUENCE_MASK for age in reversed(sorted(ages)[:count])]


class WriteError(OSError):
    """No page of the ring took the record."""


class Ring:
    """After a scan: `sequence` of the newest record (-1: none), its `payload`, and the `page` where it lies, or where a
    write was tried last; the `oldest` number, `foreign` pages of another format, and the `garbage` pages."""

    def __init__(self, eeprom, first, count, kind, retired=None):
        """first, count: pages of the ring. kind: the record kind it holds. retired: retirement.Retired, or None for a
        ring whose pages are never retired."""
        self._eeprom = eeprom
        self.first = first
        self.count = count
        self._kind = kind
        self._retired = retired
        self._unsteady = []  # pages that did not read the same twice
        self.index = None  # array of the sequence number in each page, if it is kept
        self._buffer = bytearray(PAGE)
        self._restart()

    def _restart(self):
        self.sequence = -1
        self.page = -1
        self.payload = None
        self.oldest = -1
        self.foreign = 0
        self.garbage = []
        self._next = self.first  # the page that scan_part reads next
        if self.index is not None:
            self.keep_index()

    # -- finding ----------------------------------------------------------------------------------------------

    def scan(self):
        """Find the newest record. Ends for any content, after three readings of the ring at most, normally one. Raises
        EepromError if the part fails; the next scan begins anew."""
        self._unsteady = []
        self._restart()
        while not self.scan_part(self.count):
            continue  # bounded: each round rules out one page, and after _ROUNDS there is none left to trust

    def scan_part(self, pages):
        """Read the next `pages` pages, looking for the newest record. Returns whether all is done."""
        last = min(self._next + pages, self.first + self.count)
        while self._next < last:
            self._look_at(self._next)
            self._next += 1
        if self._next < self.first + self.count:
            return False
        return self._is_steady()

    def _look_at(self, page):
        if self._is_retired(page):
            return
        self._eeprom.read_into(page * PAGE, self._buffer)
        condition, kind, sequence = examine(self._buffer)
        if condition == GARBAGE:  # or a bit that came wrong over the bus
            self._eeprom.read_into(page * PAGE, self._buffer)
            condition, kind, sequence = examine(self._buffer)
        if condition == FOREIGN:
            self.foreign += 1
        elif condition == GARBAGE or page in self._unsteady or (condition == WHOLE and kind not in (self._kind, VOID)):
            self.garbage.append(page)
        elif condition == WHOLE and kind == self._kind:
            if self.index is not None:
                self.index[page - self.first] = sequence
            if self.oldest < 0 or newer(self.oldest, sequence):
                self.oldest = sequence
            if self.sequence < 0 or sequence == self.sequence or newer(sequence, self.sequence):
                self.sequence = sequence
                self.page = page

    def _is_steady(self):
        """A cut can leave a page that reads as a record now and as something else later. The newest record must read
        the same once more; if it does not, its page counts as garbage, and the search goes on without it."""
        if self.page < 0:
            return True
        for _ in range(2):  # two of three readings: a bit can come wrong over the bus
            sequence, payload = self.read(self.page)
            if sequence == self.sequence:
                self.payload = payload
                return True
        if len(self._unsteady) >= _ROUNDS:
            self._restart()
            self._next = self.first + self.count
            return True
        self._unsteady.append(self.page)
        self._restart()
        return False

    def read(self, page):
        """(sequence, payload) of a page of the ring; the sequence is -1 if the page holds no such record."""
        self._eeprom.read_into(page * PAGE, self._buffer)
        condition, kind, sequence = examine(self._buffer)
        if condition != WHOLE or kind != self._kind:
            sequence = -1
        return sequence, bytes(self._buffer[HEAD_SIZE : HEAD_SIZE + PAYLOAD])

    def keep_index(self):
        """From now on remember which record lies in which page, for those who list the ring."""
        self.index = array("I", [SEQUENCE_MASK] * self.count)

    def find(self, sequence):
        """The payload of the record with this number, or None if no page holds it. Needs the index."""
        for offset, known in enumerate(self.index or ()):
            if known == sequence:
                for _ in range(2):  # a bit can come wrong over the bus
                    found, payload = self.read(self.first + offset)
                    if found == sequence:
                        return payload
        return None

    # -- writing ----------------------------------------------------------------------------------------------

    def append(self, payload, sequence=-1):
        """Write the next record (at most 52 bytes) after the newest. A page that keeps something else is passed over.
        If the part does not answer, that is no fault of the page: it is tried again, here and by the next call. So the
        record of a write that is cut lies right behind the newest, where fence() or the next record overwrites it, and
        refused writes push nothing out of the ring.

        sequence: its number, by default the one that follows. Raises WriteError after three attempts. The number is
        used up all the same: a page may have taken the record and failed later, and no other record may have that
        number.
        """
        if sequence < 0:
            sequence = following(self.sequence)
        self._fill(payload, sequence)
        self.sequence = sequence
        reason = None
        for _ in range(_TRIES):
            page = self._behind(self.page)
            try:
                self._put(page)
            except OSError as error:
                reason = error
                if getattr(error, "worn", False):
                    self.page = page
                continue
            self.page = page
            if self.index is not None:
                self.index[page - self.first] = sequence
            return
        raise WriteError("record kind %d: %s" % (self._kind, reason))

    def _fill(self, payload, sequence):
        buffer = self._buffer
        for index in range(PAGE):
            buffer[index] = 0
        buffer[HEAD_SIZE : HEAD_SIZE + len(payload)] = payload
        seal(buffer, self._kind, sequence)

    def renew(self):
        """Write the newest record once more to the very page where the last scan found it: a cut may have left that
        page between two states, though it read as the record. Only while another copy has it. Raises WriteError."""
        newest = self.page
        self.page = self.first + (newest - self.first - 1) % self.count
        try:
            self.append(self.payload, self.sequence)
        except OSError:
            self.page = newest
            raise

    def _behind(self, page):
        """The page behind this one (-1: the first) that is not retired."""
        for _ in range(self.count):
            page = self.first if page < 0 else self.first + (page - self.first + 1) % self.count
            if not self._is_retired(page):
                break
        return page

    def ends_in_garbage(self):
        """Whether the page behind the newest record is garbage: a record may have stood there."""
        return self._behind(self.page) in self.garbage

    def _is_retired(self, page):
        return self._retired is not None and page in self._retired

    def _put(self, page):
        """Write the buffer. A page that twice keeps something else than it was given is worn: it is retired."""
        if self.index is not None:
            self.index[page - self.first] = SEQUENCE_MASK  # until it is verified
        try:
            self._eeprom.write_page(page, self._buffer)
        except OSError as error:
            if not getattr(error, "worn", False):
                raise
            try:
                self._eeprom.write_page(page, self._buffer)
            except OSError as again:
                if getattr(again, "worn", False) and self._retired is not None:
                    self._retired.retire(page, self.first, self.count)
                raise
        if page in self.garbage:
            self.garbage.remove(page)

    def scrub(self):
        """Make garbage pages empty, the nearest behind the newest record first, at most two: what a cut left there
        could read as a record one day. Raises EepromError if the part fails."""
        newest = self.page if self.page >= 0 else self.first
        self.garbage.sort(key=lambda page: (page - newest) % self.count)
        for page in self.garbage[:_SCRUBBED_MAX]:
            self._void(page)

    def fence(self):
        """Make the page behind the newest record empty: a record whose write was cut may stand there, unreadable now
        and whole one day. If it is worn, the record may stand behind it. Raises EepromError if the part fails."""
        page = self.page
        for _ in range(_TRIES):
            page = self._behind(page)
            if self._void(page):
                return

    def clean(self):
        """Make every page empty that is no record of this format. Raises EepromError if the part fails, WriteError if
        it keeps nothing."""
        failed = 0
        for page in range(self.first, self.first + self.count):
            if self._is_retired(page):
                continue
            self._eeprom.read_into(page * PAGE, self._buffer)
            condition, kind, _ = examine(self._buffer)
            if condition in (FOREIGN, GARBAGE) or (condition == WHOLE and kind not in (self._kind, VOID)):
                failed += not self._void(page)
                if failed > _TRIES:
                    raise WriteError("pages %d to %d: they keep nothing" % (self.first, self.first + self.count - 1))
        self.foreign = 0
        self.garbage = []

    def _void(self, page):
        for index in range(PAGE):
            self._buffer[index] = 0
        seal(self._buffer, VOID, 0)
        try:
            self._put(page)
        except OSError as error:
            if not getattr(error, "worn", False):
                raise
            return False  # a worn page stays what it is; it is retired now, and no scan reads it any more
        return True
