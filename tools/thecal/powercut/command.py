"""What the commands of the power-cut campaign and of the fault campaign have in common: options, and the run of the
parts that were asked for, one after the other, with progress and figures."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from thecal.paths import BUILD
from thecal.powercut.parts import PartResult, Progress
from thecal.powercut.progress import Shown, merge

Run = Callable[[str, Progress], PartResult]
Show = Callable[[Console, dict[str, PartResult]], None]


def positive(text: str) -> int:
    """The type of an option that counts. Raises argparse.ArgumentTypeError."""
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: a whole number above 0 is needed")
    return int(text)


def add_options(parser: argparse.ArgumentParser, campaign: str, names: Sequence[str]) -> None:
    """The options of every campaign. campaign: what its folder and its file of figures in build/ are called. names: of
    its parts."""

    def parts(text: str) -> list[str]:
        chosen = text.split(",")
        for name in chosen:
            if name not in names:
                raise argparse.ArgumentTypeError(f"{name}: one of {', '.join(names)}")
        return chosen

    parser.add_argument("--parts", type=parts, default=list(names), help="of " + ",".join(names) + "; all by default")
    parser.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn by chance")
    parser.add_argument("--out", type=Path, default=BUILD / f"{campaign}.json", help="where the figures go")
    parser.add_argument("--folder", type=Path, default=BUILD / campaign, help="where finished packages are kept")
    parser.add_argument("--fresh", action="store_true", help="run again what is finished")


def run_parts(console: Console, options: argparse.Namespace, run: Run, show: Show) -> dict[str, PartResult]:
    """Run the parts of `options`, show what they found, and merge their figures into options.out. Returns the results
    by part."""
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.fresh:
        for name in options.parts:
            for folder in (options.folder / name, *options.folder.glob(f"{name}-*")):
                shutil.rmtree(folder, ignore_errors=True)
    results: dict[str, PartResult] = {}
    progress = Shown(console)
    with progress.bars:
        for name in options.parts:
            progress.begin(name)
            began = time.monotonic()
            results[name] = run(name, progress)
            results[name].numbers[f"{name}_wall_s"] = round(time.monotonic() - began, 1)
    show(console, results)
    merge(options.out, {name: value for result in results.values() for name, value in result.numbers.items()})
    console.print(f"figures: {os.path.relpath(options.out)}", highlight=False, soft_wrap=True)
    return results
