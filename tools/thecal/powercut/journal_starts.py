"""The starts of a pump's records on an EEPROM that fails: each one is compared with the truth (journal_truth)."""

from __future__ import annotations

import contextlib
from typing import Any

from thecal.powercut.journal_truth import Broken, Truth, hold
from thecal.powercut.page_part import PagePart, PowerCut
from thecal.powercut.sequences import Sequences
from thecal.programming import firmware

BOARD_ID = b"thecal01"
RUNNING, STOPPED, SAFE, PAUSED = range(4)
POWER_ON, WATCHDOG = 0, 1
_FIRST_DAY = 9_557
_STARTS_MAX = 12  # a test cuts a start a few times at most
_LOAD_TRIES = 6  # as the application: a part that does not answer at once gets another chance
# What one start may cost, in pages: two readings of the records, and the most that recovery may have to write.
READS_MAX, WRITES_MAX = 700, 60

_records = firmware("records")


class Starts:
    """The pump as far as it starts. `records`: the firmware's, of the present start. `truth`: what they must say."""

    def __init__(self, part: PagePart) -> None:
        """part: erased, or the content of a pump whose truth the caller sets."""
        self.part = part
        self.scratch = [0, 0, 0, 0]
        self.scratch_told = False
        self.truth = Truth()
        self.day, self.second = _FIRST_DAY, 0
        self.pending = 0
        self.rate = 0  # nL/day
        self.starts = self.refused = 0
        self.reads_max = self.writes_max = 0
        self.keep_scratch = False  # the next cut is a watchdog reset: the processor stops, the registers stay
        self.start_cuts: list[tuple[int, str, int, bool]] = []  # for PagePart.cut_in, one for each of the next starts
        self.sequences = Sequences(part)
        self.records: Any = None
        self.log: Any = None  # the EventLog; searched when it is needed first
        self.events = 0  # that were to be logged so far
        self.start(POWER_ON)

    @property
    def ledger(self) -> Any:
        """The firmware's ledger."""
        return self.records.ledger

    @property
    def cascade(self) -> Any:
        """The firmware's cascade."""
        return self.records.cascade

    @property
    def calibrated(self) -> bool:
        """Whether a calibration has been acknowledged, or found by a start: before that there is nothing to operate."""
        return self.truth.calibration.acked is not None

    # -- starting ---------------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Power has failed, or the watchdog has bitten: start, as often as it is cut."""
        reset = self.keep_scratch
        self.keep_scratch = False
        self.pending = 0
        for _ in range(_STARTS_MAX):
            self.part.power_on()
            if not reset:
                self.scratch = [0, 0, 0, 0]
            self.scratch_told = any(self.scratch[:2])  # after a power-on, only once a record was written
            if self.start_cuts:
                self.part.cut_in(*self.start_cuts.pop())
            try:
                self.start(WATCHDOG if reset else POWER_ON)
                return
            except PowerCut:
                reset = False
        raise Broken(f"no start in {_STARTS_MAX}")

    def start(self, cause: int) -> None:
        """Load the records as the application does, and compare them with the truth. Raises Broken."""
        self.starts += 1
        self.part.count()
        found = self._load()
        hold(self.records.loaded, "the EEPROM works, and yet the records could not be loaded", found)
        hold(not found, "alarms after a start, though nothing is damaged", found)
        self._settle()
        reads, writes = self.part.count()
        hold(reads <= READS_MAX and writes <= WRITES_MAX, "I1: a start is not bounded", reads, writes)
        self.reads_max = max(self.reads_max, reads)
        self.writes_max = max(self.writes_max, writes)
        self.cascade.set_rate(self.rate)
        self._count_start(cause)
        self.save_retired()
        if self.truth.acked is not None:
            self._write_first()
        # Not before the first calibration: a first record that was cut may still be read, or not; nothing doses by it.
        if self.starts % 8 == 0 and self.calibrated:
            self._load_again()

    def _load(self) -> list[int]:
        found: list[int] = []
        self.records = _records.Records(self.part, self.scratch, BOARD_ID)
        self.log = None
        for _ in range(_LOAD_TRIES):
            found = self.records.load()
            if self.records.loaded:
                break
        return found

    def _settle(self) -> None:
        truth, records = self.truth, self.records
        calibration = records.calibration.pack(BOARD_ID) if records.calibration is not None else None
        truth.calibration.settle(calibration, "the calibration")
        prescription = records.prescription.pack() if records.prescription is not None else None
        truth.prescription.settle(prescription, "the prescription")
        truth.counters.settle(records.counters.values(), "counters")
        truth.settle_boluses([entry.values() for entry in records.boluses.recent])
        if records.recovered[0]:
            exact = records.recovered[1]
            hold(exact or not self.scratch_told, "I3: a reset lost the count")
            (truth.settle_reset if exact else truth.settle_cut)(records.ledger)
            # A first calibration that was cut, or one that came into force all the same: steps from now on are by it.
            truth.use_step(records.ledger.pl_per_step)
        else:
            # The very first record, if its write was cut, may still be found by a later start: nothing doses by it.
            hold(truth.acked is None, "the ledger is lost", truth.acked)

    def _load_again(self) -> None:
        """Recovery is idempotent: done twice, it finds the same."""
        states = []
        for _ in range(2):
            found = self._load()
            hold(not found and self.records.loaded, "I5: a second load found alarms", found)
            states.append(self.records.state())
        hold(states[0] == states[1], "I5: two loads in a row found different states", states)
        self._settle()
        self.cascade.set_rate(self.rate)

    def _count_start(self, cause: int) -> None:
        """As the application does: the start is counted, in one record."""
        counters = self.records.counters
        counters.count_start(cause, self.records.recovered[2])
        if not self.records.recovered[0]:
            return  # never calibrated: nothing is written
        self.truth.counters.maybe.append(counters.values())
        with contextlib.suppress(OSError):  # a pump that cannot count its starts still doses
            counters.save()
            self.truth.counters.set(counters.values())

    def _write_first(self) -> None:
        """As the application does: before anything is dosed, a record says what was found."""
        reserve = self.truth.totals.state == RUNNING
        self.truth.ledger_in_flight()
        with contextlib.suppress(OSError):  # then nothing is dosed until a record was written
            self.write_record(reserve)

    def save_retired(self) -> None:
        """As the application does: pages that were found worn are remembered."""
        if self.records.retired.unsaved and self.records.recovered[0]:
            with contextlib.suppress(OSError):  # tried again with the next record
                self.records.retired.save()

    def write_record(self, reserve: bool) -> None:
        """A ledger record, with a reservation or without. Raises OSError, PowerCut."""
        if reserve:
            self.ledger.reserve(self.cascade, self.pending, self.day, self.second)
        else:
            self.ledger.close(self.cascade, self.day, self.second)
        self.truth.ledger_written(self.ledger.reserved, self.cascade.rate)
