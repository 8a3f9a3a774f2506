"""What must hold of a pump whose power was cut, reckoned from outside: its steps, its orders, its EEPROM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from thecal.demand import rate_changes
from thecal.models.board_id import board_id
from thecal.powercut.board_plans import S
from thecal.prescription import Prescription
from thecal.programming import MemoryEeprom, firmware, pack
from thecal.scenario import Scenario

_DAY_NS = 86_400 * S
_LOSS_S = 60
_LOOK_BACK_NS = 3 * S  # a rate that ended within it may still be the one of the reservation
BITE_STEPS = 2  # what a bite may cost


class Standing(NamedTuple):
    """What orders change: the prescription in force, packed; the ledger's state; the number of boluses in the history
    (fewer than it keeps)."""

    prescription: bytes
    state: int
    boluses: int = 0


class Found(NamedTuple):
    """What a start would find in an EEPROM: steps of the ledger, what stands, the calibration, the alarms."""

    steps: int
    standing: Standing
    calibration: bytes
    alarms: tuple[str, ...]


def found(image: bytes, scratch: Iterable[int], serial: str) -> Found:
    """Recover an EEPROM as the pump with this serial number would. scratch: its words, all 0 after a power cut."""
    records = firmware("records").Records(MemoryEeprom(image), list(scratch)[:4], board_id(serial))
    raised = sum(1 << alarm for alarm in set(records.load()))
    calibration, prescription = records.state()[:2]
    therapy = (prescription or b"")[: -firmware("course").SIZE]  # a bridge or a trial may end by itself
    return Found(
        records.ledger.steps,
        Standing(therapy, records.ledger.state, len(records.boluses.recent)),
        calibration or b"",
        tuple(firmware("alarms").codes(records.ledger.alarms | raised)),
    )


@dataclass
class Order:
    """A line that changes what stands, once it was typed. prescription, state: what it sets; None: leaves. boluses: how
    many it begins.
    """

    line: str
    typed_at: int  # console bytes at that time
    prescription: bytes | None = None
    state: int | None = None
    boluses: int = 0

    def done(self, output: bytes) -> bool:
        """Whether the pump has said so. A pump that refuses has not changed anything, and says `error`."""
        said = output[self.typed_at :].decode("ascii", "replace").split("\r\n")
        after = said[said.index(self.line) + 1 :] if self.line in said else []
        return "ok" in after

    def applied(self, before: Standing) -> Standing:
        """What stands after it."""
        prescription = before.prescription if self.prescription is None else self.prescription
        state = before.state if self.state is None else self.state
        return Standing(prescription, state, before.boluses + self.boluses)


@dataclass
class Seen:
    """What was counted over the cuts of a board."""

    cuts: int = 0
    in_write: int = 0
    in_start: int = 0
    bites: int = 0
    starts: int = 0
    slowest_start_ns: int = 0
    most_start_writes: int = 0
    torn: dict[str, int] = field(default_factory=dict)


@dataclass
class Book:
    """The one pump's accounts over all cuts.

    possible: what may stand. gaps: by how many steps the ledger may have been ahead of the
    motor at the last cut, lowest and highest: a metastable page leaves two answers.
    """

    scenario: Scenario
    possible: set[Standing] = field(default_factory=set)
    orders: list[Order] = field(default_factory=list)
    prescriptions: dict[bytes, Prescription] = field(default_factory=dict)
    gaps: tuple[int, int] = (0, 0)
    typed: int = 0
    acknowledged: int = 0
    most_assumed: int = 0
    highest_share: float = 0.0

    def __post_init__(self) -> None:
        rx = self.scenario.prescription
        self.possible = {Standing(pack(rx), firmware("ledger").RUNNING)}
        self.prescriptions[pack(rx)] = rx

    def settle(self, output: bytes) -> None:
        """The power is gone: work out what may be in force, by what the pump has acknowledged."""
        for order in self.orders:
            done = order.done(output)
            self.typed += 1
            self.acknowledged += done
            after = {order.applied(standing) for standing in self.possible}
            self.possible = after if done else self.possible | after
        self.orders.clear()

    def rates(self, first_ns: int, last_ns: int) -> tuple[int, int]:
        """The lowest and the highest rate, nL/day, that may have been in force between two instants of true time."""
        plan = self.scenario
        in_question = {standing.prescription for standing in self.possible}
        in_question |= {order.prescription for order in self.orders if order.prescription is not None}
        found_rates = [
            rate
            for packed in in_question
            for _, rate in rate_changes(self.prescriptions[packed], plan.pump, plan.start, max(0, first_ns), last_ns)
        ]
        return min(found_rates), max(found_rates)

    def steps_of(self, rate: int, span_ns: int) -> int:
        """Whole steps of so much flow. rate: nL/day."""
        return rate * 1_000 * span_ns // (self.scenario.pump.pl_per_step * _DAY_NS)

    def loss(self, cut_ns: int, extra_rate: int, bites: int) -> int:
        """Steps that a cut at this time may cost. extra_rate: of a bolus, nL/day."""
        highest = self.rates(cut_ns - _LOOK_BACK_NS, cut_ns)[1] + extra_rate
        return max(1, self.steps_of(highest, _LOSS_S * S)) + BITE_STEPS * bites

    def check_cut(self, at: list[Found], steps: int, allowed: int) -> list[str]:
        """What is wrong with a torn EEPROM, by every reading of it. steps: of the motor. allowed: what the cut may have
        cost, in steps."""
        gaps = [one.steps - steps for one in at]
        assumed = max(gaps) - self.gaps[1]
        wrong = []
        if min(gaps) < 0:
            wrong.append(f"ledger {min(gaps)} steps apart from the motor's {steps}")
        if assumed > allowed:
            wrong.append(f"{assumed} steps assumed, {allowed} allowed")
        self.gaps = min(gaps), max(gaps)
        self.most_assumed = max(self.most_assumed, assumed)
        self.highest_share = max(self.highest_share, assumed / allowed)
        return wrong

    def check_state(self, at: list[Found]) -> list[str]:
        """What is wrong with what is in force, by every reading; from now on it is what was found."""
        wrong = [f"alarm {code}" for one in at for code in one.alarms]
        standings = {one.standing for one in at}
        if standings <= self.possible:
            self.possible = standings
        else:
            wrong.append(f"{_short(standings)} in force, though only {_short(self.possible)} can be")
        return wrong


def _short(standings: set[Standing]) -> str:
    return str([(one.prescription[:12].hex(), one.state, one.boluses) for one in sorted(standings)])


def twice(image: bytes, serial: str) -> list[str]:
    """What is wrong with a recovery that is done once more over its own result."""
    eeprom = MemoryEeprom(image)
    first: list[Any] = []
    for _ in range(2):
        records = firmware("records").Records(eeprom, [0, 0, 0, 0], board_id(serial))
        first.append((records.load(), records.state()))
    return [] if first[0] == first[1] else [f"recovered again, it differs: {first[0]} and {first[1]}"]
