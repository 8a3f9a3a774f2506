"""`python -m thecal.powercut`: try to lose something by cutting the power. Exit status 1 if that succeeds.

A run that is interrupted goes on where it was: finished work packages are kept in build/powercut/.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module

from rich.console import Console

from thecal.powercut import whole
from thecal.powercut.command import add_options, positive, run_parts
from thecal.powercut.parts import PartResult, Progress, Settings
from thecal.powercut.progress import show
from thecal.powercut.recovery import Tally
from thecal.powercut.sampled import try_case

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
    results = run_parts(console, options, lambda name, progress: _part(name)(_settings(options, name), progress), show)
    return 1 if any(result.violations for result in results.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m thecal.powercut", description="The power-cut campaign.")
    add_options(parser, "powercut", _NAMES)
    parser.add_argument("--ops", type=positive, help="cases of `sampled`, operations of `walker`")
    parser.add_argument("--reduced", action="store_true", help="a shorter life, fewer cuts")
    parser.add_argument("--replay", type=_case, metavar="SEED:INDEX", help="one `sampled` case; --reduced if so found")
    return parser.parse_args()


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
