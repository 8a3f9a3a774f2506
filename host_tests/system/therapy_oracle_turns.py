"""Which turns of scheduled boluses a pump has had: each comes once, whatever the clock does (F3).

A turn is (generation of the prescription, index, local day). A reset leaves two things of them: which boluses were
given, and the newest turn, up to which all count as had.
"""

from __future__ import annotations

from therapy_oracle_rules import DAY, HOUR, Rx

TRUSTED = 25 * HOUR  # a newest turn that lies further ahead of the clock after a reset says nothing
Waiting = tuple[int, int, int]
"""Due second, index, local day."""


class Turns:
    """Of one pump."""

    def __init__(self) -> None:
        self.generation = 1  # of the prescription: the same therapy committed again is no other one
        self._had: set[tuple[int, int, int]] = set()  # since the last reset
        self._given: set[tuple[int, int, int]] = set()
        self._had_to: int | None = None  # local second: after a reset, all turns up to it count as had
        self._moved: set[Waiting] = set()

    def take(self, rx: Rx, index: int, day: int) -> bool:
        """Whether a turn comes now; it has come then."""
        turn = (self.generation, index, day)
        passed = self._had_to is not None and due_at(rx, index, day) <= self._had_to
        if turn in self._had | self._given or passed:
            return False
        self._had.add(turn)
        return True

    def give(self, index: int, day: int) -> None:
        """The bolus of a turn begins."""
        self._given.add((self.generation, index, day))

    def commit(self, is_other: bool) -> None:
        """A prescription is put in force."""
        if is_other:
            self.generation += 1
            self._had_to = None

    def forget(self, rx: Rx) -> None:
        """A reset."""
        times = [due_at(rx, index, day) for generation, index, day in self._had if generation == self.generation]
        self._had_to = max(times + ([] if self._had_to is None else [self._had_to]), default=None)
        self._had = set()

    def distrust(self, local: int) -> None:
        """The clock shows this: a newest turn far ahead of it comes from a clock that was wrong."""
        if self._had_to is not None and self._had_to > local + TRUSTED:
            self._had_to = None

    def move(self, waiting: list[Waiting]) -> None:
        """The clock is set while these wait."""
        self._moved.update(waiting)

    def may_go_untold(self, item: Waiting) -> bool:
        """Whether the log may miss it if a power cut ends its wait (docs/LIMITS.md)."""
        return item in self._moved


def due_at(rx: Rx, index: int, day: int) -> int:
    """The local second of a turn."""
    return day * DAY + rx.scheduled[index].minute * 60
