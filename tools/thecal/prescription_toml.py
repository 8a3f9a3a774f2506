"""Reading a prescription from its TOML table, with every rule that makes it one which this pump can give.

Quantities are exact until they become whole nL or nL/day, by one rounding down: never more than was
prescribed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from thecal.fields import ABSENT, did_you_mean
from thecal.prescription import (
    DAYS,
    DRUGS,
    MAX_CONCENTRATION,
    MAX_LIMIT,
    MAX_PERIODS,
    MODES,
    PATIENT_LENGTH,
    Period,
    Prescription,
    PrescriptionError,
    RateRange,
    first_overlap,
    minute_text,
)
from thecal.quantities import Dimension, Quantity
from thecal.tables import DocumentError, Table, read_document

if TYPE_CHECKING:
    from pathlib import Path

_NL_PER_ML = 1_000_000
_DOSING = ("continuous", "flex")
_BOLUSES = ("scheduled_bolus", "patient_bolus")
_KEYS = ("patient", "drug", "concentration", "mode", "basal", "period", "limits", *_BOLUSES)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_DAYS_ALLOWED = 'daily, a day (mon tue wed thu fri sat sun), a range such as mon-fri, or a list such as "mon,wed,fri"'


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
    _refuse_boluses(table)
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
        **_limits(table, reader),
        source=table.data,
    )
    _refuse_alone_exceeding(table, rx)
    return rx


def _refuse_boluses(table: Table) -> None:
    """The one place that keeps boluses out until the pump can give them (F3)."""
    for key in _BOLUSES:
        if key in table:
            raise table.error(table.where(key), ABSENT, "this version of the pump gives no boluses")


def _refuse_unused(table: Table, mode: str) -> None:
    unused = () if mode in _DOSING else ("basal", "limits")
    for key in unused if mode == "flex" else (*unused, "period"):
        if key in table:
            raise table.error(table.where(key), ABSENT, f'not used by the mode "{mode}"; leave it out')


def _concentration(table: Table, drug: str) -> int:
    """Whole ng/mL.

    A fraction is refused and not rounded: rounding it down would raise every volume computed from it.
    """
    if drug == "saline":
        if "concentration" in table:
            table.refuse("concentration", "saline takes no concentration; leave it out")
        return 0
    value = table.quantity("concentration", Dimension.CONCENTRATION).value
    if value.denominator != 1 or not 1 <= value <= MAX_CONCENTRATION:
        table.refuse("concentration", f"a whole number of ng/mL, 1 ng/mL to {MAX_CONCENTRATION // 10**6} mg/mL")
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
        if key not in table:
            return None
        quantity = self._read(table, key, Dimension.MASS, Dimension.VOLUME)
        if not 1 <= quantity.value // 1 <= MAX_LIMIT:
            table.refuse(key, f"1 to {MAX_LIMIT} nL is needed, and this is {_decimal(quantity)} nL")
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
    return Period(_days(table, "days"), _clock(table, "from"), _clock(table, "to"), reader.rate(table, "rate"))


def _clock(table: Table, key: str) -> int:
    value = table.need(key, "a time of day from 00:00 to 23:59 is needed")
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if not match:
        table.refuse(key, 'a time of day in quotes, "00:00" to "23:59", is needed')
    return int(match[1]) * 60 + int(match[2])


def _days(table: Table, key: str) -> int:
    value = table.need(key, _DAYS_ALLOWED)
    if not isinstance(value, str):
        table.refuse(key, _DAYS_ALLOWED)
    if value == "daily":
        return 0x7F
    mask = 0
    for part in value.replace(", ", ",").split(","):
        days = _day_range(part)
        if not days:
            table.refuse(key, _DAYS_ALLOWED + did_you_mean(part, [*DAYS, "daily"]))
        if mask & days:
            table.refuse(key, f"names a day twice; {_DAYS_ALLOWED}")
        mask |= days
    return mask


def _day_range(text: str) -> int:
    """The mask of a day, or of a range which may wrap over Sunday; 0 if it is neither."""
    first, dash, last = text.partition("-")
    if first not in DAYS:
        return 0
    day = DAYS.index(first)
    if not dash:
        return 1 << day
    if last not in DAYS or last == first:
        return 0
    length = (DAYS.index(last) - day) % 7 + 1
    return sum(1 << (day + n) % 7 for n in range(length))


def _limits(table: Table, reader: _Doses) -> dict[str, int | None]:
    keys = ("max_per_hour", "max_per_day")
    if "limits" not in table:
        return {}
    limits = table.table("limits")
    limits.only(keys)
    return {f"{key}_nl": reader.limit(limits, key) for key in keys}


def _refuse_alone_exceeding(table: Table, rx: Prescription) -> None:
    """The window is taken to be full of the highest basal (R09); reaching the limit is allowed (R08)."""
    highest = rx.highest_rate()
    for key, limit, windows in (
        ("max_per_hour", rx.max_per_hour_nl, 24),
        ("max_per_day", rx.max_per_day_nl, 1),
    ):
        if limit is not None and highest > limit * windows:
            need = -(-highest // windows)
            limits = table.table("limits")
            limits.refuse(key, f"at least {need} nL, the highest rate over the window, and this is {limit} nL")
