"""Loads what the application does not start with, once the pump doses: it would make every start longer, and fill the
heap for nothing (F11).

The first second begins with the motor powered and its steps a second away; one module is loaded in a turn, so that a
frame is late by no more than for a command. Nothing of this is on the way from prescription to motor: alarms, boluses,
scheduled or asked for at the button, and the ends of bridges and trials are there from the start. What comes in at the
console meanwhile waits in the USB buffer. What only few commands need comes with them: console_parts.py. No other
module imports anything once the application runs.
"""

from firmware import image

# What each module imports of the others comes before it: a turn loads one module.
_WITH_THE_PUMP = (
    "refill_dates",
    "forecast",
    "rehash",
    "tables",
    "status",
    "pending",
    "console_parts",
    "clinician",
    "commands",
)


class Later:
    """The loading of one pump's console."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._loaded = 0  # modules

    def work(self):
        """Load the next module; the last call gives the console its commands. Whatever an import raises ends in a
        restart, as any other exception in the application: the image was whole when the pump started."""
        app = self._app
        if self._loaded == len(_WITH_THE_PUMP):
            app.reservoir.forecast = load("forecast").Forecast(app)
            if image.root is not None:
                app.selftest.image = load("rehash").Rehash()
            app.selftest.tables = load("tables")
            app.parts = load("console_parts").Parts(app)
            app.console.commands = load("commands").Commands(app)
            return
        app.board.collect()
        load(_WITH_THE_PUMP[self._loaded])
        self._loaded += 1


def load(name):
    """The module of this package, loaded if it is not yet."""
    return getattr(__import__("firmware." + name), name)
