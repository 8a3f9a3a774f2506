"""A pump on the twin that is let run and counted, without a scenario around it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from thecal.bench.rig import MS, MeasurementError, S
from thecal.models.bench import Bench
from thecal.scenario import Scenario
from thecal.sim import make_bench
from thecal.twin.twin import Twin

_DAY_NS = 86_400 * S
_START_LIMIT_NS = 5 * S
_SLICES = 100


@dataclass(frozen=True)
class TwinRun:
    """began_ns: when the motor got its power. cpu_s: processor time of the host."""

    bench: Bench
    began_ns: int
    ended_ns: int
    cpu_s: float


def run_twin(scenario: Scenario, duration_ns: int, progress: Callable[[float], None] = lambda share: None) -> TwinRun:
    """Run a pump for duration_ns. Raises MeasurementError if it does not start dosing or restarts."""
    bench = make_bench(scenario)
    twin = Twin(bench, scenario.seed)
    said = bytearray()
    twin.on_console = said.extend
    try:
        while not bench.motor.drive:
            if twin.now_ns() > _START_LIMIT_NS:
                raise MeasurementError(f"no dosing within {_START_LIMIT_NS // S} s on the twin: {said.decode()}")
            twin.run(twin.now_ns() + MS)
        began_ns = twin.now_ns()
        cpu = time.process_time()
        for part in range(1, _SLICES + 1):
            twin.run(max(duration_ns * part // _SLICES, began_ns))
            progress(part / _SLICES)
        cpu = time.process_time() - cpu
    finally:
        twin.close()
    if sum(twin.resets.values()) != 1:
        raise MeasurementError(f"the pump restarted on the twin: {twin.resets}")
    return TwinRun(bench, began_ns, duration_ns, cpu)


def drift_steps(run: TwinRun, rate_nl_day: int) -> int:
    """Steps of a pump at one rate that are missing or too many, beyond the step and the two control periods in which it
    may lag behind the exact demand. 0 is right."""
    size = run.bench.config.pl_per_step
    demanded = Fraction(rate_nl_day * 1_000 * (run.ended_ns - run.began_ns), _DAY_NS * size)
    lag = 1 + Fraction(2 * rate_nl_day * 1_000, 86_400 * size)
    made = run.bench.motor.steps
    return max(0, made - floor(demanded), ceil(demanded - made - lag))
