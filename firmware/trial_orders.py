"""What an operator can order about a trial that has begun, and the scores that tell whether it helps (F5). Refusals are
ValueErrors that name field, value and what is allowed."""

from firmware import civil, events, prescription, units
from firmware.course import SIZE, Course
from firmware.course import unpack as unpack_course
from firmware.diary import SCORE
from firmware.history import History

# Bits of a stored score: a name keeps its place for ever.
EFFECTS = ("nausea", "itching", "sedation", "dizziness", "weakness", "retention", "headache", "confusion")
MISSING = 255
_SCALES = (("pain", 10), ("spasticity", 4))  # numeric rating scale; modified Ashworth scale
_FIELDS = (
    "patient",
    "drug",
    "concentration",
    "mode",
    "basal",
    "periods",
    "scheduled",
    "patient_bolus",
    "max_per_hour",
    "max_per_day",
    "worst_day",
)
_SCORES_MAX = 40  # what the diary can hold


class TrialOrders:
    """The trial orders of one pump."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._trials = app.courses.trials
        self._scores = None  # (pump time at which the trial began, its scores), once they have been looked for

    def _need(self, verb):
        if self._trials.course() is None:
            raise ValueError("trial %s: there is none" % verb)
        return self._app.records.prescription

    def need_running(self):
        """Raise ValueError unless a trial runs."""
        self._need("end")
        if self._trials.is_over():
            raise ValueError("trial end: it is over; `trial keep` or `trial discard` comes next")

    def keep(self):
        """Stage the prescription that is, or was, on trial, for good. Returns lines for the operator."""
        rx = _copy(self._need("keep"))
        self._app.courses.need_hold("trial keep")
        return self._app.parts.part("programming").present(rx)

    def discard(self):
        """Stage the prescription before the trial, or none if it cannot be had. Returns lines for the operator: a
        generator, as it takes its time to read and to check it."""
        return self._discarded(self._need("discard"))

    def _discarded(self, rx):
        payload, why = self._before(rx.course.trial_start)
        found = None
        if payload is not None:
            yield "before the trial: found, and checked once more"
            try:
                before = prescription.parse(payload)
                before.course = Course()
                before.validate(self._app.records.calibration)
                found = before
            except ValueError as error:
                why = str(error)
        if found is None:
            found = prescription.Prescription()
            found.patient, found.drug, found.concentration = rx.patient, rx.drug, rx.concentration
            yield "before the trial: %s; mode stopped is staged" % why
        yield from self._app.parts.part("programming").present(found)

    def _before(self, trial):
        """(the record before a trial, or None; why). What is newer was the trial, the end of its bridge, or its own."""
        try:
            for payload in History(self._app.board.eeprom).payloads():
                if unpack_course(payload[-SIZE:]).trial_start != trial:
                    return payload, ""
        except (OSError, ValueError) as error:
            return None, str(error)
        return None, "nothing is known any more"

    # -- what operators see -----------------------------------------------------------------------------------

    def show(self):
        """Lines about the trial and its scores."""
        course = self._trials.course()
        if course is None:
            return ["trial: none"]
        left = self._trials.left_s()
        lines = ["trial: running" if left else "trial: over; `trial keep` or `trial discard` comes next"]
        if left:
            dosing = self._app.dosing
            lines.append("trial_left_s: %d" % left)
            lines.append("trial_end: " + civil.iso(*civil.shifted(dosing.day, dosing.second, left)))
        lines.append("afterwards: " + events.NAMES["afterwards"][course.afterwards])
        return lines + self._score_lines(course)

    def _score_lines(self, course):
        try:
            scores = self._of_trial(course)
        except OSError as error:
            return ["scores: the EEPROM could not be read (%s)" % error]
        lines = ["scores: %d" % len(scores)]
        for place, (name, _) in enumerate(_SCALES):
            values = [score[1 + place] for score in scores if score[1 + place] != MISSING]
            if values:
                lines.append("%s: %d -> %d (%+d)" % (name, values[0], values[-1], values[-1] - values[0]))
        seen = 0
        for score in scores:
            seen |= score[3]
        names = [name for bit, name in enumerate(EFFECTS) if seen >> bit & 1]
        return lines + ["effects: " + ",".join(names)] if names else lines

    def _of_trial(self, course):
        """The scores since the trial began, oldest first; read once."""
        if self._scores is None or self._scores[0] != course.trial_start:
            found = self._app.diary.newest(SCORE, _SCORES_MAX)
            kept = [score for score in reversed(found) if score[-1] >= course.trial_start]
            self._scores = course.trial_start, kept
        return self._scores[1]

    def score(self, words):
        """`pain N`, `spasticity N` and the names of effects, in this order; each may be left out, not all."""
        values = [MISSING, MISSING]
        for place, (name, highest) in enumerate(_SCALES):
            if words[:1] == [name]:
                values[place] = units.whole(name, words[1] if len(words) > 1 else "", 0, highest)
                words = words[2:]
        effects = 0
        for name in words:
            bit = 1 << EFFECTS.index(name) if name in EFFECTS else 0
            if not bit or effects & bit:
                raise ValueError("score = %s: `pain N spasticity N`, then once each of %s" % (name, ", ".join(EFFECTS)))
            effects |= bit
        if not effects and values == [MISSING, MISSING]:
            raise ValueError("score: `pain N spasticity N EFFECT...` after it, with at least one of them")
        app = self._app
        local = app.dosing.day * civil.SECONDS_PER_DAY + app.dosing.second
        try:
            app.diary.add(SCORE, (local, values[0], values[1], effects, app.therapy.now()))
        except OSError as error:
            raise ValueError("score: the EEPROM refused it (%s)" % error)
        app.log.log("score", pain=values[0], spasticity=values[1], effects=effects)
        self._scores = None  # read again when needed
        return ()


def _copy(rx):
    """A Prescription in force once more, on no course. What is in force is valid."""
    found = prescription.Prescription()
    for name in _FIELDS:
        setattr(found, name, getattr(rx, name))
    return found
