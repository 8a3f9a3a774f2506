"""What a prescription demands, exactly: the host's own reckoning with rationals, for plots, the demo and tests.

It shares nothing with the firmware: no schedule code, no integers with remainders, no ticks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from functools import lru_cache

from thecal.models.bench import PumpConfig
from thecal.prescription import MINUTES_PER_DAY, MINUTES_PER_WEEK, Prescription

_S = 1_000_000_000
_DAY_NS = 86_400 * _S
_MINUTE_NS = 60 * _S


@lru_cache(maxsize=64)
def weekly_rates(rx: Prescription, pump: PumpConfig) -> tuple[int, ...]:
    """The rate (nL/day) in each minute of the week, Monday 00:00 first."""
    if rx.mode == "stopped":
        return (0,) * MINUTES_PER_WEEK
    if rx.mode == "minimum":
        return (pump.min_rate,) * MINUTES_PER_WEEK
    rates = [rx.basal_nl_day] * MINUTES_PER_WEEK
    for period in rx.periods:
        length = (period.to_minute - period.from_minute) % MINUTES_PER_DAY or MINUTES_PER_DAY
        for day in range(7):
            if period.days_mask >> day & 1:
                first = day * MINUTES_PER_DAY + period.from_minute
                for minute in range(first, first + length):
                    rates[minute % MINUTES_PER_WEEK] = period.rate_nl_day
    return tuple(rates)


def rate_changes(
    rx: Prescription, pump: PumpConfig, start: datetime, first_ns: int, last_ns: int
) -> Iterator[tuple[int, int]]:
    """(ns since start, rate from then on) at first_ns and at each change before last_ns, for a clock that runs true."""
    rates = weekly_rates(rx, pump)
    week_minute = start.weekday() * MINUTES_PER_DAY + start.hour * 60 + start.minute
    into_minute = start.second * _S + start.microsecond * 1_000
    minute = (first_ns + into_minute) // _MINUTE_NS
    rate = rates[(week_minute + minute) % MINUTES_PER_WEEK]
    yield first_ns, rate
    while (t_ns := (minute + 1) * _MINUTE_NS - into_minute) < last_ns:
        minute += 1
        new = rates[(week_minute + minute) % MINUTES_PER_WEEK]
        if new != rate:
            yield t_ns, new
        rate = new


def demanded_nl(rx: Prescription, pump: PumpConfig, start: datetime, first_ns: int, last_ns: int) -> Fraction:
    """The volume (nL) demanded from first_ns to last_ns since start."""
    total = Fraction(0)
    since, rate = first_ns, 0
    for t_ns, new in rate_changes(rx, pump, start, first_ns, last_ns):
        total += Fraction(rate * (t_ns - since), _DAY_NS)
        since, rate = t_ns, new
    return total + Fraction(rate * (last_ns - since), _DAY_NS)
