"""Before anything else: outputs safe. Then the SERVICE strap: low at boot leaves the normal REPL to mpremote."""

from machine import Pin

Pin(6, Pin.OUT, value=0)  # DRIVE: motor unpowered
Pin(2, Pin.OUT, value=0)  # STEP
Pin(9, Pin.OUT, value=1)  # WP: EEPROM protected
pin = Pin(14, Pin.IN, Pin.PULL_UP)
# About a millisecond of looks: out of reset the pad is pulled low, and the strap's wire has to be charged first.
SERVICE = not any(pin.value() for _ in range(100))
