"""Device code: the application as firmware/pump.py starts it, handed out before it runs so that parts can be wrapped."""

import micropython

micropython.kbd_intr(-1)

from firmware import board  # noqa: E402
from firmware.app import App  # noqa: E402


def make():
    """(board, application), not yet running."""
    hardware = board.Board()
    return hardware, App(hardware)


def task(application, name):
    """The row of the task table with this name."""
    for row in application._executive._all:
        if row.name == name:
            return row
    raise ValueError("no task %s" % name)


def when_done(application, meter, report):
    """Call report() once, in the background, when the meter is full."""
    executive = application._executive
    background = executive._background
    state = [False]

    def watch():
        if meter.used == meter.size and not state[0]:
            state[0] = True
            report()
            print("\r\n#done 1")
        return background()

    executive._background = watch
