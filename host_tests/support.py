"""Scenarios for tests, and what must hold of every one of them, reckoned independently of the firmware."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path
from typing import Any

from thecal.demand import rate_changes
from thecal.demo import dosing_spans
from thecal.scenario import Scenario, parse_scenario
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

S = 1_000_000_000
DAY_NS = 86_400 * S
START = "2026-03-02T00:00:00"  # a Monday


def continuous(rate: str) -> dict[str, Any]:
    """A prescription of one rate of saline."""
    return {"patient": "bench-07", "drug": "saline", "mode": "continuous", "basal": rate}


def flex(basal: str, *periods: tuple[str, str, str, str]) -> dict[str, Any]:
    """A prescription of saline with periods (days, from, to, rate)."""
    return {
        "patient": "bench-07",
        "drug": "saline",
        "mode": "flex",
        "basal": basal,
        "period": [dict(zip(("days", "from", "to", "rate"), period, strict=True)) for period in periods],
    }


def scenario(prescription: dict[str, Any], duration: str, *events: dict[str, Any], **more: Any) -> Scenario:
    """A scenario from parsed TOML; keywords are further top-level keys (start, seed, pump)."""
    data: dict[str, Any] = {"start": START, "duration": duration, "prescription": prescription, **more}
    if events:
        data["event"] = list(events)
    return parse_scenario(data, Path())


def on_twin(plan: Scenario) -> Result:
    """Simulate on the twin."""
    twin = Twin(make_bench(plan), plan.seed)
    try:
        return simulate(plan, twin)
    finally:
        twin.close()


def steps_by(result: Result, t_ns: int) -> int:
    """Steps made up to t_ns."""
    return bisect_right(result.step_times_ns, t_ns)


def check_exact(plan: Scenario, result: Result) -> None:
    """D(t) <= E(t) at every step, and E(t) - D(t) < one step + two control periods of flow before every step and at
    the end of every span of dosing (invariant 1). In whole numbers of nL/day * ns / 1000, so exact."""
    step = plan.pump.pl_per_step * DAY_NS
    cuts = [end for _, end in result.powered[:-1]]
    times = result.step_times_ns
    # Demanded and not delivered when the last span ended: at least what its complete seconds demanded, at most all.
    least = most = before = 0
    for begin, end, cut in dosing_spans(plan, result):
        if any(before <= off <= begin for off in cuts):
            least = most = 0  # a power cut gives up the remainder
        before = begin
        changes = list(rate_changes(plan.prescription, plan.pump, plan.start, begin, cut + S))
        highest = max(rate for _, rate in changes)
        slack = step + 2 * S * highest * 1000
        demand = _Demand(changes)
        made = -steps_by(result, begin)
        for index in range(steps_by(result, begin), steps_by(result, cut + S)):
            behind = demand.until(times[index]) * 1000 - (index + made) * step
            assert least + behind < slack, f"step {index} at {times[index]} ns is late"
            assert most + behind >= step, f"step {index} at {times[index]} ns is early"
        delivered = (steps_by(result, cut + S) + made) * step
        least += _Demand(changes).until(end) * 1000 - delivered
        most += _Demand(changes).until(cut) * 1000 - delivered
        assert least < slack, f"behind at {end} ns by {least / step} steps"


class _Demand:
    """The volume demanded since the first of the rate changes, in nL/day * ns; asked for times that rise."""

    def __init__(self, changes: list[tuple[int, int]]) -> None:
        self._changes = changes
        self._index = 0
        self._total = 0

    def until(self, t_ns: int) -> int:
        """The volume demanded up to t_ns."""
        while self._index + 1 < len(self._changes) and self._changes[self._index + 1][0] <= t_ns:
            since, rate = self._changes[self._index]
            self._index += 1
            self._total += rate * (self._changes[self._index][0] - since)
        since, rate = self._changes[self._index]
        return self._total + rate * (t_ns - since)
