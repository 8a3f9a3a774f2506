"""The field tool against an emulated pump over a serial port: pyserial, a pseudo-terminal, the compiled firmware."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from thecal.paths import ROOT

Tool = Callable[..., subprocess.CompletedProcess[str]]

NEW = """
[prescription]
patient = "bench-07"
drug = "baclofen"
concentration = "500 ug/mL"
mode = "continuous"
basal = "333.3 ug/day"
"""


_START_S = 240


def _environment() -> dict[str, str]:
    return dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path), THECAL_PATIENCE_S="60")  # on a busy machine


def _thecal(port: str, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "thecal.cli", arguments[0], "--port", port, *arguments[1:]]
    environment = _environment()
    return subprocess.run(line, input=answer, capture_output=True, text=True, timeout=240, env=environment, check=False)


@pytest.fixture(scope="module")
def tool(image: Path) -> Iterator[Tool]:
    """`tool("status")`: the thecal command, connected to an emulated pump that runs ten times as fast as time."""
    command = [sys.executable, "-m", "thecal.cli", "emulate", "--speed", "10"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()

        def call(*arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
            return _thecal(port, *arguments, answer=answer)

        deadline = time.monotonic() + _START_S
        while call("status").returncode and time.monotonic() < deadline:
            continue  # the pump is starting; on a busy machine that takes longer than the tool waits for an answer
        yield call
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def ask(tool: Tool, *arguments: str) -> str:
    done = tool(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def steps(tool: Tool) -> int:
    return int(json.loads(ask(tool, "status", "--json"))["ledger_steps"])


@pytest.mark.requirement("F12")
def test_status_and_log_are_read_while_dosing_goes_on(tool: Tool) -> None:
    status = json.loads(ask(tool, "status", "--json"))
    assert status["state"] == "dosing"
    events = json.loads(ask(tool, "log", "--json"))
    assert events[0]["code"] == "boot"
    assert "boot" in ask(tool, "log", "5")
    before = steps(tool)
    time.sleep(4)
    assert steps(tool) > before


@pytest.mark.requirement("F4", "R22", "R47")
def test_a_prescription_is_staged_compared_confirmed_and_in_force(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "rx.toml").write_text(NEW)
    old = ask(tool, "program")
    assert "mode: flex" in old
    refused = tool("program", str(tmp_path / "rx.toml"), answer="n\n")
    assert refused.returncode == 1
    assert "mode: flex -> continuous" in refused.stdout
    assert ask(tool, "program") == old
    removed = [word for limit in ("max_per_hour", "max_per_day") for word in ("--confirm", f"{limit} none")]
    assert tool("program", str(tmp_path / "rx.toml"), "--commit").returncode == 1  # no limit goes without a word
    assert "in force" in ask(tool, "program", str(tmp_path / "rx.toml"), "--commit", *removed)
    assert "basal: 666.6 uL/day (333.3 ug/day)" in ask(tool, "program")
    assert json.loads(ask(tool, "status", "--json"))["rate"].startswith("666600 nL/day")


@pytest.mark.requirement("F4")
def test_a_refusal_of_the_pump_is_status_1_with_its_reason(tool: Tool) -> None:
    done = tool("resume")
    assert done.returncode == 1
    assert "delivery is not stopped" in done.stderr


@pytest.mark.requirement("F4", "R34")
def test_stop_and_resume(tool: Tool) -> None:
    ask(tool, "stop", "--for", "60")
    assert json.loads(ask(tool, "status", "--json"))["state"] == "stopped"
    ask(tool, "resume")
    assert json.loads(ask(tool, "status", "--json"))["state"] == "dosing"


@pytest.mark.requirement("R49")
def test_the_clock_is_set(tool: Tool) -> None:
    ask(tool, "clock", "2027-08-09T10:11:12")
    time.sleep(0.3)
    assert "clock: 2027-08-09T10:11:" in ask(tool, "clock")
    bad = tool("clock", "2027-02-29T10:11:12")
    assert bad.returncode == 1
    assert "day = 29: 1 to 28" in bad.stderr


@pytest.mark.requirement("F14")
def test_a_blank_board_is_flashed_calibrated_programmed_and_doses(image: Path, tmp_path: Path) -> None:
    """With `make flash`, as in the README; the EEPROM is erased at the start."""
    command = [sys.executable, "-m", "thecal.cli", "emulate", "--blank", "--service", "--speed", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment(), cwd=ROOT) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        try:
            done = subprocess.run(
                ["make", "flash", f"PORT={port}"], capture_output=True, text=True, cwd=ROOT, timeout=300, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert "all verified" in done.stdout
            process.send_signal(signal.SIGUSR2)  # takes the SERVICE strap away and cycles the power
            status = _until_answered(port)
            assert status["state"] == "stopped"
            assert status["prescription"] == "none"
            _program_and_start(port, tmp_path)
            assert _until_answered(port)["state"] == "dosing"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _program_and_start(port: str, folder: Path) -> None:
    (folder / "pump.toml").write_text('[pump]\npl_per_step = 24989\nserial = "bench-02"\n')
    (folder / "rx.toml").write_text(NEW)
    for arguments in (
        ["clock", "2026-03-02T08:00:00"],
        ["calibrate", str(folder / "pump.toml"), "--commit"],
        ["program", str(folder / "rx.toml"), "--commit"],
        ["resume"],
    ):
        done = _thecal(port, *arguments)
        assert done.returncode == 0, done.stderr
        if arguments[0] == "calibrate":
            assert "staged pl_per_step: 24989" in done.stdout


def _until_answered(port: str) -> dict[str, str]:
    reason = ""
    for _ in range(10):
        done = _thecal(port, "status", "--json")
        if done.returncode == 0:
            return json.loads(done.stdout)
        reason = done.stderr
        time.sleep(1)
    raise AssertionError(reason)
