"""The plainest life of the fault campaign, and what its controls take away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from thecal.faults import plans
from thecal.faults.life import MONDAY, Life
from thecal.programming import firmware


def basal(rate: int) -> Life:
    """Nothing but this rate, in nL/day, from Monday 00:00; 25 nL a step."""
    table = {"patient": "bench-07", "drug": "saline", "mode": "continuous", "basal": f"{rate} nL/day"}
    return plans.planned_life("basal", plans.Plan(25_000, rate, rate, MONDAY, table))


def blind_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard looks at nothing, and forbids nothing."""
    guard = firmware("guard").Guard
    monkeypatch.setattr(guard, "run", idle("guard"))
    monkeypatch.setattr(guard, "permit", lambda self, *ordered: None)


def idle(task: str) -> Callable[..., Any]:
    """In place of the method that is this task: it does nothing but check in."""
    number = firmware("resets").number(task)
    return lambda self, *more: number
