"""Two rings that hold the same records, in two halves of the part: one page may rot, and nothing is lost (F10).

A record is written to one copy, verified, then to the other: a cut can damage one of them only, and a record that both
have is never lost to the decay of a page. A record counts from the moment its second copy is verified.
"""

from micropython import const

from firmware.pages import GAP, SEQUENCE_MASK, following, newer
from firmware.rings import Ring

EMPTY = const(0)  # no record, nothing that looks like the rest of one
GOOD = const(1)
DAMAGED = const(2)

_CAUGHT_UP_MAX = const(3)  # records at one recovery: its time is bounded


class Mirror:
    """After recover(): `condition`, and with GOOD the newest record's `payload`. `sequence`: number of the newest."""

    def __init__(self, eeprom, firsts, count, kind, retired=None):
        """firsts: first page of either copy. count: pages of each. Otherwise as rings.Ring."""
        self.copies = tuple(Ring(eeprom, first, count, kind, retired) for first in firsts)
        self.sequence = -1
        self.condition = EMPTY
        self.payload = None
        self.scrubbed = 0  # garbage pages found by the last recover()
        self._gap = False  # since recover() nothing has been written
        self._unsure = False  # the second copy's newest page may be one that a cut left between two states

    def recover(self):
        """Find the newest record and make it safe: both copies have it afterwards, in pages that were verified, and no
        torn page is left near it. Ends for any content. Repeating it, or cutting it short, changes nothing of what it
        finds. Raises EepromError or WriteError if the part fails."""
        self.condition = DAMAGED  # whatever ends this early
        self._unsure = False
        self.payload = None
        for copy in self.copies:
            copy.scan()
        newest, other = self.copies
        if other.page >= 0 and (newest.page < 0 or newer(other.sequence, newest.sequence)):
            newest, other = other, newest
        self.sequence = newest.sequence
        self.scrubbed = len(newest.garbage) + len(other.garbage)
        if self.foreign:
            return  # another firmware's: not a page of it is touched
        if newest.page < 0:
            untouched = len(newest.garbage) <= 1 and len(other.garbage) <= 1
            self.condition = EMPTY if untouched else DAMAGED  # one torn page: the very first record was cut
            return
        if not self._belong_together(newest, other):
            return
        if newest.sequence == other.sequence and newest.payload != other.payload:
            newest, other = self.copies[1], self.copies[0]  # the second copy has verified records only
        if other.payload != newest.payload or other.sequence != newest.sequence:
            # The newest page may be one that a cut left between two states, so it is not relied on; nor is it put at
            # risk, in case it is the only one. The record goes to the next page, by its own number, then to the other.
            newest.append(newest.payload, newest.sequence)
            # Garbage behind the second copy's newest record is the page that was cut: the record itself is safe. So is
            # an only record, as the first copy got nothing newer before that was renewed.
            safe = other.oldest == other.sequence or other.ends_in_garbage()
            self._unsure = other is self.copies[1] and not safe
            self._renew()
            self._catch_up(newest, other)
            other.append(newest.payload, newest.sequence)
        else:
            self._unsure = True
        for copy in self.copies:
            copy.scrub()
        self.payload = newest.payload
        self.condition = GOOD
        self._gap = True

    def fence(self):
        """Rule out that a record whose write was cut, and which this start did not find, is found by a later one. Not
        needed where every start writes a record: it goes to that very page. Raises EepromError if the part fails."""
        if self.condition != DAMAGED:
            self.copies[0].fence()  # the second copy has no record that the first did not verify

    def begin_anew(self):
        """Leave no page behind that is no record of this format, for a pump whose records were damaged or of another
        format. Raises EepromError if the part fails."""
        for copy in self.copies:
            copy.clean()

    def repeat(self):
        """Give both copies the newest record once more, so that they belong together again. Raises WriteError."""
        for copy in self.copies:
            if copy.page >= 0 and copy.sequence == self.sequence:
                self.append(copy.read(copy.page)[1])
                return

    @staticmethod
    def _belong_together(newest, other):
        """Whether the copies differ by no more than what a cut and failed writes can leave: one that has nothing was
        erased, unless the other has just begun. A cut tears a page of one copy: garbage behind the newest record of
        both means that a newer one has been lost."""
        if other.page < 0:
            return newest.oldest == newest.sequence
        return not (newest.sequence == other.sequence and newest.ends_in_garbage() and other.ends_in_garbage())

    def _renew(self):
        """Before the second copy goes on: make its newest record safe, which a cut may have left in a page that reads
        as something else one day. The first copy has the record, in a page that was verified."""
        if self._unsure:
            self.copies[1].renew()
            self._unsure = False

    @staticmethod
    def _catch_up(newest, other):
        """Give the other copy the records that it lacks behind its own newest, the oldest first, at most three: a cut
        while a record was renewed took it, and the leader, where each recovery takes a page, does not keep it for long.
        The newest record follows. Needs the index, so only of a history."""
        for _ in range(_CAUGHT_UP_MAX):
            lacking = [
                sequence
                for sequence in newest.index or ()
                if sequence != SEQUENCE_MASK and newer(sequence, other.sequence) and newer(newest.sequence, sequence)
            ]
            if other.page < 0 or not lacking:
                return
            sequence = min(lacking, key=lambda one: (one - other.sequence) & SEQUENCE_MASK)
            payload = newest.find(sequence)
            if payload is None:
                return
            other.append(payload, sequence)

    @property
    def foreign(self):
        """Pages of another format."""
        return self.copies[0].foreign + self.copies[1].foreign

    def append(self, payload):
        """Write the next record to both copies. Raises WriteError if either refuses; the record then may or may not
        be found after a reset."""
        first, second = self.copies
        if first.sequence == second.sequence:  # both are right: by a wrong bit in RAM a record would count as older
            self.sequence = first.sequence
        # What a cut left unreadable may have the next few numbers: every later record is newer than it.
        for _ in range(GAP if self._gap else 1):
            self.sequence = following(self.sequence)
        # Always the first copy first: the second has no record that the first did not verify.
        if second.oldest == second.sequence:
            self._renew()  # its only record: without it the copy would look erased
        self._gap = False
        first.append(payload, self.sequence)
        self._renew()
        second.append(payload, self.sequence)
        self.condition = GOOD
        self.payload = payload
