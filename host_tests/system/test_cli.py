"""The `thecal` command: what it refuses, how it says so, and its exit status (docs/REQUIREMENTS.md, T4)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from thecal import cli

GOOD = """
start = "2026-03-02T00:00:00"
duration = "60 s"
[prescription]
patient = "bench-07"
drug = "morphine"
concentration = "500 ug/mL"
mode = "continuous"
basal = "5 mg/day"
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def sim(folder: Path, text: str, *more: str) -> Result:
    (folder / "scenario.toml").write_text(text)
    return run("sim", folder / "scenario.toml", "--out", folder / "out", *more)


@pytest.mark.requirement("F1")
def test_a_simulation_leaves_the_three_files_and_status_0(tmp_path: Path) -> None:
    result = sim(tmp_path, GOOD, "--json")
    assert result.exit_code == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert json.loads(result.stdout) == summary
    rows = (tmp_path / "out" / "steps.csv").read_text().splitlines()
    assert rows[:2] == ["t_s,steps", "0.000,0"]
    assert rows[-1].split(",")[1] == str(summary["steps"]) != "0"
    events = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    assert events[0]["code"] == "boot"
    assert {"seq", "t_s", "rtc", "code", "severity"} <= set(events[0])
    assert set(summary) == {
        "steps",
        "step_pulses",
        "delivered_nl",
        "ledger_steps",
        "ledger_nl",
        "missed_nl",
        "off_s",
        "reservoir_nl",
        "true_reservoir_nl",
        "resets",
        "alarms",
        "state",
        "patient_boluses",
    }


REFUSALS = [
    ("wrong unit", '"5 mg/day"', '"5 kg/day"', ("scenario.toml", "prescription.basal", "5 kg/day")),
    ("missing unit", '"5 mg/day"', '"5"', ("scenario.toml", "prescription.basal", "5")),
    ("number instead of text", '"5 mg/day"', "5", ("scenario.toml", "prescription.basal", "5")),
    ("unknown key", "mode =", "colour = 1\nmode =", ("scenario.toml", "prescription.colour")),
    (
        "over the maximum",
        '"5 mg/day"',
        '"14.401 mg/day"',
        ("scenario.toml", "basal", "14.401 mg/day", "28800000 nL/day"),
    ),
    ("below the minimum", '"5 mg/day"', '"2.9 ug/day"', ("scenario.toml", "basal", "2.9 ug/day", "6000 to")),
    ("unknown drug", "morphine", "morhpine", ("scenario.toml", "prescription.drug", "morhpine")),
    ("unknown mode", "continuous", "pulsed", ("scenario.toml", "prescription.mode", "pulsed")),
    ("no duration", 'duration = "60 s"', "", ("scenario.toml", "duration")),
    ("endless", 'duration = "60 s"', 'duration = "0 s"', ("scenario.toml", "duration", "0 s")),
    ("not TOML", "[prescription]", "[prescription", ("scenario.toml",)),
    (
        "calibration out of range",
        "[prescription]",
        "[pump]\npl_per_step = 999\n[prescription]",
        ("pl_per_step", "999", "1000"),
    ),
]


@pytest.mark.requirement("R50", "F4")
@pytest.mark.parametrize(("name", "old", "new", "words"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_bad_scenario_is_refused_with_file_key_and_value(
    name: str, old: str, new: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    assert old in GOOD
    result = sim(tmp_path, GOOD.replace(old, new))
    assert result.exit_code == cli.WRONG_USE
    for word in words:
        assert word in result.stderr, result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.requirement("F2")
def test_overlapping_periods_are_refused_and_both_are_named(tmp_path: Path) -> None:
    periods = """
[[prescription.period]]
days = "fri-mon"
from = "22:00"
to = "02:00"
rate = "1 mg/day"
[[prescription.period]]
days = "mon"
from = "01:59"
to = "03:00"
rate = "2 mg/day"
"""
    result = sim(tmp_path, GOOD.replace("continuous", "flex") + periods)
    assert result.exit_code == cli.WRONG_USE
    assert "period" in result.stderr
    assert "mon 01:59" in result.stderr


@pytest.mark.requirement("F12")
@pytest.mark.parametrize("do", ["free_flow", "air_in_line", "meteorite"])
def test_an_event_that_is_not_simulated_is_refused_and_named(do: str, tmp_path: Path) -> None:
    result = sim(tmp_path, GOOD + f'[[event]]\nat = "1 s"\ndo = "{do}"\n')
    assert result.exit_code == cli.WRONG_USE
    assert do in result.stderr
    assert "power_cut" in result.stderr


@pytest.mark.requirement("F12")
def test_a_target_that_does_not_exist_is_wrong_use(tmp_path: Path) -> None:
    result = sim(tmp_path, GOOD, "--target", "moon")
    assert result.exit_code == cli.WRONG_USE
    assert "moon" in result.stderr


@pytest.mark.requirement("F12", "F14")
@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["log"],
        ["stop"],
        ["resume"],
        ["clear"],
        ["clear", "--repeated"],
        ["silence"],
        ["clock"],
        ["program"],
        ["flash"],
    ],
)
def test_without_a_pump_the_status_is_3(command: list[str], tmp_path: Path) -> None:
    result = run(*command, "--port", tmp_path / "nothing")
    assert result.exit_code == cli.NO_PUMP
    assert "nothing" in result.stderr


@pytest.mark.requirement("F4")
def test_a_bad_prescription_file_is_refused_before_the_pump_is_asked_anything(tmp_path: Path) -> None:
    (tmp_path / "rx.toml").write_text("[prescription]\npatient = 7\n")
    result = run("program", tmp_path / "rx.toml", "--port", tmp_path / "nothing")
    assert result.exit_code in (cli.WRONG_USE, cli.NO_PUMP)
