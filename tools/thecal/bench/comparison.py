"""Ways of making steps on MicroPython, side by side on the same emulated board under the same load."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, pstdev

from thecal.bench.context import Context, Figures
from thecal.bench.jitter_plot import draw
from thecal.bench.rig import HERE, Rig, continuous, with_script

INTERVAL_US = 5_000
_LIVE_BYTES = 75_000
# key: (device script in baselines/, what it is)
WAYS = {
    "timer": ("timer_callback", "Timer callback"),
    "sleep_ms": ("sleep_ms_loop", "sleep_ms loop"),
    "sleep_us": ("sleep_us_loop", "sleep_us loop"),
    "pio": ("pio_do_while", "PIO do-while"),
    "ours": ("step_word", "PIO word (ours)"),
}
TITLES = {way: title for way, (_, title) in WAYS.items()}
_LOADS = {"idle": (False, 0), "load": (True, 0), "heap": (True, _LIVE_BYTES)}


@dataclass(frozen=True)
class Stepping:
    """What one way made of its order. deviations_us: of each interval from the one ordered."""

    pulses: int
    deviations_us: list[float]
    mean_us: float


def measure(context: Context) -> Figures:
    """The keys baseline_*, and jitter.png."""
    count = context.count(1_000, 250)
    figures: Figures = {}
    drawn: dict[str, list[float]] = {}
    done = 0
    for way, (script, title) in WAYS.items():
        runs: dict[str, Stepping] = {}
        for load, (loaded, live) in _LOADS.items():
            runs[load] = _step(context, script, count, loaded, live)
            done += 1
            context.progress(done / (len(WAYS) * len(_LOADS)))
        figures |= {f"baseline_{way}_jitter_us_sd_{load}": pstdev(run.deviations_us) for load, run in runs.items()}
        worst = runs["heap"]
        figures[f"baseline_{way}_extra_steps"] = worst.pulses - count
        figures[f"baseline_{way}_late_percent"] = 100 * (worst.mean_us / INTERVAL_US - 1)
        figures[f"baseline_{way}_jitter_us_max"] = max(abs(us) for us in worst.deviations_us)
        drawn[title] = worst.deviations_us
    draw(context.folder / "jitter.png", drawn, INTERVAL_US)
    return figures


def _step(context: Context, script: str, count: int, loaded: bool, live_bytes: int) -> Stepping:
    main = f"import common, {script}\ncommon.measure({script}.run, {count}, {INTERVAL_US}, {loaded}, {live_bytes})\n"
    folder = HERE / "baselines"
    scripts = [HERE / "probes" / "load.py", folder / "common.py", folder / f"{script}.py"]
    rig = Rig(context.image, with_script(context.flash, scripts, main), continuous("50 uL/day"))
    rig.run_until_done(10 + 4 * count * INTERVAL_US // 1_000_000)
    times = list(rig.bench.motor.step_times)
    intervals = [(later - earlier) / 1_000 for earlier, later in pairwise(times)]
    return Stepping(rig.bench.motor.pulses, [us - INTERVAL_US for us in intervals], fmean(intervals))
