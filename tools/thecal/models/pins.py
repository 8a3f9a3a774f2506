"""The pins of the reference hardware as the host sees them. firmware/board.py has the same numbers for the
pump.
"""

from __future__ import annotations

STEP = 2
DIR = 3
SDA = 4
SCL = 5
DRIVE = 6  # high: the motor is powered
DIAG = 7  # high: the driver reports a fault
ROTOR = 8  # one pulse for each rotor index
WP = 9  # high: the EEPROM is protected
DOSE = 13  # low: the button is pressed
SERVICE = 14  # low at boot: service mode
BUZZER = 15
LED = 25

PRESSURE = 26  # analogue inputs
BATTERY = 27
LEVEL = 28
ADC = (PRESSURE, BATTERY, LEVEL)  # the pin of each ADC channel, from channel 0
