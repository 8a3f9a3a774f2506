"""What the console lines do. Every answer is a list of lines; a refusal is a ValueError that says why.

No command waits: what needs the EEPROM for long (log) is a generator that the console draws on between turns.
"""

from firmware import staging, units

_HELP = (
    "help                          this list",
    "status                        what the pump is doing, as key: value lines",
    "log [COUNT]                   the newest events, oldest first: seq time severity code key=value...",
    "program show                  the prescription in force and, beside it, what is staged",
    "program stage begin           start a new prescription; then one `program stage KEY WORDS...` for each of",
    "                              patient, drug, concentration, mode, basal, period, max_per_hour, max_per_day",
    "program stage end DIGEST      compute, check and compare with the host's digest",
    "program commit DIGEST         put the staged prescription in force, at once",
    "program discard               forget what is staged",
    "calibrate show | set KEY N | commit | discard",
    "stop | stop for N min         stop delivery, for good or for 1 to 60 min",
    "resume                        start delivery",
    "bolus N UNIT over N UNIT      a clinician bolus on top of the basal rate; `bolus cancel` ends it",
    "refill N UNIT                 the reservoir has been filled and now holds so much",
    "clear                         end the alarms whose cause is gone",
    "clock | clock set YYYY-MM-DDThh:mm:ss",
)
_LOG_DEFAULT = 20
_STOP_MAX_S = 3_600


class Commands:
    """The verbs of the console, acting on an App."""

    def __init__(self, app):
        """app: app.App, which has the operations."""
        self._app = app
        self._verbs = {
            "help": self._help,
            "status": self._status,
            "log": self._log,
            "program": self._program,
            "calibrate": self._calibrate,
            "stop": self._stop,
            "resume": self._resume,
            "bolus": self._bolus,
            "refill": self._refill,
            "clear": self._clear,
            "clock": self._clock,
        }

    def run(self, words):
        """The answer to one line, split into words. Raises ValueError with the reason of a refusal."""
        verb = self._verbs.get(words[0])
        if verb is None:
            raise ValueError("%s: no such command; `help` lists them" % words[0])
        return verb(words[1:])

    def _help(self, words):
        _expect(not words, "help", "no words after it")
        return _HELP

    def _status(self, words):
        _expect(not words, "status", "no words after it")
        return self._app.status()

    def _log(self, words):
        _expect(len(words) <= 1, "log", "at most a count after it")
        count = _whole("log", words[0], 1, 1_000) if words else _LOG_DEFAULT
        return self._app.log.newest(count)

    def _program(self, words):
        app = self._app
        verb = words[0] if words else ""
        if verb == "show" and len(words) == 1:
            return staging.show(app.prescription, app.staging.complete)
        if verb == "discard" and len(words) == 1:
            app.discard()
            return ()
        if verb == "commit" and len(words) == 2:
            app.commit(words[1])
            return ()
        if verb == "stage" and len(words) >= 2:
            return self._stage(words[1], words[2:])
        raise ValueError("program: show, stage KEY WORDS, commit DIGEST or discard is needed")

    def _stage(self, key, words):
        app = self._app
        if key == "begin" and not words:
            app.staging.begin()
            return ()
        if key == "end" and len(words) == 1:
            return app.stage_end(words[0])
        if key in ("begin", "end"):
            need = "a digest is needed" if key == "end" else "no words after it"
            raise ValueError("program stage %s: %s" % (key, need))
        app.staging.put(key, words)
        return ()

    def _calibrate(self, words):
        app = self._app
        verb = words[0] if words else ""
        if verb == "show" and len(words) == 1:
            return app.calibrating.show()
        if verb == "set" and len(words) == 3:
            app.calibrating.stage(words[1], words[2])
            return ()
        if verb == "commit" and len(words) == 1:
            app.calibrating.commit()
            return ()
        if verb == "discard" and len(words) == 1:
            app.calibrating.staged = {}
            return ()
        raise ValueError("calibrate: show, set KEY NUMBER, commit or discard is needed")

    def _stop(self, words):
        if not words:
            return self._app.stop(0)
        _expect(len(words) == 3 and words[0] == "for", "stop", "nothing or `for NUMBER UNIT` after it")
        seconds = units.duration("stop for", words[1], words[2])
        _expect(1 <= seconds <= _STOP_MAX_S, "stop for = %s %s" % (words[1], words[2]), "1 s to 60 min")
        return self._app.stop(seconds)

    def _resume(self, words):
        _expect(not words, "resume", "no words after it")
        self._app.resume()
        return ()

    def _bolus(self, words):
        if words == ["cancel"]:
            return self._app.cancel_bolus()
        allowed = "`cancel`, or NUMBER UNIT over NUMBER UNIT after it"
        _expect(len(words) == 5 and words[2] == "over", "bolus", allowed)
        return self._app.bolus(words[0], words[1], units.duration("bolus over", words[3], words[4]))

    def _refill(self, words):
        _expect(len(words) == 2, "refill", "NUMBER UNIT after it")
        return self._app.refill(words[0], words[1])

    def _clear(self, words):
        _expect(not words, "clear", "no words after it")
        return self._app.clear()

    def _clock(self, words):
        if not words:
            return ["clock: " + self._app.now_text()]
        _expect(len(words) == 2 and words[0] == "set", "clock", "nothing or `set YYYY-MM-DDThh:mm:ss` after it")
        self._app.set_clock(words[1])
        return ()


def _expect(condition, field, allowed):
    if not condition:
        raise ValueError("%s: %s" % (field, allowed))


def _whole(field, text, lowest, highest):
    mantissa, decimals = units.number(field, text)
    if decimals or not lowest <= mantissa <= highest:
        raise ValueError("%s = %s: a whole number of %d to %d" % (field, text, lowest, highest))
    return mantissa
