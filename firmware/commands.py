"""What the console lines do. Every answer is lines, with None for a turn without one; a refusal is a ValueError that
says why.

No command waits: what needs the EEPROM for long (log) is a generator that the console draws on between turns.
"""

from firmware import clinician, status, units

_LOG_DEFAULT = 20
_STOP_MAX_S = 3_600
_BOLUS = ", as in `bolus NUMBER UNIT over NUMBER UNIT`; or `cancel`"


class Commands:
    """The verbs of the console, acting on an App."""

    def __init__(self, app):
        """app: app.App."""
        self._pump = app
        self._app = app.operations
        self._verbs = {
            "help": self._help,
            "status": self._status,
            "log": self._log,
            "program": self._program,
            "calibrate": self._calibrate,
            "stop": self._stop,
            "resume": self._resume,
            "bolus": self._bolus,
            "dose": self._dose,
            "refill": app.reservoir.refill,
            "prime": app.courses.prime,
            "bridge": app.courses.bridge,
            "trial": app.courses.trial,
            "score": app.courses.score,
            "service": app.battery.service,
            "clear": self._clear,
            "silence": self._silence,
            "test": self._test,
            "clock": self._clock,
        }

    def run(self, words):
        """The answer to one line, split into words. Raises ValueError with the reason of a refusal."""
        verb = self._verbs.get(words[0])
        if verb is None:
            raise ValueError("%s: no such command; `help` lists them" % words[0])
        return verb(words[1:])

    def prepare(self, line):
        """Load a module that this command needs. Returns False once there is none left. line: its first three words."""
        return self._pump.parts.prepare(line)

    def _program(self, words):
        return self._pump.parts.part("programming").program(words)

    def _help(self, words):
        _expect(not words, "help", "no words after it")
        return self._pump.parts.part("guide").LINES

    def _status(self, words):
        _expect(not words, "status", "no words after it")
        return status.lines(self._pump)

    def _log(self, words):
        _expect(len(words) <= 1, "log", "at most a count after it")
        count = units.whole("log", words[0], 1, 1_000) if words else _LOG_DEFAULT
        return self._app.log.newest(count)

    def _calibrate(self, words):
        calibrating = self._pump.parts.part("calibrating")
        verb = words[0] if words else ""
        if verb == "show" and len(words) == 1:
            return calibrating.show()
        if verb == "set" and len(words) == 3:
            calibrating.stage(words[1], words[2])
            return ()
        if verb == "commit" and len(words) == 1:
            calibrating.commit()
            return ()
        if verb == "discard" and len(words) == 1:
            calibrating.discard()
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
        _expect(
            len(words) >= 2 and words[1] != "over", _given("bolus", words[:1]), "a number, a space and a unit" + _BOLUS
        )
        _expect(words[2:3] == ["over"], _given("bolus", words), "`over NUMBER UNIT` is needed after the dose" + _BOLUS)
        _expect(len(words) >= 5, _given("bolus over", words[3:]), "a number, a space and s, min or h; 1 s to 24 h")
        _expect(words[5:] in ([], ["confirm"]), _given("bolus ...", words[5:]), "nothing, or `confirm`")
        return clinician.order(self._pump, (words[0], words[1]), (words[3], words[4]), len(words) > 5)

    def _dose(self, words):
        _expect(not words, "dose", "no words after it")
        return self._pump.therapy.patient()

    def _clear(self, words):
        _expect(words in ([], ["repeated"]), "clear", "nothing or `repeated` after it")
        return self._app.clear(bool(words))

    def _silence(self, words):
        _expect(not words, "silence", "no words after it")
        return self._app.silence()

    def _test(self, words):
        _expect(words == ["alarms"], _given("test", words), "`alarms` is needed")
        return self._app.test_alarms()

    def _clock(self, words):
        if not words:
            return ["clock: " + self._app.now_text()]
        _expect(len(words) == 2 and words[0] == "set", "clock", "nothing or `set YYYY-MM-DDThh:mm:ss` after it")
        return self._app.set_clock(words[1])


def _given(field, words):
    return "%s = %s" % (field, " ".join(words) or "nothing")


def _expect(condition, field, allowed):
    if not condition:
        raise ValueError("%s: %s" % (field, allowed))
