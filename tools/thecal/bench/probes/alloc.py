"""Device code: what the control tick allocates, and whether it runs with the heap locked (the firmware's own lock)."""

import gc

from meters import Meter, ticks_diff, ticks_us
from pump import make, task, when_done
from ticks import Tagger

_SETTLED = 30  # frames after which the log has been looked through and the events of the start are stored
_EVERY = 10  # frames between two collections


def run(frames, spoil=0):
    """Watch `frames` (over 30) control ticks. Once the pump has settled, only this probe collects, between ticks. Says
    of each the bytes allocated and its tag, in how many the heap was locked, the garbage that the pump makes in a
    second and the time that a collection of it takes.

    spoil: bytes that the tick is made to allocate, to see that this would not pass unnoticed.
    """
    _, application = make()
    meter = Meter(frames)
    tagger = Tagger(application)
    locked = [0]
    whole = [0, 0]  # in use after the last collection; garbage that was collected since the pump has settled
    _watch_lock(application, locked, spoil)
    row = task(application, "dose")
    inner = row.run

    def watched(late):
        if meter.used >= _SETTLED and meter.used % _EVERY == 0:
            if meter.used > _SETTLED:
                whole[1] += gc.mem_alloc() - whole[0]
            gc.disable()
            gc.collect()
            whole[0] = gc.mem_alloc()
        tagger.look()
        before = gc.mem_alloc()
        done = inner(late)
        meter.add(gc.mem_alloc() - before, tagger.tag())
        return done

    row.run = watched

    def report():
        garbage = whole[1] + gc.mem_alloc() - whole[0]
        began = ticks_us()
        gc.collect()
        pause = ticks_diff(ticks_us(), began)
        print(f"\r\n#locked {locked[0]}\r\n#garbage {garbage // (frames - _SETTLED)}\r\n#pause {pause}")
        print(f"\r\n#live {gc.mem_alloc()}\r\n#free {gc.mem_free()}")
        meter.report("samples")

    when_done(application, meter, report)
    application.run()


def _watch_lock(application, locked, spoil):
    """Inside the tick, before its work, try to allocate: MemoryError is the proof that the heap is locked."""
    tick = application.dosing.tick

    def probing(late):
        try:
            bytearray(64)
        except MemoryError:
            locked[0] += 1
        if spoil:
            bytearray(spoil)
        tick(late)

    application.dosing.tick = probing
