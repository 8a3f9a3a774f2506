"""Power cuts on the emulated board: the compiled firmware under real MicroPython, its power cut at random instants,
half of them in EEPROM write cycles, the page torn in every way.

Many cuts hit one board after the other, as they would a pump. `python -m thecal.powercut.board_cuts NAME:NUMBER` with
the campaign's `--seed` repeats one board and prints what was wrong with it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from thecal.build import build, littlefs_image
from thecal.image import find_or_make_image
from thecal.paths import ROOT
from thecal.powercut.board_life import CutBoard
from thecal.powercut.board_plans import MS, STARTED_NS, Plan, S, draw, plans, program_lines, typed_from
from thecal.powercut.parts import PartResult, Progress, Settings, version

_BOARDS = 4  # of each plan
_CUTS = 10  # of each board
_REDUCED = ("program", "hang")  # two boards, as long as each other
_REDUCED_CUTS = 6
_LAST_LIFE_NS = 12 * S  # after the last cut
# Three bites in ten minutes latch the safe state: after two the power stays off for longer.
_FORGET_NS = 605 * S
_BITES = 2

Package = tuple[str, int]


@dataclass(frozen=True)
class Work:
    """One board with its cuts. flash: file with the compiled firmware's file system."""

    package: Package
    cuts: int
    seed: int
    image: Path
    flash: Path


def run(settings: Settings, progress: Progress) -> PartResult:
    """Cut the power of every board. Raises ImageError, BuildError or OSError when there is nothing to run."""
    image = find_or_make_image(lambda text: progress.advance(0, 1, text))
    folder = settings.folder / "board_cuts"
    folder.mkdir(parents=True, exist_ok=True)
    flash = folder / "flash.bin"
    flash.write_bytes(compiled())
    names = _REDUCED if settings.reduced else tuple(plans())
    cuts = _REDUCED_CUTS if settings.reduced else _CUTS
    numbers = range(1 if settings.reduced else _BOARDS)
    works = [Work((name, number), cuts, settings.seed, image, flash) for number in numbers for name in names]
    key = f"{version()}-{settings.seed}-{cuts}"
    results = []
    for done, result in enumerate(_results(works, folder, key, settings.jobs), 1):
        results.append(result)
        progress.advance(done, len(works), f"board {result['package']}: {result['seen']['cuts']} cuts")
    return _merged(results)


def compiled(root: Path = ROOT) -> bytes:
    """The file system of a Pico with the firmware of a checkout, compiled now."""
    with TemporaryDirectory() as name:
        folder = Path(name) / "firmware"
        build(root, folder)
        return littlefs_image(folder)


def work_off(work: Work) -> dict[str, Any]:
    """One board with all its cuts, and what was seen."""
    name, number = work.package
    plan = plans()[name]
    rng = Random(f"{work.seed}:{name}:{number}")
    board = CutBoard(plan, work.image, work.flash.read_bytes(), rng.randrange(1 << 32))
    bites = 0
    for _ in range(work.cuts):
        bites = _one_life(board, plan, rng, bites)
    board.live(None, [], until_ns=_LAST_LIFE_NS)
    return {
        "package": f"{name}:{number}",
        "seen": asdict(board.seen),
        "typed": board.book.typed,
        "acknowledged": board.book.acknowledged,
        "assumed": board.book.most_assumed,
        "share": board.book.highest_share,
        "wrong": board.wrong,
    }


def _one_life(board: CutBoard, plan: Plan, rng: Random, bites: int) -> int:
    """Draw a cut and live until it. Returns the bites of the last ten minutes, if these can be so many."""
    typed = []
    commit_ns = None
    if plan.other is not None:
        typed = typed_from(STARTED_NS, program_lines(board.stage()))
        commit_ns = typed[-1][0]
    cut = draw(plan, rng, commit_ns)
    if plan.lines is not None:
        typed = plan.lines(rng, cut.after_ns)
    hangs: tuple[int, ...] = ()
    if plan.hangs:
        if bites == _BITES:
            cut = replace(cut, off_ns=_FORGET_NS)
            bites = 0
        elif rng.random() < 0.7:
            # Before the cut: it may come while the processor hangs, in the start after the bite, or later.
            hangs = (max(STARTED_NS, cut.after_ns - rng.randrange(12 * S)),)
            bites += 1
    board.live(cut, typed, hangs)
    return bites


def _results(works: list[Work], folder: Path, key: str, jobs: int) -> Iterator[dict[str, Any]]:
    """What each board came to: those that were worked off before first."""
    left = []
    for work in works:
        path = _path(folder, work)
        earlier = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if earlier.get("key") == key:
            yield earlier
        else:
            left.append(work)
    if jobs <= 1 or len(left) <= 1:
        for work in left:
            yield _kept(folder, work, key, work_off(work))
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(work_off, work): work for work in left}
        for future in as_completed(futures):
            yield _kept(folder, futures[future], key, future.result())


def _kept(folder: Path, work: Work, key: str, result: dict[str, Any]) -> dict[str, Any]:
    _path(folder, work).write_text(json.dumps({**result, "key": key}), "utf-8")
    return result


def _path(folder: Path, work: Work) -> Path:
    return folder / f"{work.package[0]}-{work.package[1]}.json"


def _merged(results: list[dict[str, Any]]) -> PartResult:
    seen = [result["seen"] for result in results]
    numbers: dict[str, float] = {
        "board_boards": len(results),
        "board_cuts": sum(one["cuts"] for one in seen),
        "board_cuts_in_write": sum(one["in_write"] for one in seen),
        "board_cuts_in_start": sum(one["in_start"] for one in seen),
        "board_starts_checked": sum(one["starts"] for one in seen),
        "board_bites": sum(one["bites"] for one in seen),
        "board_start_ms_max": max(one["slowest_start_ns"] for one in seen) / MS,
        "board_start_writes_max": max(one["most_start_writes"] for one in seen),
        "board_orders": sum(result["typed"] for result in results),
        "board_orders_acknowledged": sum(result["acknowledged"] for result in results),
        "board_assumed_steps_max": max(result["assumed"] for result in results),
        "board_assumed_share_max": max(result["share"] for result in results),
    }
    for model in sorted({model for one in seen for model in one["torn"]}):
        numbers[f"board_torn_{model}"] = sum(one["torn"].get(model, 0) for one in seen)
    violations = [f"board {result['package']}, {text}" for result in results for text in result["wrong"]]
    return PartResult(numbers, violations)


def main() -> int:
    """Repeat one board; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m thecal.powercut.board_cuts", description="Repeat one board.")
    parser.add_argument("board", help="NAME:NUMBER, as a violation names it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cuts", type=int, default=_CUTS)
    options = parser.parse_args()
    name, _, number = options.board.partition(":")
    with TemporaryDirectory() as folder:
        flash = Path(folder) / "flash.bin"
        flash.write_bytes(compiled())
        image = find_or_make_image(lambda text: print(text, file=sys.stderr))
        result = work_off(Work((name, int(number)), options.cuts, options.seed, image, flash))
    print(json.dumps(result, indent=1))
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
