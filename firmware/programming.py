"""The programming workflow: stage, compare, confirm what is unusual, commit (F4, F8; R10, R22, R47).

Dosing goes on undisturbed by the prescription in force until a commit, which is one record.
"""

from binascii import crc32

from firmware import alarms, library
from firmware.agenda import Agenda
from firmware.records import BEHIND_A_RECORD

_REFUSED_EVERY_MS = 60_000
_VERBS = "show, history, stage KEY WORDS, confirm FIELD VALUE, commit DIGEST or discard"


class Programming:
    """The programming of one pump. A refusal is a ValueError that names field, value and what is allowed."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._forget()

    def _forget(self):
        self.complete = None  # a validated Prescription, ready to commit
        self._room = None  # for its record: a piece so large may not be there any more when the commit comes
        self._calibration = None  # with which it was validated
        self._compared: tuple | None = None  # with which Prescription in force it was, and the digest shown
        self._warnings = []  # (FIELD VALUE, why; None once it was retyped) of what must be, if it was compared

    def _lines(self):
        """The staging.Staging that collects lines, or None."""
        lines = self._app.parts.part("staging")
        return lines if lines is not None and lines.staged else None

    @property
    def staged(self):
        """Whether something is staged, whole or in part."""
        return self.complete is not None or self._lines() is not None

    def program(self, words):
        """The console verb. Returns lines."""
        verb = words[0] if words else ""
        if verb == "show" and len(words) == 1:
            return self._app.parts.part("presenting").show(self.complete)
        if verb == "history" and len(words) == 1:
            return self._app.parts.part("past").lines(self._app)
        if verb == "stage" and len(words) >= 2:
            return self._stage(words[1], words[2:])
        if verb == "confirm" and len(words) >= 3:
            self.confirm(words[1:])
        elif verb == "commit" and len(words) == 2:
            self.commit(words[1])
        elif verb == "discard" and len(words) == 1:
            self.discard()
        else:
            raise ValueError("program: %s is needed" % _VERBS)
        return ()

    def _stage(self, key, words):
        lines = self._app.parts.part("staging")
        if key == "begin" and not words:
            self._forget()
            lines.begin()
        elif key == "end" and len(words) == 1:
            return self.stage_end(words[0])
        elif key in ("begin", "end"):
            need = "a digest is needed" if key == "end" else "no words after it"
            raise ValueError("program stage %s: %s" % (key, need))
        else:
            try:
                lines.put(key, words)
            except ValueError:
                if lines.staged:
                    self._refused()
                raise
        return ()

    def stage_end(self, digest):
        """Compute what was staged; host and pump must have come to the same. Returns lines: the comparison with the old
        one, what it rests on, and what must be confirmed. What is staged already is checked and compared anew."""
        values = self._app.records.calibration
        if values is None:
            raise ValueError("program stage end: the pump has no calibration; `calibrate` comes first")
        rx = self.complete
        try:
            if rx is None:
                lines = self._app.parts.part("staging")
                rx = lines.end(values)
                self._take(rx)
                lines.discard()
            elif self._calibration is not values:
                rx.validate(values)
                self._calibration = values
        except ValueError:
            self._refused()
            raise
        own = rx.digest()
        if own != digest:
            self._forget()
            self._refused()
            raise ValueError("digest = %s: the pump computed %s; nothing is staged" % (digest, own))
        self._compared = None
        return self._answer(rx, own)

    def present(self, rx):
        """Stage a valid Prescription that is there already (that of a trial, or the one before it) to be confirmed and
        committed as any other. Returns the lines of stage_end()."""
        lines = self._lines()
        if lines is not None:
            lines.discard()
        self._take(rx)
        return self._answer(rx, rx.digest())

    def _take(self, rx):
        """A validated Prescription is what is staged; nothing of it is confirmed."""
        self._forget()
        self._room = rx.room()
        self.complete = rx
        self._calibration = self._app.records.calibration

    def _answer(self, rx, digest):
        """The lines of stage_end(), and None where none is ready. rx, with this digest, is staged."""
        app = self._app
        active = app.records.prescription
        self._warnings = found = []
        presenting = yield from app.parts.bring("presenting")
        yield from presenting.compare(rx, found)
        presenting = None  # its memory is for what comes next
        yield "library: " + library.LIBRARY
        yield "digest: " + digest
        for line in app.records.calibration_lines():
            yield line
        yield from app.parts.bring("bridge_plan")
        for line in app.courses.lines(rx):
            yield line
        if self.complete is not rx:
            raise ValueError("program: what was staged was given up, as nobody took the answer")
        self._compared = (active, digest)
        app.log.log("staged", digest=int(digest, 16))
        if found:
            yield "to be typed once more: `program confirm FIELD VALUE` for each warning, as it stands there"
        for index in range(len(found)):
            yield "warning %s: %s" % found[index]

    def _need_compared(self, verb):
        """The staged prescription, which was checked and compared with what is in force now. Raises ValueError."""
        if self.complete is None:
            raise ValueError("program %s: nothing is staged" % verb)
        records = self._app.records
        digest = self.complete.digest()
        if self._compared != (records.prescription, digest) or self._calibration is not records.calibration:
            again = "program %s: what is staged was not compared with what is in force; `program stage end %s` does it"
            raise ValueError(again % (verb, digest))
        return self.complete

    def confirm(self, words):
        """A warning is retyped: its field and its value, exactly."""
        self._need_compared("confirm")
        text = " ".join(words)
        warnings = self._warnings
        known = [name for name, _ in warnings]
        if text not in known:
            allowed = (
                [name for name in known if name.split(" ")[0] == words[0]] or known or ["nothing is to be confirmed"]
            )
            raise ValueError("program confirm %s = %s: %s" % (words[0], " ".join(words[1:]), ", ".join(allowed)))
        warnings[known.index(text)] = text, None

    def ready(self, digest=None):
        """The staged prescription, which this pump can give and of which every warning is confirmed, and the number of
        warnings. Raises ValueError if there is none, or not with this digest."""
        rx = self.complete
        if rx is None:
            raise ValueError("program commit: nothing is staged")
        self._app.records.need_loaded("program commit")
        own = rx.digest()
        if digest is not None and own != digest:
            raise ValueError("digest = %s: %s is staged" % (digest, own))
        self._need_compared("commit")
        for text, why in self._warnings:
            if why is not None:
                raise ValueError("program commit: `program confirm %s` comes first: %s" % (text, why))
        return rx, len(self._warnings)

    def commit(self, digest):
        """Put the staged prescription in force. Dosing goes on undisturbed until then, and by the new one after."""
        try:
            rx, warnings = self.ready(digest)
            course = self._app.courses.at_commit(rx)
        except ValueError:
            self._refused()
            raise
        self.put_in_force(rx, course, warnings)

    def put_in_force(self, rx, course, warnings):
        """Store what ready() returned, with its Course, and dose by it. Raises ValueError if the EEPROM refuses, for
        want of memory, or if a number in RAM is not what was compared any more (R18): the old one is in force then.
        What fails behind the record ends in a restart."""
        app = self._app
        given = course.pack()
        app.therapy.scheduled.check()
        before = rx.course
        rx.course = course  # of what may be in force
        try:
            _rehearse(rx, app.records.calibration)
            app.records.commit_prescription(rx, self._record(rx, given))
        except MemoryError:
            rx.course = before
            raise ValueError("program commit: not enough memory for it; the old one is in force")
        except OSError as error:
            rx.course = before
            app.log.log("write_failed", record=1)
            raise ValueError("program commit: the EEPROM refused it (%s); the old one is in force" % error)
        except Exception:
            rx.course = before
            self._forget()
            raise
        with BEHIND_A_RECORD:
            self._take_effect(rx, warnings)

    def _record(self, rx, course):
        """The record of what is staged: the therapy that was compared, with this packed Course. From here on a wrong
        bit shows as a difference between record and RAM."""
        record = rx.record(self._room)
        digest = "%08x" % (crc32(memoryview(record)[: -len(course)]) & 0xFFFFFFFF)
        if self._compared != (self._app.records.prescription, digest) or record[-len(course) :] != course:
            raise ValueError("program commit: what was staged has changed in RAM; stage it anew")
        return record

    def _take_effect(self, rx, warnings):
        """What follows from a record that is in force."""
        app = self._app
        self._forget()
        app.therapy.committed()
        app.alarms.gone(alarms.PRESCRIPTION_DAMAGED)
        app.must_record = True  # the first commit of all is acknowledged by the ledger
        app.take_up_schedule()
        app.record_state()
        number = int(rx.digest(), 16)
        if warnings:
            app.log.log("confirmed", warnings=warnings, digest=number)
        drug = library.DRUGS.index(rx.drug) + 1  # 0: unknown
        app.log.log("committed", digest=number, sequence=app.records.prescriptions.sequence, drug=drug)

    def discard(self):
        """Forget what is staged."""
        if not self.staged:
            raise ValueError("program discard: nothing is staged")
        lines = self._lines()
        if lines is not None:
            lines.discard()
        self._forget()
        self._app.log.log("discarded")

    def _refused(self):
        """Log it, once a minute at most: a host that only makes noise must not fill the log."""
        parts = self._app.parts
        now = self._app.board.ticks_ms()
        if parts.refused_at is None or self._app.board.ticks_diff(now, parts.refused_at) > _REFUSED_EVERY_MS:
            parts.refused_at = now
            self._app.log.log("refused")


def _rehearse(rx, calibration):
    """The largest of what a commit makes behind its record, all at once. Raises MemoryError while nothing is written;
    it is made once more where this has been. What fails there all the same ends in a restart."""
    laid = Agenda()
    laid.lay(rx)
    return laid, rx.schedule(calibration)
