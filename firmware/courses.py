"""What changes a therapy for a time: bridge, priming and trial of one pump (F5, F7).

A bridge or a trial is committed with its prescription, as one record. When it ends, dosing follows at once; that it has
ended is stored too, so that neither a wrapped total nor an RTC that goes back ever begins it again.

A record is believed, by the guard too: nothing of the prescription in RAM is acted on or stored, unless it is that of
its record. A wrong bit would end a bridge or trial that goes on, and be kept for good (R18). And as the end is told
from pump time and the ledger's volume, in which a bit may be wrong too, it is stored a minute later only, and not if
the guard, which reckons it by itself, has tripped: until then it sees other rates than it expects.
"""

from micropython import const

from firmware import alarms, events
from firmware.bridging import Bridging
from firmware.prescription import MINIMUM, MODES, STOPPED
from firmware.records import BEHIND_A_RECORD
from firmware.schedule import Schedule
from firmware.trials import Trials

# Frames before an end is stored, in which the guard notices too low a rate, and between two tries: the part must not be
# worn out by them.
_STORE_EVERY = const(64)
_BRIDGE = events.NAMES["reason"].index("bridge")
_TRIAL_OVER = events.NAMES["reason"].index("trial_over")
_DONE, _CANCELLED, _ = range(len(events.NAMES["how"]))


class Courses:
    """Bridge, priming and trial. A refusal is a ValueError that names field, value and what is allowed."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self.bridging = Bridging(app)
        self.trials = Trials(app)
        self._begun = None  # the Course that at_commit() made last, until it is in force and logged
        self._begins_bridge = self._ends_trial = False  # whether it does
        self._bridged_nl = -1  # what the bridge that it ends has given, nL; -1: it ends none
        self.unsaved = None  # the prescription whose Course has still to be stored
        self.unsaved_crc = 0  # of what is to be stored
        self._wait = 0  # frames until that is tried again

    # -- what is in force -------------------------------------------------------------------------------------

    def schedule(self):
        """The Schedule in force now."""
        records = self._app.records
        rx = records.prescription
        if rx is None or records.calibration is None:
            return Schedule(0, ())
        if rx.course is self._begun:
            self._log_begun(rx.course)
        mode = self.mode()
        if self.trials.is_over():
            return Schedule(records.calibration.min_rate if mode == MINIMUM else 0, ())
        if self.bridging.left_nl() and mode != STOPPED:
            return Schedule(self.bridging.rate(), ())
        return rx.schedule(records.calibration)

    def mode(self):
        """Index of prescription.MODES in force now; None without a prescription."""
        rx = self._app.records.prescription
        if rx is None:
            return None
        return self.trials.mode_afterwards() if self.trials.is_over() else rx.mode

    def bolus_refusal(self):
        """None, or why no bolus is given: (index into events.NAMES["reason"], text)."""
        if self.trials.is_over():
            return _TRIAL_OVER, "bolus: the trial is over"
        if self.bridging.left_nl():
            return _BRIDGE, "bolus: a bridge runs, and the path holds another drug or concentration"
        return None

    def bridge_left_nl(self):
        """What the bridge has still to give, nL; 0: none runs."""
        return self.bridging.left_nl()

    # -- at a commit ------------------------------------------------------------------------------------------

    def at_commit(self, rx, trial=None):
        """The Course of a prescription that is about to be committed. trial: (seconds, afterwards) if it is on trial.
        Raises ValueError to refuse it."""
        self.need_hold("program commit" if trial is None else "trial start")
        course, _ = self._app.parts.part("bridge_plan").plan(rx)
        if trial is not None:
            self._app.parts.part("trial_start").plan(rx, course, trial)
        left = self.bridging.left_nl()
        self._begun = course
        self._begins_bridge = course.bridge_nl > 0 and not left
        self._bridged_nl = -1
        if left and not course.bridge_nl:
            self._bridged_nl = self._app.records.prescription.course.bridge_nl - left
        self._ends_trial = self.trials.left_s() > 0
        return course

    def lines(self, rx):
        """What a confirmation says about the path."""
        try:
            return self._app.parts.part("bridge_plan").plan(rx)[1]
        except ValueError as error:
            return ["bridge: " + str(error)]

    def _log_begun(self, course):
        """A commit has just succeeded."""
        self._begun = None
        log = self._app.log.log
        if self._ends_trial:
            log("trial_end", how=_CANCELLED)
        if self._bridged_nl >= 0:
            log("bridge_end", how=_CANCELLED, given_nl=self._bridged_nl)
        if self._begins_bridge:
            log("bridge", volume_nl=course.bridge_nl, rate_nl_day=course.bridge_rate)
        if course.trial_s:
            log("trial", seconds=course.trial_s, afterwards=course.afterwards)

    # -- ends -------------------------------------------------------------------------------------------------

    def keep(self):
        """Once a frame: ends a bridge or a trial when its volume or time has come."""
        records = self._app.records
        rx = records.prescription
        if rx is None or not records.has_ledger:
            return
        course = rx.course
        hold = self._app.selftest.records_hold
        if course.trial_s and not course.trial_over and not self.trials.left_s() and hold():
            self._store_later(self.trials.ended())
            self._trial_ended(_DONE)
            course = rx.course
        if course.bridge_nl and not self.bridging.left_nl() and hold():
            given = course.bridge_nl
            self._store_later(self._bridge_ended())
            self._app.log.log("bridge_end", how=_DONE, given_nl=given)
            self._app.take_up_schedule()
        if self.unsaved is not None:
            self._store()

    def _bridge_ended(self):
        """The Course of the bridge that has just ended, or is to end."""
        course = self._app.records.prescription.course.copy()
        course.bridge_nl = course.bridge_rate = course.bridge_end = 0
        return course

    def _trial_ended(self, how):
        self._app.therapy.cancel()
        self._app.log.log("trial_end", how=how)
        self._app.take_up_schedule()

    def _store_later(self, course):
        """What has happened is in force at once, whatever the EEPROM says to it."""
        rx = self._app.records.prescription
        rx.course = course
        self.unsaved = rx
        self.unsaved_crc = rx.record_crc()
        self._wait = _STORE_EVERY
        self._app.must_record = True  # so that a wrong total is found out before

    def _store(self):
        app = self._app
        if self.unsaved is not app.records.prescription:
            self.unsaved = None  # a later commit has stored more
            return
        if self._wait:
            self._wait -= 1
            return
        self._wait = _STORE_EVERY
        if app.alarms.active >> alarms.GUARD & 1 or not app.selftest.records_hold():
            return
        try:
            app.records.commit_prescription(self.unsaved)
            self.unsaved = None
        except OSError:
            app.log.log("write_failed", record=1)

    def need_hold(self, name):
        """Raise ValueError unless what is in force in RAM is what its record says."""
        if not self._app.selftest.records_hold():
            raise ValueError("%s: alarm self_test_failed; nothing has changed" % name)

    def _order(self, name, changed, follow):
        """Put the Course that changed() returns in force, and do what follows from it. Raises ValueError if it cannot
        be stored; nothing has changed then. What fails behind the record ends in a restart."""
        self.need_hold(name)
        records = self._app.records
        rx = records.prescription
        old = rx.course
        rx.course = changed()
        try:
            records.commit_prescription(rx)
        except (OSError, MemoryError) as error:
            rx.course = old
            self._app.log.log("write_failed", record=1)
            raise ValueError("%s: the EEPROM refused it (%s); it goes on" % (name, error))
        except Exception:
            rx.course = old
            raise
        with BEHIND_A_RECORD:
            self.unsaved = None
            follow()
            self._app.record_state()

    # -- console ----------------------------------------------------------------------------------------------

    def prime(self, words):
        """`prime`, `prime show`. Returns lines for the operator."""
        if words not in ([], ["show"]):
            raise ValueError("prime: nothing or `show` after it")
        priming = self._app.parts.part("priming")
        return priming.lines() if words else priming.give()

    def bridge(self, words):
        """`bridge`, `bridge cancel`. Returns lines for the operator."""
        if words not in ([], ["cancel"]):
            raise ValueError("bridge: nothing or `cancel` after it")
        if not words:
            if self._app.records.calibration is None:
                raise ValueError("bridge: the pump has no calibration")
            return self._app.parts.part("bridge_plan").show()
        left = self.bridging.left_nl()
        if not left:
            raise ValueError("bridge cancel: none runs")
        course = self._app.records.prescription.course
        given = course.bridge_nl - left

        def follow():
            self._app.log.log("bridge_end", how=_CANCELLED, given_nl=given)
            self._app.take_up_schedule()

        self._order("bridge cancel", self._bridge_ended, follow)
        return ()

    def trial(self, words):
        """`trial`, `trial start NUMBER UNIT then minimum|stopped`, `trial keep|discard|end`. Returns lines."""
        if words and words[0] == "start":
            return self._app.parts.part("trial_start").start(words[1:])
        orders = self._app.parts.part("trial_orders")
        if not words:
            return orders.show()
        if words == ["keep"]:
            return orders.keep()
        if words == ["discard"]:
            return orders.discard()
        if words != ["end"]:
            raise ValueError("trial: nothing, `start NUMBER UNIT then minimum|stopped`, keep, discard or end after it")
        orders.need_running()
        self._order("trial end", self.trials.ended, lambda: self._trial_ended(_CANCELLED))
        return ()

    def score(self, words):
        """`score pain N spasticity N EFFECT...`. Returns lines for the operator."""
        return self._app.parts.part("trial_orders").score(words)

    def status(self):
        """Lines for `status`: what applies."""
        mode = self.mode()
        if mode is None:
            return []
        found = ["mode: " + MODES[mode]]
        found += self.bridging.status()
        if self._app.records.prescription.course.trial_s:
            found.append("trial_left_s: %d" % self.trials.left_s())
        return found
