"""Which turns of scheduled boluses a pump has had: each comes once, whatever the clock does (F3).

A turn is (index, local date). Those due before a commit count as had: a commit starts the schedule afresh, and what has
passed that day is not given.
"""

from __future__ import annotations

from therapy_oracle_rules import DAY, Rx

Waiting = tuple[int, int, int]
"""Due second, index, local day."""


class Turns:
    """Of one pump."""

    def __init__(self) -> None:
        self._had: set[tuple[int, int]] = set()
        self._given: set[tuple[Rx, int, int]] = set()
        self._committed: int | None = None  # local second
        self._moved: set[Waiting] = set()

    def take(self, rx: Rx, index: int, day: int) -> bool:
        """Whether a turn comes now; it has come then."""
        before = self._committed is not None and due_at(rx, index, day) <= self._committed
        if (index, day) in self._had or (rx, index, day) in self._given or before:
            return False
        self._had.add((index, day))
        return True

    def give(self, rx: Rx, index: int, day: int) -> None:
        """The bolus of a turn begins: the same therapy, committed again, does not give it again."""
        self._given.add((rx, index, day))

    def commit(self, local: int) -> None:
        """A prescription is put in force at this local second."""
        self._committed = local
        self._had = set()

    def move(self, waiting: list[Waiting]) -> None:
        """The clock is set while these wait."""
        self._moved.update(waiting)

    def may_go_untold(self, item: Waiting) -> bool:
        """Whether the log may miss it if a power cut ends its wait (docs/LIMITS.md)."""
        return item in self._moved


def due_at(rx: Rx, index: int, day: int) -> int:
    """The local second of a turn."""
    return day * DAY + rx.scheduled[index].minute * 60
