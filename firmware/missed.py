"""Missed volume: demanded, not delivered, never caught up; counted and logged (docs/REQUIREMENTS.md, rule D3)."""

from firmware.events import NAMES

START_UP, HANG, STOP_ALARM, LATE, NO_RESERVE, STOP, BOLUS, STALL = range(len(NAMES["why"]))
_REPORT_S = 3_600  # a long stop is reported once an hour, not once a second


class Missed:
    """Adds up what was missed for one reason, and logs it when the reason ends."""

    def __init__(self, ledger, log):
        """ledger: its missed_nl is the total. log: function(code, **fields)."""
        self._ledger = ledger
        self._log = log
        self._why = 0
        self._pl = 0  # not yet reported
        self._seconds = 0
        self._rest_pl = 0  # below 1 nL, carried into the total later
        self.dosing_pl = 0  # missed while the pump was to dose, since someone took the count

    def add(self, why, picolitres, seconds):
        """picolitres were missed within the last `seconds`. why: index into events.NAMES['why']. Returns whether an
        hour was reported, so that a record of the ledger is due: a power cut must not forget more than that."""
        if why != self._why:
            self.report()
            self._why = why
        if why in (LATE, NO_RESERVE):
            self.dosing_pl += picolitres
        self._pl += picolitres
        self._seconds += seconds
        nl, self._rest_pl = divmod(self._rest_pl + picolitres, 1_000)
        self._ledger.missed_nl += nl
        if not self._pl or self._seconds < _REPORT_S:
            return False  # a low rate may miss nothing yet: its seconds count on
        self.report()
        return True

    def take(self, dosing, cascade):
        """Once a frame: count what dosing.Dosing has missed, with the volume of a step and the rate of a
        cascade.Cascade. Returns what add() does."""
        if not (dosing.missed_steps or dosing.missed_seconds or dosing.held_seconds):
            return False
        why = (STOP, STOP_ALARM, NO_RESERVE)[dosing.mode]
        seconds = dosing.held_seconds if why == STOP_ALARM else 1
        is_reported = self.add(why, dosing.missed_steps * cascade.pl_per_step, seconds)
        dosing.missed_steps = dosing.held_seconds = 0
        if dosing.missed_seconds:
            seconds = dosing.missed_seconds
            self.add(LATE, cascade.rate * seconds * 5 // 432, seconds)
            dosing.missed_seconds = 0
        return is_reported

    def report(self):
        """Log what has added up since the last report."""
        if self._pl:
            self._log("missed", why=self._why, volume_nl=self._pl // 1_000, seconds=self._seconds)
        self._pl = 0
        self._seconds = 0
