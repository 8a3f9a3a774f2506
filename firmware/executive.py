"""The cyclic executive: a fixed table of tasks, each with a period, an offset and a deadline.

No task is started by another, none is added at run time, none runs in an interrupt. A frame is one second, the control
period. Tasks due at the same time run in the order of the table.
"""

from micropython import const

FRAME_MS = const(1_000)
_LONGEST_WAIT_MS = const(1_000)


class Task:
    """One row of the table."""

    def __init__(self, name, period_ms, offset_ms, deadline_ms, run):
        """period_ms, offset_ms: when it runs, from the start of the first frame. deadline_ms: the longest time between
        two check-ins. run: function(late_ms)."""
        self.name = name
        self.period_ms = period_ms
        self.offset_ms = offset_ms
        self.deadline_ms = deadline_ms
        self.run = run
        self.due = 0
        self.checked_in = 0


class Executive:
    """Runs the table for ever."""

    def __init__(self, board, tasks, supervisor, background):
        """board: ticks_ms, ticks_add, ticks_diff, wait. background: function run every turn, for console and log;
        it returns the longest time (ms) until it must run again."""
        self._board = board
        self._tasks = tasks
        self._supervisor = supervisor
        self._background = background

    def start(self, first_frame):
        """Set every task's first due time from the ticks_ms of the first frame."""
        for task in self._tasks:
            task.due = self._board.ticks_add(first_frame, task.offset_ms)
            task.checked_in = first_frame

    def turn(self):
        """Run what is due, then the background, then sleep until the next due time or the next console byte."""
        board = self._board
        now = board.ticks_ms()
        diff = board.ticks_diff
        wait = _LONGEST_WAIT_MS
        for task in self._tasks:
            late = diff(now, task.due)
            if late >= 0:
                task.run(late)
                now = board.ticks_ms()
                task.checked_in = now
                # An absolute schedule: lateness does not add up. Whole periods that were missed are skipped.
                due = board.ticks_add(task.due, (late // task.period_ms + 1) * task.period_ms)
                task.due = due
                late = diff(now, due)
            if -late < wait:
                wait = -late
        self._supervisor.supervise(now, self._tasks)
        patience = self._background()
        if patience < wait:
            wait = patience
        if wait > 0:
            board.wait(wait)
