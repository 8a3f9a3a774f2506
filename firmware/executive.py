"""The cyclic executive: a fixed table of tasks, run in frames of one second, the control period.

Some tasks run at the start of every frame, in the order of the table; others in the middle of every n-th frame. No
task starts another, none is added at run time, none runs in an interrupt.
"""

from micropython import const

from firmware import resets

FRAME_MS = const(1_000)
_HALF_MS = const(500)


class Task:
    """One row of the table."""

    def __init__(self, name, run, every=1, deadline=3):
        """run: function(late_ms) that returns the task's number as the last thing it does: that is its check-in.
        every: frames between two runs. deadline: most frames between two check-ins."""
        self.name = name
        self.number = resets.number(name)
        self.run = run
        self.every = every
        self.deadline = deadline
        self.checked_in = 0  # number of the frame in which it last came to its end
        self.seal = -(every + deadline)  # with the three it adds up to 0, unless a bit of one is wrong

    def check_in(self, frame):
        """It has come to its end in this frame. The seal follows by the difference, which hides no bit wrong before."""
        self.seal += self.checked_in - frame
        self.checked_in = frame


class Executive:
    """Runs the table for ever."""

    def __init__(self, board, starting, middle, supervisor, background):
        """board: ticks_ms, ticks_add, ticks_diff, wait, mark. starting: tasks at the start of every frame. middle:
        tasks in the middle of every n-th. background: function(input waits) run every turn, for console and log; it
        returns the longest time (ms) until it must run again."""
        self._board = board
        self._starting = starting
        self._middle = middle
        self._all = starting + middle
        self._supervisor = supervisor
        self._background = background
        self.number = 0  # frames begun
        self._sealed = 0  # the same, counted downwards
        self._due = 0  # ticks_ms of the next start or middle of a frame
        self._in_middle = False
        self._input = False  # whether the console has a byte

    def start(self, first_frame):
        """The first frame starts at this ticks_ms."""
        self._due = first_frame

    def left_ms(self):
        """Until the next start or middle of a frame is due; below 0 if it is late."""
        return self._board.ticks_diff(self._due, self._board.ticks_ms())

    def turn(self):
        """Run what is due, then the background, then sleep until the next due time or the next console byte."""
        wait = self.left_ms()
        if wait <= 0:
            if self._in_middle:
                self._run_middle(-wait)
            else:
                self._run_start(-wait)
            # A frame before all check-ins, if the number has leapt: every task is late.
            self._supervisor.supervise(-1 if self.number + self._sealed else self.number, self._all)
        patience = self._background(self._input)
        wait = min(patience, self.left_ms())
        self._input = self._board.wait(wait) if wait > 0 else True

    def _run_start(self, late):
        # An absolute schedule: lateness does not add up. Whole frames that were missed are skipped.
        skipped = late // FRAME_MS
        self.number += 1 + skipped
        self._sealed -= 1 + skipped
        number = self.number
        self._run(self._starting, late)
        ahead = FRAME_MS * (1 + skipped)
        for task in self._middle:
            if not 0 <= number - task.checked_in < task.every:
                self._in_middle = True
                ahead -= _HALF_MS
                break
        self._due = self._board.ticks_add(self._due, ahead)

    def _run_middle(self, late):
        self._in_middle = False
        self._run(self._middle, late)
        self._due = self._board.ticks_add(self._due, _HALF_MS)

    def _run(self, tasks, late):
        """Run those that are due. late: since the start or the middle of the frame, ms."""
        number = self.number
        mark = self._board.mark
        for task in tasks:
            if not 0 <= number - task.checked_in < task.every:
                mark(task.number)
                if task.run(late) == task.number:
                    task.check_in(number)
        mark(resets.BACKGROUND)
