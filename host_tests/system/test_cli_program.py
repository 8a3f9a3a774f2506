"""`thecal program` against a pump on the twin: shown, compared, confirmed value by value, in force (F4, R10, R22)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_cli_therapy import TwinLink, pump_at_the_port
from typer.testing import CliRunner, Result

from thecal import cli
from thecal.twin.twin import Twin

S = 1_000_000_000
RX = {
    "patient": "bench-07",
    "drug": "baclofen",
    "concentration": "500 ug/mL",
    "mode": "flex",
    "basal": "240 ug/day",
    "period": [{"days": "daily", "from": "08:00", "to": "12:00", "rate": "720 ug/day"}],
    "scheduled_bolus": [{"days": "daily", "at": "22:00", "dose": "25 ug", "over": "10 min"}],
    "patient_bolus": {"dose": "10 ug", "over": "5 min", "lockout": "2 h", "max_per_day": 4},
}
NEW = """
[prescription]
patient = "bench-07"
drug = "baclofen"
concentration = "500 ug/mL"
mode = "continuous"
basal = "{basal}"
[prescription.patient_bolus]
dose = "{dose}"
over = "30 min"
lockout = "2 h"
max_per_day = 4
"""


@pytest.fixture(autouse=True)
def pump(monkeypatch: pytest.MonkeyPatch) -> Iterator[Twin]:
    yield from pump_at_the_port(RX, monkeypatch)


@pytest.fixture
def rx(tmp_path: Path) -> Path:
    return tmp_path / "rx.toml"


def thecal(*words: object, answer: str = "") -> Result:
    return CliRunner().invoke(cli.app, ["program", "--port", "twin", *map(str, words)], input=answer)


def write(file: Path, basal: str = "300 ug/day", dose: str = "10 ug") -> Path:
    file.write_text(NEW.format(basal=basal, dose=dose))
    return file


def basal() -> str:
    return json.loads(thecal("--json").stdout)["basal"]


def staged() -> bool:
    return " -> " in thecal().stdout


@pytest.mark.requirement("F4", "R22")
def test_a_prescription_is_compared_and_takes_effect_after_a_yes(rx: Path) -> None:
    write(rx)
    refused = thecal(rx, answer="n\n")
    assert refused.exit_code == cli.REFUSED
    assert "basal: 480 uL/day (240 ug/day) -> 600 uL/day (300 ug/day)" in refused.stdout
    assert "nothing was changed" in refused.stderr
    assert not staged()
    assert basal() == "480 uL/day (240 ug/day)"
    done = thecal(rx, answer="y\n")
    assert done.exit_code == 0
    assert "in force" in done.stdout
    assert basal() == "600 uL/day (300 ug/day)"


@pytest.mark.requirement("F4", "R22")
def test_no_answer_at_all_is_a_no(rx: Path) -> None:
    for file in (write(rx), write(rx, "1200 ug/day")):
        result = thecal(file)
        assert result.exit_code == cli.REFUSED
        assert "nothing was changed" in result.stderr
        assert not staged()
        assert basal() == "480 uL/day (240 ug/day)"


@pytest.mark.requirement("F4", "R10")
def test_what_the_pump_warns_of_is_typed_once_more(rx: Path) -> None:
    """A basal above the soft limit, and a patient bolus of twelve times the old one, above its soft limit too."""
    write(rx, "1200 ug/day", "120 ug")
    for answer in ("1200\n", "1201 ug/day\n", "y\ny\ny\n", "1200 ug/day\n12 ug\ny\n", "1200 ug/day\n120 ug\nn\n"):
        result = thecal(rx, answer=answer)
        assert result.exit_code == cli.REFUSED, answer
        assert "nothing was changed" in result.stderr
        assert not staged()
    done = thecal(rx, answer="1200 ug/day\n120 ug\ny\n")
    assert done.exit_code == 0, done.stderr
    assert "the soft limit of baclofen" in done.stderr
    assert "ten times or more from" in done.stderr
    assert basal() == "2400 uL/day (1200 ug/day)"


@pytest.mark.requirement("F4", "R10")
def test_a_commit_without_questions_needs_every_warning_confirmed(rx: Path) -> None:
    write(rx, "1200 ug/day", "120 ug")
    bare = thecal(rx, "--commit")
    assert bare.exit_code == cli.REFUSED
    assert '--confirm "basal 1200 ug/day" is needed: above 1000 ug/day' in bare.stderr
    assert '--confirm "patient_bolus 120 ug" is needed' in bare.stderr  # all of them, at once
    one = thecal(rx, "--commit", "--confirm", "basal 1200 ug/day")
    assert one.exit_code == cli.REFUSED
    assert '--confirm "patient_bolus 120 ug" is needed' in one.stderr
    wrong = thecal(rx, "--commit", "--confirm", "basal 1200 ug/day", "--confirm", "patient_bolus 119 ug")
    assert wrong.exit_code == cli.REFUSED
    assert '--confirm "patient_bolus 119 ug": the pump warns of no such thing' in wrong.stderr
    assert not staged()
    assert basal() == "480 uL/day (240 ug/day)"
    done = thecal(rx, "--commit", "--confirm", "patient_bolus 120 ug", "--confirm", "basal 1200 ug/day")
    assert done.exit_code == 0, done.stderr
    assert basal() == "2400 uL/day (1200 ug/day)"


@pytest.mark.requirement("F4")
def test_a_commit_without_warnings_needs_no_more(rx: Path) -> None:
    assert thecal(write(rx), "--commit").exit_code == 0
    assert basal() == "600 uL/day (300 ug/day)"
    again = thecal(write(rx, "310 ug/day"), "--commit", "--confirm", "basal 310 ug/day")
    assert again.exit_code == cli.REFUSED  # somebody expected a warning, so something is not as it was thought
    assert basal() == "600 uL/day (300 ug/day)"


@pytest.mark.requirement("F4", "F7", "R22")
def test_what_the_pump_refuses_to_put_in_force_is_not_left_staged(rx: Path, pump: Twin) -> None:
    """A commit to a third concentration during a bridge; a value that the console does not take."""
    for number, file in (("2000", rx), ("50", rx.with_name("other.toml"))):
        file.write_text(NEW.format(basal="300 ug/day", dose="10 ug").replace('"500 ug/mL"', f'"{number} ug/mL"'))
    assert thecal(rx, "--commit").exit_code == 0
    refused = thecal(rx.with_name("other.toml"), "--commit", "--confirm", "concentration 50 ug/mL")
    assert "a bridge to" in refused.stderr
    assert refused.exit_code == cli.REFUSED
    assert not staged()
    rx.write_text(
        NEW.format(basal="300 ug/day", dose="10 ug").replace("bench-07", "a-name-that-is-far-too-long-for-it")
    )
    assert thecal(rx, "--commit").exit_code != 0
    assert not TwinLink("twin", 6).command("program discard").ok


@pytest.mark.requirement("F8", "R10")
def test_a_hard_limit_ends_it_on_the_host_with_field_value_and_range(rx: Path) -> None:
    result = thecal(write(rx, "1600 ug/day"), "--commit")
    assert result.exit_code == cli.WRONG_USE
    assert 'prescription.basal = "1600 ug/day": at most 1500 ug/day of baclofen is allowed' in result.stderr


@pytest.mark.requirement("F2", "F3", "F8")
def test_show_draws_the_coming_day(pump: Twin) -> None:
    values = thecal().stdout
    shown = thecal("show")
    assert shown.exit_code == 0
    assert shown.stdout.startswith(values)
    chart = shown.stdout[len(values) :]
    assert "720 ug/day" in chart
    assert "24 h from mon 00:00: basal 320 ug, 1 scheduled bolus 25 ug\n" in chart
    assert "  08:00  720 ug/day\n" in chart
    assert "  22:00  bolus 25 ug over 10 min\n" in chart
    assert "  button  10 ug over 5 min, lockout 2 h, at most 4 in 24 h\n" in chart
    assert "06:00 09:00 12:00 15:00" in chart
    assert "now: " not in chart
    pump.run(pump.now_ns() + 3600 * S)
    assert "24 h from mon 01:00: " in thecal("show").stdout


@pytest.mark.requirement("F2", "F3", "F5", "F7")
def test_show_says_what_the_pump_is_in_the_middle_of(rx: Path, pump: Twin) -> None:
    """host_tests/system/test_coming_day.py compares the day with the one that then comes."""
    assert pump_says("stop for 30 min")
    paused = thecal("show").stdout
    assert "  stopped until 00:30: nothing flows, no bolus\n" in paused
    assert "  00:00  0 ug/day\n  00:30  the stop ends\n  00:30  240 ug/day\n" in paused
    assert "now: " not in paused
    assert pump_says("stop")
    assert "  stopped until `resume`: nothing flows, no bolus\n" in thecal("show").stdout
    assert "bolus 25 ug over 10 min: skipped, the pump is stopped\n" in thecal("show").stdout
    assert pump_says("resume")
    assert pump_says("refill 1 mL because other")
    pump.run(pump.now_ns() + 2 * S)
    low = thecal("show").stdout
    assert "  alarm low_reservoir: no bolus\n" in low
    assert "  22:00  bolus 25 ug over 10 min: skipped, low reservoir\n" in low
    assert pump_says("refill 20 mL because other")
    words = ["trial", "start", "--port", "twin", str(write(rx)), "--for", "2 h", "--then", "stopped", "--yes"]
    assert CliRunner().invoke(cli.app, words).exit_code == 0
    pump.run(pump.now_ns() + 2 * S)
    trial = thecal("show").stdout
    assert "  a trial, ends within these 24 h: then nothing, no bolus\n" in trial
    assert "  02:00  the trial ends: nothing\n  02:00  0 ug/day\n" in trial
    rx.write_text(NEW.format(basal="300 ug/day", dose="10 ug").replace("500 ug/mL", "2000 ug/mL"))
    assert thecal(rx, "--commit").exit_code == 0
    pump.run(pump.now_ns() + 2 * S)
    bridge = thecal("show").stdout
    assert "  a bridge until 12:38: 600 uL/day of what the path holds, no bolus\n" in bridge
    assert "  12:38  the bridge ends\n  12:38  150 uL/day\n" in bridge
    assert " 600 uL/day │" in bridge  # another concentration flows: volumes


def pump_says(line: str) -> bool:
    return TwinLink("twin", 6).command(line).ok


@pytest.mark.requirement("F2", "F3", "F8")
def test_show_as_json() -> None:
    found = json.loads(thecal("show", "--json").stdout)
    assert found["basal"] == "480 uL/day (240 ug/day)"
    coming = found["coming"]
    assert coming["from"] == "2026-03-02T00:00:00"
    assert [(row["at"], row["nl_per_day"]) for row in coming["rates"]] == [
        ("2026-03-02T00:00:00", 480_000),
        ("2026-03-02T08:00:00", 1_440_000),
        ("2026-03-02T12:00:00", 480_000),
    ]
    bolus = {"at": "2026-03-02T22:00:00", "dose_nl": 50_000, "seconds": 600, "given_nl": 50_000}
    assert coming["scheduled_boluses"] == [bolus]
    assert coming["basal_nl"] == 640_000


@pytest.mark.requirement("F4")
def test_a_file_named_show_is_read_all_the_same(tmp_path: Path) -> None:
    assert thecal(write(tmp_path / "show"), "--commit").exit_code == 0


@pytest.mark.requirement("F4")
def test_a_file_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    result = thecal(tmp_path / "nothing.toml")
    assert result.exit_code == cli.WRONG_USE
    assert "nothing.toml" in result.stderr


@pytest.mark.requirement("F4", "F5", "F12")
def test_the_history_is_listed_newest_first_and_as_json(rx: Path) -> None:
    assert thecal(write(rx, "250 ug/day"), "--commit").exit_code == 0
    shown = thecal("history").stdout
    assert shown.index("1: in force; digest ") < shown.index("0: replaced; digest ")
    new, old = json.loads(thecal("history", "--json").stdout)["prescriptions"]
    assert (new["sequence"], new["state"], new["mode"], new["basal"]) == (
        1,
        "in force",
        "continuous",
        "500 uL/day (250 ug/day)",
    )
    assert (old["sequence"], old["state"], old["mode"], old["periods"]) == (0, "replaced", "flex", "1")
    assert old["patient_bolus"] == "20 uL (10 ug) over 5 min, lockout 2 h, 4 per day"
    assert int(new["digest"], 16) != int(old["digest"], 16)
