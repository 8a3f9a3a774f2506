"""What every measurement is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Figures = dict[str, float]


@dataclass(frozen=True)
class Context:
    """image: MicroPython UF2. flash: a Pico's file system with the compiled firmware. quick: fewer samples.
    whole_year: simulate all of a year instead of scaling up.

    progress: called with the share done of the measurement under way, 0..1. folder: for pictures.
    """

    image: Path
    flash: bytes
    quick: bool
    whole_year: bool
    progress: Callable[[float], None]
    folder: Path

    def count(self, full: int, quick: int) -> int:
        """How many samples to take."""
        return quick if self.quick else full
