"""A bit that flips in RAM while a prescription is being committed: what was compared is put in force, or nothing
(F4, F11; R18, R22)."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from pump_rig import Pump, prescription

from thecal.faults.memory import flip, leaves
from thecal.programming import device_prescription, firmware

pytestmark = pytest.mark.requirement("F4", "F11", "R18", "R22")
OLD = prescription(basal="3 mL/day")
NEW = prescription(
    mode="flex",
    basal="6 mL/day",
    period=[{"days": "mon,tue", "from": "08:00", "to": "09:00", "rate": "4 mL/day"}],
    scheduled_bolus=[{"days": "daily", "at": "20:00", "dose": "5 uL", "over": "1 min"}],
    patient_bolus={"dose": "2 uL", "over": "1 min", "lockout": "1 h", "max_per_day": 4},
    limits={"max_per_day": "20 mL"},
)
AGENDA = firmware("agenda").Agenda
# Paths of what the staged prescription and its course consist of, but for what was only shown.
VARIABLES = [
    leaf.path
    for name, group in leaves(device_prescription(NEW), "rx").items()
    for leaf in group
    if name != "rx.worst_day"
]


def strike(path: str, monkeypatch: pytest.MonkeyPatch, rng: Random) -> list[str]:
    """Flip a bit of it when its digest has been compared, and its record has not been made. Returns what was done."""
    lay = AGENDA.lay
    done: list[str] = []

    def struck(self: Any, rx: Any) -> None:
        lay(self, rx)
        if not done:
            (leaf,) = (leaf for group in leaves(rx, "rx").values() for leaf in group if leaf.path == path)
            done.append(flip(leaf, rng, 6))

    monkeypatch.setattr(AGENDA, "lay", struck)
    return done


@pytest.mark.parametrize("order", ["program commit", "trial start"])
def test_no_bit_that_flips_during_a_commit_is_put_in_force(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pump = Pump(OLD)
    digest = pump.confirmed(NEW)
    line = f"program commit {digest}" if order == "program commit" else "trial start 1 h then minimum"
    before = pump.status()["prescription"]
    assert len(VARIABLES) > 20
    for number, name in enumerate(VARIABLES):
        with monkeypatch.context() as patch:
            done = strike(name, patch, Random(number))
            assert pump.ask(line) == ["error: program commit: what was staged has changed in RAM; stage it anew"], name
        assert done, name
        assert pump.status()["prescription"] == before, done
        assert pump.confirmed(NEW) == digest
    assert pump.ask(line, 2)[-1] == "ok"
    assert pump.status()["prescription"].split()[0] == digest
    pump.close()
