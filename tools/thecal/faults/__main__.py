"""`python -m thecal.faults`: put faults into the running application. Exit status 1 if one of them was unsafe.

A run that is interrupted goes on where it was: finished work packages are kept in build/faults/.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from thecal.faults import campaign
from thecal.faults.kinds import KINDS
from thecal.faults.summary import show
from thecal.faults.verdict import UNSAFE
from thecal.paths import BUILD
from thecal.powercut.parts import PartResult, Settings
from thecal.powercut.progress import Shown, merge

_INJECTIONS = 200_000
_BOARD = 500
BOARD_PART = "board"
_NAMES = (*KINDS, BOARD_PART)


def main() -> int:
    """0 when nothing was unsafe; 1 when something was; 2 for wrong use."""
    options = _options()
    console = Console()
    if options.replay:
        return _replay(console, options)
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
            results[name] = _run(options, name, progress)
            results[name].numbers[f"{name}_wall_s"] = round(time.monotonic() - began, 1)
    show(console, results)
    merge(options.out, {name: value for result in results.values() for name, value in result.numbers.items()})
    console.print(f"figures: {os.path.relpath(options.out)}", highlight=False, soft_wrap=True)
    return 1 if any(result.numbers[f"{name}_{UNSAFE}"] for name, result in results.items()) else 0


def _run(options: argparse.Namespace, name: str, progress: Shown) -> PartResult:
    if name == BOARD_PART:
        from thecal.faults import board  # needs the emulator, which the other parts do not

        return board.run(_settings(options, options.board), progress)
    return campaign.Part(name).run(_settings(options, campaign.share(options.injections, name)), progress)


def _settings(options: argparse.Namespace, ops: int) -> Settings:
    return Settings(options.jobs, options.seed, ops, reduced=False, folder=options.folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m thecal.faults", description="The fault campaign.")
    parser.add_argument("--injections", type=_count, default=_INJECTIONS, help="on the fast board, of all kinds")
    parser.add_argument("--board", type=_count, default=_BOARD, help="on the emulated board")
    parser.add_argument(
        "--parts", type=_parts, default=list(_NAMES), help="of " + ",".join(_NAMES) + "; all by default"
    )
    parser.add_argument("--jobs", type=_count, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn by chance")
    parser.add_argument("--out", type=Path, default=BUILD / "faults.json", help="where the figures go")
    parser.add_argument("--folder", type=Path, default=BUILD / "faults", help="where finished packages are kept")
    parser.add_argument("--fresh", action="store_true", help="run again what is finished")
    parser.add_argument("--replay", type=_case, metavar="KIND:PACKAGE:NUMBER", help="one injection")
    return parser.parse_args()


def _parts(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in _NAMES:
            raise argparse.ArgumentTypeError(f"{name}: one of {', '.join(_NAMES)}")
    return names


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: a whole number above 0 is needed")
    return int(text)


def _case(text: str) -> tuple[str, int, int]:
    kind, *numbers = text.split(":")
    if kind not in _NAMES or len(numbers) != 2 or not all(number.isdigit() for number in numbers):
        raise argparse.ArgumentTypeError(f"{text}: KIND:PACKAGE:NUMBER is needed, KIND one of {', '.join(_NAMES)}")
    return kind, int(numbers[0]), int(numbers[1])


def _replay(console: Console, options: argparse.Namespace) -> int:
    kind, package, number = options.replay
    if kind == BOARD_PART:
        from thecal.faults import board  # needs the emulator, which the other parts do not

        case = board.try_one(options.seed, package, number)
    else:
        case = campaign.try_one(kind, options.seed, package, number)
    console.print(case.line(), markup=False, highlight=False, soft_wrap=True)
    console.print(f"{case.verdict.kind}, {case.verdict.excess_pl // 1_000} nL beyond the demand", highlight=False)
    return 1 if case.verdict.kind == UNSAFE else 0


if __name__ == "__main__":
    sys.exit(main())
