"""Before anything else: outputs safe. Then the SERVICE strap: low at boot leaves the normal REPL to mpremote."""

from machine import Pin

Pin(6, Pin.OUT, value=0)  # DRIVE: motor unpowered
Pin(2, Pin.OUT, value=0)  # STEP
Pin(9, Pin.OUT, value=1)  # WP: EEPROM protected
SERVICE = Pin(14, Pin.IN, Pin.PULL_UP).value() == 0
