"""What few console commands need: loaded by the first of them, and forgotten a minute after the last, or by the next
command that needs other parts; but not while it holds what an operator has staged, which pending.py ends in time (F11).
"""

from micropython import const

from firmware.image import forget
from firmware.later import load
from firmware.pending import Pending

# How the commands begin that need it; modules; the class to make of the last module, which gives the part its name; and
# how commands begin that are no such ones, though they begin like them.
_PARTS: tuple = (
    (("program commit", "trial start", "bridge"), ("history", "fluid_path", "bridge_plan"), "BridgePlan"),
    (("trial start",), ("trial_start",), "TrialStart"),
    (("trial", "score"), ("history", "trial_orders"), "TrialOrders", ("trial start",)),
    (("program", "trial start", "trial keep", "trial discard"), ("programming",), "Programming"),
    (("program stage",), ("staging",), "Staging"),
    (("program show",), ("history", "comparison", "unusual", "presenting"), "Presenting"),
    (("program history",), ("history", "comparison", "past"), None),
    (("calibrate",), ("interrupted", "calibrating"), "Calibrating"),
    (("prime",), ("fluid_path", "priming"), "Priming"),
    (("refill",), ("refilling",), "Refilling"),
    (("resume",), ("remedies",), None),
    (("help",), ("guide",), None),
)
_KEPT_MS = const(60_000)
_TIDY_MS = const(1_000)


class Part:
    """What some commands need."""

    def __init__(self, verbs, modules, maker, but=()):
        self.verbs = verbs
        self.modules = modules
        self._but = but
        self._maker = maker
        self.loaded = 0  # modules
        self.made = None
        self.used_at = 0  # ticks_ms

    def load(self, app):
        """Load the next module of it, into a heap without garbage, or it would lie in pieces all over it."""
        app.board.collect()
        module = load(self.modules[self.loaded])
        if self.loaded + 1 == len(self.modules):
            self.made = getattr(module, self._maker)(app) if self._maker else module
        self.loaded += 1

    def is_needed(self):
        """Whether it holds what an operator has staged."""
        return bool(getattr(self.made, "staged", None))

    def serves(self, line):
        """Whether the command in this line needs it."""
        return _begins(line, self.verbs) and not _begins(line, self._but)

    def forget(self, names):
        """Nobody holds it any more; the memory of these modules is free again."""
        self.made = None
        self.loaded = 0
        forget(names)


class Parts:
    """The parts of one pump's console."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._parts = [Part(*row) for row in _PARTS]
        self._pending = Pending(app)
        self._tidied_at = 0  # ticks_ms
        # ticks_ms of the last refusal in programming that was logged: here, as a host that makes noise has that part
        # forgotten and loaded again and again.
        self.refused_at = None

    def part(self, name):
        """What a command that runs needs: prepare() or bring() has loaded it."""
        return self._named(name).made

    def _named(self, name):
        for part in self._parts:
            if part.modules[-1] == name:
                return part
        raise ValueError("parts: no part %s" % name)

    def bring(self, name):
        """Load a part for the rest of a command whose lines are under way, in place of what nobody needs any more: all
        that a long command needs may be more than the heap has room for at once. A generator, which gives None
        before each module, as what comes before it has had its turn; it returns the part."""
        part = self._named(name)
        self._make_room((part,))
        while part.made is None:
            yield None
            part.load(self._app)
        part.used_at = self._app.board.ticks_ms()
        return part.made

    def prepare(self, line):
        """Load a module that this command needs. Returns False once there is none left. What an import raises is for
        the console to tell; nothing is half loaded then. line: the command, or its first three words."""
        needed = [part for part in self._parts if part.serves(line)]
        if needed:
            self._make_room(needed)
        now = self._app.board.ticks_ms()
        for part in needed:
            part.used_at = now
            if part.made is None:
                part.load(self._app)
                return True
        return False

    def _make_room(self, needed):
        """Forget the other parts, even if those needed are all there: a commit, too, needs the memory of what has shown
        the prescription before it."""
        for part in self._parts:
            if part.loaded and part not in needed and not part.is_needed():
                self._forget(part)

    def _forget(self, part):
        """A module that another part has too stays."""
        others = [other for other in self._parts if other.loaded and other is not part]
        part.forget([name for name in part.modules if not any(name in other.modules for other in others)])

    def tidy(self):
        """Once a second: watch over what is staged; while no command is under way, forget a part that was not used for
        a minute, unless something is staged in it."""
        board = self._app.board
        now = board.ticks_ms()
        if 0 <= board.ticks_diff(now, self._tidied_at) < _TIDY_MS:
            return
        self._tidied_at = now
        self._pending.watch(self._parts, now)
        if not self._app.console.idle:
            return
        for part in self._parts:
            if part.loaded and board.ticks_diff(now, part.used_at) >= _KEPT_MS and not part.is_needed():
                self._forget(part)
                return


def _begins(line, verbs):
    return any(line == verb or line.startswith(verb + " ") for verb in verbs)
