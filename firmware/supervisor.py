"""Watches the tasks and feeds the watchdog, in this one place (DESIGN invariant 9, R27)."""


class Supervisor:
    """Every task must have checked in within its deadline, or the watchdog is not fed and bites."""

    def __init__(self, feed, ticks_diff):
        """feed: function that feeds the watchdog. ticks_diff: MicroPython's ticks_diff."""
        self._feed = feed
        self._diff = ticks_diff
        self.late = None  # the task that kept the watchdog from being fed

    def supervise(self, now, tasks):
        """Feed if every task checked in within its deadline. tasks: objects with checked_in, deadline_ms, name."""
        diff = self._diff
        for task in tasks:
            if diff(now, task.checked_in) > task.deadline_ms:
                self.late = task.name
                return
        self._feed()
