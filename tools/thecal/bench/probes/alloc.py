"""Device code: what the control tick allocates, and whether it runs with the heap locked (the firmware's own lock)."""

import gc

from meters import Meter, ticks_diff, ticks_us
from pump import make, task, when_done
from ticks import Tagger

_ROOM = 8_192  # bytes; with less, what has gathered is collected, between two ticks
_SETTLED = 30  # frames after which the log has been looked through and the events of the start are stored


def run(frames, spoil=0):
    """Watch `frames` (over 30) control ticks, the collector switched off. Reports for each the bytes allocated and its
    tag, in how many the heap was locked, the garbage that the pump makes in a second and the time that a collection of
    it takes.

    spoil: bytes that the tick is made to allocate, to see that this would not pass unnoticed.
    """
    _, application = make()
    meter = Meter(frames)
    tagger = Tagger(application)
    locked = [0]
    whole = [0]
    collected = [0]
    _watch_lock(application, locked, spoil)
    row = task(application, "dose")
    inner = row.run

    def watched(late):
        if not meter.used:  # until now it may collect: all modules are being loaded
            gc.collect()
            gc.disable()
        if gc.mem_free() < _ROOM:
            collected[0] += gc.mem_alloc()
            gc.collect()
            collected[0] -= gc.mem_alloc()
        if meter.used == _SETTLED:
            whole[0] = gc.mem_alloc() + collected[0]
        tagger.look()
        before = gc.mem_alloc()
        inner(late)
        meter.add(gc.mem_alloc() - before, tagger.tag())

    row.run = watched

    def report():
        garbage = gc.mem_alloc() + collected[0] - whole[0]
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
