"""Loads what the application does not start with, once the pump doses: it would make every start longer, and fill the
heap for nothing (F11).

The first second begins with the motor powered and its steps a second away; one module is loaded in a turn, and none so
shortly before a frame that it would be late. Nothing of this is on the way from prescription to motor: alarms, boluses,
scheduled or asked for at the button, and the ends of bridges and trials are there from the start. What comes in at the
console meanwhile waits in the USB buffer. What only few commands need comes with them: console_parts.py. No other
module imports anything once the application runs.
"""

from micropython import const

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
_LOAD_MS = const(150)  # longer than any of them takes, with the collection before it


class Later:
    """The loading of one pump's console."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._loaded = 0  # modules

    def work(self, left_ms):
        """Load the next module, if there is the time for it before a frame's start or middle, which is due in left_ms;
        the last call gives the console its commands. Returns the longest time (ms) until the next call. Whatever an
        import raises ends in a restart, as any other exception in the application: the image was whole when the pump
        started."""
        if left_ms < _LOAD_MS:
            return left_ms
        app = self._app
        if self._loaded == len(_WITH_THE_PUMP):
            app.reservoir.forecast = load("forecast").Forecast(app)
            if image.root is not None:
                app.selftest.image = load("rehash").Rehash()
            app.selftest.tables = load("tables")
            app.parts = load("console_parts").Parts(app)
            app.console.commands = load("commands").Commands(app)
            return 0
        app.board.collect()
        load(_WITH_THE_PUMP[self._loaded])
        self._loaded += 1
        return 0


def load(name):
    """The module of this package, loaded if it is not yet."""
    return getattr(__import__("firmware." + name), name)
