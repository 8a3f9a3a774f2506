"""Why the pump has started, whether it does too often, and the proof that the watchdog bites (F11; R27; invariant 10).

Three starts within ten minutes that nobody ordered (bites of the watchdog and exceptions alike: either way the pump has
given up) latch the safe state: alarm `reset_loop`, until an operator's `clear`. Power cuts are none of them, nor do
they interrupt the series: its times are pump time, in the counters. A start counts from its reset on, in a scratch
register, until the counters hold it: starts that come to nothing before add up there, and the third latches. Starts in
a row that end before an alarm is heard are counted there too: from the third on, buzzer and LED are on from the reset.

Once under each firmware, at the first start of a programmed pump, the watchdog is not fed on purpose, with the outputs
safe. The bite is the proof, and is recorded; it counts as ordered.
"""

from micropython import const

from firmware import version

CAUSES = ("power_on", "watchdog", "commanded", "exception", "reset_loop", "watchdog_test")  # as in board.py
ENDINGS = ("hang", "late", "too_fast", "too_slow", "exception", "watchdog_test", "ordered")  # as in board.py
# What can be running when a run ends. Numbers are part of the EEPROM format: new tasks are added at the end.
TASKS = (
    "none",
    "start",  # from the reset to the self-test
    "self_test",
    "passed",  # from the self-test to the first frame
    "background",  # console, log, sleep
    "dose",
    "keep",
    "reserve",
    "clock",
    "level",
    "battery",
    "check",
    "temperature",
    "guard",
    "pulses",
    "room",
)
START = const(1)
SELF_TEST = const(2)
PASSED = const(3)
BACKGROUND = const(4)
ERRORS = (
    "other",
    "MemoryError",
    "OSError",
    "ValueError",
    "TypeError",
    "IndexError",
    "KeyError",
    "AttributeError",
    "NameError",
    "RuntimeError",
    "OverflowError",
    "ZeroDivisionError",
    "ImportError",
    "SystemExit",
    "KeyboardInterrupt",
)
_RESET_LOOP = const(4)
_WATCHDOG_TEST = const(5)
_BY_TEST = const(5)
_LOOP = const(3)
_HEARD = const(4)  # frames: the tune of an alarm has three seconds, and begins with the first
_BITE_MS = const(6_000)  # the watchdog has 5 s
_TEST_MS = const(5_200)  # from the reset to the bite of the proof: no run of the pump sees this time


def number(name):
    """The number of a task, 0 for a name that is not in TASKS."""
    return TASKS.index(name) if name in TASKS else 0


def firmware_number():
    """The version of this firmware as one number: major * 10,000 + minor * 100 + patch."""
    major, minor, patch = version.FIRMWARE.split(".")
    return int(major) * 10_000 + int(minor) * 100 + int(patch)


class Resets:
    """The starts of one pump. `cause`: of this one, an index into CAUSES. `loop`: the safe state is to be latched."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self.cause = app.board.reset_cause
        self.loop = False
        self._frames = 0
        app.board.mark(START)

    @property
    def extra_ms(self):
        """Time before this start that no run of the pump saw, ms."""
        return _TEST_MS if self.cause == _WATCHDOG_TEST else 0

    def prove_watchdog(self):
        """Let the watchdog bite, if it never has under this firmware; outputs are safe, nothing was logged. Only on a
        programmed pump: what is proved must be recorded. Returns False if it did not bite in time."""
        app = self._app
        counters = app.records.counters
        if not app.records.has_ledger or counters.proved == firmware_number():
            return True
        if self.cause == _WATCHDOG_TEST:
            counters.proved = firmware_number()  # recorded with this start
            return True
        app.board.note(_BY_TEST)
        app.board.sleep_ms(_BITE_MS)
        return False

    def count(self, day, second):
        """Count this start if nobody ordered it. day, second: local time."""
        app = self._app
        starts = app.board.unbooked()
        now = app.ledger.pump_time(day, second)
        for _ in range(min(starts, _LOOP)):
            if app.records.counters.count_bite(now):
                self.loop = True
        if self.loop:
            self.cause = _RESET_LOOP

    def frame(self):
        """Once a frame, behind what sounds: note that this start has come to where an alarm is heard."""
        self._frames += 1
        if self._frames == _HEARD:
            self._app.board.lived()

    def log(self):
        """Log how the run before this start ended, if it was not by a power cut."""
        board = self._app.board
        if board.reset_cause:
            ending, task, error = board.ended
            self._app.log.log("run_ended", ending=ending, task=task, error=error)
