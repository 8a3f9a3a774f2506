"""Bolus history: what lockout and rolling limits look back on, and what was given already (F3, F10; R09; invariant 6).

A bolus is in the history, with its whole dose, before its first step is made. Its time is pump time, which counts on
whatever is done to the clock, so that no reset, power cut or new time of day forgets or shortens anything.
"""

import struct
from binascii import crc32

from micropython import const

from firmware.layout import BOLUS_FIRSTS, BOLUS_PAGES
from firmware.mirror import GOOD, Mirror
from firmware.pages import BOLUS
from firmware.rings import newest_numbers

# start, seconds, dose nL, date, kind, index, therapy, start of the newest patient bolus, ng/mL, suspends
_FORMAT = "<IIIHBBIIIB"
_SEALED = "<10I"  # whole words, so that no bit of a number is cut off
_NUMBER_MASK = const(0xFFFF)

PATIENT = const(0)
CLINICIAN = const(1)
SCHEDULED = const(2)
PRIME = const(3)  # counts for no limit
KINDS = ("patient", "clinician", "scheduled", "prime")
NOT_SCHEDULED = (0, 0, 0)
_NEVER = 0xFFFFFFFF
_LONGEST = 0xFFFFFFFF  # s; only pages that nobody wrote say more

CAPACITY = BOLUS_PAGES - 8  # boluses that are surely kept: four pages may be retired, three passed over, one is empty


class Bolus:
    """One entry.

    `start`: pump time, s. `seconds`: planned duration, and the time it was suspended. `dose_nl`: the whole dose.
    `kind`: index into KINDS. `index`, `date`, `therapy`: which scheduled bolus, of which local date (days since
    2000-01-01) and of which prescription (CRC-32 of its packed form); else 0. `patient`: pump time at which the newest
    patient bolus began, this one included, so that no lockout is forgotten however many others follow; 0xFFFFFFFF:
    none. `ng_per_ml`: concentration. `suspends`: the one before is set aside while this one flows.
    """

    def __init__(self, payload):
        """payload: 52 bytes of a bolus page."""
        values = struct.unpack_from(_FORMAT, payload)
        self.start, seconds, self.dose_nl, self.date, self.kind, self.index, self.therapy = values[:7]
        self.patient, self.ng_per_ml, self.suspends = values[7:]
        self.seconds = max(1, seconds)  # what was never written is not divided by

    def values(self):
        """Everything, for comparing."""
        named = self.index, self.therapy, self.ng_per_ml, self.suspends
        return (self.start, self.seconds, self.dose_nl, self.date, self.kind) + named

    def crc(self):
        """CRC-32 of everything."""
        return crc32(struct.pack(_SEALED, self.patient, *self.values()))

    @property
    def end(self):
        """Pump time at which it ends as planned."""
        return self.start + self.seconds

    def counts_nl(self, ng_per_ml):
        """Its dose as volume at this concentration, nL, rounded up; never less than the volume that was given, as a
        limit that was meant as a mass must not grow with another concentration."""
        if not self.ng_per_ml > ng_per_ml > 0:
            return self.dose_nl
        return (self.dose_nl * self.ng_per_ml + ng_per_ml - 1) // ng_per_ml


class Boluses:
    """`recent`: the newest boluses, oldest first, at most CAPACITY. `number`: of the newest, 1..65,535 (0: none ever);
    it wraps from 65,535 to 0."""

    def __init__(self, eeprom, retired):
        """eeprom: lib AT24C256, or a like. retired: retirement.Retired."""
        self.mirror = Mirror(eeprom, BOLUS_FIRSTS, BOLUS_PAGES, BOLUS, retired)
        for copy in self.mirror.copies:
            copy.keep_index()
        self._forget()

    def _forget(self):
        self.recent = []
        self._seal = 0  # of all entries, what crc() was when they were added or changed

    @property
    def number(self):
        """Low 16 bits of one more than the newest record's sequence; 0: none ever."""
        return (self.mirror.sequence + 1) & _NUMBER_MASK

    def load(self):
        """Read the history. What one copy lost is read from the other. Raises EepromError if the part fails."""
        self._forget()
        self.mirror.recover()
        if self.mirror.condition != GOOD:
            return
        for sequence in newest_numbers(self.mirror.copies, self.mirror.sequence, CAPACITY):
            for copy in self.mirror.copies:
                payload = copy.find(sequence)
                if payload is not None:
                    self._add(Bolus(payload))
                    break

    def _add(self, entry):
        if entry.suspends:
            longer = self.suspendable()
            if longer is not None:
                self._seal ^= longer.crc()
                longer.seconds = min(longer.seconds + entry.seconds, _LONGEST)
                self._seal ^= longer.crc()
        self.recent.append(entry)
        self._seal ^= entry.crc()
        if len(self.recent) > CAPACITY:
            self._seal ^= self.recent.pop(0).crc()

    def hold(self):
        """Whether `recent` is what was read and begun: no number of it has changed in RAM since."""
        seal = self._seal
        try:
            for entry in self.recent:
                seal ^= entry.crc()
        except Exception:  # noqa: BLE001 - a number that cannot even be packed
            return False
        return not seal

    def suspendable(self):
        """The newest bolus of a kind that a patient bolus sets aside (R05), or None."""
        for entry in reversed(self.recent):
            if entry.kind in (CLINICIAN, SCHEDULED):
                return entry
        return None

    def begin(self, kind, span, dose, which=NOT_SCHEDULED, suspends=False):
        """A bolus is about to begin. Must return before its first step. span: (pump time of its start, s; duration, s,
        1..86,400). dose: (nL, concentration in ng/mL or 0). which: (index, date, therapy) of a scheduled bolus.
        suspends: a clinician or scheduled bolus waits meanwhile. Raises WriteError; the bolus then must not begin, and
        may count for the limits all the same."""
        patient = span[0] if kind == PATIENT else self.recent[-1].patient if self.recent else _NEVER
        index, date, therapy = which
        payload = struct.pack(_FORMAT, *span, dose[0], date, kind, index, therapy, patient, dose[1], suspends)
        self.mirror.append(payload)
        self._add(Bolus(payload))

    def begin_anew(self):
        """Both copies hold the same again, for a pump whose records were damaged. The newest entry is stored twice, and
        counts twice: against dosing. Raises WriteError."""
        if self.mirror.condition != GOOD:
            self.mirror.repeat()
            self.load()

    def is_full(self, now, window):
        """Whether the oldest entry kept could still count in a window of so many seconds: then a further bolus would
        push out of memory one that limits must still see, and is denied."""
        return len(self.recent) >= CAPACITY and self.recent[0].end > now - window

    def volume_nl(self, now, window, ng_per_ml=0):
        """Whole doses of all boluses but priming of which any part lies within (now - window, now], nL (R09).
        ng_per_ml: of what flows now; see Bolus.counts_nl()."""
        touching = [entry for entry in self.recent if entry.kind != PRIME and entry.end > now - window]
        return sum(entry.counts_nl(ng_per_ml) for entry in touching)

    def count(self, kind, now, window):
        """Boluses of a kind that began within (now - window, now]."""
        return len([entry for entry in self.recent if entry.kind == kind and entry.start > now - window])

    @property
    def last_patient(self):
        """Pump time at which the newest patient bolus began, or -1."""
        if not self.recent or self.recent[-1].patient == _NEVER:
            return -1
        return self.recent[-1].patient

    def was_given(self, which):
        """Whether a scheduled bolus (index, date, therapy) has been begun, as far back as the history reaches."""
        return any(
            entry.kind == SCHEDULED and (entry.index, entry.date, entry.therapy) == which for entry in self.recent
        )
