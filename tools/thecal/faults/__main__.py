"""`python -m thecal.faults`: put faults into the running application. Exit status 1 if one of them was unsafe.

A run that is interrupted goes on where it was: finished work packages are kept in build/faults/.
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from thecal.faults import campaign
from thecal.faults.kinds import KINDS
from thecal.faults.summary import show
from thecal.faults.verdict import UNSAFE
from thecal.powercut.command import add_options, positive, run_parts
from thecal.powercut.parts import PartResult, Progress, Settings

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
    results = run_parts(console, options, lambda name, progress: _run(options, name, progress), show)
    return 1 if any(result.numbers[f"{name}_{UNSAFE}"] for name, result in results.items()) else 0


def _run(options: argparse.Namespace, name: str, progress: Progress) -> PartResult:
    if name == BOARD_PART:
        from thecal.faults import board  # needs the emulator, which the other parts do not

        return board.run(_settings(options, options.board), progress)
    return campaign.Part(name).run(_settings(options, campaign.share(options.injections, name)), progress)


def _settings(options: argparse.Namespace, ops: int) -> Settings:
    return Settings(options.jobs, options.seed, ops, reduced=False, folder=options.folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m thecal.faults", description="The fault campaign.")
    parser.add_argument("--injections", type=positive, default=_INJECTIONS, help="on the fast board, of all kinds")
    parser.add_argument("--board", type=positive, default=_BOARD, help="on the emulated board")
    add_options(parser, "faults", _NAMES)
    parser.add_argument("--replay", type=_case, metavar="KIND:PACKAGE:NUMBER", help="one injection")
    return parser.parse_args()


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
