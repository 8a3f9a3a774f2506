"""Run the pump, unless the SERVICE strap (boot.py, which shares this namespace) asks for the REPL."""

import micropython

if not SERVICE:  # pyright: ignore[reportUndefinedVariable]
    # First of all, before a host can have found the port: Ctrl-C is a byte like any other from here on. MicroPython
    # arms it anew for each script, so boot.py could not do this.
    micropython.kbd_intr(-1)
    from firmware import pump  # noqa: F401 - never returns, unless the image is damaged
