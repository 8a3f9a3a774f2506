"""A prescription from console words (F4, R22, R50)."""

from firmware import units
from firmware.days import parse_clock, parse_days, refuse
from firmware.library import Entry
from firmware.prescription import MODES, Prescription, PrescriptionError
from firmware.validation import MAX_PERIODS, MAX_SCHEDULED, check_limit

# Keys that may be given once, and what each needs. A line refused is a line not given.
_WORD = "a word"
_QUANTITY = "a number, a space and a unit"
_ONCE = {
    "patient": (1, _WORD),
    "drug": (1, _WORD),
    "concentration": (2, _QUANTITY),
    "mode": (1, _WORD),
    "basal": (2, _QUANTITY),
    "max_per_hour": (2, _QUANTITY),
    "max_per_day": (2, _QUANTITY),
    "patient_bolus": (7, "NUMBER UNIT NUMBER UNIT NUMBER UNIT N (dose, over, lockout, max_per_day)"),
}
_KEYS = "patient, drug, concentration, mode, basal, period, scheduled_bolus, patient_bolus, max_per_hour, max_per_day"
_OF_DOSES = ("basal", "patient_bolus", "max_per_hour", "max_per_day")


class Staging:
    """Collects `program stage` lines until `end`; the prescription in force is not touched. `staged`: whether it has
    begun."""

    def __init__(self, _app=None):
        """_app: what every part of the console is made with; not needed here."""
        self.discard()

    def begin(self):
        """Forget the lines and start afresh."""
        self.discard()
        self.staged = True

    def discard(self):
        """Forget the lines."""
        self.staged = False
        self._lines: dict = {}  # words by key
        self._values: dict = {}  # what they say, where that can be told
        self._periods: list = []
        self._scheduled: list = []

    def put(self, key, words):
        """One line: a key of the prescription and its words. Raises PrescriptionError or QuantityError; the line then
        counts as not given. A quantity that comes before the concentration is only read at the end."""
        if not self.staged:
            raise PrescriptionError("program stage %s: `program stage begin` comes first" % key)
        if key == "period":
            self._put_period(words)
        elif key == "scheduled_bolus":
            self._put_scheduled(words)
        elif key not in _ONCE:
            raise PrescriptionError("%s: no such key; one of %s" % (key, _KEYS))
        elif key in self._lines:
            refuse(key, " ".join(words), "given twice")
        else:
            _expect(key, words, *_ONCE[key])
            self._values[key] = self._value(key, words)
            self._lines[key] = words

    def _value(self, key, words):
        if key == "drug":
            Entry(words[0])
        elif key == "mode" and words[0] not in MODES:
            refuse("mode", words[0], "one of " + ", ".join(MODES))
        elif key == "concentration":
            return units.concentration(key, words[0], words[1])
        elif key == "patient_bolus":
            return (
                self._read(units.dose, "patient_bolus dose", words[0], words[1]),
                units.duration("patient_bolus over", words[2], words[3]),
                units.duration("patient_bolus lockout", words[4], words[5]),
                _count("patient_bolus max_per_day", words[6]),
            )
        elif key in ("basal", "max_per_hour", "max_per_day"):
            return self._read(units.rate if key == "basal" else units.dose, key, words[0], words[1])
        return words[0]

    def _put_period(self, words):
        _expect("period", words, 5, "DAYS HH:MM HH:MM NUMBER UNIT")
        if len(self._periods) == MAX_PERIODS:
            raise PrescriptionError("period: at most %d periods" % MAX_PERIODS)
        field = "period %d " % (len(self._periods) + 1)
        days = parse_days(field + "days", words[0])
        start = parse_clock(field + "from", words[1])
        end = parse_clock(field + "to", words[2])
        self._periods.append((days, start, end, self._read(units.rate, field + "rate", words[3], words[4])))

    def _put_scheduled(self, words):
        _expect("scheduled_bolus", words, 6, "DAYS HH:MM NUMBER UNIT NUMBER UNIT (dose, over)")
        if len(self._scheduled) == MAX_SCHEDULED:
            raise PrescriptionError("scheduled_bolus: at most %d scheduled boluses" % MAX_SCHEDULED)
        field = "scheduled_bolus %d " % (len(self._scheduled) + 1)
        days = parse_days(field + "days", words[0])
        minute = parse_clock(field + "at", words[1])
        dose = self._read(units.dose, field + "dose", words[2], words[3])
        self._scheduled.append((days, minute, dose, units.duration(field + "over", words[4], words[5])))

    def _read(self, read, field, number, unit):
        """The quantity in nL, or what will read it once the concentration is known."""
        known = self._values
        if "concentration" in known or ("drug" in known and not Entry(known["drug"]).concentrations):
            return read(field, number, unit, known.get("concentration", 0))
        return read, field, number, unit

    def end(self, calibration):
        """Compute and validate the whole. Returns the Prescription; raises PrescriptionError or QuantityError. The
        lines are kept."""
        if not self.staged:
            raise PrescriptionError("program stage end: `program stage begin` comes first")
        rx = self._compute()
        rx.validate(calibration)
        return rx

    def _need(self, key):
        if key not in self._values:
            raise PrescriptionError("%s: missing" % key)
        return self._values[key]

    def _compute(self):
        rx = Prescription()
        rx.patient = self._need("patient")
        rx.drug = self._need("drug")
        rx.mode = MODES.index(self._need("mode"))
        if Entry(rx.drug).concentrations:
            rx.concentration = self._need("concentration")
        elif "concentration" in self._lines:  # not even 0
            refuse("concentration", " ".join(self._lines["concentration"]), rx.drug + " takes none")
        if not rx.gives_doses:
            self._refuse_unused(MODES[rx.mode])
            return rx
        ng = rx.concentration
        rx.basal = _whole(self._need("basal"), ng)
        rx.periods = [_with_whole(period, 3, ng) for period in self._periods]
        rx.scheduled = [_with_whole(bolus, 2, ng) for bolus in self._scheduled]
        if "patient_bolus" in self._values:
            dose, seconds, lockout, count = self._values["patient_bolus"]
            rx.patient_bolus = (_whole(dose, ng), seconds, lockout, count)
        for key in ("max_per_hour", "max_per_day"):
            if key in self._values:
                # The number that stands for no limit can be typed: it must not turn into none, but be refused.
                limit = _whole(self._values[key], ng)
                check_limit(key, limit)
                setattr(rx, key, limit)
        return rx

    def _refuse_unused(self, mode):
        """A key that the mode does not use is refused even when its value is 0."""
        for key, given in (("period", self._periods), ("scheduled_bolus", self._scheduled)):
            if given:
                refuse(key, len(given), "the mode %s has none" % mode)
        for key in _OF_DOSES:
            if key in self._lines:
                refuse(key, " ".join(self._lines[key]), "the mode %s has none" % mode)


def _whole(value, ng_per_ml):
    """nL of what Staging._read gave."""
    if isinstance(value, int):
        return value
    read, field, number, unit = value
    return read(field, number, unit, ng_per_ml)


def _with_whole(values, place, ng_per_ml):
    """The same values with nL in this place; mostly there are, and a full prescription is not held twice."""
    if isinstance(values[place], int):
        return values
    return values[:place] + (_whole(values[place], ng_per_ml),) + values[place + 1 :]


def _expect(key, words, count, need):
    if len(words) != count:
        refuse(key, " ".join(words), need + " is needed")


def _count(field, text):
    mantissa, decimals = units.number(field, text)
    if decimals:
        refuse(field, text, "a whole number is needed")
    return mantissa
