"""Loads what only the console needs, and the part of the self-test that hashes the image anew, once the pump doses: it
would make every start longer (F11).

The first second begins with the motor powered and its steps a second away; one module is loaded in a turn, each within
30 ms, so that a frame is late by no more than for a command. Nothing of this is on the way from prescription to motor:
alarms, boluses, scheduled or asked for at the button, and the ends of bridges and trials are there from the start. What
comes in at the console meanwhile waits in the USB buffer. No other module imports anything once the application runs.
"""

from firmware import image

# What each imports of the others comes before it: a turn loads one module.
_MODULES = (
    "rehash",
    "staging",
    "comparison",
    "unusual",
    "past",
    "programming",
    "calibrating",
    "priming",
    "refilling",
    "remedies",
    "status",
    "commands",
)


class Later:
    """The loading of one pump's console."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._loaded = -1  # modules; below 0: their loading is not prepared yet

    def work(self):
        """A bounded piece of work: load the next module. Returns whether there is more to do. Whatever an import raises
        ends in a restart, as any other exception in the application: the image was whole when the pump started."""
        if self._loaded == len(_MODULES):
            self._make()
            image.release()
            return False
        if self._loaded < 0:
            image.in_pieces()
        else:
            _load(_MODULES[self._loaded])
        self._loaded += 1
        return True

    def _make(self):
        app = self._app
        if image.root is not None:
            app.selftest.image = _load("rehash").Rehash()
        app.programming = _load("programming").Programming(app)
        app.operations.calibrating = _load("calibrating").Calibrating(app)
        app.operations.remedies = _load("remedies")
        app.courses.priming = _load("priming").Priming(app)
        app.reservoir.refilling = _load("refilling").Refilling(app)
        app.console.commands = _load("commands").Commands(app)


def _load(name):
    """The module of this package, loaded if it is not yet."""
    return getattr(__import__("firmware." + name), name)
