"""Reading the [pump] table of a scenario: the calibration of the simulated pump, in place of the reference
hardware's.

The ranges are those that the pump itself accepts (firmware/calibration.py); a test holds the two together.
Unlike a dose, a calibration value is never rounded: one that cannot be held exactly is refused, since a wrong
constant is wrong for ever.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from thecal.fields import FieldError
from thecal.models.bench import PumpConfig
from thecal.quantities import Dimension
from thecal.tables import DocumentError, Table, read_document

SERIAL_LENGTH = 16
_HIGHEST_RATE = 28_800_000  # nL/day


class Field(NamedTuple):
    """How one key becomes one whole number of PumpConfig: its unit there, its range, and base units per one
    of it.
    """

    name: str
    unit: str
    lowest: int
    highest: int
    dimension: Dimension | None
    size: Fraction = Fraction(1)


FIELDS = {
    "pl_per_step": Field("pl_per_step", "pL", 1_000, 1_000_000, None),
    "steps_per_index": Field("steps_per_index", "steps", 1, 10_000, None),
    "reservoir": Field("reservoir_nl", "nL", 100_000, 100_000_000, Dimension.VOLUME),
    "low_reservoir": Field("low_reservoir_nl", "nL", 0, 100_000_000, Dimension.VOLUME),
    "tubing": Field("tubing_nl", "nL", 0, 10_000_000, Dimension.VOLUME),
    "catheter": Field("catheter_mm", "mm", 0, 2_000, Dimension.LENGTH),
    # A volume in nL for each cm: 1 nL/cm is 100 pL/mm.
    "catheter_per_cm": Field("catheter_pl_per_mm", "pL/mm", 0, 10_000_000, Dimension.VOLUME, Fraction(1, 100)),
    "min_rate": Field("min_rate", "nL/day", 1, _HIGHEST_RATE, Dimension.VOLUME_RATE),
    "max_rate": Field("max_rate", "nL/day", 1, _HIGHEST_RATE, Dimension.VOLUME_RATE),
    "battery_mah": Field("battery_mah", "mAh", 0, 1_000_000, None),
    "eri_to_eos": Field("eri_to_eos_s", "s", 60, 31_622_400, Dimension.DURATION),
}


def load_pump(path: Path) -> PumpConfig:
    """The PumpConfig of a TOML file that holds a table [pump] and nothing else.

    Raises DocumentError or FieldError, both ValueErrors.
    """
    document = read_document(path)
    if list(document) != ["pump"]:
        raise DocumentError("must hold a table [pump] and nothing beside it")
    return parse_pump(Table(document, "", FieldError).table("pump"))


def parse_pump(table: Table) -> PumpConfig:
    """The PumpConfig of a [pump] table; what it does not name is the reference hardware.

    Raises the table's error for an unknown key and for a value of the wrong kind or out of its range.
    """
    table.only([*FIELDS, "serial"])
    values: dict[str, Any] = {field.name: _value(table, key, field) for key, field in FIELDS.items() if key in table}
    if "serial" in table:
        values["serial"] = table.text("serial", SERIAL_LENGTH, spaces=False)
    config = PumpConfig(**values)
    if config.min_rate > config.max_rate:
        key = "min_rate" if "min_rate" in table else "max_rate"
        table.refuse(key, f"min_rate, {config.min_rate} nL/day, is above max_rate, {config.max_rate} nL/day")
    return config


def _value(table: Table, key: str, field: Field) -> int:
    if field.dimension is None:
        return table.integer(key, field.lowest, field.highest)
    value = table.quantity(key, field.dimension).value / field.size
    if value.denominator != 1 or not field.lowest <= value <= field.highest:
        table.refuse(key, f"a whole number of {field.unit}, {field.lowest} to {field.highest} {field.unit}")
    return int(value)
