"""What `thecal program show` says of the coming 24 h is what then happens, whatever the pump is in the middle of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from test_cli_therapy import TwinLink, pump_at_the_port
from typer.testing import CliRunner

from thecal import cli
from thecal.twin.twin import Twin

S = 1_000_000_000
MIN = 60
DAY = 86_400
STEP_NL = 25
START = datetime(2026, 3, 2)
TABLES = """
[[prescription.period]]
days = "daily"
from = "09:00"
to = "10:30"
rate = "720 ug/day"
[[prescription.scheduled_bolus]]
days = "daily"
at = "00:30"
dose = "5 ug"
over = "5 min"
[[prescription.scheduled_bolus]]
days = "daily"
at = "03:50"
dose = "25 ug"
over = "30 min"
[[prescription.scheduled_bolus]]
days = "daily"
at = "20:00"
dose = "25 ug"
over = "10 min"
"""
RX = {
    "patient": "bench-07",
    "drug": "baclofen",
    "concentration": "500 ug/mL",
    "mode": "flex",
    "basal": "240 ug/day",
    "period": [{"days": "daily", "from": "08:00", "to": "12:00", "rate": "720 ug/day"}],
    "scheduled_bolus": [
        {"days": "daily", "at": "00:20", "dose": "25 ug", "over": "10 min"},
        {"days": "daily", "at": "22:00", "dose": "25 ug", "over": "10 min"},
    ],
    "patient_bolus": {"dose": "10 ug", "over": "5 min", "lockout": "2 h", "max_per_day": 4},
}


@pytest.fixture(autouse=True)
def pump(monkeypatch: pytest.MonkeyPatch) -> Iterator[Twin]:
    yield from pump_at_the_port(RX, monkeypatch)


def typed(line: str) -> tuple[str, ...]:
    reply = TwinLink("twin", 6).command(line)
    assert reply.ok, (line, reply.reason)
    return reply.lines


def thecal(*words: str) -> str:
    result = CliRunner().invoke(cli.app, [*words])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def new(folder: Path, concentration: str = "500 ug/mL") -> str:
    head = 'patient = "bench-07"\ndrug = "baclofen"\nmode = "flex"\nbasal = "192 ug/day"\n'
    (folder / "new.toml").write_text(f'[prescription]\n{head}concentration = "{concentration}"\n{TABLES}')
    return str(folder / "new.toml")


def seconds(text: str) -> int:
    """From the start of the test's Monday."""
    return round((datetime.fromisoformat(text) - START).total_seconds())


def predicted_nl(coming: dict[str, Any], second: int) -> Fraction:
    """By what `--json` says, from its own start to a second of the test."""
    total = Fraction(0)
    rates = coming["rates"]
    ends = [seconds(row["at"]) for row in rates[1:]] + [seconds(coming["from"]) + DAY]
    for row, end in zip(rates, ends, strict=True):
        begin = seconds(row["at"])
        total += Fraction(row["nl_per_day"] * max(0, min(end, second) - begin), DAY)
    for bolus in coming["scheduled_boluses"]:
        flowed = Fraction(bolus["dose_nl"] * max(0, second - seconds(bolus["at"])), bolus["seconds"])
        total += min(Fraction(bolus["given_nl"]), flowed)
    return total


def events(code: str) -> list[tuple[int, dict[str, str]]]:
    """(second, fields) of the pump's log."""
    found = []
    for line in typed("log 200"):
        _, at, _, name, *fields = line.split()
        if name == code:
            found.append((seconds(at.split(".")[0]), dict(field.split("=", 1) for field in fields)))
    return found


def near(logged: list[int], told: list[str | None], apart: int) -> bool:
    due = [seconds(at) for at in told if at is not None]
    return len(logged) == len(due) and all(abs(a - b) <= apart for a, b in zip(logged, due, strict=True))


def lines_of(case: str, folder: Path) -> None:
    """Bring the pump into the middle of something."""
    trial = ("trial", "start", "--port", "twin", new(folder), "--yes", "--for", "4 h", "--then")
    program = ("program", "--port", "twin", new(folder, "2000 ug/mL"), "--commit")
    for part in case.split(" + "):
        if part.startswith("trial"):
            new(folder)
            thecal(*trial, part.rsplit(" ", maxsplit=1)[-1])
        elif part == "bridge":
            new(folder, "2000 ug/mL")
            thecal(*program)
        else:
            typed(part)


CASES = [
    "status",  # nothing
    "trial then minimum",
    "trial then stopped + stop for 40 min",
    "bridge",
    "bridge + stop for 40 min",
    "stop",
    "refill 2.3 mL because other",  # becomes low
    "refill 0.4 mL because other",  # is low, becomes empty
]


@pytest.mark.requirement("F2", "F3", "F5", "F6", "F7")
@pytest.mark.parametrize("case", CASES)
def test_the_day_comes_as_it_was_shown(case: str, pump: Twin, tmp_path: Path) -> None:
    lines_of(case, tmp_path)
    pump.run(75 * S)
    coming = json.loads(thecal("program", "--port", "twin", "show", "--json"))["coming"]
    begin, first = pump.now_ns() // S + 1, pump.bench.motor.steps
    pump.run(begin * S)
    first, base = pump.bench.motor.steps, predicted_nl(coming, begin)
    fastest = Fraction(max(row["nl_per_day"] for row in coming["rates"]), DAY) + 100
    for second in range(20 * MIN, seconds(coming["from"]) + DAY, 10 * MIN):
        pump.run(second * S)
        made = (pump.bench.motor.steps - first) * STEP_NL
        apart = abs(made - (predicted_nl(coming, second) - base))
        assert apart <= 3 * STEP_NL + 3 * fastest, f"{second // MIN} min: {float(apart)} nL"
    logged = [(at, row) for at, row in events("bolus") if row["kind"] == "scheduled"]
    assert near([at for at, _ in logged], [row["at"] for row in coming["scheduled_boluses"]], 3)
    skipped = events("bolus_skipped")
    assert near([at for at, _ in skipped], [row["at"] for row in coming["skipped_boluses"]], 3)
    assert [row["reason"] for _, row in skipped] == [row["reason"] for row in coming["skipped_boluses"]]
    assert near([at for at, _ in events("trial_end")], [coming["trial_end"]], 3)
    assert near([at for at, _ in events("bridge_end")], [coming["bridge_end"]], 15)  # known to a step of its rate
    assert near([at for at, _ in events("stop_end")], [coming["halt_end"]], 3)
    alarms = {row["alarm"]: at for at, row in events("alarm") if at > begin}
    for alarm, key in (("low_reservoir", "low"), ("reservoir_empty", "empty")):
        assert near([alarms[alarm]] if alarm in alarms else [], [coming[key]], 30)
