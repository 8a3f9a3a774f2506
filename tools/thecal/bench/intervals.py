"""STEP edges of the running firmware against the intervals it ordered, under the worst load, on the emulated board."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from thecal.bench.context import Context, Figures
from thecal.bench.rig import HERE, MS, Rig, S, continuous, with_script
from thecal.bench.tick_time import pairs
from thecal.noise import BYTES_PER_SECOND, noise

_SCRIPTS = [HERE / "probes" / name for name in ("meters.py", "pump.py", "load.py", "words.py")]
_FLOOD_FROM_NS = 3 * S
_FLOOD_EVERY_NS = 20 * MS
_LAST_WORD_NS = 2 * S
_RESOLUTION_US = 10  # lib/step_train.py: intervals are whole multiples of it
# steps a second -> rate and calibration: the fastest that can be set, the fastest of the reference pump, and between
_RATES = {
    333: ("28.8 mL/day", 1_000),
    100: ("8.64 mL/day", 1_000),
    13: ("28.8 mL/day", 25_000),
    3: ("6.5 mL/day", 25_000),
}


def measure(context: Context) -> Figures:
    """The keys step_*, frame_late_ms_max_loaded."""
    rates = [333] if context.quick else list(_RATES)
    frames = context.count(15, 5)
    worst, intervals, wrong, late = 0, 0, 0, 0
    for number, rate in enumerate(rates, 1):
        errors, difference, lateness = _run(context, *_RATES[rate], frames)
        worst = max(worst, *errors)
        intervals += len(errors)
        wrong += abs(difference)
        late = max(late, lateness)
        context.progress(number / len(rates))
    return {
        "step_interval_jitter_ns_max": worst,
        "step_intervals": intervals,
        "step_pulses_wrong": wrong,
        "frame_late_ms_max_loaded": late,
    }


def _run(context: Context, rate: str, pl_per_step: int, frames: int) -> tuple[list[int], int, int]:
    """Deviations (ns) of all intervals, pulses made beyond those ordered, the latest tick (ms)."""
    scenario = continuous(rate, pl_per_step=pl_per_step)
    rig = Rig(context.image, with_script(context.flash, _SCRIPTS, f"import words\nwords.run({frames})\n"), scenario)
    _flood(rig, Random(1), until_ns=(frames + 1) * S)
    report = rig.run_until_done(frames + 30)
    rig.board.run(rig.board.now_ns() + _LAST_WORD_NS)
    edges = list(rig.bench.motor.step_times)
    words = pairs(report["words"])
    ordered = sum(steps for _, steps in words)
    errors: list[int] = []
    first = 0
    for interval_us, steps in words:
        wanted_ns = interval_us // _RESOLUTION_US * _RESOLUTION_US * 1_000
        train = edges[first : first + steps]
        errors += [abs(later - earlier - wanted_ns) for earlier, later in pairwise(train)]
        first += steps
    return errors, rig.bench.motor.pulses - ordered, max(late for late, _ in pairs(report["late"]))


def _flood(rig: Rig, rng: Random, until_ns: int) -> None:
    board = rig.board

    def more() -> None:
        board.send(noise(rng, BYTES_PER_SECOND * _FLOOD_EVERY_NS // S))
        if board.now_ns() < until_ns:
            board.at(board.now_ns() + _FLOOD_EVERY_NS, more)

    board.at(_FLOOD_FROM_NS, more)
