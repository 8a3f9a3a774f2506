"""The bridge that a commit begins, and what operators are told of it (F7)."""

from micropython import const

from firmware import fluid_path, prescription, schedule, units
from firmware.bridging import seconds
from firmware.course import Course
from firmware.history import History
from firmware.library import Entry
from firmware.pages import following
from firmware.prescription import MINIMUM, STOPPED
from firmware.validation import check_unasked

_U32 = 0xFFFFFFFF
_DAY_S = const(86_400)
_DAY_MINUTES = const(1_440)
_WEEK_MINUTES = const(10_080)
CANCEL = "; if the path was flushed by hand, `bridge cancel` ends it"


def mean_basal(rx, mode, calibration, boluses_nl=0):
    """Mean of a prescription's basal rate over its week in a mode (index of MODES), nL/day, floored. boluses_nl: what
    its scheduled boluses give in a week, to be counted with it."""
    if mode == STOPPED:
        return 0
    if mode == MINIMUM:
        return calibration.min_rate
    total = rx.basal * _WEEK_MINUTES + boluses_nl * _DAY_MINUTES
    for days, start, end, rate in rx.periods:  # they do not overlap
        for day in range(7):
            total += (rate - rx.basal) * schedule.minutes(start, end) * (days >> day & 1)
    return total // _WEEK_MINUTES


def mean_dose(rx, mode, calibration):
    """What a prescription gives a day in a mode without anybody asking, nL/day: the mean over its week of basal and
    scheduled boluses, floored once."""
    boluses_nl = 0
    for days, _, dose_nl, _ in rx.scheduled:
        for day in range(7):
            boluses_nl += dose_nl * (days >> day & 1)
    return mean_basal(rx, mode, calibration, boluses_nl)


def drug_text(rx):
    """Drug and concentration."""
    return rx.drug + (" %s ug/mL" % units.decimal(rx.concentration, 1_000) if rx.concentration else "")


def _span_text(span):
    """A duration, s, in words, rounded down to minutes or hours."""
    if span < 2 * _DAY_S:
        return "%d h %d min" % (span // 3_600, span % 3_600 // 60)
    return "%d d %d h" % (span // _DAY_S, span % _DAY_S // 3_600)


class BridgePlan:
    """The bridge that the next commit of one pump begins."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._bridging = app.courses.bridging

    def plan(self, rx):
        """(Course, what to tell the operator) for a prescription that is about to be committed. Raises ValueError if a
        bridge that runs forbids it: only back to what it flushes out, which ends it, or on to what it leads to."""
        app = self._app
        old = app.records.prescription
        course = Course()
        left = self._bridging.left_nl()
        changes = old is not None and (old.drug, old.concentration) != (rx.drug, rx.concentration)
        if left and old is not None and changes and self._flushed(old) == (rx.drug, rx.concentration):
            given = units.both_text(old.course.bridge_nl - left, rx.concentration)
            return course, [
                "bridge: ends, cancelled, after %s" % given,
                "bridge_path: taken to hold %s throughout; `prime`, if it does not" % drug_text(rx),
            ]
        if left and changes:
            raise ValueError(
                "drug = %s: a bridge to %s runs, %s left%s"
                % (drug_text(rx), drug_text(old), units.volume_text(left), CANCEL)
            )
        if old is not None and left:
            course.bridge_nl = old.course.bridge_nl
            course.bridge_rate = old.course.bridge_rate
            course.bridge_end = old.course.bridge_end
            return course, ["bridge: goes on, %s left" % units.volume_text(left)]
        path_nl = fluid_path.volume_nl(app.records.calibration)
        if not app.ledger.volume_nl:
            return course, ["bridge: none, as nothing has been delivered; `prime` fills the path"]
        if old is None:
            return course, ["bridge: none, as no prescription was in force; nobody knows what the path holds"]
        if not changes or not path_nl:
            return course, []
        values = app.records.calibration
        course.bridge_nl = path_nl
        dose = mean_dose(old, app.courses.mode(), values)
        course.bridge_rate = max(values.min_rate, min(dose, values.max_rate))
        course.bridge_end = (app.ledger.volume_nl + path_nl) & _U32
        self._check_rate(old, course.bridge_rate)
        lines = self._lines(course, (path_nl, course.bridge_rate), old, rx.mode)
        lines.append("bridge_dose: " + self._dose_text(old, course.bridge_rate, dose))
        lines.append("bridge_takes: " + _span_text(seconds(path_nl, course.bridge_rate)))
        return course, lines

    def _dose_text(self, old, rate, dose):
        """What the rate of a bridge (nL/day) rests on. dose: the mean of a day before it, nL/day."""
        if not dose:
            return "nothing was given before; the path is flushed at min_rate"
        app = self._app
        basal = mean_basal(old, app.courses.mode(), app.records.calibration)
        ng = old.concentration
        text = units.both_text(basal, ng, "/day") + " of basal, the mean of a week"
        if dose != basal:
            boluses = units.both_text(dose - basal, ng, "/day")
            text += ", and %s of scheduled boluses, which are skipped until it ends" % boluses
        if dose != rate:
            text += "; the rate is %s" % ("min_rate, which is more" if rate > dose else "max_rate, which is less")
        return text

    @staticmethod
    def _check_rate(old, rate):
        """Raise ValueError if the old drug must not flow so fast: nobody need have programmed this rate (R10)."""
        try:
            check_unasked("bridge_rate", rate, Entry(old.drug, old.concentration))
        except ValueError as error:
            raise ValueError("%s; flush the path by hand, and `calibrate` one of 0 nL for this commit" % error)

    def _lines(self, course, flow, old, mode):
        """What a bridge is. flow: (what is left, nL; nL/day). old: the Prescription before it, or None. mode: of the
        one after it."""
        left, rate = flow
        what = "" if old is None else " of %s" % drug_text(old)
        done = "" if left == course.bridge_nl else ", %s left" % units.volume_text(left)
        ng = 0 if old is None else old.concentration
        return [
            "bridge: %s%s goes on first%s" % (units.volume_text(course.bridge_nl), what, done),
            "bridge_rate: " + units.both_text(rate, ng, "/day"),
            "bridge_end: " + self._bridging.end_text(left, rate, mode),
            "bridge_path: " + fluid_path.text(self._app.records),
        ]

    def seconds_of(self, course):
        """How long the bridge of a Course about to be committed takes, s; 0: it has none."""
        left = (course.bridge_end - self._app.ledger.volume_nl) & _U32
        return seconds(left, course.bridge_rate) if course.bridge_nl else 0

    # -- what operators see -----------------------------------------------------------------------------------

    def show(self):
        """Lines about the bridge."""
        left = self._bridging.left_nl()
        if not left:
            return ["bridge: none", "path: " + fluid_path.text(self._app.records)]
        rx = self._app.records.prescription
        return self._lines(rx.course, (left, self._bridging.rate()), self._before(rx), self._app.courses.mode())

    def _before(self, rx):
        """What the path holds: a Prescription with no more than drug and concentration; None if nobody knows."""
        found = self._flushed(rx)
        if found is None:
            return None
        old = prescription.Prescription()
        old.drug, old.concentration = found
        return old

    def _flushed(self, rx):
        """(drug, ng/mL) that the bridge of rx, the prescription in force, flushes out: that of the newest other one
        before it. None if it cannot be told any more: a gap in the numbers may be a record of what came between."""
        store = self._app.records.prescriptions
        newer = store.sequence
        try:
            for sequence, drug, concentration in History(self._app.board.eeprom).drugs():
                if following(sequence) != newer:
                    break
                if (drug, concentration) != (rx.drug, rx.concentration):
                    return drug, concentration
                newer = sequence
        except (OSError, ValueError):
            return None  # the volumes are known without it
        return None
