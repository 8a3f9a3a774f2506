"""The beginning of a trial: a commit for so long (F5). A module of its own, so that the commit has the memory that
trial_orders.py would take. Refusals are ValueErrors that name field, value and what is allowed."""

from firmware import events, units
from firmware.course import TRIAL_MAX_S, TRIAL_MIN_S
from firmware.library import Entry
from firmware.prescription import STOPPED
from firmware.validation import check_unasked


class TrialStart:
    """The beginning of a trial of one pump."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app

    def plan(self, rx, course, trial):
        """Write a trial, (seconds, afterwards), into the Course of a prescription about to be committed. Raises
        ValueError if they do not go together."""
        if rx.mode == STOPPED:
            raise ValueError("trial start: the mode of what is staged is stopped")
        course.trial_s, course.afterwards = trial
        if not course.afterwards:
            least = self._app.records.calibration.min_rate
            check_unasked("trial start then minimum", least, Entry(rx.drug, rx.concentration))
        bridge_s = self._app.parts.part("bridge_plan").seconds_of(course)
        if bridge_s >= course.trial_s:
            raise ValueError("trial start = %d s: the bridge alone takes %d s" % (course.trial_s, bridge_s))
        course.trial_start = self._app.therapy.now()

    def start(self, words):
        """`NUMBER UNIT then minimum|stopped`: commit what is staged, for so long."""
        names = events.NAMES["afterwards"]
        if len(words) != 4 or words[2] != "then" or words[3] not in names:
            raise ValueError("trial start: `NUMBER UNIT then %s` after it" % "|".join(names))
        asked = "trial start = %s %s" % (words[0], words[1])
        seconds = units.duration("trial start", words[0], words[1])
        if not TRIAL_MIN_S <= seconds <= TRIAL_MAX_S:
            raise ValueError(asked + ": 1 h to 14 d")
        programming = self._app.parts.part("programming")
        rx, warnings = programming.ready()
        course = self._app.courses.at_commit(rx, (seconds, names.index(words[3])))
        programming.put_in_force(rx, course, warnings)
        return self._shown()

    def _shown(self):
        """What `trial` tells, as a generator: what it needs is loaded behind the commit. The trial runs, whatever
        becomes of that."""
        try:
            orders = yield from self._app.parts.bring("trial_orders")
            lines = orders.show()
        except Exception:  # noqa: BLE001 - an error would say that it has not begun
            lines = ["trial: running; `trial` tells more"]
        yield from lines
