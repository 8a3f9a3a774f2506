"""Therapies and all that interrupts them, and the check that no step comes before its volume is demanded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from thecal.demand import rate_changes
from thecal.scenario import Scenario, parse_scenario
from thecal.scenario_event_types import Command
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

_S = 1_000_000_000
_DAY_NS = 86_400 * _S
_HOURS = 24
_EVENTS = 9
_SLOT_S = _HOURS * 3_600 // _EVENTS
_STOP_S = 30 * 60
_FLEX = {
    "mode": "flex",
    "basal": "480 uL/day",
    "period": [
        {"days": "mon-fri", "from": "06:00", "to": "06:01", "rate": "28.8 mL/day"},
        {"days": "daily", "from": "08:00", "to": "12:00", "rate": "1439 uL/day"},
        {"days": "daily", "from": "22:00", "to": "02:00", "rate": "0 uL/day"},
    ],
}


def scenarios(count: int) -> list[Scenario]:
    """Days of therapy, each with its own calibration, rates and interruptions; equal counts give equal ones."""
    return [_day(number) for number in range(count)]


def _day(number: int) -> Scenario:
    rng = Random(number)
    even = {"mode": "continuous", "basal": f"{rng.randrange(50_000, 3_000_000)} nL/day"}
    therapy = _FLEX if number % 2 else even
    # A slot of its own for each event, so that a line is never typed while the pump is off or starting.
    events = [_event(rng, index, index * _SLOT_S + rng.randrange(60, _SLOT_S - 4_000)) for index in range(_EVENTS)]
    return parse_scenario(
        {
            "start": f"2026-03-0{number % 7 + 1}T00:00:{rng.randrange(60):02}",
            "duration": f"{_HOURS} h",
            "seed": number,
            "pump": {"pl_per_step": rng.choice((1_009, 12_347, 25_000, 24_989)), "reservoir": "20 mL"},
            "prescription": {"patient": "bench", "drug": "saline", **therapy},
            "event": events,
        },
        Path(),
    )


def _event(rng: Random, index: int, second: int) -> dict[str, Any]:
    at = f"{second}.{rng.randrange(1_000):03} s"
    if index % 3 == 0:
        return {"at": at, "do": "power_cut", "for": f"{rng.randrange(1, 3_600)} s"}
    if index % 3 == 1:
        return {"at": at, "do": "hang"}
    if index % 6 == 2:
        return {"at": at, "do": "command", "line": f"stop for {_STOP_S // 60} min"}
    return {"at": at, "do": "console_flood", "for": "20 s"}


def over_delivery(scenario: Scenario) -> int:
    """Simulate; the most steps by which the motor was ever ahead of what had been demanded until then, floored."""
    bench = make_bench(scenario)
    twin = Twin(bench, scenario.seed)
    try:
        result = simulate(scenario, twin)
    finally:
        twin.close()
    # volumes in nL/day * ns, so that everything is a whole number
    step = scenario.pump.pl_per_step * _DAY_NS
    worst = 0
    demanded = 0
    steps = iter(enumerate(result.step_times_ns, 1))
    made = next(steps, None)
    for begin, end, rate in _spans(scenario, result):
        while made is not None and made[1] <= end:
            there = demanded + rate * max(0, made[1] - begin)
            worst = max(worst, made[0] - there * 1_000 // step)
            made = next(steps, None)
        demanded += rate * (end - begin)
    return worst


def _spans(scenario: Scenario, result: Result) -> Iterator[tuple[int, int, int]]:
    """(from, to, nL/day) of all that was demanded: by the prescription, while there was power and no stop."""
    # A stop is heard and ends on whole control periods, up to a second later or sooner.
    stops = [
        (event.at_ns + _S, event.at_ns + (_STOP_S - 1) * _S) for event in scenario.events if isinstance(event, Command)
    ]
    for begin, end in _without(result.powered, stops):
        changes = [*rate_changes(scenario.prescription, scenario.pump, scenario.start, begin, end), (end, 0)]
        for (since, rate), (until, _) in pairwise(changes):
            yield since, until, rate


def _without(spans: list[tuple[int, int]], holes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    for first, last in holes:
        parts = [part for begin, end in spans for part in ((begin, min(end, first)), (max(begin, last), end))]
        spans = [(begin, end) for begin, end in parts if begin < end]
    return sorted(spans)
