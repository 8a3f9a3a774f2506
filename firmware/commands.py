"""What the console lines do. Every answer is a list of lines; a refusal is a ValueError that says why.

No command waits: what needs the EEPROM for long (log) is a generator that the console draws on between turns.
"""

from firmware import status, units

_HELP = (
    "help                        this list",
    "status                      what the pump is doing, as key: value lines",
    "log [COUNT]                 the newest events, oldest first",
    "program show                the prescription in force, and what is staged",
    "program history             that one and those it replaced, newest first",
    "program stage begin         a new one; then `program stage KEY WORDS` with",
    "                            patient, drug, concentration, mode, basal, period,",
    "                            scheduled_bolus, patient_bolus, max_per_hour,",
    "                            max_per_day",
    "program stage end DIGEST    compute, check, compare with the host's digest",
    "program confirm FIELD VALUE retype a warning; a commit needs each of them",
    "program commit DIGEST       put what is staged in force",
    "program discard             forget what is staged",
    "calibrate show | set KEY N | commit | discard",
    "stop | stop for N UNIT      stop delivery, until `resume` or for up to 60 min",
    "resume                      start delivery",
    "clear | clear repeated      end the alarms whose cause is gone",
    "silence                     no sound of alarms for up to 2 min",
    "bolus N UNIT over N UNIT    a clinician bolus beside the basal rate",
    "bolus ... confirm           the same, beyond the drug's soft limit",
    "bolus cancel                end every bolus",
    "dose                        the patient bolus, as by the button",
    "prime show | prime          what fills tubing and catheter; do it",
    "bridge | bridge cancel      the bridge to another drug or concentration",
    "trial                       the trial and its scores",
    "trial start N UNIT then minimum|stopped",
    "                            what is staged, in force for 1 h to 14 d",
    "trial keep | discard | end  stage what was tried, or what was before; end now",
    "score [pain N] [spasticity N] [EFFECT...]",
    "refill N UNIT [measured N UNIT] [because WORD]",
    "                            what it holds now, and what was withdrawn",
    "service battery             a new battery is fitted",
    "clock | clock set YYYY-MM-DDThh:mm:ss",
)
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
            "program": app.programming.program,
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
        return status.lines(self._pump)

    def _log(self, words):
        _expect(len(words) <= 1, "log", "at most a count after it")
        count = units.whole("log", words[0], 1, 1_000) if words else _LOG_DEFAULT
        return self._app.log.newest(count)

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
        _expect(
            len(words) >= 2 and words[1] != "over", _given("bolus", words[:1]), "a number, a space and a unit" + _BOLUS
        )
        _expect(words[2:3] == ["over"], _given("bolus", words), "`over NUMBER UNIT` is needed after the dose" + _BOLUS)
        _expect(len(words) >= 5, _given("bolus over", words[3:]), "a number, a space and s, min or h; 1 s to 24 h")
        _expect(words[5:] in ([], ["confirm"]), _given("bolus ...", words[5:]), "nothing, or `confirm`")
        seconds = units.duration("bolus over", words[3], words[4])
        return self._app.bolus(words[0], words[1], seconds, len(words) > 5)

    def _dose(self, words):
        _expect(not words, "dose", "no words after it")
        return self._pump.therapy.patient()

    def _clear(self, words):
        _expect(words in ([], ["repeated"]), "clear", "nothing or `repeated` after it")
        return self._app.clear(bool(words))

    def _silence(self, words):
        _expect(not words, "silence", "no words after it")
        return self._app.silence()

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
