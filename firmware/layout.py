"""Where things lie in the EEPROM, in 64-byte pages (docs/EEPROM.md)."""

from micropython import const

PRESCRIPTION_FIRST = const(0)
PRESCRIPTION_PAGES = const(16)  # each of two slots: 1 KiB
CALIBRATION_FIRST = const(32)
CALIBRATION_PAGES = const(2)  # each of two slots
LEDGER_FIRST = const(64)
LEDGER_PAGES = const(96)
EVENTS_FIRST = const(160)
EVENTS_PAGES = const(352)
