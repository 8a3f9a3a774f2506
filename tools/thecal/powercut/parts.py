"""What the parts of the power-cut campaign, and those of the fault campaign, have in common: how one is called, tells
its progress and answers, and how its work is cut into packages that survive an interruption.
"""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from thecal.paths import ROOT

_TRIED = ("boot.py", "main.py", "firmware", "lib", "tools", "pyproject.toml")  # the last pins the emulator


@dataclass(frozen=True)
class Settings:
    """How much to do, and where finished work packages are kept.

    jobs: processes, 1 or more. seed: of the whole campaign. ops: operations or cuts of the sampled parts in all; a part
    that is exhaustive does not look at it. reduced: the form for `make test`. folder: exists; a part keeps its files in
    a folder of its own below it.
    """

    jobs: int
    seed: int
    ops: int
    reduced: bool
    folder: Path


class Progress(Protocol):
    """Is told how far a part has come."""

    def advance(self, done: int, total: int, text: str) -> None:
        """done of total units of work are finished; text: what is being done, in a few words."""
        ...


class Silent:
    """A Progress that tells nobody."""

    def advance(self, done: int, total: int, text: str) -> None:
        """Nothing."""


@dataclass
class PartResult:
    """What a part found: flat numbers for the table and build/powercut.json, and one line for each violation with what
    is needed to replay it.
    """

    numbers: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def add(self, other: PartResult) -> None:
        """Take in another result: violations are appended; numbers are added up, but those whose name ends in _max
        are compared, the larger one stays."""
        self.violations += other.violations
        for name, value in other.numbers.items():
            mine = self.numbers.get(name, 0)
            self.numbers[name] = max(mine, value) if name.endswith("_max") else mine + value


Work = Callable[[Settings, int], PartResult]


def run_packages(settings: Settings, name: str, work: Work, count: int, progress: Progress) -> PartResult:
    """The sum of work(settings, 0) to work(settings, count - 1), over settings.jobs processes.

    work must be a function of a module, as other processes run it. A finished package is kept as a file and not run
    again, as long as firmware, campaign, seed and ops are the same.
    """
    form = "reduced" if settings.reduced else "full"
    folder = settings.folder / f"{name}-{version()}-{settings.seed}-{settings.ops}-{form}"
    folder.mkdir(parents=True, exist_ok=True)
    total = PartResult()
    missing = []
    for index in range(count):
        kept = _kept(folder / f"{index}.json")
        if kept is None:
            missing.append(index)
        else:
            total.add(kept)
    done = count - len(missing)
    progress.advance(done, count, name)
    for index, result in _results(settings, work, missing):
        _keep(folder / f"{index}.json", result)
        total.add(result)
        done += 1
        progress.advance(done, count, name)
    return total


@lru_cache(maxsize=1)
def version() -> str:
    """A digest of firmware, campaign, models and emulator: finished packages of another version are run again."""
    digest = hashlib.sha256()
    for name in _TRIED:
        path = ROOT / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _results(settings: Settings, work: Work, indices: list[int]) -> Iterator[tuple[int, PartResult]]:
    """(index, result) of each package, in the order in which they finish."""
    if settings.jobs <= 1:
        for index in indices:
            yield index, work(settings, index)
        return
    with ProcessPoolExecutor(settings.jobs, initializer=_leave_interrupts_to_the_parent) as pool:
        futures = {pool.submit(work, settings, index): index for index in indices}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # packages under way end; those that wait are not begun
            raise


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _kept(path: Path) -> PartResult | None:
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text())
    except ValueError:
        return None  # the campaign was interrupted while this file was written: its package is run again
    return PartResult(data["numbers"], data["violations"])


def _keep(path: Path, result: PartResult) -> None:
    path.write_text(json.dumps({"numbers": result.numbers, "violations": result.violations}))
