"""Device code: the common ground of all ways to step. Each is a module with run(step, count, interval_us, load)."""

from load import Load
from machine import I2C, Pin

_PAGE = 511


def measure(run, count, interval_us, loaded, live_bytes):
    """Give `count` steps with one way of stepping. loaded: with the load, EEPROM included. live_bytes: see Load."""
    Pin(6, Pin.OUT, value=1)  # DRIVE
    step = Pin(2, Pin.OUT, value=0)
    i2c = I2C(0, scl=Pin(5), sda=Pin(4), freq=400_000)
    Pin(9, Pin.OUT, value=0)  # WP

    def write(page):
        # Bus time only: nobody waits for the write cycle, which is over long before the next page comes.
        i2c.writeto(0x50, bytes((_PAGE >> 2, _PAGE << 6 & 255)) + page)

    run(step, count, interval_us, Load(write if loaded else None, live_bytes))
    print("\r\n#done 1")
