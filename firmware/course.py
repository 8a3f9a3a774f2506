"""What a prescription in force is in the middle of: a bridge from another concentration, a trial (F5, F7).

It stands in the prescription's own record, so that both are committed at once (invariant 5). How far they have come is
not stored: the ledger's volume and pump time say it, which no reset and no set clock puts back.
"""

import struct

from micropython import const

_FORMAT = "<IIIIIB"
SIZE = struct.calcsize(_FORMAT)
_OVER = const(0x80)
_BRIDGE_MAX = const(30_000_000)  # nL: the longest path that a calibration can have
_RATE_MAX = const(28_800_000)  # nL/day, as of a calibration
TRIAL_MIN_S = const(3_600)
TRIAL_MAX_S = const(1_209_600)


class Course:
    """Fields, 0 for none. bridge_nl: volume of the bridge. bridge_rate: nL/day. bridge_end: low 32 bits of the ledger's
    volume (nL) at which it ends. trial_s: length of the trial, 1 h to 14 d. trial_start: pump time, s. afterwards:
    index into events.NAMES["afterwards"]. trial_over: whether the trial has ended."""

    def __init__(self):
        """No bridge, no trial."""
        self.bridge_nl = self.bridge_rate = self.bridge_end = 0
        self.trial_s = self.trial_start = self.afterwards = 0
        self.trial_over = False

    def pack(self):
        """SIZE bytes."""
        return struct.pack(
            _FORMAT,
            self.bridge_nl,
            self.bridge_rate,
            self.bridge_end,
            self.trial_s,
            self.trial_start,
            self.afterwards | (_OVER if self.trial_over else 0),
        )

    def copy(self):
        """The same once more, to be changed."""
        return unpack(self.pack())


def unpack(payload):
    """The Course of SIZE bytes. Raises ValueError if it is none that a pump can be in."""
    if len(payload) != SIZE:
        raise ValueError("course: %d bytes, %d expected" % (len(payload), SIZE))
    found = Course()
    found.bridge_nl, found.bridge_rate, found.bridge_end, found.trial_s, found.trial_start, last = struct.unpack(
        _FORMAT, payload
    )
    found.afterwards = last & ~_OVER
    found.trial_over = last > found.afterwards
    if found.bridge_nl:
        good = found.bridge_nl <= _BRIDGE_MAX and 1 <= found.bridge_rate <= _RATE_MAX
    else:
        good = not (found.bridge_rate or found.bridge_end)
    if found.trial_s:
        good = good and TRIAL_MIN_S <= found.trial_s <= TRIAL_MAX_S and found.afterwards <= 1
    else:
        good = good and not (found.trial_start or last)
    if not good:
        raise ValueError("course: no bridge and no trial of a pump")
    return found
