"""Lives in which another prescription is staged, and put in force by a commit or on trial."""

from __future__ import annotations

import math
from datetime import timedelta
from random import Random
from typing import Any

from thecal.faults.life import Life
from thecal.faults.plans import MAX_RATE, MIN_RATE, Plan, drawn_dose, planned_life, rates_of, schedule_bolus
from thecal.powercut.snapshot import S
from thecal.prescription import commit_line, stage_lines
from thecal.prescription_toml import parse_prescription
from thecal.programming import pack

_FIRST_LINE_S = 12
_LINE_US = 600_000  # from line to line, of which each is answered by then
_COMMIT_S = (30, 50)  # when the comparison has long been answered
_LAG_US = 2 * S  # the line takes its time, and the second in progress is still demanded
_CLEAR_S = 15  # from the commit to the first bolus of either
_UNASKED = 9  # a rate may change so many times without having to be typed once more
_WITH_BOLUS = 0.5
_ON_TRIAL = 0.3
_TRIAL = "trial start 24 h then minimum"  # long after the life


def commit(rng: Random, kind: str, plan: Plan) -> Life:
    """Another basal rate, and perhaps a scheduled bolus at another minute, which only one of the two may give."""
    dose = drawn_dose(rng, plan) if rng.random() < _WITH_BOLUS else None
    flow = dose[0] * 86_400 // dose[1] + 1 if dose else 0
    low = max(MIN_RATE, plan.rate // _UNASKED)
    high = max(low, min(plan.rate * _UNASKED, plan.most, MAX_RATE - flow))
    rate = round(math.exp(rng.uniform(math.log(low), math.log(high))))
    at_us = rng.randrange(_COMMIT_S[0] * S, _COMMIT_S[1] * S)
    new = {**plan.table, "basal": f"{rate} nL/day"}
    former, boluses = _boluses(rng, plan, new, at_us, dose) if dose else ([], [])
    return planned_life(
        kind,
        plan,
        [(0, plan.rate), (at_us + _LAG_US, rate)],
        lines=_lines(rng, plan, new, at_us),
        boluses=boluses,
        former=former,
    )


def _boluses(rng: Random, plan: Plan, new: dict[str, Any], at_us: int, dose: tuple[int, int]) -> tuple[Any, Any]:
    """The same dose at a minute of the life, in the old prescription, and at another one in the new one: the boluses of
    each, (from, seconds, dose)."""
    plan.start = plan.start.replace(hour=plan.start.hour % 23)
    first = plan.start + timedelta(seconds=at_us // S + _CLEAR_S + 60)
    minutes = [first.replace(second=0), first.replace(second=0) + timedelta(minutes=1)]
    rng.shuffle(minutes)
    former, later = minutes
    return [schedule_bolus(plan, plan.table, former, *dose)], [schedule_bolus(plan, new, later, *dose)]


def _lines(rng: Random, plan: Plan, new: dict[str, Any], at_us: int) -> list[tuple[int, str]]:
    """What stages it, and what puts it in force at that time."""
    staged = stage_lines(parse_prescription(new, rates_of(plan)), pack)
    order = _TRIAL if rng.random() < _ON_TRIAL else commit_line(staged)
    times = range(_FIRST_LINE_S * S, at_us, _LINE_US)
    return [*zip(times, staged, strict=False), (at_us, order)]
