"""`python -m thecal.bench [--quick] [--out FILE]`: measure, write build/bench.json, print figures against targets."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from thecal.bench import accuracy, comparison, intervals, recovery, starts, tick_heap, tick_time, wear
from thecal.bench.comparison import TITLES as WAY_TITLES
from thecal.bench.context import Context, Figures
from thecal.bench.figures import FIGURES, WAY_FIGURES, WAYS
from thecal.bench.rig import MeasurementError, compiled_firmware
from thecal.build import BuildError
from thecal.image import find_or_make_image
from thecal.image_common import ImageError
from thecal.paths import BUILD

Measure = Callable[[Context], Figures]
STAGES: dict[str, Measure] = {
    "EEPROM wear": wear.measure,
    "accuracy and speed of the twin": accuracy.measure,
    "control tick, time": tick_time.measure,
    "control tick, heap": tick_heap.measure,
    "starts and watchdog": starts.measure,
    "recovery after power cuts": recovery.measure,
    "step intervals under load": intervals.measure,
    "other ways to step": comparison.measure,
}


def main() -> int:
    """0 when everything could be measured, whether targets are met or not; 1 when not."""
    parser = argparse.ArgumentParser(prog="python -m thecal.bench", description="Measure the pump.")
    parser.add_argument("--quick", action="store_true", help="fewer samples, shorter runs")
    parser.add_argument("--year", action="store_true", help="simulate a whole year instead of scaling 90 days up")
    parser.add_argument("--out", type=Path, default=BUILD / "bench.json", help="where the figures go")
    parser.add_argument("--only", help="only the stages whose name contains this; figures of others are kept")
    options = parser.parse_args()
    console = Console()
    try:
        figures = _measure(console, options)
        write(options.out, {**_earlier(options.out), **figures} if options.only else figures)
    except (BuildError, ImageError, MeasurementError, OSError) as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    _show(console, figures)
    console.print(f"figures: {os.path.relpath(options.out)}", highlight=False, soft_wrap=True)
    return 0


def _measure(console: Console, options: argparse.Namespace) -> Figures:
    began = time.monotonic()
    image = find_or_make_image(lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True))
    flash = compiled_firmware()
    pictures = options.out.parent / "bench"
    figures: Figures = {}
    description = TextColumn("{task.description:32}")
    share = TextColumn("{task.percentage:3.0f} %")
    with Progress(description, BarColumn(), share, TimeElapsedColumn(), console=console) as progress:
        for name, measure in STAGES.items():
            if (options.only or "") not in name:
                continue
            task = progress.add_task(name, total=1.0)
            update = partial(_update, progress, task)
            figures.update(measure(Context(image, flash, options.quick, options.year, update, pictures)))
            update(1.0)
    if not options.only:
        figures |= {"quick": int(options.quick), "bench_wall_s": time.monotonic() - began}
    return figures


def _update(progress: Progress, task: TaskID, share: float) -> None:
    progress.update(task, completed=share)


def write(path: Path, figures: Figures) -> None:
    """Write figures as a flat JSON object, keys in the order of FIGURES.

    Raises MeasurementError for a key that is none of FIGURES: it would be documented nowhere.
    """
    unknown = figures.keys() - {figure.key for figure in FIGURES}
    if unknown:
        raise MeasurementError(f"no such figure: {', '.join(sorted(unknown))}")
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = {figure.key: _rounded(figures[figure.key]) for figure in FIGURES if figure.key in figures}
    path.write_text(json.dumps(ordered, indent=1) + "\n", "utf-8")


def _rounded(value: float) -> float:
    return round(value, 3) if isinstance(value, float) else value


def _earlier(path: Path) -> Figures:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _show(console: Console, figures: Figures) -> None:
    table = Table(title="Emulated board and twin: measured against target", box=SIMPLE_HEAD)
    for name in ("figure", "measured", "unit", "target", ""):
        table.add_column(name, justify="right" if name in {"measured", "target"} else "left", no_wrap=True)
    missed = 0
    for figure in FIGURES:
        if figure.key not in figures or figure.key.startswith("baseline_"):
            continue
        value = figures[figure.key]
        met = figure.met(value)
        missed += met is False
        verdict = {None: "", True: "[green]met[/]", False: "[bold red]MISSED[/]"}[met]
        table.add_row(figure.key, f"{_rounded(value):,}", figure.unit, figure.target(), verdict)
    console.print(table)
    if all(f"baseline_{way}_{name}" in figures for way in WAYS for name in WAY_FIGURES):
        _show_ways(console, figures)
    console.print(f"{missed} targets missed" if missed else "all targets met", style="red" if missed else "green")


def _show_ways(console: Console, figures: Figures) -> None:
    table = Table(title="Ways to step: deviation of the step interval, us", box=SIMPLE_HEAD)
    for name in ("way", "extra", "late %", "SD idle", "SD load", "SD heap", "worst"):
        table.add_column(name, justify="left" if name == "way" else "right", no_wrap=True)
    for way in WAYS:
        table.add_row(WAY_TITLES[way], *(_short(figures[f"baseline_{way}_{name}"]) for name in WAY_FIGURES))
    console.print(table)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
