"""The guided refill: what came out of the reservoir against what should have been in it (F6, R22).

The residual that is withdrawn tells what the pump really delivered since the refill before. What does not fit is shown,
and beyond a limit it must be explained before anything changes: a needle that missed the pump, a leak or a pump that
delivers too much look the same from outside. The delivered count stays as it is: steps were made as counted.

A diary entry (diary.REFILL) holds: local time, expected nL, measured nL, delivered by the ledger since the refill
before nL, the volume after in bits 0-31 with the explanation (index into events.NAMES) from bit 32 and pl_per_step from
bit 36 on, and the ledger's whole count in nL.
"""

from micropython import const

from firmware import alarms, civil, events, units
from firmware.diary import REFILL

# A clinic investigates from 2 mL or 20 % of the programmed volume on; 0.1 mL is what a syringe can be read to.
LIMIT_NL = const(2_000_000)
LIMIT_PERCENT = const(20)
SMALLEST_NL = const(100_000)
# What suggests another pl_per_step: so many refills in a row, of which each tells something.
SERIES = const(3)
PROGRAMMED_MIN_NL = const(1_000_000)
ALIKE_PERCENT = const(3)
BEYOND_PERCENT = const(2)
_PL_PER_STEP = (1_000, 1_000_000)
_ENTRIES = const(8)  # newest refills that are looked at: some may never have come into force
_ROUNDING_NL = const(2)
_USAGE = ", as in `refill NUMBER UNIT [measured NUMBER UNIT] [because WORD]`"
_EXPLANATIONS = events.NAMES["explanation"]
_NOT_THE_PUMP = tuple([_EXPLANATIONS.index(word) for word in ("spilled", "sampled", "leak")])


class Refill:
    """One refill of the diary. Volumes nL; `total_nl`: the ledger's count when it was told."""

    def __init__(self, values):
        """values: six integers of a diary entry; whatever they are, nothing is raised."""
        self.time, self.expected_nl, self.measured_nl, self.programmed_nl, packed, self.total_nl = values
        self.after_nl = packed & 0xFFFFFFFF
        self.explanation = packed >> 32 & 0xF
        self.pl_per_step = packed >> 36

    def values(self):
        """As the diary takes it."""
        packed = self.after_nl | self.explanation << 32 | self.pl_per_step << 36
        return self.time, self.expected_nl, self.measured_nl, self.programmed_nl, packed, self.total_nl

    @property
    def actual_nl(self):
        """What was really delivered since the refill before, if the residual was measured well."""
        return self.programmed_nl + self.expected_nl - self.measured_nl


def needs_explanation(discrepancy_nl, programmed_nl):
    """Whether measured less expected residual is beyond the limit, for what was delivered since the last refill."""
    size = abs(discrepancy_nl)
    return size > LIMIT_NL or (size > SMALLEST_NL and size * 100 > programmed_nl * LIMIT_PERCENT)


def newest_in_force(refills, expected_nl, total_nl):
    """Index of the newest of these refills (newest first) that the ledger knows, or None: one whose command a cut
    ended before the ledger took it, or one of before a new ledger began, is none. A ledger that counted below empty
    cannot tell."""
    for index, refill in enumerate(refills):
        delivered = total_nl - refill.total_nl
        left = refill.after_nl - delivered
        if delivered >= 0 and (abs(left - expected_nl) <= _ROUNDING_NL or (left < 0 and expected_nl == 0)):
            return index
    return None


def series(refills):
    """Of these refills, newest first, those that follow upon each other."""
    found = []
    base = refills[0].total_nl
    for refill in refills:
        if refill.total_nl == base:
            found.append(refill)
            base -= refill.programmed_nl
    return found


def _tells(refill, pl_per_step):
    """Whether a refill tells something of the pump as it is calibrated now."""
    if refill.pl_per_step != pl_per_step or refill.explanation in _NOT_THE_PUMP:
        return False
    return refill.programmed_nl >= PROGRAMMED_MIN_NL and refill.actual_nl > 0


def suggestion(refills, pl_per_step):
    """The pl_per_step that the newest refills (newest first) suggest, in exact integers, or None. They suggest one when
    three in a row, all made with the present one, deviate to the same side, alike to 3 %, and by more than 2 % in the
    mean."""
    refills = [refill for refill in refills[:SERIES] if _tells(refill, pl_per_step)]
    if len(refills) < SERIES:
        return None
    low = high = (refills[0].actual_nl, refills[0].programmed_nl)
    total, scale = 0, 1  # the sum of the ratios actual / programmed is total / scale
    for refill in refills:
        actual, programmed = refill.actual_nl, refill.programmed_nl
        total, scale = total * programmed + actual * scale, scale * programmed
        if actual * low[1] < low[0] * programmed:
            low = (actual, programmed)
        if actual * high[1] > high[0] * programmed:
            high = (actual, programmed)
    scale *= SERIES
    one_side = low[0] > low[1] or high[0] < high[1]
    alike = high[0] * low[1] * 100 <= low[0] * high[1] * (100 + ALIKE_PERCENT)
    found = (2 * pl_per_step * total + scale) // (2 * scale)
    if not one_side or not alike or abs(total - scale) * 100 <= scale * BEYOND_PERCENT:
        return None
    return found if _PL_PER_STEP[0] <= found <= _PL_PER_STEP[1] else None


def _parse(words):
    """(volume words, measured words or None, explanation or None) of what follows `refill`."""
    volume = _two("refill", words[:2])
    measured = why = None
    rest = words[2:]
    if rest[:1] == ["measured"]:
        measured = _two("refill measured", rest[1:3])
        rest = rest[3:]
    if rest[:1] == ["because"]:
        word = " ".join(rest[1:2])
        if word not in _EXPLANATIONS:
            _refuse("refill because", word, "one of " + ", ".join(_EXPLANATIONS))
        why = _EXPLANATIONS.index(word)
        rest = rest[2:]
    if rest:
        _refuse("refill ...", " ".join(rest), "nothing" + _USAGE)
    return volume, measured, why


def _two(field, words):
    """The words of a volume, number and unit."""
    if len(words) < 2 or words[1] in ("measured", "because"):
        _refuse(field, " ".join(words[:1]), "a number, a space and nL, uL or mL" + _USAGE)
    return words


def _refuse(field, value, allowed):
    raise ValueError("%s = %s: %s" % (field, value or "nothing", allowed))


def _volume(field, words, lowest, capacity):
    value = " ".join(words)
    if words[1] not in units.VOLUME_NL:
        _refuse(field, value, "a volume is needed, in nL, uL or mL")
    volume_nl = units.dose(field, words[0], words[1], 0)
    if not lowest <= volume_nl <= capacity:
        _refuse(field, value, "%d nL to %s" % (lowest, _ml(capacity)))
    return volume_nl


def _ml(volume_nl):
    return ("-" if volume_nl < 0 else "") + units.decimal(abs(volume_nl), 1_000_000, 6) + " mL"


def discrepancy_text(discrepancy_nl, programmed_nl):
    """Measured less expected residual, in mL, and in percent of what was delivered since the last refill, unless that
    is less than can be measured."""
    text = _ml(discrepancy_nl)
    if programmed_nl <= 0:
        return text + ", and nothing was delivered since the last refill"
    if programmed_nl < SMALLEST_NL:
        return "%s; %s delivered since the last refill" % (text, _ml(programmed_nl))
    sign = "-" if discrepancy_nl < 0 else ""
    percent = units.decimal(abs(discrepancy_nl) * 100, programmed_nl, 1)
    return "%s, %s%s %% of %s delivered since the last refill" % (text, sign, percent, _ml(programmed_nl))


class Refilling:
    """The refills of one pump. A refusal is a ValueError; nothing has changed then."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app

    def order(self, words):
        """`refill NUMBER UNIT [measured NUMBER UNIT] [because WORD]`. Returns lines for the operator."""
        app = self._app
        volume, measured, why = _parse(words)
        app.records.need_loaded("refill")
        values = app.records.calibration
        if values is None or not app.records.has_ledger:
            raise ValueError("refill: the pump has no calibration")
        after_nl = _volume("refill", volume, 1, values.reservoir_nl)
        expected_nl = measured_nl = app.ledger.reservoir_nl
        if measured is not None:
            measured_nl = _volume("refill measured", measured, 0, values.reservoir_nl)
        known = self._known()
        programmed_nl = app.ledger.volume_nl - (known[0].total_nl if known else 0)
        discrepancy = discrepancy_text(measured_nl - expected_nl, programmed_nl)
        if not why and needs_explanation(measured_nl - expected_nl, programmed_nl):
            raise ValueError(
                "refill measured = %s: %s were expected; %s; `because WORD` is needed, one of %s"
                % (_ml(measured_nl), _ml(expected_nl), discrepancy, ", ".join(_EXPLANATIONS[1:]))
            )
        packed = after_nl | (why or 0) << 32 | values.pl_per_step << 36
        now = app.dosing.day * civil.SECONDS_PER_DAY + app.dosing.second
        refill = Refill((now, expected_nl, measured_nl, programmed_nl, packed, app.ledger.volume_nl))
        self._store(refill)
        lines = [
            "reservoir: " + _ml(after_nl),
            "expected: " + _ml(expected_nl),
            "measured: " + _ml(measured_nl) + ("" if measured is not None else ", by default"),
            "discrepancy: " + discrepancy,
        ]
        if app.must_record:
            lines.append("not yet stored: the EEPROM refuses")
        return lines + self._advice(series([refill] + known))

    def _known(self):
        """The refills that are in force, newest first."""
        try:
            entries = self._app.diary.newest(REFILL, _ENTRIES)
        except OSError as error:
            raise ValueError("refill: the diary cannot be read (%s); nothing has changed" % error)
        refills = [Refill(values) for values in entries if len(values) == 6]
        book = self._app.ledger
        newest = newest_in_force(refills, book.reservoir_nl, book.volume_nl)
        return [] if newest is None else refills[newest:]

    def _store(self, refill):
        """Diary first: a cut in between leaves an entry that the ledger does not know, and the old volume in force."""
        app = self._app
        try:
            app.diary.add(REFILL, refill.values())
        except OSError as error:
            app.log.log("write_failed", record=events.NAMES["record"].index("diary"))
            raise ValueError("refill: the EEPROM refused it (%s); nothing has changed" % error)
        app.ledger.refill(refill.after_nl)
        app.log.log(
            "residual",
            expected_nl=refill.expected_nl,
            measured_nl=refill.measured_nl,
            programmed_nl=refill.programmed_nl,
            explanation=refill.explanation,
        )
        app.log.log("refilled", expected_nl=refill.expected_nl, volume_nl=refill.after_nl)
        app.alarms.gone(alarms.RESERVOIR_EMPTY)
        if refill.after_nl > app.records.calibration.low_reservoir_nl:
            app.alarms.gone(alarms.LOW_RESERVOIR)
        app.must_record = True
        app.apply()
        app.record_state()

    def _advice(self, refills):
        pl_per_step = self._app.records.calibration.pl_per_step
        found = suggestion(refills, pl_per_step)
        if found is None:
            return []
        text = (
            "suggestion: pl_per_step = %d instead of %d, as the last %d refills agree; `calibrate set pl_per_step %d`"
        )
        return [text % (found, pl_per_step, SERIES, found)]
