"""Events of a scenario: their types and their ranges."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tests.host.scenario_tables import (
    HERE,
    HOUR,
    NS,
    RX,
    SUPPORTED,
    only_event,
    refusal,
    scenario,
    with_event,
)
from thecal.fields import shown
from thecal.paths import parse_toml
from thecal.scenario import parse_scenario
from thecal.scenario_event_types import (
    Battery,
    Command,
    ConsoleFlood,
    Hang,
    I2cFault,
    PatientBolus,
    PowerCut,
    Program,
    Refill,
    ReservoirEmpty,
    RtcJump,
    RtcStop,
    SetClock,
)

pytestmark = pytest.mark.requirement("T1")


def test_every_event_is_read_into_its_type(tmp_path: Path):
    assert only_event(do="power_cut", **{"for": "1.5 s"}) == PowerCut(2, HOUR, 1_500_000_000)
    assert only_event(do="hang") == Hang(2, HOUR)
    assert only_event(do="command", line="resume") == Command(2, HOUR, "resume")
    assert only_event(do="set_clock", by="-90 min") == SetClock(2, HOUR, -5400)
    assert only_event(do="set_clock", by="1 d") == SetClock(2, HOUR, 86_400)
    assert only_event(do="console_flood", **{"for": "2 h"}) == ConsoleFlood(2, HOUR, 2 * HOUR)
    assert only_event(do="patient_bolus") == PatientBolus(2, HOUR)
    assert only_event(do="battery", millivolts=3_100) == Battery(2, HOUR, 3_100)
    assert only_event(do="reservoir_empty") == ReservoirEmpty(2, HOUR)
    assert only_event(do="refill", volume="18 mL") == Refill(2, HOUR, 18_000_000, None)
    assert only_event(do="refill", volume="18 mL", measured="0.5 mL") == Refill(2, HOUR, 18_000_000, 500_000)
    assert only_event(do="rtc_jump", by="-1 d") == RtcJump(2, HOUR, -86_400)
    assert only_event(do="rtc_stop") == RtcStop(2, HOUR)
    for device in ("eeprom", "rtc", "bus"):
        assert only_event(do="i2c_fault", device=device, **{"for": "3 s"}) == I2cFault(2, HOUR, device, 3 * NS)
    event = only_event(do="program", prescription=parse_toml(RX))
    assert isinstance(event, Program)
    assert event.prescription == parse_scenario(scenario(), tmp_path).prescription
    (tmp_path / "rx.toml").write_text("[prescription]" + RX)
    from_file = parse_scenario(with_event(do="program", file="rx.toml"), tmp_path).events[1]
    assert from_file == event


@pytest.mark.requirement("F4")
def test_a_program_event_that_is_refused_is_something_that_happens_and_not_an_error(tmp_path: Path):
    bad = {**parse_toml(RX), "basal": "9 mL/h"}
    event = only_event(do="program", prescription=bad)
    assert isinstance(event, Program)
    assert event.prescription is None
    assert event.refusal is not None
    assert event.refusal.startswith('event[2].prescription.basal = "9 mL/h": 0 or 6000 to 28800000 nL/day')
    assert event.lines(lambda _: b"") == [
        "program stage begin",
        "program stage patient bench-07",
        "program stage drug saline",
        "program stage mode continuous",
        "program stage basal 9 mL/h",
        "program stage end 00000000",
    ]
    (tmp_path / "rx.toml").write_text("prescription = 3")
    event = parse_scenario(with_event(do="program", file="rx.toml"), tmp_path).events[1]
    assert isinstance(event, Program)
    assert event.refusal == "prescription = 3: a table is needed"
    assert event.lines(lambda _: b"") == ["program stage begin", "program stage end 00000000"]


def test_a_good_program_event_stages_the_text_of_the_file():
    event = only_event(do="program", prescription=parse_toml(RX))
    assert isinstance(event, Program)
    lines = event.lines(lambda rx: str(rx.basal_nl_day).encode())
    assert lines[4:] == ["program stage basal 1 mL/day", f"program stage end {zlib.crc32(b'1000000'):08x}"]


def test_a_program_event_needs_exactly_one_source(tmp_path: Path):
    reason = "event[2]: one of file and prescription is needed, and not both"
    assert refusal(with_event(do="program")) == reason
    assert refusal(with_event(do="program", file="rx.toml", prescription={})) == reason
    assert refusal(with_event(do="program", file="no.toml"), tmp_path) == (
        'event[2].file = "no.toml": cannot be read: No such file or directory'
    )


def test_an_unknown_event_is_refused_as_unknown():
    assert refusal(with_event(do="powercut")) == (
        f'event[2].do = "powercut": unknown event (did you mean "power_cut"?); {SUPPORTED} is needed'
    )
    for name in ("", "Hang", 3, None, ["hang"], {}):
        assert refusal({**scenario(), "event": [{"at": "1 s", "do": name}]}).startswith(
            f"event[1].do = {shown(name)}: unknown event"
        )
    assert refusal(with_event()) == f"event[2].do: missing; {SUPPORTED} is needed"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("power_cut", "for"),
        ("command", "line"),
        ("set_clock", "by"),
        ("console_flood", "for"),
        ("hang", "at"),
        ("battery", "millivolts"),
        ("refill", "volume"),
        ("rtc_jump", "by"),
        ("i2c_fault", "device"),
        ("i2c_fault", "for"),
    ],
)
def test_a_missing_key_of_an_event_is_named(name: str, key: str):
    needs = {"power_cut": {"for": "1 s"}, "command": {"line": "x"}, "i2c_fault": {"device": "rtc", "for": "1 s"}}
    keys: dict[str, Any] = {**needs.get(name, {}), key: None}
    assert refusal(with_event(do=name, **keys)).startswith(f"event[2].{key}: missing; ")


def test_an_i2c_fault_is_one_of_three():
    for bad in ("flash", "EEPROM", 0x50, "", None, ["rtc"]):
        assert refusal(
            {**scenario(), "event": [{"at": "1 s", "do": "i2c_fault", "device": bad, "for": "1 s"}]}
        ).startswith(f"event[1].device = {shown(bad)}: unknown device")


def test_an_event_happens_within_the_scenario_at_an_exact_time():
    for text, ns in (("0 s", 0), ("48 h", 48 * HOUR), ("0.123456789 s", 123_456_789)):
        assert only_event(at=text, do="hang").at_ns == ns
    for text in ("48.1 h", "172800.000001 s", "0.0000000005 s"):
        assert refusal(with_event(at=text, do="hang")) == (
            f'event[2].at = "{text}": 0 s to the duration of the scenario, 172800 s, in whole nanoseconds'
        )
    assert refusal(with_event(at="-1 s", do="hang")).startswith('event[2].at = "-1 s": the number must be plain')
    short = {**with_event(at="2 s", do="hang"), "duration": "1.5 s"}
    assert "the duration of the scenario, 1.5 s, in" in refusal(short)


@pytest.mark.parametrize("name", ["power_cut", "console_flood", "i2c_fault"])
def test_a_span_is_above_zero(name: str):
    more = {"device": "eeprom"} if name == "i2c_fault" else {}
    for text, ns in (("0.000000001 s", 1), ("3660 d", 3660 * 24 * HOUR)):
        event = only_event(do=name, **{"for": text}, **more)
        assert isinstance(event, (PowerCut, ConsoleFlood, I2cFault))
        assert event.for_ns == ns
    for text in ("0 s", "3661 d", "0.0000000005 s"):
        assert refusal(with_event(do=name, **{"for": text}, **more)) == (
            f'event[2].for = "{text}": more than 0 s, at most 3660 d, in whole nanoseconds'
        )


@pytest.mark.parametrize(("name", "kind"), [("set_clock", SetClock), ("rtc_jump", RtcJump)])
def test_a_clock_moves_by_whole_seconds(name: str, kind: type[SetClock | RtcJump]):
    for text, by in (("36525 d", 36_525 * 86_400), ("-36525 d", -36_525 * 86_400), ("0 s", 0)):
        assert only_event(do=name, by=text) == kind(2, HOUR, by)
    for text in ("0.5 s", "-36526 d", "36526 d"):
        assert refusal(with_event(do=name, by=text)) == (f'event[2].by = "{text}": whole seconds, -36525 d to 36525 d')
    assert refusal(with_event(do=name, by=3600)).startswith("event[2].by = 3600: missing unit; ")


def test_a_command_line_is_what_the_console_takes():
    for good in ("a", "x" * 120, "bolus 25 ug over 10 min", "~"):
        assert only_event(do="command", line=good) == Command(2, HOUR, good)
    for bad in ("", "x" * 121, "stop\n", "stop\r", "\x03", "stöp", 3, ["stop"]):
        assert refusal(with_event(do="command", line=bad)) == (
            f"event[2].line = {shown(bad)}: 1 to 120 printable ASCII characters"
        )


@pytest.mark.requirement("R36")
def test_the_battery_has_whole_millivolts_within_what_the_bench_can_measure():
    for good in (0, 6_000):
        assert only_event(do="battery", millivolts=good) == Battery(2, HOUR, good)
    for bad in (-1, 6_001, 3_300.0, "3300 mV", True):
        assert refusal(with_event(do="battery", millivolts=bad)) == (
            f"event[2].millivolts = {shown(bad)}: a whole number of 0 to 6000"
        )


@pytest.mark.requirement("F6")
def test_a_refill_is_no_more_than_the_reservoir_takes():
    allowed = "a whole number of nL, {} to the pump's reservoir, 40000000 nL"
    for text, nl in (("1 nL", 1), ("40 mL", 40_000_000)):
        assert only_event(do="refill", volume=text, measured="0 mL") == Refill(2, HOUR, nl, 0)
    for text in ("0 mL", "40.000001 mL", "0.5 nL"):
        assert refusal(with_event(do="refill", volume=text)) == f'event[2].volume = "{text}": {allowed.format(1)}'
    for text in ("40.000001 mL", "0.5 nL"):
        keys = {"do": "refill", "volume": "40 mL", "measured": text}
        assert refusal(with_event(**keys)) == f'event[2].measured = "{text}": {allowed.format(0)}'
    assert refusal(with_event(do="refill", volume="1 mg")).startswith('event[2].volume = "1 mg": ')
    assert refusal(with_event(do="refill", volume=18)).startswith("event[2].volume = 18: missing unit; ")


@pytest.mark.requirement("F6")
def test_a_refill_says_what_was_measured_only_if_it_was():
    assert Refill(1, 0, 18_000_000, None).line() == "refill 18000000 nL"
    assert Refill(1, 0, 1, 500_000).line() == "refill 1 nL measured 500000 nL because other"


@pytest.mark.parametrize("name", ["patient_bolus", "reservoir_empty", "rtc_stop"])
def test_an_event_without_values_takes_none(name: str):
    assert refusal(with_event(do=name, volume="1 uL")) == "event[2].volume: unknown key; allowed is one of at, do"


@given(st.lists(st.integers(0, 48), max_size=12))
def test_events_are_sorted_by_time_and_keep_the_order_of_the_file(hours: list[int]):
    data = scenario(event=[{"at": f"{hour} h", "do": "command", "line": f"n {n}"} for n, hour in enumerate(hours)])
    events = parse_scenario(data, HERE).events
    assert [(event.at_ns // HOUR, event.number) for event in events] == sorted(
        (hour, number) for number, hour in enumerate(hours, 1)
    )


def test_events_must_be_a_list_of_tables():
    assert refusal(scenario(event={"at": "1 s"})).startswith("event = a table: a list of tables, each headed [[event]]")
    assert refusal(scenario(event=["hang"])) == 'event[1] = "hang": a table is needed'
