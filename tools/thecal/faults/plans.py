"""What a life is drawn from, and the pump at its begin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from thecal.faults.life import Life
from thecal.models.bench import PumpConfig
from thecal.powercut.snapshot import PAGE, PAGES, S, Snapshot
from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription
from thecal.programming import programmed_image

_DAY0 = datetime(2000, 1, 1)
MIN_RATE, MAX_RATE = 6_000, 28_800_000


@dataclass
class Plan:
    """What a life is made of."""

    size: int
    rate: int
    most: int
    start: datetime
    table: dict[str, Any]


def planned_life(kind: str, plan: Plan, rates: list[tuple[int, int]] | None = None, **more: Any) -> Life:
    """The life of a pump that begins by this plan. rates: the one of the plan, unless given."""
    config = PumpConfig(pl_per_step=plan.size)
    start_s = round((plan.start - _DAY0).total_seconds())
    rx = parse_prescription(plan.table, rates_of(plan))
    image = programmed_image(config, rx, plan.start)
    snapshot = Snapshot(pages(image), 0, (start_s, 0), 0, config.reservoir_nl * 1_000)
    return Life(kind, config, snapshot, rates or [(0, plan.rate)], start=plan.start, table=plan.table, **more)


def schedule_bolus(plan: Plan, table: dict[str, Any], at: datetime, dose: int, seconds: int) -> tuple[int, int, int]:
    """Put a scheduled bolus (nL, s) at a minute into a prescription's table. Returns when it is due in the life, us,
    with what a life's boluses are made of."""
    table["scheduled_bolus"] = [{"days": "daily", "at": f"{at:%H:%M}", "dose": f"{dose} nL", "over": f"{seconds} s"}]
    return round((at - plan.start).total_seconds()) * S, seconds, dose


def rates_of(plan: Plan) -> RateRange:
    """Of its pump."""
    config = PumpConfig(pl_per_step=plan.size)
    return RateRange(config.min_rate, config.max_rate)


def pages(image: bytes) -> list[bytes]:
    """Of an EEPROM."""
    return [image[page * PAGE : (page + 1) * PAGE] for page in range(PAGES)]


def drawn_dose(rng: Random, plan: Plan) -> tuple[int, int]:
    """(dose nL, seconds) of a bolus that the pump can give beside its basal rate."""
    seconds = rng.randrange(20, 90)
    room = max(MIN_RATE, plan.most - plan.rate)
    flow = round(math.exp(rng.uniform(math.log(MIN_RATE), math.log(room))))
    plan.rate = min(plan.rate, MAX_RATE - flow)
    plan.table["basal"] = f"{plan.rate} nL/day"
    return max(1, flow * seconds // 86_400), seconds
