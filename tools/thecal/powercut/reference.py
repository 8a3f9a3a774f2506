"""An EEPROM after some days of a pump's life: every kind of record is in it, all rings have wrapped, a page is worn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from thecal.powercut.event_logs import event_log, work_off
from thecal.powercut.journal import RUNNING, STOPPED, Journal
from thecal.powercut.page_part import PagePart
from thecal.programming import firmware

_WORN = 70  # a page of the ledger's first copy
_REPROGRAMMED = 3  # commits, so that slots hold superseded records
_BOLUSES = 45  # more than the pages of the history
_EVENTS, _FAULTS = 180, 100  # more than the pages of the logs
_STARTS = 10


def reference_image() -> bytes:
    """32,768 bytes, the same every time."""
    part = PagePart()
    journal = Journal(part)
    journal.commit_calibration(25_000, "bench-01")
    for number in range(_REPROGRAMMED):
        journal.commit_prescription(_prescription(number))
    _set_state(journal, RUNNING)
    journal.set_rate(24_000_000)
    part.refusing.add(_WORN)
    for number in range(_BOLUSES):
        journal.begin_bolus(number % 3, 600, 1_000 + number, number % 24)
        journal.truth.totals.bolus = journal.ledger.bolus = journal.records.boluses.number
        journal.write_ledger(True)
        _dose(journal, range(70))
        if number % (_BOLUSES // _STARTS) == 0:
            journal.restart()
    _log(journal)
    _set_state(journal, STOPPED)
    journal.restart()
    return bytes(part.memory)


def _dose(journal: Journal, seconds: Iterable[int]) -> None:
    for _ in seconds:
        journal.second_passes()


def _set_state(journal: Journal, state: int) -> None:
    totals = journal.truth.totals
    totals.state = journal.ledger.state = state
    totals.stop = journal.ledger.stop_day, journal.ledger.stop_second = journal.day, journal.second
    journal.write_ledger(state == RUNNING)


def _prescription(number: int) -> Any:
    module = firmware("prescription")
    rx = module.Prescription()
    rx.patient = f"bench-{number}"
    rx.mode = 2
    rx.basal = 24_000_000
    rx.periods = [(0x7F, 60 * hour, 60 * hour + 30, 2_000_000) for hour in range(20 + number)]
    rx.validate(firmware("calibration").Calibration())
    return rx


def _log(journal: Journal) -> None:
    """Both logs, more than full."""
    log = event_log(journal.records, journal.part)
    work_off(log)
    for number in range(max(_EVENTS, _FAULTS)):
        if number < _EVENTS:
            log.log("committed", digest=number, sequence=number, drug=0)
        if number < _FAULTS:
            log.log("assumed", steps=number, volume_nl=25 * number)
        work_off(log)
