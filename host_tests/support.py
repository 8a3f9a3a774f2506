"""Scenarios for tests, and what must hold of every one of them, reckoned independently of the firmware."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from pathlib import Path
from typing import Any

from thecal.demand import demanded_nl
from thecal.demo import dosing_spans
from thecal.scenario import Scenario, parse_scenario
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

S = 1_000_000_000
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
    the end of every span of dosing (DESIGN invariant 1)."""
    step = Fraction(plan.pump.pl_per_step, 1000)
    highest = Fraction(max(plan.prescription.highest_rate(), plan.pump.min_rate), 86_400)
    times = result.step_times_ns
    owed = Fraction(0)  # demanded before this span, not delivered before it, and carried over
    for begin, end in dosing_spans(plan, result):
        first = steps_by(result, begin)
        last = steps_by(result, end + S)
        if any(off <= begin for off, _ in _cuts(result)):
            owed = max(Fraction(0), owed)  # a power cut gives up the remainder, so nothing can be owed to the pump
        demanded, since = owed, begin
        for index in range(first, last):
            t_ns = times[index]
            demanded += demanded_nl(plan.prescription, plan.pump, plan.start, since, t_ns)
            since = t_ns
            before = demanded - (index - first) * step
            assert before < step + 2 * highest, f"late at {t_ns} ns: {float(before)} nL behind"
            assert before - step >= 0, f"early at {t_ns} ns: {float(step - before)} nL ahead"
        if end > since:
            demanded += demanded_nl(plan.prescription, plan.pump, plan.start, since, end)
        owed = demanded - (last - first) * step
        assert owed < step + 2 * highest, f"behind at {end} ns: {float(owed)} nL"


def _cuts(result: Result) -> list[tuple[int, int]]:
    return [(end, end) for _, end in result.powered[:-1]]
