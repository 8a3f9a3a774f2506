"""Diary: scores and refills, in a ring of their own (F5, F6).

A record is a page of kind DIARY; its payload (docs/EEPROM.md):

    0  u8   what it is: 0 score, 1 refill
    1  u8   count of values, 1..6
    2  i64  each value; the first is local time, s since 2000-01-01

    score   time, pain, spasticity, effects
    refill  time, expected nL, measured nL, delivered since the refill before nL, and two more: see refilling.py

The ring has one copy: what a cut tears or time rots is one record lost, and no other. Scores must not push out what the
next refill is compared with, so the newest refill is written again before it would be the oldest of the ring's half.
"""

import struct

from micropython import const

from firmware.pages import GAP, PAYLOAD, SEQUENCE_MASK, following, newer

SCORE = 0
REFILL = 1
VALUES_MAX = const(6)
_NOTHING = const(255)  # a page that holds no entry
_PART = const(8)  # pages read at once: about 15 ms at 400 kHz


def _values(payload):
    """(what, values) of a payload; values is empty if it is none."""
    what, count = payload[0], payload[1]
    if what > REFILL or not 1 <= count <= VALUES_MAX:
        return _NOTHING, ()
    return what, struct.unpack("<%dq" % count, payload[2 : 2 + 8 * count])


class Diary:
    """Entries of one pump. It is looked through in parts by work(), or at once when something is asked before."""

    def __init__(self, ring):
        """ring: rings.Ring of the kind DIARY."""
        self._ring = ring
        ring.keep_index()
        self._what = bytearray()  # of each page that has been looked into
        self._scanned = self._gap = False

    # -- looking through --------------------------------------------------------------------------------------

    def work(self, pages=_PART):
        """Look through so many pages more. Returns whether all is known. A part that fails is asked again next time."""
        try:
            return self._look(pages)
        except OSError:
            return False

    def _look(self, pages):
        """As work(), but raises EepromError."""
        ring = self._ring
        if not self._scanned:
            if not ring.scan_part(pages):
                return False
            if not ring.foreign:
                ring.scrub()
            self._scanned = self._gap = True
            return False
        while pages and len(self._what) < ring.count:
            sequence = ring.index[len(self._what)]
            payload = ring.find(sequence) if sequence != SEQUENCE_MASK else None
            self._what.append(_values(payload)[0] if payload is not None else _NOTHING)
            pages -= 1
        return len(self._what) == ring.count

    def _look_through(self):
        while not self._look(self._ring.count):
            continue  # bounded: two or three calls, or an error

    # -- reading ----------------------------------------------------------------------------------------------

    def newest(self, what, count):
        """Up to `count` newest entries of a kind, newest first, each a tuple of integers, local time first. Raises
        EepromError if the part fails; a page that cannot be read is none."""
        self._look_through()
        found = []
        for sequence in self._sequences(what):
            if len(found) == count:
                break
            payload = self._ring.find(sequence)
            values = _values(payload)[1] if payload is not None else ()
            if values:
                found.append(values)
        return found

    def _sequences(self, what):
        """Numbers of the entries of a kind, newest first."""
        ring = self._ring
        ages = []
        for offset, sequence in enumerate(ring.index):
            if sequence != SEQUENCE_MASK and self._what[offset] == what:
                age = (ring.sequence - sequence) & SEQUENCE_MASK
                if age not in ages:
                    ages.append(age)
        ages.sort()
        return [(ring.sequence - age) & SEQUENCE_MASK for age in ages]

    # -- writing ----------------------------------------------------------------------------------------------

    def add(self, what, values):
        """Write an entry. what: SCORE or REFILL. values: 1..6 integers of 64 bits, local time in s since 2000 first.
        Raises WriteError, or EepromError if what is there cannot be read; the entry may then be found all the same."""
        self._look_through()
        if what == SCORE:
            self._keep_refill()
        self._append(what, values)

    def _keep_refill(self):
        ring = self._ring
        for sequence in self._sequences(REFILL)[:1]:
            behind = 0  # records that are newer
            for other in ring.index:
                behind += other != SEQUENCE_MASK and newer(other, sequence)
            if behind >= ring.count // 2:
                payload = ring.find(sequence)
                if payload is not None:
                    self._append(REFILL, _values(payload)[1])

    def _append(self, what, values):
        ring = self._ring
        sequence = ring.sequence
        # What a cut left unreadable may have the next few numbers: every later record is newer than it.
        for _ in range(GAP if self._gap and sequence >= 0 else 1):
            sequence = following(sequence)
        self._gap = False
        payload = struct.pack("<BB%dq" % len(values), what, len(values), *values)
        ring.append(payload[:PAYLOAD], sequence)
        self._what[ring.page - ring.first] = what
