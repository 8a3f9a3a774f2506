"""A short life of a programmed pump: what it is told, and what it is then demanded to deliver.

The demand is reckoned here from what was drawn, and from nothing of the firmware.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from thecal.models.bench import PumpConfig
from thecal.powercut.snapshot import NEVER_US, S, Snapshot

LENGTH_S = 240
MONDAY = datetime(2026, 3, 2)
STOPS = ("stopped", "stop for")
COMMITS = ("commit",)
COURSES = ("trial", "bridge")  # it runs from before the life's begin until after its end
_DAY_US = 86_400 * S
BEGIN_US = 2 * S  # an order for a bolus counts from when it is given; it flows within this time
_ANSWER_US = 4 * S  # the same with a restart between them: the press is kept


@dataclass
class Life:
    """One life. Times in us of true time, rates in nL/day, doses in nL.

    rates: (since, rate), sorted. boluses: (from, seconds, dose) of those that are to be given. orders: those that are
    to be denied, and may be given if what stands in their way has come to nothing. former: those of the prescription
    before a commit, which must not be given after it. lines: (when, text) typed by an operator, sorted; what orders a
    stop or a commit is the last of them. presses: of the DOSE button. empty_us: when the reservoir is empty. size_pl:
    volume of a step.
    """

    kind: str
    config: PumpConfig
    snapshot: Snapshot
    rates: list[tuple[int, int]]
    boluses: list[tuple[int, int, int]] = field(default_factory=list)
    orders: list[tuple[int, int, int]] = field(default_factory=list)
    former: list[tuple[int, int, int]] = field(default_factory=list)
    lines: list[tuple[int, str]] = field(default_factory=list)
    presses: list[int] = field(default_factory=list)
    empty_us: int | None = None
    start: datetime = MONDAY
    table: dict[str, Any] = field(default_factory=dict)  # the prescription, as in a file
    held: bool = False  # whether it begins in a stop or in a safe state

    @property
    def size_pl(self) -> int:
        return self.config.pl_per_step

    def as_it_went(self, begun: list[int], heard: bool, lost: bool = False, freed: Sequence[int] = ()) -> Life:
        """What was demanded of a pump that has begun boluses at these times and may not have heard the last line.

        lost: it has lost its clock, and gives the lowest rate above 0 whatever the hour, in a period without flow too.
        A stop or a commit that was never acknowledged is none. A bolus that a restart has kept waiting is demanded
        later by what it began too late: once, and whole. An order that was to be denied counts if the pump has begun a
        bolus upon it, and if nothing was begun before it; or, where no lockout stands in its way, if what was begun was
        over by then. freed: times at which a bolus ended or the pump started.
        """
        rates, ordered = self.rates, self.boluses
        if self.kind in STOPS and not heard:
            rates = rates[:1]
        if self.kind in COMMITS and not heard:
            rates, ordered = rates[:1], self.former
        if lost and self.kind == "flex":
            rates = [(since, max(rate, self.lowest())) for since, rate in rates]
        boluses = [(_later(order, begun), seconds, dose) for order, seconds, dose in ordered]
        for order in self.orders:
            answer_us = order[0] + _ANSWER_US
            before = max((at for at in begun if at < order[0]), default=None)
            is_free = before is None or (self.kind != "patient" and any(before < at <= answer_us for at in freed))
            if is_free and any(order[0] <= at <= answer_us for at in begun):
                boluses.append(order)
        return replace(self, rates=rates, boluses=boluses)

    def lowest(self) -> int:
        """The lowest programmed rate above 0; 0 if there is none."""
        return min((rate for _, rate in self.rates if rate), default=0)

    def stretches_of_a_stop(self) -> list[tuple[int, int]]:
        """(from, to) of each in which the pump is stopped and must not run again; of a life as it went."""
        if not (self.held or self.kind in STOPS):
            return []
        ends = [since for since, _ in self.rates[1:]] + [NEVER_US]
        return [(since, end) for (since, rate), end in zip(self.rates, ends, strict=True) if not rate]

    def demanded_pl(self, t_us: int) -> int:
        """What has been demanded up to t_us, pL."""
        total = 0
        for index, (since, rate) in enumerate(self.rates):
            until = self.rates[index + 1][0] if index + 1 < len(self.rates) else t_us
            total += rate * max(0, min(until, t_us) - since)
        volume = total * 1_000 // _DAY_US
        for begin, seconds, dose in self.boluses:
            volume += dose * 1_000 * min(max(0, t_us - begin), seconds * S) // (seconds * S)
        return volume

    def peak_pl_s(self) -> int:
        """The highest flow that it is ever demanded to give, pL a second, rounded up."""
        flow = max(rate for _, rate in self.rates) * 1_000 // 86_400 + 1
        boluses = self.boluses + self.orders + self.former
        return flow + max((dose * 1_000 // seconds + 1 for _, seconds, dose in boluses), default=0)


def _later(order_us: int, begun: list[int]) -> int:
    """When a bolus was demanded: with its order, or as late as suits the first that was begun upon it."""
    first = min((at for at in begun if order_us <= at <= order_us + _ANSWER_US), default=order_us)
    return max(order_us, first - BEGIN_US)
