"""Time of the control tick and of the rest of a frame, on the emulated board."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import NamedTuple

from thecal.bench.context import Context, Figures
from thecal.bench.rig import HERE, Rig, continuous, therapy, with_script
from thecal.scenario import Scenario

STEPS, RECORD, EDGE, MIDNIGHT, ANYTHING = 1, 2, 4, 8, 15  # tags, as in probes/ticks.py
SCRIPTS = [HERE / "probes" / name for name in ("meters.py", "pump.py", "ticks.py")]
_FASTEST = "28.8 mL/day"
_SMALL_STEP = 1_000  # pL: 333 steps a second at the highest rate


class Sample(NamedTuple):
    """A duration without the meter's own part, us, and what happened in it."""

    us: int
    tag: int


class Run(NamedTuple):
    """One run of the probe: samples by what was timed."""

    overhead_us: int
    samples: dict[str, list[Sample]]


def edges() -> Scenario:
    """A schedule with an edge in every minute around the midnight that ends the week, with steps in every second."""
    minutes = [("sun", "23:59", "00:00"), ("mon", "00:00", "00:01"), ("mon", "00:02", "00:03")]
    periods = [
        {"days": day, "from": begin, "to": end, "rate": f"{4 + number} mL/day"}
        for number, (day, begin, end) in enumerate(minutes)
    ]
    return therapy({"mode": "flex", "basal": "3 mL/day", "period": periods}, start="2026-03-01T23:59:30")


def measure(context: Context) -> Figures:
    """The keys tick_*, frame_*, keep_*, reserve_*, turn_*, timing_overhead_us."""
    quiet = continuous("50 uL/day")
    busy = continuous(_FASTEST, pl_per_step=_SMALL_STEP)
    frames = context.count(600, 90)  # at least one record, of which there is one every 55 s
    plan = [
        ("tasks", quiet, frames),
        ("frame", quiet, frames),
        ("turn", quiet, context.count(120, 15)),
        ("tasks", busy, context.count(60, 8)),
        ("tasks", edges(), context.count(240, 50)),
    ]
    runs: list[Run] = []
    for what, scenario, count in plan:
        runs.append(time_run(context.image, context.flash, what, scenario, count))
        context.progress(len(runs) / len(plan))
    tasks, frame, turn, fast, edged = (run.samples for run in runs)
    every = [*tasks["dose"], *fast["dose"], *edged["dose"]]
    nothing_due = _of(tasks["dose"], without=ANYTHING)
    standing = _of(frame["frame"], without=ANYTHING)
    return {
        "tick_us_p50": median(nothing_due),
        "tick_us_max": max(nothing_due),
        "tick_any_us_max": max(_of(every)),
        "tick_steps_us_p50": median(_of(every, having=STEPS)),
        "frame_us_p50": median(standing),
        "frame_us_max": max(standing),
        "frame_record_us_max": max(_of(frame["frame"], having=RECORD)),
        "keep_us_p50": median(_of(tasks["keep"])),
        "reserve_us_p50": median(_of(tasks["reserve"], without=RECORD)),
        "turn_us_p50": median(_of(turn["turn"], without=ANYTHING)),
        "tick_samples": len(every),
        "timing_overhead_us": max(run.overhead_us for run in runs),
    }


def _of(samples: list[Sample], having: int = ANYTHING, without: int = 0) -> list[int]:
    """Durations of the samples in which one of `having` (or nothing at all) happened and none of `without`."""
    return [us for us, tag in samples if not tag & without and (having == ANYTHING or tag & having)]


def time_run(image: Path, flash: bytes, what: str, scenario: Scenario, frames: int) -> Run:
    """Time `tasks`, `frame` or `turn` (probes/ticks.py) over so many frames. Raises MeasurementError."""
    main = f"import ticks\nticks.run({what!r}, {frames})\n"
    rig = Rig(image, with_script(flash, SCRIPTS, main), scenario)
    report = rig.run_until_done(frames + 30)
    overhead = int(report.pop("overhead")[0])
    samples = {
        name: [Sample(max(us - overhead, 0), tag) for us, tag in pairs(words)]
        for name, words in report.items()
        if name != "done"
    }
    return Run(overhead, samples)


def pairs(words: list[str]) -> list[tuple[int, int]]:
    """Samples as a meter reports them."""
    return [(int(value), int(tag)) for value, _, tag in (word.partition(":") for word in words)]
