"""One pump's records on an EEPROM that fails, driven without the rest of the application, and checked against Truth.

Every operation may end in an OSError, which the application survives, or in a power cut, after which the pump starts
again by itself; each start is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thecal.powercut.event_logs import digests, event_log, work_off
from thecal.powercut.journal_starts import BOARD_ID, PAUSED, POWER_ON, RUNNING, SAFE, STOPPED, WATCHDOG, Starts
from thecal.powercut.journal_truth import Totals, hold, settled
from thecal.powercut.page_part import NEVER, PowerCut
from thecal.programming import firmware

__all__ = ["BOARD_ID", "PAUSED", "POWER_ON", "RUNNING", "SAFE", "STOPPED", "WATCHDOG", "Journal"]

_DAY_S = 86_400
_EVENTS_KEPT = 30  # that the log is asked for

_calibration = firmware("calibration")


class Journal(Starts):
    """The pump, and what can be asked of it."""

    def attempt(self, operation: Callable[[], None]) -> bool:
        """Do something that writes. Returns whether it was acknowledged. A cut in it is followed by a start."""
        try:
            operation()
            self.save_retired()
        except OSError:
            self.refused += 1
            return False
        except PowerCut:
            self.restart()
            return False
        return True

    # -- the ledger -------------------------------------------------------------------------------------------

    def write_ledger(self, reserve: bool) -> bool:
        """A record of what the ledger says now, with a reservation or without. Returns whether it was acknowledged."""
        if not self.calibrated:
            return False  # there is no ledger yet, or one that the first calibration will begin anew
        self.truth.ledger_in_flight()
        return self.attempt(lambda: self.write_record(reserve))

    def second_passes(self) -> None:
        """One frame of dosing: what falls due is counted and made, and the reservation kept ahead."""
        self.second += 1
        if self.second == _DAY_S:
            self.day, self.second = self.day + 1, 0
        ledger, cascade = self.ledger, self.cascade
        self.pending += cascade.second()
        ledger.note(self.day, self.second, cascade)
        if self.pending:
            steps = ledger.take(self.pending)
            if steps:
                self.truth.totals.count(steps)
                self.truth.made += steps
                self.pending -= steps
            self.pending = min(self.pending, 2 * (cascade.steps_in(1) + 1))  # what is beyond that is missed
        if ledger.wants_record(cascade, self.pending):
            self.write_ledger(True)

    def set_rate(self, rate: int) -> None:
        """From now on nL/day; 0 to 28,800,000."""
        self.rate = rate
        self.truth.rate = max(self.truth.rate, rate)
        self.cascade.set_rate(rate)

    # -- commits ----------------------------------------------------------------------------------------------

    def commit_calibration(self, pl_per_step: int, serial: str) -> None:
        """Calibrate; with the first calibration the ledger begins."""
        values = _calibration.Calibration(serial, pl_per_step=pl_per_step)
        truth = self.truth
        first = not self.calibrated
        packed = values.pack(BOARD_ID)
        truth.calibration.maybe.append(packed)
        truth.ledger_in_flight()
        if first:
            # The ledger begins; once more, if an earlier first calibration did not come through.
            truth.maybe[-1] = Totals(
                reservoir_pl=values.reservoir_nl * 1_000, pl_per_step=pl_per_step, stop=(self.day, self.second)
            )
            truth.maybe[-1].reserved = None
            truth.counters.maybe.append(self.records.counters.values())

        def commit() -> None:
            self.records.commit_calibration(values, self.day, self.second)
            if first:
                self.ledger.close(self.cascade, self.day, self.second)
                truth.totals = truth.maybe[-1]
                truth.counters.set(self.records.counters.values())
            truth.calibration.set(packed)
            truth.totals.pl_per_step = pl_per_step
            truth.ledger_written(0, self.cascade.rate)

        self.attempt(commit)

    def commit_prescription(self, rx: Any) -> None:
        """Program: rx is a firmware Prescription, validated."""
        if self.records.calibration is None:
            return
        packed = rx.pack()
        prescription = self.truth.prescription
        prescription.maybe.append(packed)

        def commit() -> None:
            self.records.commit_prescription(rx)
            prescription.set(packed)

        starts = self.starts
        if self.attempt(commit):
            self.write_ledger(self.truth.totals.state == RUNNING)
        elif self.starts == starts:
            prescription.maybe.pop()  # refused: the old one is said to be in force

    def begin_bolus(self, kind: int, seconds: int, dose_nl: int, index: int) -> None:
        """A bolus begins: first its own record."""
        if not self.calibrated:
            return
        start = self.ledger.pump_time(self.day, self.second)
        therapy = dose_nl ^ seconds
        self.truth.boluses.append(((start, seconds, dose_nl, self.day, kind, index, therapy, start, False), False))

        def begin() -> None:
            self.records.boluses.begin(kind, (start, seconds), (dose_nl, start), (index, self.day, therapy))
            self.truth.boluses[-1] = (self.truth.boluses[-1][0], True)

        self.attempt(begin)

    def write_event(self) -> None:
        """Something is logged. The first time after a start the log is searched, and must tell all that was."""
        if self.log is not None and self.log._queue:
            return  # the one before was refused, and waits

        def write() -> None:
            log = self.log if self.log is not None else self._find_log()
            self.events += 1
            self.truth.events.append((self.events, False))
            log.log("committed", digest=self.events, sequence=0, drug=0)
            work_off(log)
            self.truth.events[-1] = (self.events, not log._queue)

        self.attempt(write)
        del self.truth.events[: -2 * _EVENTS_KEPT]

    def _find_log(self) -> Any:
        log = event_log(self.records, self.part)
        while log._scanning < len(log._rings):  # a read that is refused ends a piece of work
            work_off(log)
        self.part.misread_in = NEVER  # a line that is misread now is there in the next listing
        found = digests(log, _EVENTS_KEPT)
        hold(bool(found) or not any(acked for _, acked in self.truth.events), "F12: the log is empty")
        # An event that was cut may be told, and later no more: nothing is done by it.
        settled(self.truth.events, found, len(found), "F12: an event")
        self.log = log
        return log
