"""What a pump must remember over a cut, and how it is compared with what the next start finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thecal.powercut.snapshot import Snapshot, module
from thecal.powercut.train import steps_by
from thecal.powercut.whole_pump import Board

Trains = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Durable:
    """What no cut may lose once it was answered or taken effect: calibration and prescription as packed, the state with
    the time of its stop, the alarms that a reset must not end, all that was ever filled in (pL), the number of boluses
    begun.
    """

    calibration: bytes | None
    prescription: bytes | None
    state: tuple[int, ...]
    alarms: int
    filled_pl: int
    boluses: int


FACTORY = Durable(None, None, (), 0, 0, 0)  # of a pump that nobody has calibrated


@dataclass(frozen=True)
class Expected:
    """What the next start must find. durable: one of these. excess: steps that the ledger was ahead of the motor when
    the last session began; loss: steps that this cut may add to it. loaded: fingerprints of which one must be found, or
    None if any may. exact: the count must not change at all (a watchdog reset).
    """

    durable: frozenset[Durable]
    excess: int
    loss: int
    active: int
    epoch_s: int
    loaded: frozenset[Any] | None = None
    carried: int = 0


@dataclass(frozen=True)
class Point:
    """A page write, and what was true around it. snapshot: just before, with the power gone. made, trains: for the
    steps that the motor makes while it lasts.
    """

    snapshot: Snapshot
    page: int
    old: bytes
    new: bytes
    begin_us: int
    made: int
    trains: Trains
    expected: Expected

    def steps(self, t_us: int) -> int:
        """Physical steps by this true time, within the write."""
        return steps_by(self.made, self.trains, t_us)


class Violation(BaseException):
    """An invariant does not hold; the text says which, with the numbers. No code of the firmware may swallow it."""


def durable(app: Any, started: bool) -> Durable:
    """What is durable in an App. started: alarms have been taken up; before, the ledger's count."""
    records, book = app.records, app.ledger
    if records.calibration is None and not book.alarms:
        return FACTORY  # a first commit that was cut may have left a ledger behind, which counts nothing
    stopped = book.state != module("ledger").RUNNING
    return Durable(
        records.calibrations.payload if records.calibration is not None else None,
        bytes(records.prescriptions.payload) if records.prescription is not None else None,
        (book.state, book.stop_day, book.stop_second) if stopped else (book.state,),
        app.alarms.latched() if started else book.alarms,
        book.reservoir_pl + book.volume_pl,
        records.boluses.number,
    )


def found_in(snapshot: Snapshot, scratch: tuple[int, ...] = (0, 0, 0, 0)) -> Any:
    """Everything that Records finds in an EEPROM, as plain values; the snapshot stays as it is."""
    board = Board(snapshot)
    records = module("records").Records(board.eeprom, list(scratch), board.board_id())
    records.load()
    return records.state()


def differences(found: Durable, wanted: Durable) -> list[str]:
    return [
        f"{name} {getattr(found, name)!r:.80} instead of {getattr(wanted, name)!r:.80}"
        for name in found.__dataclass_fields__
        if getattr(found, name) != getattr(wanted, name)
    ]
