"""The prescription and its packed form (F2, F3, F4). What it may hold: validation.py.

All volumes are nL, rates nL/day, the concentration ng/mL; masses exist only where people read and write them.
"""

import struct
from binascii import crc32

from firmware import course, schedule, validation
from firmware.calibration import text_field
from firmware.days import PrescriptionError
from firmware.library import DRUGS

MODES = validation.MODES
STOPPED, CONTINUOUS, FLEX, MINIMUM = range(len(MODES))
NO_LIMIT = validation.NO_LIMIT
_HEAD = "<16sBBIIIIB"
_PERIOD = "<BHHI"
_SCHEDULED = "<BHII"
_PATIENT = "<IIIB"
_NO_PATIENT = (0, 0, 0, 0)


class Prescription:
    """One therapy. Fields:

    patient: 1..16 printable ASCII characters; drug: name of DRUGS; concentration: ng/mL, 0 for saline;
    mode: index of MODES; basal: nL/day; periods: list of (days mask with Monday as bit 0, from minute, to minute,
    rate nL/day); scheduled: list of (days mask, minute of the day, dose nL, seconds); patient_bolus: None or (dose nL,
    seconds, lockout s, max_per_day); max_per_hour, max_per_day: nL in a rolling window, NO_LIMIT if there is none;
    course: what it is in the middle of, no part of what host and pump compare. worst_day: the most that any 24 h may
    bring without a clinician, nL; validate() finds it.
    """

    def __init__(self):
        self.patient = ""
        self.drug = "saline"
        self.concentration = 0
        self.mode = STOPPED
        self.basal = 0
        self.periods: list = []
        self.scheduled: list = []
        self.patient_bolus: tuple | None = None
        self.max_per_hour = NO_LIMIT
        self.max_per_day = NO_LIMIT
        self.course = course.Course()
        self.worst_day = 0

    def digest(self):
        """What host and pump compare before a commit: CRC-32 of the packed therapy, as 8 hex digits."""
        return "%08x" % self.crc()

    def crc(self):
        """CRC-32 of the packed therapy. Part by part: a heap with two full prescriptions may have no room for a third
        copy of one in one piece."""
        crc = 0
        for part in self._parts():
            crc = crc32(part, crc)
        return crc & 0xFFFFFFFF

    @property
    def gives_doses(self):
        """Whether the mode has a programmed basal, boluses and limits."""
        return self.mode in (CONTINUOUS, FLEX)

    def schedule(self, calibration):
        """The weekly Schedule of the basal rate that this prescription asks for."""
        if self.mode == STOPPED:
            return schedule.Schedule(0, ())
        if self.mode == MINIMUM:
            return schedule.Schedule(calibration.min_rate, ())
        return schedule.Schedule(self.basal, self.periods)

    def highest_rate(self):
        """The highest programmed rate, nL/day, the basal among them even if periods cover the whole week."""
        highest = self.basal
        for period in self.periods:
            highest = max(highest, period[3])
        return highest

    def validate(self, calibration):
        """Raise PrescriptionError, naming field, value and range, unless this pump can give it."""
        validation.validate(self, calibration)

    def pack(self):
        """The therapy, packed: what host and pump compare a digest of."""
        return b"".join(self._parts())

    def _parts(self):
        """What the packed therapy consists of, one after the other."""
        yield struct.pack(
            _HEAD,
            self.patient.encode(),
            DRUGS.index(self.drug),
            self.mode,
            self.concentration,
            self.basal,
            self.max_per_hour,
            self.max_per_day,
            len(self.periods),
        )
        for period in self.periods:
            yield struct.pack(_PERIOD, *period)
        yield bytes((len(self.scheduled),))
        for bolus in self.scheduled:
            yield struct.pack(_SCHEDULED, *bolus)
        yield struct.pack(_PATIENT, *(self.patient_bolus or _NO_PATIENT))

    def room(self):
        """An empty buffer for record()."""
        lists = len(self.periods) * struct.calcsize(_PERIOD) + 1 + len(self.scheduled) * struct.calcsize(_SCHEDULED)
        return bytearray(struct.calcsize(_HEAD) + lists + struct.calcsize(_PATIENT) + course.SIZE)

    def record(self, room=None):
        """The record payload, at most 550 bytes: the therapy and its course. room: what room() gave, which is the
        record from then on."""
        found = self.room() if room is None else room
        at = 0
        for part in self._parts():
            found[at : at + len(part)] = part
            at += len(part)
        found[at:] = self.course.pack()
        return found

    def record_crc(self):
        """CRC-32 of record(), which is not made for it."""
        return crc32(self.course.pack(), self.crc()) & 0xFFFFFFFF


def unpack(payload, calibration):
    """The validated Prescription of a record payload. Raises ValueError if it is none that may run."""
    rx = parse(payload)
    rx.validate(calibration)
    return rx


def parse(payload):
    """The Prescription of a record payload, as it stands there: this pump need not be able to give it. Raises
    ValueError."""
    rx = Prescription()
    reader = _Reader(payload)
    patient, drug, rx.mode, rx.concentration, rx.basal, rx.max_per_hour, rx.max_per_day, count = reader.take(_HEAD)
    for _ in range(count):
        rx.periods.append(reader.take(_PERIOD))
    for _ in range(reader.take("<B")[0]):
        rx.scheduled.append(reader.take(_SCHEDULED))
    bolus = reader.take(_PATIENT)
    if len(payload) - reader.at != course.SIZE or drug >= len(DRUGS):
        raise PrescriptionError("prescription: drug %d, therapy in %d of %d bytes" % (drug, reader.at, len(payload)))
    rx.patient_bolus = None if bolus == _NO_PATIENT else bolus
    rx.course = course.unpack(payload[reader.at :])
    rx.patient = text_field(patient)
    rx.drug = DRUGS[drug]
    return rx


class _Reader:
    """Takes one packed thing after the other."""

    def __init__(self, payload):
        self._payload = payload
        self.at = 0

    def take(self, form):
        """Tuple of what the payload holds next."""
        end = self.at + struct.calcsize(form)
        if end > len(self._payload):
            raise PrescriptionError("prescription: %d bytes, at least %d expected" % (len(self._payload), end))
        found = struct.unpack(form, self._payload[self.at : end])
        self.at = end
        return found
