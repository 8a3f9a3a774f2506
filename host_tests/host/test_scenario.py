"""Scenario files: what they mean, and that everything unknown, missing or out of range is refused by name."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from host_tests.host.scenario_tables import (
    FULL,
    HERE,
    HOUR,
    NS,
    RX,
    refusal,
    scenario,
    with_event,
    with_pump,
)
from thecal.fields import shown
from thecal.models.bench import PumpConfig
from thecal.scenario import ScenarioError, load_scenario, parse_scenario
from thecal.scenario_event_types import Command, PowerCut

pytestmark = pytest.mark.requirement("T1")


@pytest.mark.requirement("F1")
def test_a_scenario_is_read_whole(tmp_path: Path):
    path = tmp_path / "day.toml"
    path.write_text(FULL)
    read = load_scenario(path)
    assert read.start == datetime.datetime(2026, 3, 2)
    assert (read.duration_ns, read.seed) == (48 * HOUR, 7)
    assert read.pump == PumpConfig(pl_per_step=10_000, reservoir_nl=40_000_000, serial="bench-02")
    assert read.prescription.basal_nl_day == 1_000_000
    assert read.events == (Command(2, HOUR, "stop for 30 min"), PowerCut(1, 6 * HOUR, 90 * NS))


def test_seed_pump_and_events_have_defaults():
    read = parse_scenario(scenario(seed=None, pump=None, event=None), HERE)
    assert (read.seed, read.pump, read.events) == (1, PumpConfig(), ())


@pytest.mark.requirement("F8")
def test_the_reference_hardware_is_what_the_design_says():
    written_out = {
        "pl_per_step": 25_000,
        "steps_per_index": 20,
        "reservoir": "20 mL",
        "low_reservoir": "2 mL",
        "tubing": "0.140 mL",
        "catheter": "80 cm",
        "catheter_per_cm": "0.0022 mL",
        "min_rate": "6 uL/day",
        "max_rate": "28.8 mL/day",
    }
    assert parse_scenario(scenario(pump=written_out), HERE).pump == PumpConfig()


@pytest.mark.parametrize("key", ["start", "duration", "prescription"])
def test_a_missing_key_is_named(key: str):
    assert refusal(scenario(**{key: None})).startswith(f"{key}: missing; ")


def test_unknown_keys_are_named_with_a_guess():
    assert refusal(scenario(strat="x")).startswith(
        'strat: unknown key (did you mean "start"?); allowed is one of start'
    )
    assert refusal(with_pump(resevoir="20 mL")).startswith('pump.resevoir: unknown key (did you mean "reservoir"?)')
    message = refusal(with_event(do="power_cut", fro="1 s"))
    assert message == 'event[2].fro: unknown key (did you mean "for"?); allowed is one of at, do, for'
    assert refusal(with_event(do="hang", **{"for": "1 s"})) == "event[2].for: unknown key; allowed is one of at, do"


@pytest.mark.parametrize(
    "start",
    [
        "",
        "2026-03-02",
        "2026-03-02 00:00:00",
        "2026-03-02T00:00",
        "2026-03-02T00:00:00Z",
        "2026-03-02T00:00:00+01:00",
        "2026-03-02T00:00:00.5",
        "2026-03-02T24:00:00",
        "2026-02-30T00:00:00",
        "2026-13-01T00:00:00",
        "1999-12-31T00:00:00",
        "2100-01-01T00:00:00",
        "2026-03-02T00:00:00\n",
        datetime.datetime(2026, 3, 2),
        0,
        None,
    ],
)
def test_a_start_of_any_other_form_is_refused(start: object):
    message = refusal({**scenario(), "start": start})
    assert message.startswith(f"start = {shown(start)}: ")
    assert message.endswith('a local time in quotes, such as "2026-03-02T00:00:00", from 2000 to 2099')


@pytest.mark.requirement("R49")
def test_a_scenario_ends_within_the_range_of_the_clock():
    assert parse_scenario(scenario(start="2099-12-29T23:59:59"), HERE).start.year == 2099
    assert "must end before 2100-01-01" in refusal(scenario(start="2099-12-30T00:00:00"))


def test_duration_is_exact_and_bounded():
    for text, ns in (
        ("0.000000001 s", 1),
        ("0.001 s", 10**6),
        ("0.1 min", 6 * NS),
        ("3660 d", 3660 * 24 * HOUR),
    ):
        assert parse_scenario(scenario(duration=text, event=None), HERE).duration_ns == ns
    for text in ("0 s", "3660.1 d", "0.0000000001 s"):
        assert refusal(scenario(duration=text)) == (
            f'duration = "{text}": more than 0 s, at most 3660 d, in whole nanoseconds'
        )
    assert refusal(scenario(duration=48)).startswith("duration = 48: missing unit; ")


def test_the_seed_is_a_whole_number():
    for good in (0, 1, 2**32 - 1):
        assert parse_scenario(scenario(seed=good), HERE).seed == good
    for bad in (-1, 2**32, 1.0, "1", True, 10**5000):
        assert refusal(scenario(seed=bad)) == f"seed = {shown(bad)}: a whole number of 0 to 4294967295"


@pytest.mark.requirement("F8")
@pytest.mark.parametrize(
    ("key", "name", "good", "bad"),
    [
        (
            "pl_per_step",
            "pl_per_step",
            {1000: 1000, 1_000_000: 1_000_000},
            [999, 1_000_001, "25000", 25e3, True],
        ),
        ("steps_per_index", "steps_per_index", {1: 1, 10_000: 10_000}, [0, 10_001, "20"]),
        (
            "reservoir",
            "reservoir_nl",
            {"0.1 mL": 100_000, "100 mL": 10**8},
            ["99999 nL", "100.1 mL", "100000.5 nL"],
        ),
        ("low_reservoir", "low_reservoir_nl", {"0 mL": 0, "1 mL": 10**6}, ["101 mL", "0.5 nL"]),
        ("tubing", "tubing_nl", {"0 uL": 0, "10 mL": 10**7}, ["10000001 nL", "1.5 nL"]),
        ("catheter", "catheter_mm", {"0 cm": 0, "80.5 cm": 805, "2000 mm": 2000}, ["200.1 cm", "80.05 cm"]),
        (
            "catheter_per_cm",
            "catheter_pl_per_mm",
            {"0 mL": 0, "1.23 nL": 123, "0.1 mL": 10**7},
            ["1.234 nL", "1 mL"],
        ),
        (
            "min_rate",
            "min_rate",
            {"1 nL/day": 1, "1 uL/h": 24_000},
            ["0 mL/day", "0.5 nL/day", "28.9 mL/day"],
        ),
        (
            "max_rate",
            "max_rate",
            {"1.2 mL/h": 28_800_000, "6 uL/day": 6_000},
            ["1.3 mL/h", "28800001 nL/day"],
        ),
    ],
)
def test_every_calibration_value_is_exact_and_in_range(key: str, name: str, good: dict[Any, int], bad: list[Any]):
    for value, expected in good.items():
        rx = {"patient": "a", "drug": "saline", "mode": "stopped"}
        read = parse_scenario(scenario(pump={key: value}, prescription=rx), HERE)
        changed: dict[str, Any] = {name: expected}
        assert read.pump == PumpConfig(**changed)
    for value in bad:
        message = refusal(with_pump(**{key: value}))
        assert message.startswith(f"pump.{key} = {shown(value)}: a whole number of ")
        assert " to " in message


def test_a_dimensioned_calibration_value_needs_its_unit():
    assert refusal(with_pump(reservoir=20)).startswith("pump.reservoir = 20: missing unit; ")
    assert refusal(with_pump(catheter="80 mL")) == ('pump.catheter = "80 mL": the unit "mL" must be one of mm, cm')
    assert "one of nL/h, uL/h, mL/h, nL/day" in refusal(with_pump(min_rate="6 ug/day"))
    assert refusal(with_pump(serial="bench 1")) == (
        'pump.serial = "bench 1": 1 to 16 printable ASCII characters without spaces'
    )
    assert refusal(scenario(pump="reference")) == 'pump = "reference": a table is needed'


@pytest.mark.requirement("R10")
def test_the_rates_of_the_pump_bound_those_of_the_prescription():
    assert refusal(with_pump(min_rate="7 mL/day", max_rate="6 mL/day")) == (
        'pump.min_rate = "7 mL/day": min_rate, 7000000 nL/day, is above max_rate, 6000000 nL/day'
    )
    assert refusal(with_pump(max_rate="5 uL/day")).startswith(
        'pump.max_rate = "5 uL/day": min_rate, 6000 nL/day, is above'
    )
    assert refusal(with_pump(max_rate="0.9 mL/day")) == (
        'prescription.basal = "1 mL/day": 0 or 6000 to 900000 nL/day is needed, and this is 1000000 nL/day'
    )


@pytest.mark.requirement("F2", "F4")
def test_a_prescription_comes_from_the_scenario_or_from_a_file_beside_it(tmp_path: Path):
    (tmp_path / "rx.toml").write_text("[prescription]" + RX)
    read = parse_scenario(scenario(prescription=None, prescription_file="rx.toml"), tmp_path)
    assert read.prescription == parse_scenario(scenario(), tmp_path).prescription
    assert refusal(scenario(prescription_file="rx.toml"), tmp_path) == (
        'prescription_file = "rx.toml": [prescription] is given as well; one of the two is needed'
    )

    def file_refusal(name: object) -> str:
        return refusal(scenario(prescription=None, prescription_file=name), tmp_path)

    assert file_refusal("no.toml") == 'prescription_file = "no.toml": cannot be read: No such file or directory'
    assert file_refusal(".") == 'prescription_file = ".": cannot be read: Is a directory'
    assert "is not a TOML file" in file_refusal("a\0b")
    for name in ("", 3, []):
        assert file_refusal(name).endswith("the name of a prescription file, in quotes, is needed")
    (tmp_path / "rx.toml").write_text("[prescription]" + RX + "[other]")
    assert file_refusal("rx.toml").endswith("must hold a table [prescription] and nothing beside it")
    (tmp_path / "rx.toml").write_text("[prescription]" + RX.replace("1 mL/day", "30 mL/day"))
    assert file_refusal("rx.toml").startswith('rx.toml: prescription.basal = "30 mL/day": 0 or 6000 to 28800000')


def test_a_first_prescription_that_is_refused_refuses_the_scenario_with_its_path():
    rx = {**scenario()["prescription"], "basal": "300"}
    assert refusal(scenario(prescription=rx)).startswith('prescription.basal = "300": a number, a space and a unit')
    assert refusal(scenario(prescription=3)) == "prescription = 3: a table is needed"


def test_a_file_that_is_no_scenario_is_refused_by_its_name(tmp_path: Path):
    path = tmp_path / "day.toml"
    with pytest.raises(ScenarioError, match=r"^day\.toml: cannot be read: No such file"):
        load_scenario(path)
    for text in (b"start = ", b"\xff", b"a = " + b"[" * 100_000, b"a = " + b"9" * 10_000):
        path.write_bytes(text)
        with pytest.raises(ScenarioError, match=r"^day\.toml: is not a TOML file: "):
            load_scenario(path)
