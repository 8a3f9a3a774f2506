"""What a pump is doing, second by second: the part of the oracle that passes time (therapy_oracle.py takes the orders).

Written from the specification alone, on purpose without a look at the firmware. Times are whole seconds of true time
since the start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from therapy_oracle_rules import DAY, LATE, Given, Rx, due_after, over_limit
from therapy_oracle_turns import Turns
from therapy_oracle_types import Bolus, Entry, Flow, Limits, Span, Witness


@dataclass
class Timeline:
    """One pump. rx: in force. local_start: local time at second 0."""

    rx: Rx
    local_start: int
    pump: Limits = field(default_factory=Limits)
    witness: Witness | None = None

    def __post_init__(self) -> None:
        self.now = 0
        self.offset = self.local_start
        self.log: list[Entry] = []
        self.flows: list[Flow] = []
        self.basal: list[Span] = []
        self.refused: list[tuple[int, frozenset[str]]] = []
        self.history: list[Given] = []
        self.running: Bolus | None = None
        self.suspended: Bolus | None = None
        self.waiting: list[tuple[int, int, int]] = []  # due second, index, local day
        self.orders: list[Given] = []  # taken in this second, to begin with the next
        self.turns = Turns()
        self.turns.commit(self.local_start)  # the first prescription counts as committed just now
        self.powered = False
        self.stopped = False
        self.stop_end: int | None = None
        self.low_from: int | None = None
        self.looked = self.local_start  # the last local second whose due boluses were seen
        self.doubts: list[
            tuple[int, Fraction]
        ] = []  # seconds in which something ended or changed, and the flow in them
        self.cancelled = 0  # nL: the doses of all boluses that were cancelled or cut off
        self.cuts: list[int] = []  # seconds of power cuts and hangs
        self.hangs: list[int] = []
        self._since: int | None = None
        self._why = "interruption"
        self._untold: list[Entry] = []

    # -- time ----------------------------------------------------------------------------------------------------

    def advance(self, second: int) -> None:
        """Everything that happens by itself up to the start of this second and with it."""
        while (moment := self._next()) is not None and moment <= second:
            self._pass(moment)
            self._frame(moment)
        self._pass(second)

    def end(self, second: int) -> None:
        """Nothing more is told: close what is open at this second."""
        self.advance(second)
        self._close_flow(second)
        self._dosing_ends(second)

    def _pass(self, second: int) -> None:
        assert second >= self.now, f"told of second {second} after {self.now}"
        self.now = second

    def _next(self) -> int | None:
        moments = [order.start for order in self.orders]
        if self.running:
            moments.append(self.running.since + self.running.left)
        moments += [due + LATE for due, _, _ in self.waiting]
        if self.stop_end is not None:
            moments.append(self.stop_end)
        if self.powered and (due := self._due()) is not None:
            moments.append(due[0] - self.offset)
        return min(moments, default=None)

    def _due(self) -> tuple[int, list[int]] | None:
        return due_after(self.rx.scheduled, self.looked) if self.rx.boluses else None

    def _frame(self, second: int) -> None:
        """The start of one second."""
        if self.stop_end is not None and self.stop_end <= second:
            self._unstop(second)
        if self.running and self.running.since + self.running.left <= second:
            self._finish(second)
        while (due := self._due()) is not None and due[0] <= second + self.offset:
            self.looked = due[0]
            for index in due[1]:
                self._fall_due(due[0] - self.offset, index, due[0] // DAY)
        for late in [item for item in self.waiting if item[0] + LATE <= second]:
            self.waiting.remove(late)
            self._skipped(second, late, "late")
        for order in [order for order in self.orders if order.start <= second]:
            self.orders.remove(order)
            self._begin(order)
        while self.waiting and not self._flowing():
            item = self.waiting.pop(0)
            begin = second + (item[0] < second)  # one that had to wait begins with the next second
            if begin - item[0] >= LATE:
                self._skipped(second, item, "late")
            else:
                self._start_scheduled(begin, item)

    # -- boluses -------------------------------------------------------------------------------------------------

    def _flowing(self) -> bool:
        return self.running is not None or bool(self.orders)

    def _delivers(self) -> bool:
        return self.powered and not self.stopped and self.rx.mode != "stopped"

    def _fall_due(self, second: int, index: int, day: int) -> None:
        if not self.turns.take(self.rx, index, day):
            return
        if not self._delivers():
            self._skipped(second, (second, index, day), self._why)
        else:
            self.waiting.append((second, index, day))

    def _skip_until(self, local: int, why: str) -> None:
        """Whatever was due after the last second looked at, and up to this one, is passed."""
        while (due := self._due()) is not None and due[0] <= local:
            self.looked = due[0]
            for index in due[1]:
                if self.turns.take(self.rx, index, due[0] // DAY):
                    self._skipped(self.now, (self.now, index, due[0] // DAY), why)
        self.looked = max(self.looked, local)

    def _start_scheduled(self, second: int, item: tuple[int, int, int]) -> None:
        bolus = self.rx.scheduled[item[1]]
        reasons = self._refusal(bolus.dose, second)
        if self._refuses("scheduled", bolus.dose, second, reasons):
            self._skipped(second, item, "|".join(sorted(reasons)))
            return
        self.turns.give(self.rx, item[1], item[2])
        given = Given("scheduled", second, bolus.dose, bolus.seconds, second + bolus.seconds)
        self.history.append(given)
        if second > self.now:
            self.orders.append(given)
        else:
            self._begin(given)

    def _refusal(self, dose: int, t: int) -> set[str]:
        """Why no bolus of this dose may begin at t, whatever its kind."""
        reasons = over_limit(self.rx, self.history, dose, t)
        if not self._delivers():
            reasons.add("stopped")
        if self.low_from is not None:
            reasons.add("low_reservoir")
        return reasons

    def _busy(self, kinds: tuple[str, ...]) -> set[str]:
        held = [b.given for b in (self.running, self.suspended) if b] + self.orders
        return {"running"} if any(given.kind in kinds for given in held) else set()

    def _refuses(self, kind: str, dose: int, second: int, reasons: set[str]) -> bool:
        """Whether a bolus is refused. A doubt is settled by what really happened."""
        doubt = self.witness is not None and self.low_from is not None and abs(second - self.low_from) <= 1
        if doubt and reasons == {"low_reservoir"} and self.witness:
            return not self.witness(kind, dose, second)
        return bool(reasons)

    def _take(self, given: Given, reasons: set[str]) -> None:
        if self._refuses(given.kind, given.dose, given.start, reasons):
            self._deny(given.kind, given.dose, reasons)
        else:
            self.history.append(given)
            self.orders.append(given)

    def _deny(self, kind: str, dose: int, reasons: set[str]) -> None:
        self.refused.append((self.now, frozenset(reasons)))
        self.log.append(Entry(self.now, "bolus_denied", (kind, frozenset(reasons), dose)))

    def _begin(self, given: Given) -> None:
        if self.running and given.kind == "patient":
            self._close_flow(given.start)
            self.running.given.end = None
            self.suspended = self.running
            self.log.append(Entry(given.start, "bolus_suspended", (self.running.given.kind, self._rest(self.running))))
            self.running = None
        self.log.append(Entry(given.start, "bolus", (given.kind, given.dose, given.seconds)))
        self.running = Bolus(given, given.seconds, given.start)

    def _finish(self, second: int) -> None:
        assert self.running
        given = self.running.given
        self._close_flow(second)
        self.running = None
        self.log.append(Entry(second, "bolus_end", (given.kind, "done", Fraction(given.dose))))
        if self.suspended:
            self.running, self.suspended = self.suspended, None
            self.running.since = second
            self.running.given.end = second + self.running.left
            self.log.append(Entry(second, "bolus_resumed", (self.running.given.kind, self._rest(self.running))))

    def _rest(self, bolus: Bolus) -> Fraction:
        return Fraction(bolus.given.dose * bolus.left, bolus.given.seconds)

    def _close_flow(self, second: int) -> None:
        if self.running and second > self.running.since:
            given = self.running.given
            self.flows.append(Flow(self.running.since, second, given.dose, given.seconds))
            self.running.left -= second - self.running.since
            self.running.since = second

    def _cancel_all(self, second: int, how: str) -> None:
        """The running, the suspended and the waiting ones. Each counts as long as it would have run."""
        self._doubt(second)
        self._close_flow(second)
        for bolus in (self.running, self.suspended):
            if bolus:
                if bolus.given.end is None:  # behind a patient bolus
                    assert self.running
                    bolus.given.end = second + self.running.left + bolus.left
                given = Fraction(bolus.given.dose) - self._rest(bolus)
                self.cancelled += bolus.given.dose
                self.log.append(Entry(second, "bolus_end", (bolus.given.kind, how, given)))
        for order in self.orders:
            self.cancelled += order.dose
            self.log.append(Entry(second, "bolus_end", (order.kind, how, Fraction(0))))
        for item in self.waiting:
            maybe = how == "interrupted" and self.turns.may_go_untold(item)  # docs/LIMITS.md: its skip may go untold
            self._skipped(second, item, "interruption|commit|stopped" + "|untold" * maybe)
        self.running = self.suspended = None
        self.orders, self.waiting = [], []

    def _skipped(self, second: int, item: tuple[int, int, int], why: str) -> None:
        self.log.append(Entry(second, "bolus_skipped", (item[1], item[2], why)))

    # -- basal ---------------------------------------------------------------------------------------------------

    def _unstop(self, second: int) -> None:
        self.stopped = False
        self.stop_end = None
        self._why = "interruption"
        self._dosing(second + 1)

    def _dosing(self, begin: int) -> None:
        if self._delivers():
            self._since = begin

    def _dosing_ends(self, end: int) -> None:
        if self._since is not None and end > self._since:
            self.basal.append(Span(self._since, end, self.offset, self.rx))
        self._since = None

    def _doubt(self, second: int) -> None:
        """Something ends within this second, or changes with one of its edges: who looks on cannot tell which part."""
        given = self.running.given if self.running else None
        bolus = Fraction(given.dose * DAY, given.seconds) if given else Fraction(0)
        self.doubts.append((second, self._highest() + bolus))

    def _highest(self) -> int:
        return self.rx.highest() if self.rx.boluses else self.pump.min_rate
