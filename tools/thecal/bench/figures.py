"""Every figure of build/bench.json: name, unit, target. docs/BENCHMARKS.md says how each is measured."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """One key. most, least: the target, if there is one."""

    key: str
    unit: str
    most: float | None = None
    least: float | None = None

    def met(self, value: float) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.most is None and self.least is None:
            return None
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def target(self) -> str:
        """The target as text."""
        if self.most is not None:
            return f"at most {self.most:,g}"
        return f"at least {self.least:,g}" if self.least is not None else ""


WAYS = ("timer", "sleep_ms", "sleep_us", "pio", "ours")
WAY_FIGURES = (
    "extra_steps",
    "late_percent",
    "jitter_us_sd_idle",
    "jitter_us_sd_load",
    "jitter_us_sd_heap",
    "jitter_us_max",
)

_BASELINES = tuple(
    Figure(f"baseline_{way}_{name}", {"extra_steps": "steps", "late_percent": "%"}.get(name, "us"))
    for way in WAYS
    for name in WAY_FIGURES
)

FIGURES = (
    Figure("tick_us_p50", "us", most=1_500),
    Figure("tick_us_max", "us", most=5_000),
    Figure("tick_any_us_max", "us", most=5_000),
    Figure("tick_steps_us_p50", "us", most=1_500),
    Figure("frame_us_p50", "us"),
    Figure("frame_us_max", "us"),
    Figure("frame_record_us_max", "us"),
    Figure("keep_us_p50", "us"),
    Figure("reserve_us_p50", "us"),
    Figure("turn_us_p50", "us"),
    Figure("tick_samples", "ticks"),
    Figure("timing_overhead_us", "us"),
    Figure("tick_alloc_bytes", "bytes", most=0),
    Figure("tick_unlocked", "ticks", most=0),
    Figure("garbage_bytes_per_s", "bytes/s"),
    Figure("gc_pause_us", "us"),
    Figure("heap_live_bytes", "bytes"),
    Figure("heap_free_bytes", "bytes"),
    Figure("boot_to_dosing_ms", "ms", most=3_000),
    Figure("boot_to_dosing_ms_min", "ms"),
    Figure("boot_to_first_frame_ms", "ms"),
    Figure("hang_ms", "ms", most=8_400),
    Figure("wdt_recovery_ms", "ms", most=5_000),
    Figure("recovery_reading_ms", "ms"),
    Figure("recovery_loaded_ms_clean", "ms"),
    Figure("recovery_loaded_ms_torn", "ms"),
    Figure("recovery_loaded_ms_full", "ms"),
    Figure("recovery_loaded_ms_rotten", "ms"),
    Figure("recovery_dosing_ms", "ms", most=3_000),
    Figure("recovery_dosing_ms_rotten", "ms", most=3_000),
    Figure("recovery_starts", "starts"),
    Figure("step_interval_jitter_ns_max", "ns", most=1_000),
    Figure("step_intervals", "intervals"),
    Figure("step_pulses_wrong", "pulses", most=0),
    Figure("frame_late_ms_max_loaded", "ms"),
    Figure("over_delivery_steps", "steps", most=0),
    Figure("over_delivery_scenarios", "scenarios"),
    Figure("drift_steps_90d", "steps", most=0),
    Figure("drift_days", "days"),
    Figure("drift_core_steps_90d", "steps", most=0),
    Figure("year_s", "s", most=300),
    Figure("day_s", "s"),
    Figure("year_days_simulated", "days"),
    Figure("ledger_writes_per_day_50ul", "writes/day"),
    Figure("ledger_writes_per_day_1ml", "writes/day"),
    Figure("ledger_writes_per_day_24ml", "writes/day"),
    Figure("ledger_life_years_50ul", "years", least=10),
    Figure("ledger_life_years_1ml", "years", least=10),
    Figure("ledger_life_years_24ml", "years", least=10),
    *_BASELINES,
    Figure("quick", "1 = --quick"),
    Figure("bench_wall_s", "s"),
)
