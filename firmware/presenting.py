"""What is shown of a prescription before a commit: beside the one in force, and what must be confirmed (F4, F8; R10,
R22, R47)."""

from firmware import comparison, history, unusual


class Presenting:
    """Shows the prescriptions of one pump."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app

    def show(self, rx):
        """What is in force, and rx beside it; None: nothing is staged. Returns lines."""
        return comparison.show(self._app.records.prescription, rx)

    def compare(self, rx, found):
        """Lines that show rx beside what is in force. A generator: each is made when the console takes it, and with
        each a piece of the search for what is unusual, or None; all at once would delay the tick. found: list, which
        gets (FIELD VALUE, why) of what must be confirmed."""
        app = self._app
        active = app.records.prescription
        older = history.History(app.board.eeprom)
        search = unusual.warnings(active, rx, app.records.calibration.min_rate, older)
        for line in comparison.show(active, rx):
            yield line
            _step(search, found)
        while _step(search, found):
            yield None


def _step(search, found):
    """One piece of a search. Returns whether there was one."""
    for warning in search:
        if warning:
            found.append(warning)
        return True
    return False
