"""What a pump told and delivered against what the oracle says it must, exactly."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from support import DAY_NS, S
from therapy_oracle import Oracle
from therapy_oracle_replay import Case
from therapy_oracle_rules import DAY
from therapy_oracle_types import Entry, Flow, Span

from thecal.outputs import LoggedEvent
from thecal.sim import Result

LOGGED_S = 2  # an event is written between the ticks
FIRST_DAY = (date(2000, 1, 3) - date(2000, 1, 1)).days  # the pump counts days from 2000-01-01
_SEQUENCES = ("bolus", "bolus_end", "bolus_denied", "bolus_suspended", "bolus_resumed")


class Piece(NamedTuple):
    """From a second on, so much is demanded (nL/day)."""

    begin: int
    rate: Fraction


def check_log(oracle: Oracle, result: Result) -> None:
    """Every bolus is accepted, denied, skipped, suspended, resumed and ended when and why the oracle says so."""
    for code in _SEQUENCES:
        told = [event for event in result.events if event.code == code]
        due = sorted((entry for entry in oracle.log if entry.code == code), key=lambda entry: entry.second)
        for entry, event in zip(due, told, strict=False):
            problem = _differs(entry, event, oracle)
            assert not problem, f"{problem}: due {entry}; told at {event.t_ns / S} s ({event.rtc}): {event.details}"
        missing = due[len(told) :]
        spare = [(event.t_ns / S, dict(event.details)) for event in told[len(due) :]]
        assert not missing + spare, f"{code}: due and not told: {missing[:3]}; told and not due: {spare[:3]}"
    _check_skipped(oracle, result)
    patient = Counter(entry.code for entry in oracle.log if entry.details and entry.details[0] == "patient")
    summary = result.summary
    assert (summary.boluses_accepted, summary.boluses_denied) == (patient["bolus"], patient["bolus_denied"])


def _differs(entry: Entry, event: LoggedEvent, oracle: Oracle) -> str:
    found: Any = event.details
    kind, *rest = entry.details
    if not entry.second - 1 <= event.t_ns // S <= entry.second + LOGGED_S:
        return "another time"
    if found["kind"] != kind:
        return "another kind"
    if entry.code == "bolus":
        same = (found["dose_nl"], found["seconds"]) == tuple(rest)
    elif entry.code == "bolus_denied":
        same = found["reason"] in _reasons(rest[0])
    elif entry.code == "bolus_end":
        same = found["how"] == rest[0] and _near(found["given_nl"], rest[1], entry, oracle)
    else:
        same = _near(found["left_nl"], rest[0], entry, oracle)
    return "" if same else "another bolus, reason or volume"


def _reasons(given: object) -> set[str]:
    assert isinstance(given, frozenset)
    return set(given)


def _near(found: int, due: object, entry: Entry, oracle: Oracle) -> bool:
    """To the whole nL when done, to two control periods else; after a power cut to what was reserved."""
    assert isinstance(due, Fraction)
    if entry.code == "bolus_end" and entry.details[1] == "done":
        return found == due
    flow = max((Fraction(f.dose, f.seconds) for f in oracle.flows), default=Fraction(0))
    if entry.details[1] == "interrupted":
        return abs(found - due) <= 70 * flow + 2_000
    return abs(found - due) <= 2 * flow + 1


def _check_skipped(oracle: Oracle, result: Result) -> None:
    """Each scheduled bolus that was not given is told once, alone or in a count of several."""
    due = [entry for entry in oracle.log if entry.code == "bolus_skipped"]
    told = [event for event in result.events if event.code == "bolus_skipped"]
    alone: list[LoggedEvent] = [event for event in told if event.details["count"] == 1]
    left = list(due)
    for event in alone:
        found = [entry for entry in left if _is_skip(entry, event)]
        assert found, f"skipped and not due: {event.t_ns / S} {event.rtc} {dict(event.details)}; of {left[:4]}"
        left.remove(found[0])
    several = [(event.t_ns / S, dict(event.details)) for event in told if event not in alone]
    counted = sum(int(details["count"]) for _, details in several)
    free = sum("untold" in str(entry.details[2]) for entry in left)
    assert len(left) - free <= counted <= len(left), f"{several} for {left}"


def _is_skip(entry: Entry, event: LoggedEvent) -> bool:
    index, day, why = entry.details
    identity = (event.details["index"], int(event.details["date"]) - FIRST_DAY)
    near = entry.second - 1 <= event.t_ns // S <= entry.second + LOGGED_S
    return (index, day) == identity and near and event.details["reason"] in str(why).split("|")


def check_delivery(case: Case, oracle: Oracle, result: Result) -> None:
    """D(t) <= E(t) at every step, and E(t) - D(t) < one step + two control periods of flow before every step and at the
    end. A power cut gives up what was due and not made. A second in which something was stopped counts for either."""
    demand = _Demand(oracle, case.pl_per_step)
    edges = [0, *((cut + 1) * S for cut in sorted(oracle.cuts)), case.seconds * S]
    times = result.step_times_ns
    for begin, end in pairwise(edges):
        run = times[bisect_left(times, begin) : bisect_left(times, end)]
        demand.restart(begin)
        # What was due of a step before a hang is remembered, unlike before a power cut.
        carried = demand.step if begin // S - 1 in oracle.hangs else 0
        for made, t_ns in enumerate(run):
            low, high, slack = demand.until(t_ns)
            step = demand.step
            assert low - made * step < step + slack, f"step at {t_ns / S:.3f} s is {low / step - made:.3f} steps late"
            assert high + carried >= (made + 1) * step, (
                f"step at {t_ns / S:.3f} s: {high / step:.3f} are due, {made + 1} made"
            )
        low, _, slack = demand.until(end)
        cut = end < case.seconds * S and any(f.begin * S < end < f.end * S for f in oracle.flows)
        assert cut or low - len(run) * demand.step < demand.step + slack, f"behind by {low / demand.step - len(run)}"


class _Demand:
    """The volume demanded since a start, at times that rise, in units of which a step has `step`."""

    def __init__(self, oracle: Oracle, pl_per_step: int) -> None:
        pieces = _pieces(oracle)
        scale = math.lcm(*(piece.rate.denominator for piece in pieces))
        self.step = pl_per_step * DAY_NS * scale
        self._begins = [piece.begin * S for piece in pieces]
        self._rates = [int(piece.rate * scale) * 1000 for piece in pieces]
        self._slack = _slack(self._begins, self._rates)
        self._doubts = sorted((second * S, int(flow * scale * 1000) * S) for second, flow in oracle.doubts)
        self._index = self._doubted = 0
        self._since = self._total = self._doubt = 0

    def restart(self, t_ns: int) -> None:
        """Demand counts from here."""
        self.until(t_ns)
        self._total = self._doubt = 0
        self._since = t_ns

    def until(self, t_ns: int) -> tuple[int, int, int]:
        """The least and the most that was demanded up to t_ns, and two control periods of flow."""
        begins, rates = self._begins, self._rates
        while self._index + 1 < len(begins) and begins[self._index + 1] <= t_ns:
            self._total += rates[self._index] * (begins[self._index + 1] - self._since)
            self._index += 1
            self._since = begins[self._index]
        while self._doubted < len(self._doubts) and self._doubts[self._doubted][0] <= t_ns:
            self._doubt += self._doubts[self._doubted][1]
            self._doubted += 1
        exact = self._total + rates[self._index] * (t_ns - self._since)
        return exact - self._doubt, exact + self._doubt, self._slack[self._index]


def _slack(begins: list[int], rates: list[int]) -> list[int]:
    """Two control periods of the highest flow in a piece and in the 3 s before it."""
    found = []
    for index, begin in enumerate(begins):
        first = max(bisect_right(begins, begin - 3 * S) - 1, 0)
        found.append(2 * S * max(rates[first : index + 1]))
    return found


def _pieces(oracle: Oracle) -> list[Piece]:
    """Everything that is demanded, added up."""
    changes: dict[int, Fraction] = {0: Fraction(0)}

    def add(begin: int, end: int, rate: Fraction) -> None:
        if rate and end > begin:
            changes[begin] = changes.get(begin, Fraction(0)) + rate
            changes[end] = changes.get(end, Fraction(0)) - rate

    for flow in oracle.flows:
        add(flow.begin, flow.end, _rate(flow))
    for span in oracle.basal:
        for begin, end, rate in _basal(span, oracle.pump.min_rate):
            add(begin, end, Fraction(rate))
    rate = Fraction(0)
    pieces = []
    for begin in sorted(changes):
        rate += changes[begin]
        pieces.append(Piece(begin, rate))
    return pieces


def _rate(flow: Flow) -> Fraction:
    return Fraction(flow.dose * DAY, flow.seconds)


def _basal(span: Span, min_rate: int) -> list[tuple[int, int, int]]:
    """The span by minutes of local time, those of one rate taken together."""
    found: list[tuple[int, int, int]] = []
    begin = span.begin
    while begin < span.end:
        rate = span.rx.rate_at(begin + span.offset, min_rate)
        end = span.end if not span.rx.periods else min(span.end, begin + 60 - (begin + span.offset) % 60)
        if found and found[-1][2] == rate:
            found[-1] = (found[-1][0], end, rate)
        else:
            found.append((begin, end, rate))
        begin = end
    return found


def check_totals(case: Case, oracle: Oracle, result: Result) -> None:
    """The ledger has every step, beside them only what power cuts left reserved; the reservoir is what it leaves."""
    summary = result.summary
    assumed = [event for event in result.events if event.code == "assumed"]
    steps = sum(int(event.details["steps"]) for event in assumed)
    if summary.state == "off":  # what the last cut left reserved, a minute of flow, is told at the next start
        steps += int(61 * 1000 * oracle.pump.max_rate / DAY / case.pl_per_step) + 1
    ahead = summary.ledger_steps - summary.steps
    assert 0 <= ahead <= steps, f"ledger {ahead} steps ahead, {steps} assumed"
    if not any(act.what == "refill" for act in case.acts):
        left = case.pump.reservoir - summary.ledger_nl
        assert abs(summary.reservoir_nl - left) <= 1, f"reservoir {summary.reservoir_nl} nL, by the ledger {left} nL"
    rest = sum(
        Fraction(int(event.details["volume_nl"]))
        for event in result.events
        if event.code == "missed" and event.details["why"] == "bolus"
    )
    given = sum(
        int(event.details["given_nl"])
        for event in result.events
        if event.code == "bolus_end" and event.details["how"] != "done"
    )
    ended = [entry for entry in oracle.log if entry.code == "bolus_end" and entry.details[1] != "done"]
    assert abs(rest + given - oracle.cancelled) <= len(ended), (
        f"cancelled {oracle.cancelled} nL: {given} given, {rest} missed"
    )
