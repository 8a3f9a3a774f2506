"""`python -m thecal.powercut`: try to lose something by cutting the power. Exit status 1 if that succeeds.

A run that is interrupted goes on where it was: finished work packages are kept in build/powercut/.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from rich.console import Console

from thecal.paths import BUILD
from thecal.powercut import whole
from thecal.powercut.parts import PartResult, Progress, Settings
from thecal.powercut.progress import Shown, merge, show
from thecal.powercut.recovery import Tally
from thecal.powercut.sampled import try_case

_SEED = 1
_OPS = {"sampled": 1_000_000, "walker": 10_000_000}  # of a full run; the other parts do not look at it
_REDUCED_OPS = {"sampled": 2_000, "walker": 20_000}
_MODULES = ("flips", "nacks", "walker", "wear", "images", "board_cuts")  # each with a run(settings, progress)
_NAMES = (*whole.PARTS, *_MODULES)


def main() -> int:
    """0 when nothing was lost; 1 when an invariant was broken; 2 for wrong use."""
    options = _options()
    console = Console()
    if options.replay:
        return _replay(console, options)
    results: dict[str, PartResult] = {}
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.fresh:
        for name in options.parts:
            for folder in (options.folder / name, *options.folder.glob(f"{name}-*")):
                shutil.rmtree(folder, ignore_errors=True)
    progress = Shown(console)
    with progress.bars:
        for name in options.parts:
            progress.begin(name)
            began = time.monotonic()
            results[name] = _part(name)(_settings(options, name), progress)
            results[name].numbers[f"{name}_wall_s"] = round(time.monotonic() - began, 1)
    show(console, results)
    merge(options.out, {name: value for result in results.values() for name, value in result.numbers.items()})
    console.print(f"figures: {os.path.relpath(options.out)}", highlight=False, soft_wrap=True)
    return 1 if any(result.violations for result in results.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m thecal.powercut", description="The power-cut campaign.")
    parser.add_argument(
        "--parts", type=_parts, default=list(_NAMES), help="of " + ",".join(_NAMES) + "; all by default"
    )
    parser.add_argument("--ops", type=_positive, help="cases of `sampled`, operations of `walker`")
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, default=_SEED, help="of everything that is drawn by chance")
    parser.add_argument("--out", type=Path, default=BUILD / "powercut.json", help="where the figures go")
    parser.add_argument("--folder", type=Path, default=BUILD / "powercut", help="where finished packages are kept")
    parser.add_argument("--reduced", action="store_true", help="a shorter life, fewer cuts")
    parser.add_argument("--fresh", action="store_true", help="run again what is finished")
    parser.add_argument("--replay", type=_case, metavar="SEED:INDEX", help="one `sampled` case; --reduced if so found")
    return parser.parse_args()


def _parts(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in _NAMES:
            raise argparse.ArgumentTypeError(f"{name}: one of {', '.join(_NAMES)}")
    return names


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: a whole number above 0 is needed")
    return int(text)


def _case(text: str) -> tuple[int, int]:
    seed, colon, index = text.partition(":")
    if not (colon and seed.isdigit() and index.isdigit()):
        raise argparse.ArgumentTypeError(f"{text}: SEED:INDEX is needed")
    return int(seed), int(index)


def _part(name: str) -> Callable[[Settings, Progress], PartResult]:
    if name in whole.PARTS:
        return whole.PARTS[name].run
    return import_module(f"thecal.powercut.{name}").run  # only the part that is asked for: some need the emulator


def _settings(options: argparse.Namespace, name: str) -> Settings:
    usual = (_REDUCED_OPS if options.reduced else _OPS).get(name, 0)
    ops = usual if options.ops is None else options.ops
    return Settings(options.jobs, options.seed, ops, options.reduced, options.folder)


def _replay(console: Console, options: argparse.Namespace) -> int:
    """One case of `sampled`, of the full life or of the reduced one."""
    seed, index = options.replay
    tally = Tally("sampled")
    try_case(tally, whole.life(options.reduced), seed, index)
    for line in tally.lines:
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{tally.cuts} cuts, {tally.boots} starts, {tally.violated} violations", highlight=False)
    return 1 if tally.violated else 0


if __name__ == "__main__":
    sys.exit(main())
