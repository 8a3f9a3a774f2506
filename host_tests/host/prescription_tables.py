"""Prescriptions for tests: good ones, variations of them, and the reason for which one is refused."""

from __future__ import annotations

from typing import Any

import pytest

from thecal.paths import parse_toml
from thecal.prescription import (
    PrescriptionError,
    RateRange,
)
from thecal.prescription_toml import parse_prescription

RATES = RateRange(6_000, 28_800_000)


FLEX = """
patient = "bench-07"
drug = "baclofen"
concentration = "2000 ug/mL"
mode = "flex"
basal = "300 ug/day"
[[period]]
days = "mon-fri"
from = "08:00"
to = "12:00"
rate = "420 ug/day"
[[period]]
days = "sat,sun"
from = "22:30"
to = "06:00"
rate = "0.4 mL/day"
[limits]
max_per_hour = "60 ug"
max_per_day = "0.9 mL"
"""


def table(**changes: Any) -> dict[str, Any]:
    """A good flex prescription with some keys replaced, or removed where None."""
    data = parse_toml(FLEX)
    data.update(changes)
    return {key: value for key, value in data.items() if value is not None}


def bare(mode: str, **changes: Any) -> dict[str, Any]:
    """A prescription of a mode that uses neither basal nor periods nor limits."""
    return table(mode=mode, basal=None, period=None, limits=None, **changes)


def continuous(**changes: Any) -> dict[str, Any]:
    """A prescription of one rate, 0.5 mL/day of baclofen at 2000 ug/mL, with neither periods nor limits."""
    return table(**{"mode": "continuous", "basal": "0.5 mL/day", "period": None, "limits": None, **changes})


def scheduled(**changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"days": "daily", "at": "22:00", "dose": "25 ug", "over": "10 min"}
    data.update(changes)
    return {key: value for key, value in data.items() if value is not None}


def patient(**changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"dose": "10 ug", "over": "5 min", "lockout": "2 h", "max_per_day": 4}
    data.update(changes)
    return {key: value for key, value in data.items() if value is not None}


def period(**changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"days": "daily", "from": "08:00", "to": "12:00", "rate": "420 ug/day"}
    data.update(changes)
    return {key: value for key, value in data.items() if value is not None}


def periods(*items: dict[str, Any]) -> dict[str, Any]:
    return table(period=list(items), limits=None)


def refusal(data: object) -> str:
    with pytest.raises(PrescriptionError) as refused:
        parse_prescription(data, RATES)
    return str(refused.value)
