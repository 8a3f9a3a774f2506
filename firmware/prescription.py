"""The prescription: what it may hold, its validation and its packed form (F2, F4).

All volumes are nL, rates nL/day, the concentration ng/mL; masses exist only where people read and write them.
"""

import struct

from firmware import schedule
from firmware.calibration import check_name, text_field

DRUGS = (
    "saline",
    "morphine",
    "hydromorphone",
    "fentanyl",
    "bupivacaine",
    "clonidine",
    "ziconotide",
    "baclofen",
)
MODES = ("stopped", "continuous", "flex", "minimum")
STOPPED, CONTINUOUS, FLEX, MINIMUM = range(4)
MAX_PERIODS = 24
PATIENT_MAX = 16
MAX_CONCENTRATION = 1_000_000_000  # ng/mL: 1 g/mL
MAX_LIMIT = 1_000_000_000  # nL: 1 L
NO_LIMIT = 0xFFFFFFFF
_HEAD = "<16sBBIIIIB"
_PERIOD = "<BHHI"
_DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class PrescriptionError(ValueError):
    """A prescription that is refused; the text names field, value and what is allowed."""


class Prescription:
    """One therapy. Fields:

    patient: 1..16 printable ASCII characters; drug: name of DRUGS; concentration: ng/mL, 0 for saline;
    mode: index of MODES; basal: nL/day; periods: list of (days mask with Monday as bit 0, from minute, to minute,
    rate nL/day); max_per_hour, max_per_day: nL in a rolling window, NO_LIMIT if there is none.
    """

    def __init__(self):
        self.patient = ""
        self.drug = "saline"
        self.concentration = 0
        self.mode = STOPPED
        self.basal = 0
        self.periods: list = []
        self.max_per_hour = NO_LIMIT
        self.max_per_day = NO_LIMIT

    def schedule(self, calibration):
        """The weekly Schedule of the basal rate that this prescription asks for."""
        if self.mode == STOPPED:
            return schedule.Schedule(0, ())
        if self.mode == MINIMUM:
            return schedule.Schedule(calibration.min_rate, ())
        return schedule.Schedule(self.basal, self.periods)

    def validate(self, calibration):
        """Raise PrescriptionError, naming field, value and range, unless this pump can give it."""
        check_name("patient", self.patient, PATIENT_MAX, PrescriptionError)
        if self.drug not in DRUGS:
            _refuse("drug", self.drug, "one of " + ", ".join(DRUGS))
        if self.drug == "saline":
            if self.concentration:
                _refuse("concentration", self.concentration, "saline takes none")
        elif not 1 <= self.concentration <= MAX_CONCENTRATION:
            _refuse("concentration", "%d ng/mL" % self.concentration, "1 to %d ng/mL" % MAX_CONCENTRATION)
        if not 0 <= self.mode < len(MODES):
            _refuse("mode", self.mode, "one of " + ", ".join(MODES))
        if self.mode not in (CONTINUOUS, FLEX):
            self._refuse_unused()
            return
        if self.periods and self.mode != FLEX:
            _refuse("period", len(self.periods), "the mode continuous has none")
        check_rate("basal", self.basal, calibration)
        self._validate_periods(calibration)
        self._validate_limits()

    def _refuse_unused(self):
        name = MODES[self.mode]
        for field, value, unused in (
            ("basal", self.basal, 0),
            ("period", len(self.periods), 0),
            ("max_per_hour", self.max_per_hour, NO_LIMIT),
            ("max_per_day", self.max_per_day, NO_LIMIT),
        ):
            if value != unused:
                _refuse(field, value, "the mode %s has none" % name)

    def _validate_periods(self, calibration):
        if len(self.periods) > MAX_PERIODS:
            _refuse("period", len(self.periods), "at most %d periods" % MAX_PERIODS)
        taken = []
        for index, (days, start, end, rate) in enumerate(self.periods):
            field = "period %d " % (index + 1)
            if not 1 <= days <= 0x7F:
                _refuse(field + "days", days, "a mask of 1 to 127")
            if not (0 <= start < 1440 and 0 <= end < 1440):
                _refuse(field + "from, to", "%d, %d" % (start, end), "minutes 0 to 1439 of the day")
            check_rate(field + "rate", rate, calibration)
            for first, last in schedule.spans(days, start, end):
                taken.append((first, last, index + 1))
        check_overlap(taken)

    def _validate_limits(self):
        highest = self.basal
        for period in self.periods:
            highest = max(highest, period[3])
        # The window is always full of basal at its highest rate (R09); rounded up, against dosing.
        for field, limit, windows in (("max_per_hour", self.max_per_hour, 24), ("max_per_day", self.max_per_day, 1)):
            if limit == NO_LIMIT:
                continue
            check_limit(field, limit)
            basal = -(-highest // windows)
            if basal > limit:
                _refuse(field, "%d nL" % limit, "at least %d nL, the highest basal over the window" % basal)

    def pack(self):
        """The record payload."""
        parts = [
            struct.pack(
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
        ]
        for period in self.periods:
            parts.append(struct.pack(_PERIOD, *period))
        return b"".join(parts)


def unpack(payload, calibration):
    """The validated Prescription of a record payload. Raises PrescriptionError if it is none that may run."""
    head = struct.calcsize(_HEAD)
    if len(payload) < head:
        raise PrescriptionError("prescription: %d bytes, at least %d expected" % (len(payload), head))
    rx = Prescription()
    patient, drug, rx.mode, rx.concentration, rx.basal, rx.max_per_hour, rx.max_per_day, count = struct.unpack(
        _HEAD, payload[:head]
    )
    size = struct.calcsize(_PERIOD)
    if drug >= len(DRUGS) or len(payload) != head + count * size:
        raise PrescriptionError("prescription: drug %d, %d periods in %d bytes" % (drug, count, len(payload)))
    rx.patient = text_field(patient)
    rx.drug = DRUGS[drug]
    for index in range(count):
        first = head + index * size
        rx.periods.append(tuple(struct.unpack(_PERIOD, payload[first : first + size])))
    rx.validate(calibration)
    return rx


def _refuse(field, value, allowed):
    raise PrescriptionError("%s = %s: %s" % (field, value, allowed))


def check_rate(field, rate, calibration):
    """Raise PrescriptionError unless rate (nL/day) is 0 or within the pump's range. Nothing is ever clipped."""
    if rate and not calibration.min_rate <= rate <= calibration.max_rate:
        _refuse(field, "%d nL/day" % rate, "0 or %d to %d nL/day" % (calibration.min_rate, calibration.max_rate))


def check_limit(field, limit):
    """Raise PrescriptionError unless limit (nL) is one that a window can have."""
    if not 1 <= limit <= MAX_LIMIT:
        _refuse(field, "%d nL" % limit, "1 to %d nL" % MAX_LIMIT)


def check_overlap(taken):
    """Raise PrescriptionError if two of the (first, last, period) spans, minutes of the week, share a minute."""
    week = schedule.WEEK_S // 60
    marks = sorted(taken)
    for _, last, index in taken:
        if last > week:  # what hangs over the end of the week lies on its beginning
            marks.append((0, last - week, index))
    marks.sort()
    for before in range(len(marks) - 1):
        _, last, one = marks[before]
        first, _, other = marks[before + 1]
        if first < last:
            low, high = min(one, other), max(one, other)
            raise PrescriptionError("period %d, %d: they overlap at %s" % (low, high, minute_text(first)))


def minute_text(minute):
    """A minute of the week as text, for instance mon 08:00."""
    return "%s %s" % (_DAY_NAMES[minute // 1440 % 7], clock_text(minute % 1440))


def clock_text(minute):
    """A minute of the day as text, for instance 08:00."""
    return "%02d:%02d" % (minute // 60, minute % 60)


def parse_days(field, text):
    """Day mask (Monday is bit 0) of daily, a day, a range (which may wrap), or a comma list of these."""
    mask = 0
    for part in text.split(","):
        days = 0x7F if part == "daily" else _day_range(part)
        if not days or mask & days:
            _refuse(field, text, "daily, a day mon..sun, a range, or a comma list, each day once")
        mask |= days
    return mask


def _day_range(text):
    """Day mask of a day or of a range of different days; 0 if it is neither."""
    first, dash, last = text.partition("-")
    if first not in _DAY_NAMES or (dash and (last not in _DAY_NAMES or last == first)):
        return 0
    day = _DAY_NAMES.index(first)
    stop = _DAY_NAMES.index(last) if dash else day
    days = 1 << day
    while day != stop:
        day = (day + 1) % 7
        days |= 1 << day
    return days


def days_text(mask):
    """A day mask as text."""
    if mask == 0x7F:
        return "daily"
    return ",".join([name for bit, name in enumerate(_DAY_NAMES) if mask >> bit & 1])
