"""What the oracle of the therapy is told and tells. Times are whole seconds of true time since the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from therapy_oracle_rules import Given, Rx

Witness = Callable[[str, int, int], bool]
"""Whether a bolus (kind, dose) really began about then: asked only where the rules leave a doubt of a second."""


class Entry(NamedTuple):
    """Something that the pump must log: details are what a comparison needs, as (kind, ...)."""

    second: int
    code: str
    details: tuple[object, ...]


class Flow(NamedTuple):
    """A bolus that flows from begin to end, evenly: its dose in so many seconds."""

    begin: int
    end: int
    dose: int
    seconds: int


class Span(NamedTuple):
    """Basal from begin to end, by local time = true time + offset."""

    begin: int
    end: int
    offset: int
    rx: Rx


@dataclass
class Bolus:
    """One under way: left s to go, since `since`."""

    given: Given
    left: int
    since: int


@dataclass(frozen=True)
class Limits:
    """What the pump itself can do: nL and nL/day."""

    max_rate: int = 28_800_000
    min_rate: int = 6_000
    reservoir: int = 20_000_000
    low: int = 2_000_000
