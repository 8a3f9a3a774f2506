"""What an operator has begun at the console and not finished (R35): a staged prescription or calibration, and a line
that has no end yet.

What is staged is called to mind after five minutes in which nothing came of it, and given up after ten; so is a line,
without a reminder: a single byte of noise is one. Whoever comes to the console then must not finish with one key what
somebody else had in mind. Commands that only look at the pump, as `status`, make no difference: a host that asks for it
every second is no operator.
"""

from micropython import const

from firmware.alarms import INPUT_PENDING

_CALLED_TO_MIND_MS = const(300_000)
_GIVEN_UP_MS = const(600_000)
_LINE = const(0)  # of events.NAMES["input"]
_STAGED = const(1)


class Pending:
    """The unfinished input of one pump."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._typed = 0  # characters of a line
        self._typed_at = 0  # ticks_ms of its last character

    def watch(self, parts, now):
        """Between the commands. parts: the console_parts.Part that may have something staged. now: ticks_ms."""
        app = self._app
        idle = self._staged_ms(parts, now)
        if idle >= _GIVEN_UP_MS:
            app.log.log("given_up", input=_STAGED)
            for part in parts:
                if part.is_needed():
                    part.made.discard()
        if _CALLED_TO_MIND_MS <= idle < _GIVEN_UP_MS:
            app.alarms.raise_(INPUT_PENDING)
        else:
            app.alarms.gone(INPUT_PENDING)
        if self._line_ms(now) >= _GIVEN_UP_MS:
            app.log.log("given_up", input=_LINE)
            app.console.forget_line()

    def _staged_ms(self, parts, now):
        """Since the last command about what is staged; -1: nothing is."""
        idle = -1
        for part in parts:
            if part.is_needed():
                age = self._app.board.ticks_diff(now, part.used_at)
                if idle < 0 or age < idle:
                    idle = age
        return idle

    def _line_ms(self, now):
        """Since the last character of a line; -1: there is none."""
        typed = self._app.console.typed
        if typed != self._typed:
            self._typed = typed
            self._typed_at = now
        return self._app.board.ticks_diff(now, self._typed_at) if typed else -1
