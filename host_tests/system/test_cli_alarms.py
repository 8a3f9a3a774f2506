"""The field tool and alarms, on a pump on the twin: `silence`, `test-alarms`, `clear` (F11, F12; R28, R29, R33)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import continuous
from test_cli_therapy import pump_at_the_port
from typer.testing import CliRunner, Result

from thecal import cli
from thecal.twin.twin import Twin

S = 1_000_000_000


@pytest.fixture(autouse=True)
def pump(monkeypatch: pytest.MonkeyPatch) -> Iterator[Twin]:
    yield from pump_at_the_port(continuous("4.8 mL/day"), monkeypatch)


def thecal(*words: str) -> Result:
    return CliRunner().invoke(cli.app, [words[0], "--port", "twin", *words[1:]])


@pytest.mark.requirement("F11", "F12", "R28", "R29", "R33")
def test_silence_and_clear_say_what_the_pump_says_and_end_with_its_status(pump: Twin) -> None:
    for words, reason in ((("silence",), "no alarm sounds"), (("clear", "--repeated"), "alarm_repeated is not active")):
        refused = thecal(*words)
        assert refused.exit_code == cli.REFUSED
        assert reason in refused.stderr
    tested = thecal("test-alarms")
    assert (tested.exit_code, tested.stdout) == (0, "")
    pump.run(pump.now_ns() + 2 * S)
    assert pump.bench.signals.hz in (1_000, 1_500)
    pump.bench.reservoir.fill(0)
    pump.run(pump.now_ns() + 12 * S)
    done = thecal("silence")
    assert (done.exit_code, done.stdout) == (0, "")
    assert thecal("test-alarms").exit_code == cli.REFUSED
    again = thecal("silence")
    assert again.exit_code == cli.REFUSED
    assert "it is silent for 1" in again.stderr
    cleared = thecal("clear")
    assert cleared.exit_code == 0
    assert "stays: reservoir_empty" in cleared.stdout
