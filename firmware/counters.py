"""What happens to a pump over its life, counted: resets by cause, steps that power cuts made it assume (F10, R24)."""

import struct

from firmware.layout import COUNTERS_FIRSTS, COUNTERS_PAGES
from firmware.mirror import GOOD, Mirror
from firmware.pages import COUNTERS

_FORMAT = "<IIIQ"
_U32 = 0xFFFFFFFF


class Counters:
    """`power_ons`, `watchdog_resets`, `commanded_resets`: starts by their cause, each at most 2**32 - 1;
    `assumed_steps`: reserved steps that counted as made after power cuts."""

    def __init__(self, eeprom, retired):
        """eeprom: lib AT24C256, or a like. retired: retirement.Retired."""
        self.mirror = Mirror(eeprom, COUNTERS_FIRSTS, COUNTERS_PAGES, COUNTERS, retired)
        self.power_ons = self.watchdog_resets = self.commanded_resets = 0
        self.assumed_steps = 0

    def load(self):
        """Read the newest record. Raises EepromError if the part fails."""
        self.mirror.recover()
        if self.mirror.condition == GOOD:
            self.power_ons, self.watchdog_resets, self.commanded_resets, self.assumed_steps = struct.unpack_from(
                _FORMAT, self.mirror.payload
            )

    def count_start(self, cause, assumed_steps):
        """The pump has started, by events.CAUSES[cause]."""
        self.power_ons = min(_U32, self.power_ons + (cause == 0))
        self.watchdog_resets = min(_U32, self.watchdog_resets + (cause == 1))
        self.commanded_resets = min(_U32, self.commanded_resets + (cause == 2))
        self.assumed_steps += assumed_steps

    def save(self):
        """Write a record. Raises WriteError."""
        self.mirror.append(
            struct.pack(_FORMAT, self.power_ons, self.watchdog_resets, self.commanded_resets, self.assumed_steps)
        )

    def values(self):
        """All counters, for comparing."""
        return self.power_ons, self.watchdog_resets, self.commanded_resets, self.assumed_steps
