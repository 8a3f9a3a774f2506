"""A prescription from console words, and its comparison with the one in force (F4, R22, R50)."""

from binascii import crc32

from firmware import units
from firmware.prescription import (
    DRUGS,
    MAX_PERIODS,
    MODES,
    NO_LIMIT,
    Prescription,
    PrescriptionError,
    check_limit,
    clock_text,
    days_text,
    parse_days,
)

_ONCE = ("patient", "drug", "concentration", "mode", "basal", "max_per_hour", "max_per_day")
_BOLUSES = ("scheduled_bolus", "patient_bolus")


def digest(rx):
    """What host and pump compare before a commit: CRC-32 of the packed form, as 8 hex digits."""
    return "%08x" % (crc32(rx.pack()) & 0xFFFFFFFF)


def _minutes(field, text):
    hour, colon, minute = text.partition(":")
    good = colon and len(hour) == 2 and len(minute) == 2
    for digit in hour + minute:
        good = good and digit in "0123456789"
    if not good or int(hour) > 23 or int(minute) > 59:
        raise PrescriptionError("%s = %s: 00:00 to 23:59" % (field, text))
    return int(hour) * 60 + int(minute)


class Staging:
    """Collects `program stage` lines until `end`; the prescription in force is not touched."""

    def __init__(self):
        self.open = False
        self.complete = None  # a validated Prescription, ready to commit
        self._lines: dict = {}
        self._periods: list = []

    def begin(self):
        """Forget what was staged and start afresh."""
        self.discard()
        self.open = True

    def discard(self):
        """Forget what was staged."""
        self.open = False
        self.complete = None
        self._lines = {}
        self._periods = []

    def put(self, key, words):
        """One line: a key of the prescription and its words. Raises PrescriptionError or QuantityError."""
        if not self.open:
            raise PrescriptionError("program stage %s: `program stage begin` comes first" % key)
        if key in _BOLUSES:
            raise PrescriptionError("%s: this version of the pump gives no boluses" % key)
        if key == "period":
            if len(words) != 5:
                raise PrescriptionError("period = %s: DAYS HH:MM HH:MM NUMBER UNIT is needed" % " ".join(words))
            if len(self._periods) == MAX_PERIODS:
                raise PrescriptionError("period: at most %d periods" % MAX_PERIODS)
            self._periods.append(words)
            return
        if key not in _ONCE:
            raise PrescriptionError("%s: no such key; one of %s, period" % (key, ", ".join(_ONCE)))
        if key in self._lines:
            raise PrescriptionError("%s = %s: given twice" % (key, " ".join(words)))
        count = 1 if key in ("patient", "drug", "mode") else 2
        if len(words) != count:
            need = "a word" if count == 1 else "a number, a space and a unit"
            raise PrescriptionError("%s = %s: %s is needed" % (key, " ".join(words), need))
        self._lines[key] = words

    def end(self, calibration):
        """Compute and validate the whole. Returns the Prescription; raises PrescriptionError or QuantityError."""
        if not self.open:
            raise PrescriptionError("program stage end: `program stage begin` comes first")
        rx = self._compute()
        rx.validate(calibration)
        self.open = False
        self.complete = rx
        return rx

    def _word(self, key):
        if key not in self._lines:
            raise PrescriptionError("%s: missing" % key)
        return self._lines[key][0]

    def _compute(self):
        lines = self._lines
        rx = Prescription()
        rx.patient = self._word("patient")
        rx.drug = self._word("drug")
        if rx.drug not in DRUGS:
            raise PrescriptionError("drug = %s: one of %s" % (rx.drug, ", ".join(DRUGS)))
        if self._word("mode") not in MODES:
            raise PrescriptionError("mode = %s: one of %s" % (self._word("mode"), ", ".join(MODES)))
        rx.mode = MODES.index(self._word("mode"))
        if "concentration" in lines:
            rx.concentration = units.concentration("concentration", *lines["concentration"])
        elif rx.drug != "saline":
            raise PrescriptionError("concentration: missing")
        if "basal" in lines:
            rx.basal = _quantity(units.rate, "basal", lines, rx)
        elif MODES[rx.mode] in ("continuous", "flex"):
            raise PrescriptionError("basal: missing")
        self._refuse_unused(rx)
        for number, words in enumerate(self._periods):
            rx.periods.append(_period("period %d " % (number + 1), words, rx.concentration))
        if "max_per_hour" in lines:
            rx.max_per_hour = _limit("max_per_hour", lines, rx)
        if "max_per_day" in lines:
            rx.max_per_day = _limit("max_per_day", lines, rx)
        return rx

    def _refuse_unused(self, rx):
        """A key that the mode does not use is refused even when its value is 0."""
        if rx.drug == "saline" and "concentration" in self._lines:
            raise PrescriptionError("concentration = %s: saline takes none" % " ".join(self._lines["concentration"]))
        if MODES[rx.mode] in ("continuous", "flex"):
            return
        for key in ("basal", "max_per_hour", "max_per_day"):
            if key in self._lines:
                raise PrescriptionError(
                    "%s = %s: the mode %s has none" % (key, " ".join(self._lines[key]), MODES[rx.mode])
                )


def _quantity(read, key, lines, rx):
    number, unit = lines[key]
    return read(key, number, unit, rx.concentration)


def _limit(key, lines, rx):
    # NO_LIMIT itself is a number that somebody can type: it must not turn into "no limit", but be refused.
    limit = _quantity(units.dose, key, lines, rx)
    check_limit(key, limit)
    return limit


def _period(field, words, concentration):
    days, start, end, number, unit = words
    return (
        parse_days(field + "days", days),
        _minutes(field + "from", start),
        _minutes(field + "to", end),
        units.rate(field + "rate", number, unit, concentration),
    )


def _rows(rx):
    """(name, text) of everything in a prescription, in mass and in volume (F8)."""
    if rx is None:
        return {}
    ng = rx.concentration
    rows = {
        "patient": rx.patient,
        "drug": rx.drug,
        "concentration": units.decimal(ng, 1_000) + " ug/mL" if ng else "none",
        "mode": MODES[rx.mode],
    }
    if MODES[rx.mode] in ("continuous", "flex"):
        rows["basal"] = units.both_text(rx.basal, ng, "/day")
    for index, period in enumerate(rx.periods):
        days, start, end, rate = period
        rows["period %02d" % (index + 1)] = "%s %s-%s %s" % (
            days_text(days),
            clock_text(start),
            clock_text(end),
            units.both_text(rate, ng, "/day"),
        )
    for name, limit in (("max_per_hour", rx.max_per_hour), ("max_per_day", rx.max_per_day)):
        if limit != NO_LIMIT:
            rows[name] = units.both_text(limit, ng)
    return rows


def show(active, staged):
    """Lines that show the prescription in force and, beside each changed value, the staged one."""
    old = _rows(active)
    new = _rows(staged) if staged else old
    lines = []
    for name in sorted(set(list(old) + list(new)), key=_rank):
        before = old.get(name, "none")
        after = new.get(name, "none")
        lines.append("%s: %s" % (name, before) if before == after else "%s: %s -> %s" % (name, before, after))
    return lines


def _rank(name):
    order = ("patient", "drug", "concentration", "mode", "basal", "period", "max_per_hour", "max_per_day")
    return "%d %s" % (order.index(name.split(" ")[0]), name)
