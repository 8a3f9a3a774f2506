"""docs/SCENARIOS.md says what a scenario may hold and what comes out: keys, events, ranges, units. Whoever has only the
document must be right (T1)."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from thecal import outputs, prescription, prescription_toml, scenario, scenario_events
from thecal.drug_library import library
from thecal.models.bench import PumpConfig
from thecal.paths import ROOT, parse_toml
from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription
from thecal.pump_toml import FIELDS, Field
from thecal.quantities import UNITS, Dimension, parse

pytestmark = pytest.mark.requirement("T1")

DOCUMENT = (ROOT / "docs" / "SCENARIOS.md").read_text("utf-8")
DEFAULTS = PumpConfig()


def tables(title: str) -> list[dict[str, list[str]]]:
    """The tables of a section: first cell -> the other cells, without the head."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^##? |^### |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title}"
    blocks = re.findall(r"(?:^\|.*\n)+", found.group(2), re.MULTILINE)
    rows = [[[cell.strip() for cell in line[1:-1].split("|")] for line in block.splitlines()[2:]] for block in blocks]
    return [{row[0]: row[1:] for row in table} for table in rows]


def names(cells: str) -> list[str]:
    """What stands in code marks."""
    return re.findall(r"`([\w.\[\]]+)`", cells)


def test_the_table_of_events_is_the_codes() -> None:
    (table,) = tables("Events")
    found = {names(event)[0]: cells for event, cells in table.items()}
    assert set(found) == set(scenario_events._EVENTS)
    for event, (keys, _) in scenario_events._EVENTS.items():
        assert set(keys) <= set(names(found[event][0])), event
        marked = re.findall(r"(?:^|; |, or an inline )`(\w+)`", found[event][0])
        assert set(marked) == set(keys), event


def documented_range(text: str, dimension: Dimension | None) -> tuple[Fraction, Fraction]:
    """Both ends of "0.1-100 mL", "60 s to 366 d" or "1-10,000", in base units."""
    low, high = text.replace(",", "").split(" to ") if " to " in text else text.replace(",", "").split("-")
    if dimension is None:
        return Fraction(low), Fraction(high)
    if " " not in low:
        low = f"{low} {high.split(' ')[1]}"
    return parse(low, dimension), parse(high, dimension)


def pump_rows() -> dict[str, list[str]]:
    """Key of [pump] -> range and reference value."""
    rows: dict[str, list[str]] = {}
    for cell, (_, allowed, reference) in tables("Scenario file")[1].items():
        keys = names(cell)
        for key, value in zip(keys, reference.split(", ") if len(keys) > 1 else [reference], strict=True):
            rows[key] = [allowed, value]
    return rows


def test_the_table_of_pump_keys_is_the_codes() -> None:
    rows = pump_rows()
    assert set(rows) == {*FIELDS, "serial"}
    assert rows["serial"][1] == DEFAULTS.serial


@pytest.mark.parametrize(("key", "field"), FIELDS.items())
def test_ranges_and_reference_values_of_the_pump_are_the_codes(key: str, field: Field) -> None:
    allowed, reference = pump_rows()[key]
    ends = [value / field.size for value in documented_range(allowed, field.dimension)]
    assert ends == [field.lowest, field.highest]
    value = Fraction(reference) if field.dimension is None else parse(reference, field.dimension) / field.size
    assert value == getattr(DEFAULTS, field.name)


def test_every_key_of_scenario_and_prescription_is_told() -> None:
    top = [name for cell in tables("Scenario file")[0] for name in names(cell)]
    assert {name.strip("[]") for name in top} == set(scenario._KEYS)
    told: set[str] = set()
    for cell in tables("Prescription file")[0]:
        head = ""
        for name in names(cell):
            head = name.partition(".")[0] or head
            told.add(head + name if name.startswith(".") else name)
    parts = {f"{table}.{key}" for table, keys in prescription._TABLES.items() for key in keys}
    assert told == {*prescription_toml._KEYS, *parts}


def test_the_example_is_a_prescription_with_every_table() -> None:
    example = re.search(r"## Prescription file.*?```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert example
    data = parse_toml(example.group(1))["prescription"]
    assert set(data) == set(prescription_toml._KEYS)
    parse_prescription(data, RateRange(DEFAULTS.min_rate, DEFAULTS.max_rate))


def test_drugs_modes_and_units_are_the_codes() -> None:
    rows = tables("Prescription file")[0]
    assert rows["`drug`"][0].split(", ") == list(library())
    assert rows["`mode`"][0].split(", ") == list(prescription.MODES)
    units = {cell: cells[0] for cell, cells in tables("Quantities")[0].items()}
    assert units.pop("rate") == "a mass or a volume with /h or /day"
    for name, text in units.items():
        assert text.split(", ") == list(UNITS[Dimension[name.upper()]])


def test_the_table_of_the_summary_is_the_codes() -> None:
    (table,) = tables("Output")
    record = outputs.Summary(0, 0, 0, 0, 0, 0, 0, 0, 0, {}, [], [], "off").record()
    assert [name for cell in table for name in names(cell)] == list(record)
    for key, value in record.items():
        if isinstance(value, dict):
            cells = next(cells for cell, cells in table.items() if key in names(cell))
            assert [name for name in names(cells[0]) if name in value] == list(value), key
