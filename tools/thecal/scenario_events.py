"""The events of a scenario, and what each one needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from thecal.bus_faults import DEVICES
from thecal.fields import ABSENT, listed
from thecal.models.at24c256 import SIZE as EEPROM_SIZE
from thecal.prescription import LINE_LENGTH, PrescriptionError, RateRange
from thecal.prescription_toml import parse_prescription
from thecal.quantities import Dimension, QuantityError, parse_signed_duration
from thecal.scenario_event_types import (
    Battery,
    Command,
    ConsoleFlood,
    EepromDead,
    EepromWrite,
    Event,
    Hang,
    I2cFault,
    Occlusion,
    PatientBolus,
    PowerCut,
    Program,
    Refill,
    ReservoirEmpty,
    RtcJump,
    RtcStop,
    SetClock,
    Stall,
    Temperature,
)
from thecal.tables import DocumentError, Table, read_document

MAX_FOR_DAYS = 3_660
MAX_SHIFT_DAYS = 36_525  # the whole range of the clock
_NS = 1_000_000_000
BATTERY_MAX_MV = 6_000
_DAY_NS = 86_400 * _NS
COLDEST_C, HOTTEST_C = -40, 125


class Setting(NamedTuple):
    """What an event is read against: duration of the scenario, rates of its pump, folder of the files it
    names, capacity of the reservoir.
    """

    duration_ns: int
    rates: RateRange
    folder: Path
    reservoir_nl: int


def read_event(table: Table, number: int, setting: Setting) -> Event:
    """The event of one [[event]] table, the number-th of the file. Raises the table's error."""
    names = tuple(_EVENTS)
    table.need("do", f"{listed(names)} is needed")
    name = table.choice("do", names, "unknown event")
    keys, read = _EVENTS[name]
    table.only(("at", "do", *keys))
    return read(table, number, _at(table, setting.duration_ns), setting)


def prescription_of_file(table: Table, key: str, folder: Path) -> Any:
    """The unread [prescription] of the file that a key names, relative to folder.

    Raises the table's error unless the file can be read and has that table and nothing else.
    """
    name = table.data[key]
    if not isinstance(name, str) or not name:
        table.refuse(key, "the name of a prescription file, in quotes, is needed")
    try:
        document = read_document(folder / name)
    except DocumentError as error:
        table.refuse(key, str(error))
    if list(document) != ["prescription"]:
        table.refuse(key, "must hold a table [prescription] and nothing beside it")
    return document["prescription"]


def _at(table: Table, duration_ns: int) -> int:
    value = table.quantity("at", Dimension.DURATION).value * _NS
    if value.denominator != 1 or value > duration_ns:
        end = f"{duration_ns // _NS}.{duration_ns % _NS:09}".rstrip("0").rstrip(".")
        table.refuse("at", f"0 s to the duration of the scenario, {end} s, in whole nanoseconds")
    return int(value)


def _span(table: Table) -> int:
    value = table.quantity("for", Dimension.DURATION).value * _NS
    if value.denominator != 1 or not 0 < value <= MAX_FOR_DAYS * _DAY_NS:
        table.refuse("for", f"more than 0 s, at most {MAX_FOR_DAYS} d, in whole nanoseconds")
    return int(value)


def _shift(table: Table) -> int:
    allowed = f"whole seconds, -{MAX_SHIFT_DAYS} d to {MAX_SHIFT_DAYS} d"
    try:
        value = parse_signed_duration(table.need("by", f"a duration is needed, {allowed}"), table.where("by"))
    except QuantityError as error:
        table.refuse("by", error.allowed)
    if value.denominator != 1 or abs(value) > MAX_SHIFT_DAYS * 86_400:
        table.refuse("by", allowed)
    return int(value)


def _power_cut(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return PowerCut(number, at_ns, _span(table))


def _hang(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return Hang(number, at_ns)


def _command(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return Command(number, at_ns, table.text("line", LINE_LENGTH, spaces=True))


def _set_clock(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return SetClock(number, at_ns, _shift(table))


def _console_flood(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return ConsoleFlood(number, at_ns, _span(table))


def _stall(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return Stall(number, at_ns, _span(table))


def _occlusion(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return Occlusion(number, at_ns, _span(table))


def _temperature(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return Temperature(number, at_ns, table.integer("celsius", COLDEST_C, HOTTEST_C) * 1_000)


def _eeprom_write(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    address = table.integer("address", 0, EEPROM_SIZE - 1)
    text = table.text("bytes", 2 * EEPROM_SIZE, spaces=True)
    allowed = f"1 to {EEPROM_SIZE - address} bytes, from address to the end of the EEPROM, as pairs of hex digits"
    try:
        data = bytes.fromhex(text)
    except ValueError:
        table.refuse("bytes", allowed)
    if not 1 <= len(data) <= EEPROM_SIZE - address:
        table.refuse("bytes", allowed)
    return EepromWrite(number, at_ns, address, data)


def _eeprom_dead(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return EepromDead(number, at_ns)


def _rtc_jump(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return RtcJump(number, at_ns, _shift(table))


def _rtc_stop(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return RtcStop(number, at_ns)


def _i2c_fault(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return I2cFault(number, at_ns, table.choice("device", DEVICES, "unknown device"), _span(table))


def _patient_bolus(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return PatientBolus(number, at_ns)


def _battery(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return Battery(number, at_ns, table.integer("millivolts", 0, BATTERY_MAX_MV))


def _reservoir_empty(table: Table, number: int, at_ns: int, _: Setting) -> Event:
    return ReservoirEmpty(number, at_ns)


def _refill(table: Table, number: int, at_ns: int, setting: Setting) -> Event:
    volume_nl = _content(table, "volume", 1, setting.reservoir_nl)
    measured_nl = _content(table, "measured", 0, setting.reservoir_nl) if "measured" in table else None
    return Refill(number, at_ns, volume_nl, measured_nl)


def _content(table: Table, key: str, lowest_nl: int, highest_nl: int) -> int:
    value = table.quantity(key, Dimension.VOLUME).value
    if value.denominator != 1 or not lowest_nl <= value <= highest_nl:
        table.refuse(key, f"a whole number of nL, {lowest_nl} to the pump's reservoir, {highest_nl} nL")
    return int(value)


def _program(table: Table, number: int, at_ns: int, setting: Setting) -> Event:
    if ("file" in table) == ("prescription" in table):
        raise table.error(table.path, ABSENT, "one of file and prescription is needed, and not both")
    if "file" in table:
        data, path = prescription_of_file(table, "file", setting.folder), "prescription"
    else:
        data, path = table.data["prescription"], table.where("prescription")
    try:
        return Program(number, at_ns, parse_prescription(data, setting.rates, path), None, data)
    except PrescriptionError as refusal:
        source = data if isinstance(data, dict) else {}
        return Program(number, at_ns, None, str(refusal), source)


_EVENTS: dict[str, tuple[tuple[str, ...], Callable[[Table, int, int, Setting], Event]]] = {
    "power_cut": (("for",), _power_cut),
    "hang": ((), _hang),
    "command": (("line",), _command),
    "set_clock": (("by",), _set_clock),
    "console_flood": (("for",), _console_flood),
    "patient_bolus": ((), _patient_bolus),
    "battery": (("millivolts",), _battery),
    "reservoir_empty": ((), _reservoir_empty),
    "refill": (("volume", "measured"), _refill),
    "program": (("file", "prescription"), _program),
    "eeprom_write": (("address", "bytes"), _eeprom_write),
    "eeprom_dead": ((), _eeprom_dead),
    "stall": (("for",), _stall),
    "occlusion": (("for",), _occlusion),
    "temperature": (("celsius",), _temperature),
    "rtc_jump": (("by",), _rtc_jump),
    "rtc_stop": ((), _rtc_stop),
    "i2c_fault": (("device", "for"), _i2c_fault),
}
