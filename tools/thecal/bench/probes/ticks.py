"""Device code: times the control tick and the other tasks, the whole work of a frame, and a turn, on a pump that doses.

Tasks, frame and turn are runs of their own, so that no sample contains the cost of taking another one.
"""

from meters import Meter, overhead_us, ticks_diff, ticks_us
from pump import at_feed, make, when_done

# Tags: what a sample contains beside the standing work.
STEPS = 1
RECORD = 2
EDGE = 4
MIDNIGHT = 8


class Tagger:
    """Says what happened between two looks at the application. It reads attributes and allocates nothing."""

    def __init__(self, application):
        self._dosing = application.dosing
        self._ledger = application.ledger
        self._cascade = application.cascade
        self._records = application.ledger.mirror
        self.look()

    def look(self):
        """Remember the state before."""
        self._steps = self._ledger.used
        self._sequence = self._records.sequence
        self._rate = self._cascade.rate
        self._day = self._dosing.day

    def tag(self):
        """What has changed since."""
        made = STEPS if self._ledger.used > self._steps else 0
        if self._records.sequence != self._sequence:
            made |= RECORD
        if self._cascade.rate != self._rate:
            made |= EDGE
        if self._dosing.day != self._day:
            made |= MIDNIGHT
        return made


def run(what, frames):
    """what: tasks (each task of a frame's start by itself; the control tick is the task `dose`), frame (all of them and
    the supervisor), turn (from waking to sleeping, console and log too). Reports samples and the meter's own part."""
    hardware, application = make()
    tagger = Tagger(application)
    meters = {}
    if what == "tasks":
        for row in application._executive._starting:
            meters[row.name] = Meter(frames)
            row.run = _timed(row.run, meters[row.name], tagger)
    else:
        meters[what] = Meter(frames)
        if what == "frame":
            _time_frame(application, meters[what], tagger)
        else:
            _time_turn(hardware, application._executive, meters[what], tagger)

    def report():
        print(f"\r\n#overhead {overhead_us()}")
        for name, meter in meters.items():
            meter.report(name)

    when_done(application, list(meters.values())[-1], report)
    application.run()


def _timed(inner, meter, tagger):
    def timed(late):
        tagger.look()
        began = ticks_us()
        done = inner(late)
        us = ticks_diff(ticks_us(), began)
        meter.add(us, tagger.tag())
        return done

    return timed


def _time_frame(application, meter, tagger):
    executive = application._executive
    start = executive._run_start
    began = [0, False]

    def starting(late):
        tagger.look()
        began[1] = True
        began[0] = ticks_us()
        start(late)

    def ending():
        us = ticks_diff(ticks_us(), began[0])
        if began[1]:  # not the middle of a frame
            began[1] = False
            meter.add(us, tagger.tag())

    executive._run_start = starting
    at_feed(application, ending)


def _time_turn(hardware, executive, meter, tagger):
    start = executive._run_start
    wait = hardware.wait
    state = [0, False]

    def waiting(ms):
        us = ticks_diff(ticks_us(), state[0])
        if state[1]:
            state[1] = False
            meter.add(us, tagger.tag())
        woken_by_input = wait(ms)
        state[0] = ticks_us()
        return woken_by_input

    def starting(late):
        tagger.look()
        state[1] = True
        start(late)

    executive._run_start = starting
    hardware.wait = waiting
