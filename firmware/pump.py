"""Starts the application and ends in a safe restart whatever happens: never in the REPL (F12; invariant 8)."""

import watchdog

from firmware import image


def run():
    """Run the application for ever. Any way out of it makes the outputs safe and restarts the pump."""
    hardware = None
    try:
        if image.IMAGE_ROOT is not None:
            image.serve(image.IMAGE_ROOT)
        from firmware import board  # here: whatever goes wrong in it must end in the restart

        if image.IMAGE_ROOT is not None:
            image.drivers_loaded()
        from firmware.app import App

        hardware = board.Board()
        App(hardware).run()
    except BaseException as error:  # noqa: BLE001 - the last line of defence: nothing may pass it
        watchdog.safe_outputs()
        watchdog.note_error(error)
        if hardware is not None:
            hardware.note_exception(error)
    watchdog.restart()


watchdog.safe_outputs()  # boot.py has done so; but nobody has checked boot.py yet
watchdog.arm()
# On CPython (no root) the sources themselves are the image.
_fault = image.fault(image.IMAGE_ROOT) if image.IMAGE_ROOT is not None else None
if _fault is not None:
    # Nothing of the application has run, the outputs are safe: main.py calls, and the board waits at the REPL for the
    # next `make flash`.
    watchdog.disarm()
    raise RuntimeError("the image is damaged. " + _fault)
run()
