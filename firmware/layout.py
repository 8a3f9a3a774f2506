"""Where things lie in the EEPROM, in 64-byte pages (docs/EEPROM.md). The two copies of a mirrored ring lie in the two
halves of the part, so that whatever befalls a region does not befall both."""

from micropython import const

PRESCRIPTION_FIRST = const(0)
PRESCRIPTION_SLOTS = const(4)
PRESCRIPTION_PAGES = const(12)  # of each slot
CALIBRATION_FIRST = const(48)
CALIBRATION_SLOTS = const(4)
CALIBRATION_PAGES = const(2)
KEYS_FIRST = const(56)  # reserved: 4 slots of 2 pages
PROOF = const(63)  # the last of these: made empty, once more, where everything else reads as blank
LEDGER_FIRSTS = (64, 256)
LEDGER_PAGES = const(48)  # of each copy
BOLUS_FIRSTS = (112, 304)
BOLUS_PAGES = const(40)
COUNTERS_FIRSTS = (152, 344)
COUNTERS_PAGES = const(8)
RETIRED_FIRSTS = (160, 352)
RETIRED_PAGES = const(4)
FAULTS_FIRST = const(164)
FAULTS_PAGES = const(92)
DIARY_FIRST = const(356)
DIARY_PAGES = const(40)
EVENTS_FIRST = const(396)
EVENTS_PAGES = const(116)
