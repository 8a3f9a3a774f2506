"""Bolus history: what lockout and rolling limits look back on, and what was given already (F3, F10; R09; invariant 6).

A bolus is in the history, with its whole dose, before its first step is made. Its time is pump time, which counts on
whatever is done to the clock, so that no reset, power cut or new time of day forgets or shortens anything.
"""

import struct

from micropython import const

from firmware.layout import BOLUS_FIRSTS, BOLUS_PAGES
from firmware.mirror import GOOD, Mirror
from firmware.pages import BOLUS
from firmware.rings import newest_numbers

_FORMAT = "<IIIHBB"  # start, seconds, dose nL, date, kind, index
_NUMBER_MASK = const(0xFFFF)

PATIENT = const(0)
CLINICIAN = const(1)
SCHEDULED = const(2)
KINDS = ("patient", "clinician", "scheduled")

CAPACITY = BOLUS_PAGES - 8  # boluses that are surely kept: four pages may be retired, three passed over, one is empty


class Bolus:
    """One entry. `start`: pump time, s. `seconds`: planned duration. `dose_nl`: the whole dose. `kind`: index into
    KINDS. `index`, `date`: which scheduled bolus, of which local date (days since 2000-01-01); else 0."""

    def __init__(self, payload):
        """payload: 52 bytes of a bolus page."""
        self.start, seconds, self.dose_nl, self.date, self.kind, self.index = struct.unpack_from(_FORMAT, payload)
        self.seconds = max(1, seconds)  # what was never written is not divided by

    def values(self):
        """Everything, for comparing."""
        return self.start, self.seconds, self.dose_nl, self.date, self.kind, self.index


class Boluses:
    """`recent`: the newest boluses, oldest first, at most CAPACITY. `number`: of the newest, 1..65,535 (0: none ever);
    it wraps from 65,535 to 0."""

    def __init__(self, eeprom, retired):
        """eeprom: lib AT24C256, or a like. retired: retirement.Retired."""
        self.mirror = Mirror(eeprom, BOLUS_FIRSTS, BOLUS_PAGES, BOLUS, retired)
        for copy in self.mirror.copies:
            copy.keep_index()
        self.recent = []

    @property
    def number(self):
        """Low 16 bits of one more than the newest record's sequence; 0: none ever."""
        return (self.mirror.sequence + 1) & _NUMBER_MASK

    def load(self):
        """Read the history. What one copy lost is read from the other. Raises EepromError if the part fails."""
        self.recent = []
        self.mirror.recover()
        if self.mirror.condition != GOOD:
            return
        for sequence in newest_numbers(self.mirror.copies, self.mirror.sequence, CAPACITY):
            for copy in self.mirror.copies:
                payload = copy.find(sequence)
                if payload is not None:
                    self.recent.append(Bolus(payload))
                    break

    def begin(self, kind, span, dose_nl, which=(0, 0)):
        """A bolus is about to begin. Must return before its first step. span: (pump time of its start, s; duration, s,
        1..86,400). which: (index, date) of a scheduled bolus.
        Raises WriteError; the bolus then must not begin, and may count for the limits all the same."""
        payload = struct.pack(_FORMAT, span[0], span[1], dose_nl, which[1], kind, which[0])
        self.mirror.append(payload)
        self.recent.append(Bolus(payload))
        if len(self.recent) > CAPACITY:
            self.recent.pop(0)

    def begin_anew(self):
        """Both copies hold the same again, for a pump whose records were damaged. The newest entry is stored twice, and
        counts twice: against dosing. Raises WriteError."""
        if self.mirror.condition != GOOD:
            self.mirror.repeat()
            self.load()

    def is_full(self, now, window):
        """Whether the oldest entry kept could still count in a window of so many seconds: then a further bolus would
        push out of memory one that limits must still see, and is denied."""
        return len(self.recent) >= CAPACITY and self.recent[0].start + self.recent[0].seconds > now - window

    def volume_nl(self, now, window):
        """Whole doses of all boluses of which any part lies within (now - window, now], nL (D12, R09)."""
        return sum(entry.dose_nl for entry in self.recent if entry.start + entry.seconds > now - window)

    def count(self, kind, now, window):
        """Boluses of a kind that began within (now - window, now]."""
        return len([entry for entry in self.recent if entry.kind == kind and entry.start > now - window])

    def last_start(self, kind):
        """Pump time at which the newest bolus of a kind began, or -1."""
        for entry in reversed(self.recent):
            if entry.kind == kind:
                return entry.start
        return -1

    def was_given(self, index, date):
        """Whether scheduled bolus `index` of this date has been begun."""
        return any(entry.kind == SCHEDULED and entry.index == index and entry.date == date for entry in self.recent)
