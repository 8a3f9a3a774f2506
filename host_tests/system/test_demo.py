"""`make demo` (F2, F10, F11)."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from thecal import cli, paths


@pytest.mark.requirement("F2", "F10", "F11")
def test_the_demo_balances_within_a_step_and_draws_its_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, "BUILD", tmp_path)
    result = CliRunner().invoke(cli.app, ["demo"], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    balance = result.stdout.split("Demanded: exact")[0].split()
    assert balance.count("yes") == 2
    assert "NO" not in balance
    for word in ("power_on", "watchdog", "assumed", "missed", "stop_end", "stall"):
        assert word in result.stdout
    picture = (tmp_path / "demo" / "infusion.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 50_000
    assert tmp_path != paths.BUILD
