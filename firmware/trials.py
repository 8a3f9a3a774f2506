"""A trial: a prescription in force for 1 h to 14 d of pump time, which ends by itself. After it the pump gives its
minimum rate or nothing, until an operator keeps or discards what was tried (F5)."""

from micropython import const

from firmware.prescription import MINIMUM, STOPPED

_BEHIND_MAX_S = const(2)  # the longest step of wallclock.py; the guard has its own


class Trials:
    """The trial of one pump."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app

    def course(self):
        """The Course of the prescription on trial, in force or over; None: there is no trial."""
        rx = self._app.records.prescription
        return None if rx is None or not rx.course.trial_s else rx.course

    def left_s(self):
        """Seconds of pump time until the trial ends; 0: it has, or there is none."""
        course = self.course()
        if course is None or course.trial_over:
            return 0
        passed = self._app.therapy.now() - course.trial_start
        # Pump time follows the RTC by a second or two. If it went back further, in a clock set that was cut, nobody
        # knows how long the trial has lasted.
        if passed < -_BEHIND_MAX_S:
            return 0
        return max(0, course.trial_s - max(0, passed))

    def is_over(self):
        """Whether a trial has ended, and its prescription is in force no more."""
        return self.course() is not None and not self.left_s()

    def mode_afterwards(self):
        """The mode (index of prescription.MODES) after the trial."""
        course = self.course()
        return STOPPED if course is not None and course.afterwards else MINIMUM

    def ended(self):
        """The Course of the trial that has just ended, or is to end."""
        course = self._app.records.prescription.course.copy()
        course.trial_over = True
        return course
