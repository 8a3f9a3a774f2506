"""What the control tick allocates, and what the rest of the pump does to the heap, on the emulated board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from thecal.bench.context import Context, Figures
from thecal.bench.rig import HERE, Rig, with_script
from thecal.bench.tick_time import SCRIPTS, edges, pairs
from thecal.scenario import Scenario

_SCRIPTS = [*SCRIPTS, HERE / "probes" / "alloc.py"]


@dataclass(frozen=True)
class HeapReport:
    """allocated: bytes, and what happened, of each tick. locked: in how many of them the heap was locked."""

    allocated: list[tuple[int, int]]
    locked: int
    garbage_bytes_per_s: int
    pause_us: int
    live: int
    free: int


def watch_heap(image: Path, flash: bytes, scenario: Scenario, frames: int, spoil: int = 0) -> HeapReport:
    """Watch the heap over so many ticks. spoil: bytes that the tick is made to allocate.

    Raises MeasurementError when the pump restarts, as it does when a tick allocates while the heap is locked.
    """
    main = f"import alloc\nalloc.run({frames}, {spoil})\n"
    report = Rig(image, with_script(flash, _SCRIPTS, main), scenario).run_until_done(frames + 30)

    def number(name: str) -> int:
        return int(report[name][0])

    return HeapReport(
        pairs(report["samples"]),
        number("locked"),
        number("garbage"),
        number("pause"),
        number("live"),
        number("free"),
    )


def measure(context: Context) -> Figures:
    """The keys tick_alloc_bytes, tick_unlocked, garbage_*, gc_*, heap_*."""
    seen = watch_heap(context.image, context.flash, edges(), context.count(240, 50))
    return {
        "tick_alloc_bytes": max(bytes_ for bytes_, _ in seen.allocated),
        "tick_unlocked": len(seen.allocated) - seen.locked,
        "garbage_bytes_per_s": seen.garbage_bytes_per_s,
        "gc_pause_us": seen.pause_us,
        "heap_live_bytes": seen.live,
        "heap_free_bytes": seen.free,
    }
