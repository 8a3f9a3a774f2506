"""Run the pump, unless the SERVICE strap (boot.py, which shares this namespace) asks for the REPL."""

import micropython

if not SERVICE:  # pyright: ignore[reportUndefinedVariable]
    # First of all, before a host can have found the port: Ctrl-C is a byte like any other from here on. MicroPython
    # arms it anew for each script, so boot.py could not do this.
    micropython.kbd_intr(-1)
    try:
        from firmware import pump  # noqa: F401 - never returns, unless the image is damaged
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the image
        from machine import PWM, Pin

        # Nothing runs from here on (the REPL waits for `make flash`): buzzer (GP15) and LED (GP25) go on by themselves
        # until the next reset. lib/watchdog.py knows the pins too, but may be what is damaged. Before the print, which
        # may have to wait for a host (R25).
        PWM(Pin(15), freq=1_000, duty_u16=32_768)
        Pin(25, Pin.OUT, value=1)
        print("thecal: the pump does not start:", error)
