"""What happens to a pump over its life, counted (F9, F10; R24, R36): resets by cause, steps that power cuts made it
assume, what its battery has given, and how much it has worked.

| offset | type | field |
|---|---|---|
| 0 | u32 | power_ons |
| 4 | u32 | watchdog_resets |
| 8 | u32 | commanded_resets |
| 12 | u48 | assumed_steps |
| 18 | u48 | charge_uas, taken from the battery since it was fitted, microampere seconds |
| 24 | u32 | powered_s, seconds with power, over all batteries |
| 28 | u32 | fitted_s, the powered_s at which the battery was fitted |
| 32 | u32 | eeprom_writes, page writes |
| 36 | u32 | sounded_s, seconds of sound |
| 40 | u32 | eri_at, pump time of the elective replacement indicator, s; 0: it is not reached |
| 44 | u32 | bite_at, pump time of the last start after a bite or an exception, s; 0: there was none |
| 48 | u16 | bite_gap, seconds from the one before to that; 65,535: there was none, or it is longer ago |
| 50 | u16 | proved, number of the firmware under which the watchdog was proved to bite; 0: under none |

A record is written at every start, every hour and when eri_at changes: a power cut costs an hour of counting at most.
One record an hour writes each of the eight pages of
a copy 1,095 times a year; the part endures a million.
"""

import struct

from micropython import const

from firmware.layout import COUNTERS_FIRSTS, COUNTERS_PAGES
from firmware.mirror import GOOD, Mirror
from firmware.pages import COUNTERS

_FORMAT = "<IIIIHIHIIIIIIHH"
_U32 = 0xFFFFFFFF
_U48 = 0xFFFFFFFFFFFF
_U16 = const(0xFFFF)
_LOOP_S = const(602)  # 600 s, and what two starts may differ in length


class Counters:
    """The fields of the record; those that count stay at their highest value."""

    def __init__(self, eeprom, retired):
        """eeprom: lib AT24C256, or a like. retired: retirement.Retired."""
        self.mirror = Mirror(eeprom, COUNTERS_FIRSTS, COUNTERS_PAGES, COUNTERS, retired)
        self.power_ons = self.watchdog_resets = self.commanded_resets = 0
        self.assumed_steps = self.charge_uas = 0
        self.powered_s = self.fitted_s = self.eeprom_writes = self.sounded_s = self.eri_at = 0
        self.bite_at = self.bite_gap = self.proved = 0
        self.doubtful = None  # the record that holds, as bytes, while a refused one may stand in one of the copies

    def load(self):
        """Read the newest record. Raises EepromError if the part fails."""
        self.mirror.recover()
        if self.mirror.condition == GOOD:
            (
                self.power_ons,
                self.watchdog_resets,
                self.commanded_resets,
                steps,
                steps_high,
                charge,
                charge_high,
                self.powered_s,
                self.fitted_s,
                self.eeprom_writes,
                self.sounded_s,
                self.eri_at,
                self.bite_at,
                self.bite_gap,
                self.proved,
            ) = struct.unpack_from(_FORMAT, self.mirror.payload)
            self.assumed_steps = steps_high << 32 | steps
            self.charge_uas = charge_high << 32 | charge

    def count_start(self, cause, assumed_steps):
        """The pump has started, by resets.CAUSES[cause]; what is neither power-on nor a bite, the firmware did."""
        self.power_ons = min(_U32, self.power_ons + (cause == 0))
        self.watchdog_resets = min(_U32, self.watchdog_resets + (cause == 1))
        self.commanded_resets = min(_U32, self.commanded_resets + (cause > 1))
        self.assumed_steps = min(_U48, self.assumed_steps + assumed_steps)

    def count_bite(self, now):
        """The watchdog has bitten, or an exception has ended a run. now: pump time of this start, s. Returns whether it
        is the third within ten minutes of the first. After a clock that went back nobody knows how long it was: no
        time."""
        gap = min(max(0, now - self.bite_at), _U16) if self.bite_at else _U16
        loop = self.bite_at > 0 and self.bite_gap + gap <= _LOOP_S
        self.bite_at, self.bite_gap = max(1, now), gap
        return loop

    def count_work(self, seconds, eeprom_writes, sounded_s, charge_uas):
        """So much more time, work and charge."""
        self.powered_s = min(_U32, self.powered_s + seconds)
        self.eeprom_writes = min(_U32, self.eeprom_writes + eeprom_writes)
        self.sounded_s = min(_U32, self.sounded_s + sounded_s)
        self.charge_uas = min(_U48, self.charge_uas + charge_uas)

    def save(self):
        """Write a record. Raises WriteError."""
        self.mirror.append(self._pack())
        self.doubtful = None

    def _pack(self):
        values = self.values()
        wide = (values[3] & _U32, values[3] >> 32, values[4] & _U32, values[4] >> 32)
        return struct.pack(_FORMAT, *(values[:3] + wide + values[5:]))

    def refused(self):
        """A record was refused, and the fields are again what holds: withdraw() is to write it over."""
        self.doubtful = self._pack()

    def withdraw(self):
        """Write what holds over what was refused. Raises WriteError."""
        if self.doubtful is not None:
            self.mirror.append(self.doubtful)
            self.doubtful = None

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
            self.bite_at,
            self.bite_gap,
            self.proved,
        )
