"""The same scenario and seed give the same output, byte for byte, on the twin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import flex, on_twin, scenario

from thecal.demo import SCENARIO
from thecal.sim import write

FILES = ("steps.csv", "events.jsonl", "summary.json", "console.txt")


@pytest.mark.requirement("F12")
def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        command = [sys.executable, "-m", "thecal.cli", "sim", str(SCENARIO), "--out", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True)
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert len((tmp_path / "one" / "steps.csv").read_text().splitlines()) > 20_000


@pytest.mark.requirement("F12")
def test_a_run_in_slices_is_the_run_in_one(tmp_path: Path) -> None:
    """Two twins in one process do not disturb each other, and a torn page is drawn from the seed."""
    events = [{"at": f"{second}.0{second % 10} s", "do": "power_cut", "for": "3 s"} for second in (20, 41, 63, 77, 99)]
    plan = scenario(flex("20 mL/day", ("daily", "00:01", "00:02", "5 mL/day")), "2 min", *events)
    first, second = on_twin(plan), on_twin(plan)
    write(first, tmp_path / "one")
    write(second, tmp_path / "two")
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
