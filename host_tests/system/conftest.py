"""The guard runs in every scenario here, and must not trip unless a test is about that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firmware.events import NAMES
from firmware.guard import Guard


@pytest.fixture(autouse=True)
def guard_trips(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The checks that have failed, in order. A test that expects some takes the list and empties it."""
    trips: list[str] = []
    trip = Guard._trip

    def noted(guard: Guard, check: int) -> None:
        trips.append(NAMES["check"][check])
        trip(guard, check)

    monkeypatch.setattr(Guard, "_trip", noted)
    yield trips
    assert trips == []
