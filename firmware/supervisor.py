"""Watches the tasks and feeds the watchdog, in this one place (invariant 9, R27).

The watchdog of the RP2040 knows only a longest time between two feeds. The shortest is kept here: the executive looks
at most four times more within a quarter of a second of a feed, after a task that was late (two whole frames' ends and
middles that then follow at once), so whoever looks more often than that is a loop that has run away. Nothing is fed
within that quarter of a second. Nor is anything after the longest time, which is shorter than the watchdog's: the pump
then still can note why it ends.

Once the feed has stopped it stays so: no task that comes back late makes the pump whole.
"""

from micropython import const

_MIN_MS = const(250)
_MAX_MS = const(4_500)
_EARLY_MAX = const(4)
LATE, TOO_FAST, TOO_SLOW = range(1, 4)  # as in resets.ENDINGS


class Supervisor:
    """Every task must have checked in within its deadline, or the watchdog is not fed and bites. A check-in that is
    still to come, or a row of the table in which a bit is wrong, says nothing: that task is late too."""

    def __init__(self, feed, board, stop):
        """feed: function that feeds the watchdog. board: ticks_ms, ticks_diff. stop: function(ending, number of a task)
        with ending LATE, TOO_FAST or TOO_SLOW, called whenever it would be time to feed, once the feed has stopped."""
        self._feed = feed
        self._board = board
        self._stop = stop
        self._fed = None  # ticks_ms of the last feed
        self._early = 0  # calls since then
        self.late = None  # the task that kept the watchdog from being fed
        self.ending = 0  # why the feed has stopped

    def supervise(self, frame, tasks):
        """Feed if every task checked in within its deadline. frame: number of the frame; tasks: executive.Task."""
        if not self.ending:
            self._watch(frame, tasks)
        if self.ending:
            self._stop(self.ending, self.late.number if self.late is not None else 0)

    def _watch(self, frame, tasks):
        for task in tasks:
            sound = task.checked_in + task.every + task.deadline + task.seal == 0
            if not (sound and 0 <= frame - task.checked_in <= task.deadline):
                self.late = task
                self.ending = LATE
                return
        now = self._board.ticks_ms()
        since = _MIN_MS if self._fed is None else self._board.ticks_diff(now, self._fed)
        if since > _MAX_MS or since < 0:
            self.ending = TOO_SLOW
        elif since >= _MIN_MS:
            self._fed = now
            self._early = 0
            self._feed()
        else:
            self._early += 1
            if self._early > _EARLY_MAX:
                self.ending = TOO_FAST
