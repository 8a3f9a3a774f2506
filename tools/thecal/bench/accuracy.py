"""Steps against the exact rational demand: over months, and through everything that interrupts; on the twin."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from thecal.bench.context import Context, Figures
from thecal.bench.interrupted import over_delivery, scenarios
from thecal.bench.rig import S, continuous
from thecal.bench.twin_run import drift_steps, run_twin
from thecal.programming import firmware

_DAY_NS = 86_400 * S
_SECONDS = 90 * 86_400
_YEAR_DAYS = 365
TIMED_RATE = 50_000  # nL/day, the rate of year_s
# nL/day and pL per step: primes, and the pair for which the usual ways of rounding are published
_ODD = (277_770, 12_345)
_PRIMES = (
    (50_021, 25_013),
    (99_991, 10_007),
    (6_007, 999_983),
    (277_787, 12_347),
    (1_000_003, 1_009),
    (28_799_999, 24_989),
    _ODD,
)


def measure(context: Context) -> Figures:
    """The keys drift_*, year_*, day_s, over_delivery_*."""
    days = context.count(90, 3)
    timed_days = _YEAR_DAYS if context.whole_year else days
    steady = continuous(f"{TIMED_RATE} nL/day")
    timed = run_twin(steady, timed_days * _DAY_NS, lambda share: context.progress(share * 0.42))
    odd_rate, odd_size = _ODD
    odd_pump = continuous(f"{odd_rate} nL/day", pl_per_step=odd_size, reservoir="40 mL")
    odd = run_twin(odd_pump, days * _DAY_NS, lambda share: context.progress(0.42 + share * 0.42))
    day_s = timed.cpu_s / timed_days
    core = [_core_drift(rate, size) for rate, size in (_PRIMES[:1] if context.quick else _PRIMES)]
    context.progress(0.92)
    tried = scenarios(context.count(8, 2))
    return {
        "drift_steps_90d": max(drift_steps(timed, TIMED_RATE), drift_steps(odd, odd_rate)),
        "drift_days": days,
        "drift_core_steps_90d": max(core),
        "year_s": day_s * _YEAR_DAYS,
        "day_s": day_s,
        "year_days_simulated": timed_days,
        "over_delivery_steps": max(over_delivery(scenario) for scenario in tried),
        "over_delivery_scenarios": len(tried),
    }


def _core_drift(rate: int, pl_per_step: int) -> int:
    """The firmware's own accumulator alone, second by second for 90 days: steps off the floor of the exact demand."""
    cascade = firmware("cascade").Cascade(pl_per_step)
    cascade.set_rate(rate)
    second = cascade.second
    made = 0
    for _ in range(_SECONDS):
        made += second()
    return abs(made - floor(Fraction(rate * 1_000 * _SECONDS, 86_400 * pl_per_step)))
