"""What is true of a pump, in plain numbers beside the firmware's records: the model that campaigns compare with."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

HALTED = (1, 3)  # ledger states with the time of a stop: STOPPED, PAUSED
BOLUSES_KEPT = 32  # that the firmware promises to remember


class Broken(AssertionError):
    """An invariant does not hold; the text says which."""


def hold(condition: bool, text: str, *values: object) -> None:
    """Raise Broken with text, and the values behind it, unless condition is true."""
    if not condition:
        raise Broken(f"{text}: {', '.join(map(repr, values))}" if values else text)


@dataclass
class Totals:
    """What one ledger record says. `reserved` None: unknown, as the record was being written."""

    steps: int = 0
    volume_pl: int = 0
    reservoir_pl: int = 0
    missed_nl: int = 0
    state: int = 1
    stop: tuple[int, int] = (0, 0)
    shift: int = 0
    alarms: int = 0
    bolus: int = 0
    bolus_left_nl: int = 0
    aside_nl: int = 0  # in the place of the stop's time, unless HALTED
    reserved: int | None = 0
    pl_per_step: int = 25_000

    def count(self, steps: int) -> None:
        """So many more steps are counted."""
        self.steps += steps
        self.volume_pl += steps * self.pl_per_step
        self.reservoir_pl = max(0, self.reservoir_pl - steps * self.pl_per_step)

    def after(self, steps: int) -> Totals:
        """The same when so many more steps are counted."""
        moved = copy.copy(self)
        moved.count(steps)
        return moved

    def numbers(self) -> tuple[object, ...]:
        """Everything that a later start can find."""
        return (
            self.steps,
            self.volume_pl,
            self.reservoir_pl,
            self.missed_nl,
            self.state,
            self.stop if self.state in HALTED else self.aside_nl,
            self.shift,
            self.alarms,
            self.bolus,
            self.bolus_left_nl,
        )


def found_totals(ledger: Any) -> tuple[object, ...]:
    """What the firmware's ledger says, as Totals.numbers() has it."""
    used_pl = ledger.used * ledger.pl_per_step
    return (
        ledger.steps,
        ledger.volume_pl + used_pl,
        max(0, ledger.reservoir_pl - used_pl),
        ledger.missed_nl,
        ledger.state,
        (ledger.stop_day, ledger.stop_second) if ledger.state in HALTED else ledger.aside_nl,
        ledger.shift,
        ledger.alarms,
        ledger.bolus,
        ledger.bolus_left_nl,
    )


@dataclass
class Value:
    """A record that is replaced as a whole: what was acknowledged, and what may have come into force instead."""

    acked: Any = None
    maybe: list[Any] = field(default_factory=list)

    def settle(self, found: Any, name: str) -> None:
        """A start has found this."""
        hold(found == self.acked or found in self.maybe, f"{name} is neither the old nor the new one", found, self)
        self.acked = found
        self.maybe = []

    def set(self, value: Any) -> None:
        """This was acknowledged."""
        self.acked = value
        self.maybe = []


@dataclass
class Truth:
    """made: physical steps. totals: what the ledger must say right now. rate: the highest since the last record that
    was acknowledged, nL/day.
    """

    made: int = 0
    totals: Totals = field(default_factory=Totals)
    acked: Totals | None = None
    maybe: list[Totals] = field(default_factory=list)
    rate: int = 0
    calibration: Value = field(default_factory=Value)
    prescription: Value = field(default_factory=Value)
    counters: Value = field(default_factory=lambda: Value((0,) * 13))
    boluses: list[tuple[Any, bool]] = field(default_factory=list)  # entry, whether it was acknowledged
    events: list[tuple[Any, bool]] = field(default_factory=list)

    def ledger_written(self, reserved: int, rate: int) -> None:
        """A record of the totals, with this reservation, was acknowledged. rate: the present one."""
        self.acked = copy.copy(self.totals)
        self.acked.reserved = reserved
        self.maybe = []
        self.rate = rate

    def ledger_in_flight(self) -> None:
        """A record of the totals is about to be written; its reservation is for the firmware to choose."""
        self.maybe.append(copy.copy(self.totals))
        self.maybe[-1].reserved = None

    # -- what a start must find -------------------------------------------------------------------------------
    # Which of the possible records it found stays open until it has written one of its own.

    def loss_allowed(self) -> int:
        """Steps that a cut may count as made without their having been: max(60 s of flow, one step) (I3)."""
        return max(60 * self.rate * 5 // 432 // self.totals.pl_per_step, 1)

    def settle_cut(self, ledger: Any) -> None:
        """After a power cut: the reservation of one of the possible records counts as made; all else is as it was."""
        found = found_totals(ledger)
        steps = ledger.steps
        hold(steps >= self.made, "I2: more steps were made than the ledger counts", self.made, steps)
        lost = steps - self.totals.steps
        hold(lost <= self.loss_allowed(), "I3: too much is assumed", lost, self.loss_allowed())
        for record in [*([self.acked] if self.acked else []), *reversed(self.maybe)]:
            ahead = steps - record.steps
            fits = ahead >= 0 if record.reserved is None else ahead == record.reserved
            if fits and record.after(ahead).numbers() == found:
                self.totals = record.after(ahead)
                return
        raise Broken(f"the ledger is neither the old nor the new one: {found}, {self.acked}, {self.maybe}")

    def settle_reset(self, ledger: Any) -> None:
        """After a watchdog reset: the count is exact, whichever record was found."""
        found = found_totals(ledger)
        hold(ledger.steps == self.totals.steps, "I3: a reset lost the count", ledger.steps, self.totals.steps)
        for record in [*([self.acked] if self.acked else []), *reversed(self.maybe)]:
            moved = record.after(self.totals.steps - record.steps)
            if moved.numbers() == found:
                self.totals = moved
                return
        raise Broken(f"the ledger is neither the old nor the new one: {found}, {self.acked}, {self.maybe}")

    def use_step(self, pl_per_step: int) -> None:
        """Steps from now on have this volume: a calibration that was cut may have come into force."""
        self.totals.pl_per_step = pl_per_step
        if self.acked is None:  # the first record of all was cut, and came into force
            self.ledger_written(0, 0)

    def settle_boluses(self, found: list[Any]) -> None:
        """What the history tells after a start."""
        # What was found stays; what was not found does not come back.
        self.boluses = [(entry, True) for entry, _ in settled(self.boluses, found, BOLUSES_KEPT, "F3: a bolus")]


Entries = list[tuple[Any, bool]]  # (what, whether it was acknowledged), oldest first


def settled(entries: Entries, found: list[Any], kept_max: int, name: str) -> Entries:
    """The entries that a start has found. Raises Broken unless every acknowledged one of the newest kept_max is there,
    in order, and none that was never written.
    """
    kept: Entries = []
    position = len(found)
    for entry, acked in reversed(entries):
        if position and found[position - 1] == entry:
            position -= 1
            kept.append((entry, acked))
        elif acked and len(kept) < kept_max:
            raise Broken(f"{name} that was written is forgotten: {entry}, {len(kept)} newer ones are known")
    hold(position == 0, f"{name} is remembered that was never written", found[:position])
    return kept[::-1]
