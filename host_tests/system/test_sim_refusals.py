"""What a scenario types and the pump refuses leaves a trace (F12), and so does an output that cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import continuous, on_twin, scenario
from typer.testing import CliRunner

from thecal import cli
from thecal import sim as simulation
from thecal.refusals import Refusal, Typed, refusals

SCENARIO = """
start = "2026-03-02T00:00:00"
duration = "40 s"
[prescription]
patient = "bench-07"
drug = "saline"
mode = "continuous"
basal = "10 mL/day"
[[event]]
at = "10 s"
do = "command"
line = "stop for 90 min"
[[event]]
at = "12 s"
do = "console_flood"
for = "5 s"
[[event]]
at = "20 s"
do = "command"
line = "clock"
[[event]]
at = "22 s"
do = "command"
line = "resume"
"""


def run(folder: Path, text: str = SCENARIO) -> tuple[int, str]:
    """Exit status and stderr of a simulation with `--out` folder."""
    file = folder.parent / "scenario.toml"
    file.write_text(text)
    result = CliRunner().invoke(cli.app, ["sim", str(file), "--out", str(folder)])
    return result.exit_code, result.stderr


@pytest.mark.requirement("F4", "F12")
def test_each_refused_line_of_an_event_is_named_on_stderr_and_noise_is_not(tmp_path: Path) -> None:
    status, told = run(tmp_path / "out")
    assert status == 0
    lines = [line for line in told.splitlines() if "error: " in line]
    assert [line.split(": ")[:2] for line in lines] == [["event 1", "error"], ["event 4", "error"]]
    assert "90" in lines[0]
    assert "delivery is not stopped" in lines[1]
    console = (tmp_path / "out" / "console.txt").read_bytes()
    assert console.count(b"error: ") > 100  # the noise was refused as well
    assert b"stop for 90 min\r\nerror: " in console


@pytest.mark.requirement("F4", "R49")
def test_a_refused_program_and_a_refused_clock_are_told_of_too() -> None:
    plan = scenario(
        continuous("10 mL/day"),
        "60 s",
        {"at": "10 s", "do": "program", "prescription": continuous("50 mL/day")},
        {"at": "40 s", "do": "set_clock", "by": str(-30 * 365 * 86_400) + " s"},
    )
    told = on_twin(plan).refusals
    assert {refusal.event for refusal in told} == {1, 2}
    assert any("basal" in refusal.answer for refusal in told)
    assert all(refusal.answer.startswith("error: ") for refusal in told)


@pytest.mark.requirement("F12")
def test_only_the_answer_to_the_line_itself_counts() -> None:
    console = (
        b"\r\nxyz\r\nerror: no such command\r\n\r\nclock\r\n2026\r\nok\r\n\r\nstop\r\nerror: why\r\n\r\nstop\r\nok\r\n"
    )
    assert refusals(console, [Typed(1, "clock", 0), Typed(2, "stop", 0)]) == [Refusal(2, "error: why")]
    assert refusals(console, [Typed(1, "stop", 0), Typed(2, "stop", 0)]) == [Refusal(1, "error: why")]
    assert refusals(console, [Typed(1, "stop", 0, 20)]) == []  # no answer in its time
    assert refusals(console, [Typed(1, "resume", 0)]) == []
    assert refusals(b"\r\nstop\r\nerror: wh", [Typed(1, "stop", 0)]) == []


@pytest.mark.requirement("T4")
@pytest.mark.parametrize("blocked", ["out", "out/console.txt"])
def test_an_output_folder_that_cannot_be_used_is_refused_before_the_simulation(
    blocked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_to_be_called(*_: object) -> None:
        raise AssertionError("the simulation ran")

    monkeypatch.setattr(simulation, "simulate", not_to_be_called)
    if blocked == "out":
        (tmp_path / "out").write_text("a file")
    else:
        (tmp_path / blocked).mkdir(parents=True)
    status, told = run(tmp_path / "out")
    assert status == cli.WRONG_USE
    assert str(tmp_path / "out") in told.replace("\n", "")


@pytest.mark.requirement("T4")
def test_an_output_file_that_cannot_be_written_afterwards_is_status_2_as_well(tmp_path: Path) -> None:
    (tmp_path / "out" / "steps.csv").mkdir(parents=True)
    status, told = run(tmp_path / "out")
    assert status == cli.WRONG_USE
    assert "steps.csv" in told.replace("\n", "")
