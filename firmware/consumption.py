"""What the bench takes from its battery, by state (F9). Currents in microamperes, charges in microampere seconds.

They are figures of the reference bench, all but one estimated; whoever builds another one measures and changes them.
Together they are good to a quarter, as much as a remaining time needs (R36).
"""

from micropython import const

# A Pico that only waits for interrupts at 125 MHz, USB up: about 20 mA measured (rp-rs/rp-hal issue 659). The RP2040's
# own sleep modes take less, but stop PIO, USB and I2C, so this firmware does not use them.
_IDLE_UA = const(20_000)
_AWAKE_UA = const(5_000)  # more while it executes: assumption
_AWAKE_MS = const(40)  # of every second; a frame's tasks: assumption
_STEP_UAS = const(1_000)  # a step: 200 mA through the motor for 5 ms, standstill current off: assumption
_SOUND_UA = const(10_000)  # a piezo buzzer with its transistor: assumption
_WRITE_UAS = const(15)  # a page: 3.0 mA for 5 ms (AT24C256B data sheet, supply current of a write and t_WR, maxima)


def charge(seconds, steps, sounded_s, eeprom_writes):
    """Charge taken in so many seconds with power, with so much work done in them."""
    base = seconds * (_IDLE_UA + _AWAKE_UA * _AWAKE_MS // 1_000)
    return base + steps * _STEP_UAS + sounded_s * _SOUND_UA + eeprom_writes * _WRITE_UAS
