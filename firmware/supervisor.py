"""Watches the tasks and feeds the watchdog, in this one place (invariant 9, R27)."""


class Supervisor:
    """Every task must have checked in within its deadline, or the watchdog is not fed and bites."""

    def __init__(self, feed):
        """feed: function that feeds the watchdog."""
        self._feed = feed
        self.late = None  # the task that kept the watchdog from being fed

    def supervise(self, frame, tasks):
        """Feed if every task checked in within its deadline. frame: number of the frame; tasks: executive.Task."""
        for task in tasks:
            if frame - task.checked_in > task.deadline:
                self.late = task.name
                return
        self._feed()
