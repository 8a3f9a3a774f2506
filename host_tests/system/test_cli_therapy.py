"""The therapy commands of the field tool against a pump on the twin: shown, asked for, done (F3, F5, F7, R21, R22)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
import typer
from support import continuous, scenario
from typer.testing import CliRunner, Result
from typing_extensions import Self

from thecal import cli, cli_talk
from thecal.link import NoPump, Reply
from thecal.sim import make_bench
from thecal.twin.twin import Twin

S = 1_000_000_000
RX = """
[prescription]
patient = "bench-07"
drug = "saline"
mode = "continuous"
basal = "{rate}"
"""


class TwinLink:
    """The serial link, as far as the commands use it, to a pump in virtual time."""

    twin: Twin
    output: bytearray

    def __init__(self, port: str, timeout: float) -> None:
        if port != "twin":
            raise NoPump(port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def command(self, line: str) -> Reply:
        """Type a line and read the answer."""
        before = len(self.output)
        self.twin.send(b"\x15" + line.encode() + b"\r")
        lines: list[str] = []
        for _ in range(40):
            self.twin.run(self.twin.now_ns() + S // 10)
            lines = bytes(self.output[before:]).decode().split("\r\n")
            if lines[-1] == "" and (lines[-2] == "ok" or lines[-2].startswith("error: ")):
                break
        assert lines[:2] == ["", line]
        last = lines[-2]
        return Reply(tuple(lines[2:-2]), last == "ok", last.removeprefix("error: "))


def pump_at_the_port(rx: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Twin]:
    """A twin that runs, and that every port leads to."""
    twin = Twin(make_bench(scenario(rx, "1 h")), 1)
    TwinLink.twin = twin
    TwinLink.output = bytearray()
    twin.on_console = TwinLink.output.extend
    monkeypatch.setattr(cli_talk, "PumpLink", TwinLink)
    twin.run(10 * S)
    yield twin
    twin.close()


@pytest.fixture(autouse=True)
def pump(monkeypatch: pytest.MonkeyPatch) -> Iterator[Twin]:
    rx = {
        **continuous("4.8 mL/day"),
        "patient_bolus": {"dose": "10 uL", "over": "5 min", "lockout": "10 min", "max_per_day": 6},
    }
    yield from pump_at_the_port(rx, monkeypatch)


def thecal(line: str, *more: str, answer: str = "") -> Result:
    words = line.split()
    place = 2 if words[:2] in (["trial", "start"], ["trial", "score"], ["trial", "keep"], ["trial", "discard"]) else 1
    place = 2 if words[:2] == ["trial", "end"] else place
    return CliRunner().invoke(cli.app, [*words[:place], "--port", "twin", *words[place:], *more], input=answer)


def status() -> dict[str, str]:
    return dict(line.split(": ", 1) for line in TwinLink("twin", 6).command("status").lines)


@pytest.mark.requirement("F3", "R22")
def test_a_bolus_is_shown_and_given_only_after_a_yes() -> None:
    refused = thecal("bolus", "25 uL", "--over", "10 min", answer="n\n")
    assert refused.exit_code == cli.REFUSED
    assert "reservoir_nl: " in refused.stdout
    assert "drug: saline" in refused.stdout
    assert "nothing was changed" in refused.stderr
    assert status()["bolus"] == "none"
    given = thecal("bolus", "25 uL", "--over", "10 min", answer="y\n")
    assert given.exit_code == 0
    assert "bolus: 25 uL over 600 s" in given.stdout
    assert status()["bolus"].startswith("clinician")
    assert thecal("bolus", "1 uL", "--over", "1 min", "--confirm", "--yes").exit_code == cli.REFUSED
    assert thecal("bolus cancel", "--yes").exit_code == 0
    assert status()["bolus"] == "none"
    assert thecal("bolus", "1 uL", "--over", "1 min", "--confirm", "--yes").exit_code == 0


@pytest.mark.requirement("F3", "R50")
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("bolus", "25"), "--over"),
        (("bolus", "25", "--over", "10 min"), "bolus"),
        (("bolus", "25 kg", "--over", "10 min"), "25 kg"),
        (("bolus", "25 uL", "--over", "10"), "--over"),
        (("bolus", "cancel", "--over", "10 min"), "--over"),
        (("bridge", "stop"), "bridge stop"),
        (("trial score",), "at least one"),
        (("trial start", "no.toml", "--for", "1 d", "--then", "more"), "--then = more"),
        (("trial start", "no.toml", "--for", "1", "--then", "minimum"), "--for"),
        (("trial start", "no.toml", "--for", "1 d", "--then", "minimum"), "no.toml"),
        (("refill", "18"), "refill"),
    ],
)
def test_wrong_use_is_refused_before_the_pump_changes_anything(words: tuple[str, ...], reason: str) -> None:
    before = len([line for line in TwinLink("twin", 6).command("log 50").lines if "boot" not in line])
    result = thecal(*words)
    assert result.exit_code == cli.WRONG_USE
    assert reason in result.stderr
    assert len([line for line in TwinLink("twin", 6).command("log 50").lines if "boot" not in line]) == before


@pytest.mark.requirement("F3", "R07")
def test_the_patient_bolus_is_asked_for() -> None:
    assert thecal("dose", answer="n\n").exit_code == cli.REFUSED
    done = thecal("dose", "--yes")
    assert done.exit_code == 0
    assert "dose: 10 uL over 300 s" in done.stdout
    assert thecal("dose", "--yes").exit_code == cli.REFUSED  # lockout


@pytest.mark.requirement("F7", "R21")
def test_priming_is_shown_with_its_path_and_begins_after_a_yes() -> None:
    shown = thecal("prime", "--show")
    assert "path: 316 uL: tubing 140 uL, catheter 176 uL" in shown.stdout
    assert json.loads(thecal("prime", "--json").stdout)["prime_s"] == "1138"
    assert thecal("prime", answer="n\n").exit_code == cli.REFUSED
    assert status()["bolus"] == "none"
    done = thecal("prime", answer="y\n")
    assert done.exit_code == 0
    assert "calibration version" in done.stdout
    assert status()["bolus"].startswith("prime")


@pytest.mark.requirement("F7", "F12")
def test_there_is_no_bridge_to_cancel() -> None:
    assert json.loads(thecal("bridge", "--json").stdout)["bridge"] == "none"
    refused = thecal("bridge cancel", "--yes")
    assert refused.exit_code == cli.REFUSED
    assert "none runs" in refused.stderr


@pytest.mark.requirement("F5", "F4", "R22")
def test_a_trial_is_started_scored_ended_and_kept(tmp_path: Path, pump: Twin) -> None:
    file = tmp_path / "rx.toml"
    file.write_text(RX.format(rate="6 mL/day"))
    words = (str(file), "--for", "1 h", "--then", "stopped")
    assert thecal("trial start", *words, answer="n\n").exit_code == cli.REFUSED
    assert json.loads(thecal("trial", "--json").stdout) == {"trial": "none"}
    assert thecal("trial discard", "--yes").exit_code == cli.REFUSED
    started = thecal("trial start", *words, answer="y\n")
    assert started.exit_code == 0, started.stderr
    assert "basal: 4800 uL/day -> 6000 uL/day" in started.stdout
    assert "trial: running" in started.stdout
    assert thecal("trial score --pain 6 --spasticity 2 nausea").exit_code == 0
    assert thecal("trial score --pain 4").exit_code == 0
    shown = json.loads(thecal("trial", "--json").stdout)
    assert (shown["scores"], shown["pain"], shown["spasticity"]) == ("2", "6 -> 4 (-2)", "2 -> 2 (+0)")
    assert thecal("trial score joy").exit_code == cli.REFUSED
    ended = CliRunner().invoke(cli.app, ["trial", "--port", "twin", "end"], input="y\n")
    assert ended.exit_code == 0, ended.stderr
    assert status()["mode"] == "stopped"
    assert thecal("trial keep", answer="n\n").exit_code == cli.REFUSED
    kept = thecal("trial keep", answer="y\n")
    assert kept.exit_code == 0, kept.stderr
    pump.run(pump.now_ns() + S)
    assert status()["rate"].startswith("6000000 nL/day")
    assert "trial_left_s" not in status()


def nothing_staged() -> bool:
    return not TwinLink("twin", 6).command("program discard").ok


@pytest.fixture
def low(tmp_path: Path) -> Path:
    """A prescription of less than a tenth of the rate in force: the pump warns of it."""
    file = tmp_path / "rx.toml"
    file.write_text(RX.format(rate="0.1 mL/day"))
    return file


LOW = "basal 100 uL/day"
TRIAL = ("--for", "2 h", "--then", "minimum")


@pytest.mark.requirement("F5", "R10")
@pytest.mark.parametrize("answer", ["", "y\n", "100\ny\n", "1000 uL/day\ny\n", "100 uL/day\nn\n", "100 uL/day\n"])
def test_what_is_unusual_is_typed_once_more_before_a_trial(low: Path, answer: str) -> None:
    wrong = thecal("trial start", str(low), *TRIAL, answer=answer)
    assert wrong.exit_code == cli.REFUSED
    assert "nothing was changed" in wrong.stderr
    assert nothing_staged()
    assert status()["rate"].startswith("4800000 nL/day")


@pytest.mark.requirement("F5", "R10")
def test_a_trial_begins_once_its_warnings_are_typed(low: Path) -> None:
    done = thecal("trial start", str(low), *TRIAL, answer="100 uL/day\ny\n")
    assert done.exit_code == 0, done.stderr
    assert status()["rate"].startswith("100000 nL/day")


@pytest.mark.requirement("F5", "R22")
@pytest.mark.parametrize("question", ["prompt", "confirm"])
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, typer.Abort])
def test_ctrl_c_at_a_question_leaves_nothing_staged(
    low: Path, question: str, interrupt: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*args: object, **kwargs: object) -> None:
        raise interrupt

    monkeypatch.setattr(typer, question, ask)
    assert thecal("trial start", str(low), *TRIAL, answer="100 uL/day\n").exit_code != 0
    assert nothing_staged()
    assert status()["rate"].startswith("4800000 nL/day")


@pytest.mark.requirement("F5", "R10")
def test_yes_confirms_no_warning(low: Path) -> None:
    """Of `trial start`, and of the way back from the trial by `keep` and by `discard`."""
    bare = thecal("trial start", str(low), *TRIAL, "--yes")
    assert bare.exit_code == cli.REFUSED
    assert f'--confirm "{LOW}" is needed: ten times or more from 4800 uL/day' in bare.stderr
    assert nothing_staged()
    assert status()["rate"].startswith("4800000 nL/day")
    wrong = thecal("trial start", str(low), *TRIAL, "-y", "--confirm", "basal 100 uL")
    assert wrong.exit_code == cli.REFUSED
    assert "the pump warns of no such thing" in wrong.stderr
    assert thecal("trial start", str(low), *TRIAL, "-y", "--confirm", LOW).exit_code == 0
    kept = thecal("trial keep", "-y")  # the rate that flows: nothing unusual
    assert kept.exit_code == 0, kept.stderr
    high = low.with_name("high.toml")
    high.write_text(RX.format(rate="4.8 mL/day"))
    assert thecal("trial start", str(high), *TRIAL, "-y", "--confirm", "basal 4800 uL/day").exit_code == 0
    back = thecal("trial discard", "-y")
    assert back.exit_code == cli.REFUSED
    assert f'--confirm "{LOW}" is needed' in back.stderr
    assert nothing_staged()
    assert status()["rate"].startswith("4800000 nL/day")
    done = thecal("trial discard", "-y", "--confirm", LOW)
    assert done.exit_code == 0, done.stderr
    assert status()["rate"].startswith("100000 nL/day")


@pytest.mark.requirement("F5", "R22")
def test_a_trial_that_the_pump_refuses_leaves_nothing_staged(low: Path) -> None:
    low.write_text(RX.format(rate="6 mL/day"))
    for length in ("59 min", "15 d"):
        refused = thecal("trial start", str(low), "--for", length, "--then", "minimum", "-y")
        assert refused.exit_code == cli.REFUSED
        assert "1 h to 14 d" in refused.stderr
        assert nothing_staged()
    assert thecal("trial start", str(low), *TRIAL, "-y").exit_code == 0
    for verb in ("keep", "discard"):
        assert thecal(f"trial {verb}", answer="n\n").exit_code == cli.REFUSED
        assert nothing_staged()


@pytest.mark.requirement("F6")
def test_a_refill_is_asked_for() -> None:
    assert thecal("refill", "15 mL", answer="n\n").exit_code == cli.REFUSED
    before = int(status()["reservoir_nl"])
    assert before > 19_900_000
    done = thecal("refill", "15 mL", "--yes")
    assert done.exit_code == 0, done.stderr
    assert int(status()["reservoir_nl"]) <= 15_000_000


@pytest.mark.requirement("F12")
@pytest.mark.parametrize("line", ["bolus cancel", "dose", "prime", "bridge", "trial", "trial end"])
def test_without_a_pump_the_status_is_3(line: str) -> None:
    words = line.split()
    result = CliRunner().invoke(cli.app, [*words, "--port", "nowhere"] if words != ["trial"] else ["trial", "-p", "x"])
    assert result.exit_code == cli.NO_PUMP


@pytest.mark.requirement("T4")
@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "601"])
def test_a_patience_that_makes_no_sense_is_wrong_use(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cli_talk.PATIENCE, text)
    result = thecal("status")
    assert result.exit_code == cli.WRONG_USE
    assert "0.1 to 600" in result.stderr
