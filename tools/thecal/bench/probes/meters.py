"""Device code: samples kept in preallocated memory, and the line in which they go to the host."""

import time
from array import array

ticks_us = time.ticks_us
ticks_diff = time.ticks_diff


class Meter:
    """Up to `size` samples: a number below 2**30 and a tag below 2**16 each. Adding one allocates nothing."""

    def __init__(self, size):
        self.size = size
        self.used = 0
        self._values = array("I", bytes(4 * size))
        self._tags = array("H", bytes(2 * size))

    def add(self, value, tag):
        """Keep a sample; beyond `size` it is dropped."""
        index = self.used
        if index < self.size:
            self._values[index] = value
            self._tags[index] = tag
            self.used = index + 1

    def report(self, name):
        """Print `#name value:tag value:tag ...` in lines of 50 samples."""
        for first in range(0, self.used, 50):
            last = min(first + 50, self.used)
            pairs = [f"{self._values[i]}:{self._tags[i]}" for i in range(first, last)]
            print(f"\r\n#{name}", " ".join(pairs))


def overhead_us():
    """What two readings of the clock with nothing between them show: the part of a sample that is the meter's own."""
    seen = [0] * 64
    for index in range(64):
        began = ticks_us()
        seen[index] = ticks_diff(ticks_us(), began)
    return sorted(seen)[32]
