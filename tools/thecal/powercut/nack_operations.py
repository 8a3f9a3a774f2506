"""What the campaign of refused transactions does: a pump's records on driver and bus, and every operation on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from thecal.powercut.bus_rig import BusRig
from thecal.powercut.event_logs import event_log, work_off
from thecal.powercut.journal import BOARD_ID, RUNNING
from thecal.powercut.page_part import PAGE
from thecal.powercut.reference import reference_image
from thecal.programming import firmware

_DAY, _SECOND = 9_560, 3_600
_STEPS = 600  # of some 610 in a reservation at this rate
_LOAD_TRIES, _LOAD_AGAIN_MS = 5, 200

_records = firmware("records")


class Alarmed(OSError):
    """A start ended with alarms."""


class Pump:
    """Records that run on the reference image, through driver and bus or past them."""

    def __init__(self) -> None:
        self.rig = BusRig(reference_image_once())
        self.made = 0
        self.records: Any = None
        self.load()
        self.records.ledger.state = RUNNING
        self.records.cascade.set_rate(24_000_000)
        self.records.ledger.reserve(self.records.cascade, 0, _DAY, _SECOND)
        self.made = self.records.ledger.steps
        self.log = event_log(self.records, self.rig)
        work_off(self.log)

    def load(self) -> list[int]:
        """A start after a power-on: as in the application, a part that does not answer at once gets a second."""
        self.records = _records.Records(self.rig, [0, 0, 0, 0], BOARD_ID)
        found = self.records.load()
        for _ in range(_LOAD_TRIES):
            if self.records.loaded:
                break
            self.rig.sleep_ms(_LOAD_AGAIN_MS)
            found = self.records.load()
        return found

    def tear_newest(self) -> None:
        """What a cut may have left: the newest ledger record is in one copy only, a page of the history is garbage."""
        for ring in (self.records.ledger.mirror.copies[1], self.records.boluses.mirror.copies[0]):
            for offset in range(0, PAGE, 3):
                self.rig.part.memory[ring.page * PAGE + offset] ^= 0x5A


@lru_cache(maxsize=1)
def reference_image_once() -> bytes:
    """The image that every case begins with."""
    return reference_image()


# -- operations: what is done through the bus, and how the state tells that it was ------------------------------------


def _start(pump: Pump) -> None:
    found = pump.load()
    if found:
        raise Alarmed(found)


def _reserve(pump: Pump) -> None:
    """The dosing of nearly all that was reserved, and the reservation and dosing of as much again."""
    ledger = pump.records.ledger
    pump.made += ledger.take(_STEPS)
    ledger.reserve(pump.records.cascade, 0, _DAY, _SECOND + 54)
    pump.made += ledger.take(_STEPS)


def _close(pump: Pump) -> None:
    pump.records.ledger.missed_nl += 7
    pump.records.ledger.close(pump.records.cascade, _DAY, _SECOND)


def _bolus(pump: Pump) -> None:
    pump.records.boluses.begin(1, (825_900_000, 600), (25_000, 0))


def _count(pump: Pump) -> None:
    pump.records.counters.count_start(1, 0)
    pump.records.counters.save()


def _program(pump: Pump) -> None:
    rx = firmware("prescription").Prescription()
    rx.patient, rx.mode, rx.basal = "bench-new", 2, 1_000_000
    rx.periods = [(0x7F, 60 * hour, 60 * hour + 30, 2_000_000) for hour in range(24)]
    pump.records.commit_prescription(rx)


def _calibrate(pump: Pump) -> None:
    values = firmware("calibration").Calibration("bench-new", pl_per_step=10_000)
    pump.records.commit_calibration(values, _DAY, _SECOND)


def _log(pump: Pump) -> None:
    """Logging raises nothing: what is refused stays queued, and is written later."""
    pump.log.log("committed", digest=1, sequence=2, drug=0)
    work_off(pump.log)
    if pump.log._queue:
        raise OSError(5, "the event is still queued")


def _prescription_of(pump: Pump) -> Any:
    return pump.records.prescription.pack()


def _calibration_of(pump: Pump) -> Any:
    return pump.records.calibration.pack(BOARD_ID)


def _boluses_of(pump: Pump) -> Any:
    return [entry.values() for entry in pump.records.boluses.recent]


@dataclass(frozen=True)
class Operation:
    """part: the state that act changes, as found after a start. torn: it begins with what a cut has left."""

    name: str
    act: Callable[[Pump], None]
    part: Callable[[Pump], Any]
    torn: bool = False

    @property
    def is_start(self) -> bool:
        """Whether it is a start and nothing else: that is not tried again by the application."""
        return self.act is _start

    def pump(self) -> Pump:
        """A pump that is about to do it."""
        made = Pump()
        if self.torn:
            made.tear_newest()
        return made


OPERATIONS = (
    Operation("start", _start, lambda pump: pump.records.state()),
    Operation("recovery", _start, lambda pump: pump.records.state(), torn=True),
    Operation("reserve", _reserve, lambda pump: pump.records.ledger.steps >= pump.made),
    Operation("close", _close, lambda pump: pump.records.ledger.missed_nl),
    Operation("bolus", _bolus, _boluses_of),
    Operation("counters", _count, lambda pump: pump.records.counters.values()),
    Operation("program", _program, _prescription_of),
    Operation("calibrate", _calibrate, _calibration_of),
    Operation("log", _log, lambda pump: True),
)
