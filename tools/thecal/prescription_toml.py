"""Reading a prescription from its TOML table, with every rule that makes it one which this pump can give.

Quantities are exact until they become whole nL or nL/day, by one rounding down: never more than was
prescribed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thecal.drug_library import library
from thecal.fields import ABSENT
from thecal.prescription import (
    DRUGS,
    MAX_BOLUS_S,
    MAX_DOSE,
    MAX_LIMIT,
    MAX_LOCKOUT_S,
    MAX_PATIENT_BOLUSES,
    MAX_PERIODS,
    MAX_SCHEDULED,
    MODES,
    PATIENT_LENGTH,
    PatientBolus,
    Period,
    Prescription,
    PrescriptionError,
    RateRange,
    ScheduledBolus,
    first_overlap,
    minute_text,
)
from thecal.prescription_rules import refuse_what_cannot_be_given
from thecal.prescription_when import read_clock, read_days
from thecal.quantities import Dimension, Quantity
from thecal.tables import DocumentError, Table, read_document

if TYPE_CHECKING:
    from pathlib import Path

_NL_PER_ML = 1_000_000
_DOSING = ("continuous", "flex")
_BOLUSES = ("scheduled_bolus", "patient_bolus")
_KEYS = ("patient", "drug", "concentration", "mode", "basal", "period", "limits", *_BOLUSES)


def load_prescription(path: Path, rates: RateRange) -> Prescription:
    """Read a prescription file. Raises PrescriptionError, also if the file cannot be read or is no TOML."""
    try:
        document = Table(read_document(path), "", PrescriptionError)
    except DocumentError as error:
        raise PrescriptionError(path.name, ABSENT, str(error)) from error
    document.only(["prescription"])
    return parse_prescription(document.need("prescription", "a table [prescription] is needed"), rates)


def parse_prescription(data: object, rates: RateRange, path: str = "prescription") -> Prescription:
    """Read a parsed [prescription] table for a pump that can run at `rates`.

    path: where the table stands, the head of every path in an error. Raises PrescriptionError.
    """
    table = Table(data, path, PrescriptionError)
    table.only(_KEYS)
    patient = table.text("patient", PATIENT_LENGTH, spaces=False)
    drug = table.choice("drug", DRUGS)
    concentration = _concentration(table, drug)
    mode = table.choice("mode", MODES)
    _refuse_unused(table, mode)
    reader = _Doses(concentration, rates)
    rx = Prescription(
        patient=patient,
        drug=drug,
        concentration_ng_per_ml=concentration,
        mode=mode,
        basal_nl_day=reader.rate(table, "basal") if mode in _DOSING else 0,
        periods=_periods(table, reader),
        scheduled=_scheduled(table, reader),
        patient_bolus=_patient_bolus(table, reader),
        **_limits(table, reader),
        source=table.data,
    )
    refuse_what_cannot_be_given(table, rx, rates)
    return rx


def _refuse_unused(table: Table, mode: str) -> None:
    unused = () if mode in _DOSING else ("basal", "limits", *_BOLUSES)
    for key in unused if mode == "flex" else (*unused, "period"):
        if key in table:
            raise table.error(table.where(key), ABSENT, f'not used by the mode "{mode}"; leave it out')


def _concentration(table: Table, drug: str) -> int:
    """Whole ng/mL, one that the library has.

    A fraction is refused and not rounded: rounding it down would raise every volume computed from it.
    """
    if drug == "saline":
        if "concentration" in table:
            table.refuse("concentration", "saline takes no concentration; leave it out")
        return 0
    value = table.quantity("concentration", Dimension.CONCENTRATION).value
    if value.denominator != 1:
        table.refuse("concentration", "a whole number of ng/mL is needed")
    allowed = library()[drug]
    if not allowed.takes(int(value)):
        table.refuse("concentration", f"{allowed.taken()} is needed for {drug}")
    return int(value)


class _Doses:
    """Rates and doses, by mass or by volume, of a drug at one concentration (ng/mL, 0 for none)."""

    def __init__(self, concentration: int, rates: RateRange) -> None:
        self.concentration = concentration
        self.rates = rates

    def rate(self, table: Table, key: str) -> int:
        """nL/day: 0, or within the range of the pump. What is above 0 may not become 0 by rounding down."""
        quantity = self._read(table, key, Dimension.MASS_RATE, Dimension.VOLUME_RATE)
        rate = quantity.value // 1
        low, high = self.rates
        if quantity.value and not low <= rate <= high:
            table.refuse(key, f"0 or {low} to {high} nL/day is needed, and this is {_decimal(quantity)} nL/day")
        return rate

    def limit(self, table: Table, key: str) -> int | None:
        """nL, or None if there is no such limit."""
        return self._amount(table, key, MAX_LIMIT) if key in table else None

    def dose(self, table: Table, key: str) -> int:
        """nL."""
        return self._amount(table, key, MAX_DOSE)

    def _amount(self, table: Table, key: str, most: int) -> int:
        quantity = self._read(table, key, Dimension.MASS, Dimension.VOLUME)
        if not 1 <= quantity.value // 1 <= most:
            table.refuse(key, f"1 to {most} nL is needed, and this is {_decimal(quantity)} nL")
        return quantity.value // 1

    def _read(self, table: Table, key: str, mass: Dimension, volume: Dimension) -> Quantity:
        """A quantity by volume, exact, whether it was written as a mass or as a volume."""
        if not self.concentration:
            return table.quantity(key, volume)
        quantity = table.quantity(key, mass, volume)
        if quantity.dimension is mass:
            return Quantity(quantity.value * _NL_PER_ML / self.concentration, volume)
        return quantity


def _decimal(quantity: Quantity) -> str:
    """An exact value for an error text: whole, or cut after three decimals."""
    whole, thousandths = divmod(quantity.value * 1000 // 1, 1000)
    return str(whole) if quantity.value == whole else f"{whole}.{thousandths:03}"


def _periods(table: Table, reader: _Doses) -> tuple[Period, ...]:
    items = table.tables("period")
    if len(items) > MAX_PERIODS:
        raise table.error(table.where("period"), ABSENT, f"{len(items)} periods; at most {MAX_PERIODS} are allowed")
    periods = tuple(_period(item, reader) for item in items)
    overlap = first_overlap(periods)
    if overlap:
        earlier, later, minute = overlap
        raise table.error(
            items[later].path,
            ABSENT,
            f"overlaps {items[earlier].path} on {minute_text(minute)}; periods may not overlap",
        )
    return periods


def _period(table: Table, reader: _Doses) -> Period:
    table.only(["days", "from", "to", "rate"])
    return Period(
        read_days(table, "days"), read_clock(table, "from"), read_clock(table, "to"), reader.rate(table, "rate")
    )


def _scheduled(table: Table, reader: _Doses) -> tuple[ScheduledBolus, ...]:
    items = table.tables("scheduled_bolus")
    if len(items) > MAX_SCHEDULED:
        raise table.error(
            table.where("scheduled_bolus"),
            ABSENT,
            f"{len(items)} scheduled boluses; at most {MAX_SCHEDULED} are allowed",
        )
    return tuple(_scheduled_bolus(item, reader) for item in items)


def _scheduled_bolus(table: Table, reader: _Doses) -> ScheduledBolus:
    table.only(["days", "at", "dose", "over"])
    return ScheduledBolus(
        read_days(table, "days"),
        read_clock(table, "at"),
        reader.dose(table, "dose"),
        _seconds(table, "over", 1, MAX_BOLUS_S),
    )


def _patient_bolus(table: Table, reader: _Doses) -> PatientBolus | None:
    if "patient_bolus" not in table:
        return None
    inner = table.table("patient_bolus")
    inner.only(["dose", "over", "lockout", "max_per_day"])
    dose, over = reader.dose(inner, "dose"), _seconds(inner, "over", 1, MAX_BOLUS_S)
    lockout = _seconds(inner, "lockout", over, MAX_LOCKOUT_S)
    return PatientBolus(dose, over, lockout, inner.integer("max_per_day", 1, MAX_PATIENT_BOLUSES))


def _seconds(table: Table, key: str, least: int, most: int) -> int:
    """A duration in whole seconds; a shorter one would make a faster flow, so none is rounded."""
    value = table.quantity(key, Dimension.DURATION).value
    if value.denominator != 1 or not least <= value <= most:
        table.refuse(key, f"{least} to {most} s, in whole seconds, is needed")
    return int(value)


def _limits(table: Table, reader: _Doses) -> dict[str, int | None]:
    keys = ("max_per_hour", "max_per_day")
    if "limits" not in table:
        return {}
    limits = table.table("limits")
    limits.only(keys)
    return {f"{key}_nl": reader.limit(limits, key) for key in keys}
