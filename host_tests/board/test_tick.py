"""The control tick on the pump: compiled, on the emulated board. It allocates nothing, heap locked, in good time."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from thecal.bench.rig import MeasurementError
from thecal.bench.tick_heap import HeapReport, watch_heap
from thecal.bench.tick_time import EDGE, MIDNIGHT, STEPS, edges, time_run
from thecal.build import littlefs_image

TICKS = 60


@pytest.fixture(scope="module")
def firmware_flash(built: Path) -> bytes:
    """A Pico's file system with the firmware, compiled for these tests."""
    return littlefs_image(built)


@pytest.fixture(scope="module")
def watched(image: Path, firmware_flash: bytes) -> HeapReport:
    """A minute of ticks around a midnight that ends the week, with steps in every second."""
    return watch_heap(image, firmware_flash, edges(), TICKS)


def happened(tags: list[int], what: int) -> int:
    """In how many ticks this happened."""
    return sum(1 for tag in tags if tag & what)


@pytest.mark.requirement("F1", "F2")
def test_the_tick_allocates_nothing_with_steps_due_at_edges_and_at_midnight(watched: HeapReport) -> None:
    tags = [tag for _, tag in watched.allocated]
    assert len(tags) == TICKS
    assert happened(tags, STEPS) >= TICKS // 2
    assert happened(tags, EDGE) >= 1
    assert happened(tags, MIDNIGHT) == 1
    assert [allocated for allocated, _ in watched.allocated] == [0] * TICKS


@pytest.mark.requirement("F1")
def test_the_tick_runs_with_the_heap_locked_every_time(watched: HeapReport) -> None:
    # The firmware locks it by itself: what is wrapped tries to allocate within the tick and is refused.
    assert watched.locked == TICKS


@pytest.mark.requirement("F11")
def test_a_tick_that_allocates_ends_in_an_error_at_once(image: Path, firmware_flash: bytes) -> None:
    with pytest.raises(MeasurementError, match="MemoryError"):
        watch_heap(image, firmware_flash, edges(), TICKS, spoil=64)


@pytest.mark.requirement("F1")
def test_a_tick_takes_at_most_1500_us_at_the_median_and_5_ms_at_worst(image: Path, firmware_flash: bytes) -> None:
    ticks = time_run(image, firmware_flash, "tasks", edges(), TICKS).samples["dose"]
    assert happened([tick.tag for tick in ticks], MIDNIGHT) == 1
    assert median(tick.us for tick in ticks) <= 1_500
    assert max(tick.us for tick in ticks) <= 5_000
