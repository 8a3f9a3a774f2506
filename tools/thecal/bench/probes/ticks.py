"""Device code: times the control tick, the whole work of a frame, and its single tasks, on a pump that doses.

Each is a run of its own, so that no sample contains the cost of taking another one.
"""

from meters import Meter, overhead_us, ticks_diff, ticks_us
from pump import make, task, when_done

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
        self._ring = application.records._ring
        self.look()

    def look(self):
        """Remember the state before."""
        self._steps = self._ledger.used
        self._sequence = self._ring.sequence
        self._rate = self._cascade.rate
        self._day = self._dosing.day

    def tag(self):
        """What has changed since."""
        made = STEPS if self._ledger.used > self._steps else 0
        if self._ring.sequence != self._sequence:
            made |= RECORD
        if self._cascade.rate != self._rate:
            made |= EDGE
        if self._dosing.day != self._day:
            made |= MIDNIGHT
        return made


def run(what, frames):
    """what: tick (the dose task), frame (all tasks of a frame's start and the supervisor), turn (from waking to
    sleeping, console and log too), or the name of a task. Reports samples and the meter's own part; never returns."""
    hardware, application = make()
    meter = Meter(frames)
    tagger = Tagger(application)
    executive = application._executive
    if what == "frame":
        _time_frame(executive, meter, tagger)
    elif what == "turn":
        _time_turn(hardware, executive, meter, tagger)
    else:
        row = task(application, "dose" if what == "tick" else what)
        row.run = _timed(row.run, meter, tagger)

    def report():
        print("\r\n#overhead %d" % overhead_us())
        meter.report("samples")

    when_done(application, meter, report)
    application.run()


def _timed(inner, meter, tagger):
    def timed(late):
        tagger.look()
        began = ticks_us()
        inner(late)
        us = ticks_diff(ticks_us(), began)
        meter.add(us, tagger.tag())

    return timed


def _time_frame(executive, meter, tagger):
    start = executive._run_start
    supervisor = executive._supervisor
    supervise = supervisor.supervise
    began = [0, False]

    def starting(late):
        tagger.look()
        began[1] = True
        began[0] = ticks_us()
        start(late)

    def supervising(number, tasks):
        supervise(number, tasks)
        us = ticks_diff(ticks_us(), began[0])
        if began[1]:  # not the middle of a frame
            began[1] = False
            meter.add(us, tagger.tag())

    executive._run_start = starting
    supervisor.supervise = supervising


def _time_turn(hardware, executive, meter, tagger):
    start = executive._run_start
    wait = hardware.wait
    state = [0, False]

    def waiting(ms):
        us = ticks_diff(ticks_us(), state[0])
        if state[1]:
            state[1] = False
            meter.add(us, tagger.tag())
        wait(ms)
        state[0] = ticks_us()

    def starting(late):
        tagger.look()
        state[1] = True
        start(late)

    executive._run_start = starting
    hardware.wait = waiting
