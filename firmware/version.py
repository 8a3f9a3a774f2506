"""Version of the firmware, and of what it writes to the EEPROM; the two change independently."""

FIRMWARE = "0.1.0"
EEPROM_FORMAT = 2
