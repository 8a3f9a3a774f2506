"""What the operator is shown before a commit: the comparison with the old prescription, what the new one rests on, and
what must be confirmed (F4, F8; R10, R22, R47).
"""

from firmware import comparison, history, library, unusual


class Presenting:
    """The answer to `program stage end` of one pump."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app

    def show(self, rx):
        """What is in force, and rx beside it; None: nothing is staged. Returns lines."""
        return comparison.show(self._app.records.prescription, rx)

    def answer(self, stage, rx, digest):
        """The lines, each made when the console takes it, and with each a piece of the search for what is unusual: all
        at once would delay the tick. stage: staging.Staging, in which rx, with this digest, is complete."""
        app = self._app
        active = app.records.prescription
        stage.compared = None
        stage.warnings = found = []
        older = history.History(app.board.eeprom)
        search = unusual.warnings(active, rx, app.records.calibration.min_rate, older)
        for lines in (comparison.show(active, rx), self._ends(rx, digest)):
            for line in lines:
                yield line
                _step(search, found)
        while _step(search, found):
            pass
        if stage.complete is not rx:
            raise ValueError("program stage end: given up, as nobody took the answer")
        stage.compared = (active, digest)
        app.log.log("staged", digest=int(digest, 16))
        if found:
            yield "to be typed once more: `program confirm FIELD VALUE` for each warning, as it stands there"
        for index in range(len(found)):
            yield "warning %s: %s" % found[index]

    def _ends(self, rx, digest):
        """What a staged prescription rests on, and what comes before it."""
        yield "library: " + library.LIBRARY
        yield "digest: " + digest
        for line in self._app.records.calibration_lines():
            yield line
        for line in self._app.courses.lines(rx):
            yield line


def _step(search, found):
    """One piece of a search. Returns whether there was one."""
    for warning in search:
        if warning:
            found.append(warning)
        return True
    return False
