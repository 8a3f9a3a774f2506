"""Time of the control tick and of the rest of a frame, on the emulated board."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from thecal.bench.context import Context, Figures
from thecal.bench.rig import HERE, Rig, continuous, therapy, with_script
from thecal.scenario import Scenario

STEPS, RECORD = 1, 2  # tags, as in probes/ticks.py
SCRIPTS = [HERE / "probes" / name for name in ("meters.py", "pump.py", "ticks.py")]
_FASTEST = "28.8 mL/day"
_SMALL_STEP = 1_000  # pL: 333 steps a second at the highest rate


class Sample(NamedTuple):
    """A duration without the meter's own part, us, and what happened in it."""

    us: int
    tag: int


def edges() -> Scenario:
    """A schedule with an edge in every minute around the midnight that ends the week, with steps in every second."""
    minutes = [("sun", "23:58", "23:59"), ("sun", "23:59", "00:00"), ("mon", "00:00", "00:01"), ("mon", "00:02", "00:03")]
    periods = [
        {"days": day, "from": begin, "to": end, "rate": f"{4 + number} mL/day"}
        for number, (day, begin, end) in enumerate(minutes)
    ]
    return therapy({"mode": "flex", "basal": "3 mL/day", "period": periods}, start="2026-03-01T23:58:30")


def measure(context: Context) -> Figures:
    """The keys tick_*, frame_*, keep_*, reserve_*, turn_*, timing_overhead_us."""
    quiet = continuous("50 uL/day")
    busy = continuous(_FASTEST, pl_per_step=_SMALL_STEP)
    many, few = context.count(600, 90), context.count(120, 15)
    plan = [
        ("tick", quiet, many),
        ("frame", quiet, many),
        ("keep", quiet, few),
        ("reserve", quiet, few),
        ("turn", quiet, few),
        ("tick", busy, context.count(60, 8)),
        ("tick", edges(), context.count(240, 100)),
    ]
    runs: list[list[Sample]] = []
    overheads: list[int] = []
    for what, scenario, frames in plan:
        overhead, samples = _run(context, what, scenario, frames)
        runs.append(samples)
        overheads.append(overhead)
        context.progress(len(runs) / len(plan))
    tick, frame, keep, reserve, turn, fast, edged = runs
    nothing_due = [sample.us for sample in tick if sample.tag == 0]
    standing = [sample.us for sample in frame if sample.tag == 0]
    every = [*tick, *fast, *edged]
    return {
        "tick_us_p50": median(nothing_due),
        "tick_us_max": max(nothing_due),
        "tick_any_us_max": max(sample.us for sample in every),
        "tick_steps_us_p50": median(sample.us for sample in every if sample.tag & STEPS),
        "frame_us_p50": median(standing),
        "frame_us_max": max(standing),
        "frame_record_us_max": max(sample.us for sample in [*frame, *reserve] if sample.tag & RECORD),
        "keep_us_p50": median(sample.us for sample in keep),
        "reserve_us_p50": median(sample.us for sample in reserve if not sample.tag & RECORD),
        "turn_us_p50": median(sample.us for sample in turn if sample.tag == 0),
        "tick_samples": len(every),
        "timing_overhead_us": max(overheads),
    }


def _run(context: Context, what: str, scenario: Scenario, frames: int) -> tuple[int, list[Sample]]:
    main = f"import ticks\nticks.run({what!r}, {frames})\n"
    rig = Rig(context.image, with_script(context.flash, SCRIPTS, main), scenario)
    report = rig.run_until_done(frames + 30)
    overhead = int(report["overhead"][0])
    return overhead, [Sample(max(us - overhead, 0), tag) for us, tag in pairs(report["samples"])]


def pairs(words: list[str]) -> list[tuple[int, int]]:
    """Samples as a meter reports them."""
    return [(int(value), int(tag)) for value, _, tag in (word.partition(":") for word in words)]
