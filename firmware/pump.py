"""Starts the application and ends in a safe restart whatever happens: never in the REPL (DESIGN 4; F12)."""

import micropython

micropython.kbd_intr(-1)  # first: Ctrl-C is a byte like any other from here on

from firmware import board  # noqa: E402


def run():
    """Run the application for ever. Any way out of it makes the outputs safe and restarts the pump."""
    hardware = None
    try:
        from firmware.app import App

        hardware = board.Board()
        App(hardware).run()
    except BaseException as error:  # the last line of defence: nothing may pass it
        board.safe_outputs()
        if hardware is not None:
            hardware.note_exception(error)
    board.restart()


run()
