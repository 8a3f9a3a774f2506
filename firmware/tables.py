"""The numbers of the source that lie in RAM and decide what an alarm does, what is heard of it, and how much a typed
dose is (R26, R28; invariant 8).

A wrong bit in any of them changes a sum. That ends in a restart, which loads them anew: no alarm could be relied on to
tell of it. Loaded once the pump doses, as no start has the time (later.py).
"""

from firmware import alarms, signals, units

# The sums of the numbers as they stand in the source; host_tests/host/firmware/test_tables.py reckons them anew.
_REACTIONS = 54
_SURVIVING = 18
_ALARMS = (1 << len(alarms.TABLE)) - 1
_SOUNDS = 9_950
_FACTORS = 2_093_088


def check():
    """Raises RuntimeError if a table is not what it was written to be; it names the module."""
    reactions = sum([row[2] for row in alarms.TABLE])
    surviving = sum([row[3] for row in alarms.TABLE])
    if (reactions, surviving, sum([mask for _, mask in alarms.MASKS])) != (_REACTIONS, _SURVIVING, _ALARMS):
        _fail("alarms")
    if sum([sum(tune) + every_s + half_ms for tune, every_s, half_ms in signals.PATTERNS.values()]) != _SOUNDS:
        _fail("signals")
    if sum([sum(table.values()) for table in units.TABLES]) != _FACTORS:
        _fail("units")


def _fail(module):
    raise RuntimeError("a table of %s has changed in RAM" % module)
