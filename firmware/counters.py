"""What happens to a pump over its life, counted (F9, F10; R24, R36): resets by cause, steps that power cuts made it
assume, what its battery has given, and how much it has worked.

| offset | type | field |
|---|---|---|
| 0 | u32 | power_ons |
| 4 | u32 | watchdog_resets |
| 8 | u32 | commanded_resets |
| 12 | u64 | assumed_steps |
| 20 | u64 | charge_uas, taken from the battery since it was fitted, microampere seconds |
| 28 | u32 | powered_s, seconds with power, over all batteries |
| 32 | u32 | fitted_s, the powered_s at which the battery was fitted |
| 36 | u32 | eeprom_writes, page writes |
| 40 | u32 | sounded_s, seconds of sound |
| 44 | u32 | eri_at, pump time of the elective replacement indicator, s; 0: it is not reached |

A record is written at every start, every hour and when eri_at changes: a power cut costs an hour of counting at most.
In a record from before there was a battery, bytes 20 to 51 are 0. One record an hour writes each of the eight pages of
a copy 1,095 times a year; the part endures a million.
"""

import struct

from firmware.layout import COUNTERS_FIRSTS, COUNTERS_PAGES
from firmware.mirror import GOOD, Mirror
from firmware.pages import COUNTERS

_FORMAT = "<IIIQQIIIII"
_U32 = 0xFFFFFFFF


class Counters:
    """The fields of the record; those of 32 bits stay at 2**32 - 1."""

    def __init__(self, eeprom, retired):
        """eeprom: lib AT24C256, or a like. retired: retirement.Retired."""
        self.mirror = Mirror(eeprom, COUNTERS_FIRSTS, COUNTERS_PAGES, COUNTERS, retired)
        self.power_ons = self.watchdog_resets = self.commanded_resets = 0
        self.assumed_steps = self.charge_uas = 0
        self.powered_s = self.fitted_s = self.eeprom_writes = self.sounded_s = self.eri_at = 0

    def load(self):
        """Read the newest record. Raises EepromError if the part fails."""
        self.mirror.recover()
        if self.mirror.condition == GOOD:
            (
                self.power_ons,
                self.watchdog_resets,
                self.commanded_resets,
                self.assumed_steps,
                self.charge_uas,
                self.powered_s,
                self.fitted_s,
                self.eeprom_writes,
                self.sounded_s,
                self.eri_at,
            ) = struct.unpack_from(_FORMAT, self.mirror.payload)

    def count_start(self, cause, assumed_steps):
        """The pump has started, by events.CAUSES[cause]."""
        self.power_ons = min(_U32, self.power_ons + (cause == 0))
        self.watchdog_resets = min(_U32, self.watchdog_resets + (cause == 1))
        self.commanded_resets = min(_U32, self.commanded_resets + (cause == 2))
        self.assumed_steps += assumed_steps

    def count_work(self, seconds, eeprom_writes, sounded_s, charge_uas):
        """So much more time, work and charge."""
        self.powered_s = min(_U32, self.powered_s + seconds)
        self.eeprom_writes = min(_U32, self.eeprom_writes + eeprom_writes)
        self.sounded_s = min(_U32, self.sounded_s + sounded_s)
        self.charge_uas += charge_uas

    def save(self):
        """Write a record. Raises WriteError."""
        self.mirror.append(struct.pack(_FORMAT, *self.values()))

    def values(self):
        """All fields, in their order."""
        return (
            self.power_ons,
            self.watchdog_resets,
            self.commanded_resets,
            self.assumed_steps,
            self.charge_uas,
            self.powered_s,
            self.fitted_s,
            self.eeprom_writes,
            self.sounded_s,
            self.eri_at,
        )
