"""What a programmed pump has in its EEPROM, made by the firmware's own code: one format, written once."""

from __future__ import annotations

from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any

from thecal.models.bench import PumpConfig
from thecal.models.board_id import board_id
from thecal.prescription import Prescription
from thecal.twin.install import install

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SIZE = 32_768
_PAGE = 64
_CALIBRATION_FIELDS = (
    "pl_per_step",
    "steps_per_index",
    "reservoir_nl",
    "low_reservoir_nl",
    "tubing_nl",
    "catheter_mm",
    "catheter_pl_per_mm",
    "min_rate",
    "max_rate",
    "battery_mah",
    "eri_to_eos_s",
    "serial",
)


class MemoryEeprom:
    """The EEPROM driver's interface on a plain image: no bus, no time."""

    def __init__(self, image: bytes | None = None) -> None:
        self.memory = bytearray(image if image is not None else b"\xff" * _SIZE)

    def read_into(self, address: int, buffer: bytearray) -> None:
        """Fill buffer from address on."""
        buffer[:] = self.memory[address : address + len(buffer)]

    def write_page(self, page: int, data: bytes) -> None:
        """Write one 64-byte page."""
        self.memory[page * _PAGE : (page + 1) * _PAGE] = data


def firmware(name: str) -> ModuleType:
    """A module of the firmware, imported on CPython."""
    install()
    return __import__(f"firmware.{name}", fromlist=[name])


def device_prescription(rx: Prescription) -> Any:
    """The firmware's own Prescription object for a host prescription; every number as the host computed it."""
    module = firmware("prescription")
    made = module.Prescription()
    made.patient = rx.patient
    made.drug = rx.drug
    made.concentration = rx.concentration_ng_per_ml
    made.mode = module.MODES.index(rx.mode)
    made.basal = rx.basal_nl_day
    made.periods = [tuple(period) for period in rx.periods]
    made.scheduled = [tuple(bolus) for bolus in rx.scheduled]
    made.patient_bolus = None if rx.patient_bolus is None else tuple(rx.patient_bolus)
    made.max_per_hour = module.NO_LIMIT if rx.max_per_hour_nl is None else rx.max_per_hour_nl
    made.max_per_day = module.NO_LIMIT if rx.max_per_day_nl is None else rx.max_per_day_nl
    return made


def pack(rx: Prescription) -> bytes:
    """The packed form of a prescription, of which host and pump compare the digest before a commit."""
    return device_prescription(rx).pack()


def confirmations(lines: Iterable[str]) -> list[str]:
    """The console lines that confirm what the pump's answer to `program stage end` warns of, value by value (R10)."""
    return ["program confirm " + warned for warned in warnings(lines)]


def warnings(lines: Iterable[str]) -> dict[str, str]:
    """What an answer of the pump warns of: "FIELD VALUE" -> why. A line is `warning FIELD VALUE...: why`."""
    found = {}
    for line in lines:
        if line.startswith("warning "):
            warned, _, why = line.removeprefix("warning ").partition(": ")
            found[warned] = why
    return found


def calibration(config: PumpConfig) -> Any:
    """The firmware's Calibration for a pump. Raises its CalibrationError, naming field, value and range."""
    values: Mapping[str, Any] = {name: getattr(config, name) for name in _CALIBRATION_FIELDS}
    return firmware("calibration").Calibration(**values)


def calibration_values(values: Any) -> list[tuple[str, int | str]]:
    """(name, value) of everything in a firmware Calibration, as `calibrate set` takes it."""
    return [(name, getattr(values, name)) for name in _CALIBRATION_FIELDS]


def programmed_image(config: PumpConfig, rx: Prescription | None, start: datetime) -> bytes:
    """The EEPROM of a pump that is calibrated, filled and, with a prescription, programmed and running."""
    eeprom = MemoryEeprom()
    records = firmware("records").Records(eeprom, [0, 0, 0, 0], board_id(config.serial))
    records.counters.proved = firmware("resets").firmware_number()  # its watchdog has bitten at its first start
    civil = firmware("civil")
    day = civil.day_number(start.year, start.month, start.day)
    second = start.hour * 3600 + start.minute * 60 + start.second
    records.commit_calibration(calibration(config), day, second)
    records.ledger.close(records.cascade, day, second)
    if rx is not None:
        made = device_prescription(rx)
        made.validate(records.calibration)
        records.commit_prescription(made)
        records.ledger.state = firmware("ledger").RUNNING
        records.ledger.decided_min = (day * civil.SECONDS_PER_DAY + second) // 60  # as at any commit
        records.ledger.close(records.cascade, day, second)
    return bytes(eeprom.memory)
