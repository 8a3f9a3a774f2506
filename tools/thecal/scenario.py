"""A scenario: a pump, its first prescription and what happens to it, from a TOML file.

All that can be refused is refused while the file is read, with file, key, value and range, so that a
simulation never stops half-way over a misspelt event.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from thecal.fields import ABSENT, FieldError
from thecal.models.bench import PumpConfig
from thecal.prescription import Prescription, PrescriptionError, RateRange
from thecal.prescription_toml import parse_prescription
from thecal.pump_toml import parse_pump
from thecal.quantities import Dimension
from thecal.scenario_event_types import Event
from thecal.scenario_events import Setting, prescription_of_file, read_event
from thecal.tables import DocumentError, Table, read_document

if TYPE_CHECKING:
    from pathlib import Path

MAX_DAYS = 3_660
_NS = 1_000_000_000
_KEYS = ("start", "duration", "seed", "pump", "prescription", "prescription_file", "event")
_START = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_END_OF_RTC = datetime(2100, 1, 1)


class ScenarioError(FieldError):
    """A scenario that is refused. `file` is the scenario file, `field` the path of the key within it."""

    def __init__(self, file: str, field: str, value: object, allowed: str) -> None:
        self.file = file
        super().__init__(field, value, allowed)

    def __str__(self) -> str:
        return f"{self.file}: {super().__str__()}"


@dataclass(frozen=True)
class Scenario:
    """What to simulate.

    start: local pump time at t = 0. duration_ns: of true time. events: by time, then as in the file.
    """

    start: datetime
    duration_ns: int
    seed: int
    pump: PumpConfig
    prescription: Prescription
    events: tuple[Event, ...]


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file; files that it names are relative to it.

    Raises ScenarioError for anything unknown, missing or out of range, a first prescription that is refused
    included.
    """
    try:
        data = read_document(path)
    except DocumentError as error:
        raise ScenarioError(path.name, "", ABSENT, str(error)) from error
    return parse_scenario(data, path.parent, path.name)


def parse_scenario(data: dict[str, Any], folder: Path, name: str = "scenario") -> Scenario:
    """The same from parsed TOML.

    folder: where the files are that it names. name: what errors call the scenario.
    """
    return _parse(Table(data, "", partial(ScenarioError, name)), folder)


def _parse(table: Table, folder: Path) -> Scenario:
    table.only(_KEYS)
    duration_ns = _duration(table)
    start = _start(table, duration_ns)
    pump = parse_pump(table.table("pump")) if "pump" in table else PumpConfig()
    rates = RateRange(pump.min_rate, pump.max_rate)
    setting = Setting(duration_ns, rates, folder, pump.reservoir_nl)
    events = [read_event(item, number, setting) for number, item in enumerate(table.tables("event"), 1)]
    return Scenario(
        start=start,
        duration_ns=duration_ns,
        seed=table.integer("seed", 0, 2**32 - 1) if "seed" in table else 1,
        pump=pump,
        prescription=_prescription(table, rates, folder),
        events=tuple(sorted(events, key=lambda event: event.at_ns)),
    )


def _start(table: Table, duration_ns: int) -> datetime:
    allowed = 'a local time in quotes, such as "2026-03-02T00:00:00", from 2000 to 2099'
    value = table.need("start", allowed)
    if not isinstance(value, str) or not _START.fullmatch(value):
        table.refuse("start", allowed)
    try:
        start = datetime.fromisoformat(value)
    except ValueError as cause:
        table.refuse("start", f"{cause}; {allowed}")
    if start + timedelta(seconds=duration_ns // _NS) >= _END_OF_RTC:
        table.refuse("start", "the scenario must end before 2100-01-01T00:00:00, the end of the clock's range")
    return start


def _duration(table: Table) -> int:
    value = table.quantity("duration", Dimension.DURATION).value * _NS
    if value.denominator != 1 or not 0 < value <= MAX_DAYS * 86_400 * _NS:
        table.refuse("duration", f"more than 0 s, at most {MAX_DAYS} d, in whole nanoseconds")
    return int(value)


def _prescription(table: Table, rates: RateRange, folder: Path) -> Prescription:
    if "prescription" in table and "prescription_file" in table:
        table.refuse("prescription_file", "[prescription] is given as well; one of the two is needed")
    if "prescription_file" in table:
        data, head = (
            prescription_of_file(table, "prescription_file", folder),
            f"{table.data['prescription_file']}: ",
        )
    else:
        data, head = table.need("prescription", "a table [prescription] or a prescription_file is needed"), ""
    try:
        return parse_prescription(data, rates)
    except PrescriptionError as refusal:
        raise table.error(head + refusal.field, refusal.value, refusal.allowed) from refusal
