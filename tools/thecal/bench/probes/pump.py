"""Device code: the application as firmware/pump.py makes it, not yet running, so that parts of it can be wrapped."""

import sys

import micropython

micropython.kbd_intr(-1)

import watchdog  # noqa: E402 - Ctrl-C is a byte before anything is loaded

from firmware import image  # noqa: E402

watchdog.arm()
found_in = sys.path[:]
image.serve(image.IMAGE_ROOT)
from firmware import board  # noqa: E402 - from the file of modules, served by now

image.drivers_loaded()
from firmware.app import App  # noqa: E402

sys.path[:] = found_in  # the probes lie beside main.py


def make():
    """(board, application), not yet running."""
    hardware = board.Board()
    return hardware, App(hardware)


def task(application, name):
    """The row of the task table with this name."""
    for row in application._executive._all:
        if row.name == name:
            return row
    raise ValueError(f"no task {name}")


def at_feed(application, action):
    """Call action() each time the watchdog has been fed: the last thing that happens at the start of a frame."""
    supervisor = application._executive._supervisor
    feed = supervisor._feed

    def fed():
        feed()
        action()

    supervisor._feed = fed


def when_done(application, meter, report):
    """Call report() once, after a frame, when the meter is full."""
    waiting = [True]

    def watch():
        if waiting[0] and meter.used == meter.size:
            waiting[0] = False
            report()
            print("\r\n#done 1")

    at_feed(application, watch)
