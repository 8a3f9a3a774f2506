"""A pump on the twin of which something breaks, for the tests of its self-test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support import continuous, scenario

from thecal.models.bench import Bench
from thecal.outputs import LoggedEvent
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

RX = continuous("1 mL/day")
Patch = pytest.MonkeyPatch
Break = Callable[[Bench, Patch], None]


class StuckBit(bytearray):
    """RAM with a bit that is always 1."""

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, value | 0x10 if index == len(self) - 3 else value)


def attribute(*path: str, value: Any) -> Break:
    """Something on the bench is as it must not be."""

    def broken(bench: Bench, patch: Patch) -> None:
        thing: Any = bench
        for name in path[:-1]:
            thing = getattr(thing, name)
        setattr(thing, path[-1], value)

    return broken


def named(events: list[LoggedEvent]) -> list[Any]:
    return [event.details["test"] for event in events if event.code == "self_test"]


def run(duration: str, *events: dict[str, Any], before: Callable[[Twin], None] = lambda twin: None) -> Result:
    plan = scenario(RX, duration, *events)
    twin = Twin(make_bench(plan))
    before(twin)
    try:
        return simulate(plan, twin)
    finally:
        twin.close()


LINES = (
    {"at": "20 s", "do": "command", "line": "clear"},
    {"at": "21 s", "do": "command", "line": "resume"},
)
