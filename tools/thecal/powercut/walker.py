"""The random walker: millions of operations, cuts and faults on a pump's records, against the plain model.

A package is one or more lives of a pump, each from an erased part, drawn from (seed, index) alone. A violation is
printed with the two numbers: `python -m thecal.powercut.walker SEED:INDEX` tells every operation that led to it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from random import Random

from thecal.powercut.journal import Journal
from thecal.powercut.journal_rules import RULES, describe
from thecal.powercut.page_part import PagePart
from thecal.powercut.parts import PartResult, Progress, Settings, run_packages
from thecal.powercut.quick import quick_examine

NAME = "walker"
_OPERATIONS = 20_000  # of a package
_LIFE = 4_000  # operations of one pump; then a new one begins, with no worn pages
_REDUCED = 20_000
_FIRST = ("calibrate", "program")  # most lives begin with these, as otherwise nothing much can happen

_NUMBERS = ("operations", "starts", "cuts", "page_writes", "steps", "refused", "start_reads_max", "start_writes_max")
_NAMES = [rule.name for rule in RULES]
_BY_NAME = {rule.name: rule for rule in RULES}
_WEIGHTS = [rule.weight for rule in RULES]
Trace = Callable[[str], None]


def run(settings: Settings, progress: Progress) -> PartResult:
    """settings.ops operations in all."""
    packages = max(1, (_REDUCED if settings.reduced else settings.ops) // _OPERATIONS)
    return run_packages(settings, NAME, package, packages, progress)


def package(settings: Settings, index: int) -> PartResult:
    """One work package."""
    return walk(settings.seed, index, _OPERATIONS)


def replay(seed: int, index: int, tell: Trace = print) -> PartResult:
    """A package again, with a line for each operation."""
    return walk(seed, index, _OPERATIONS, tell)


def walk(seed: int, index: int, operations: int, tell: Trace | None = None) -> PartResult:
    """So many operations of the package (seed, index). Ends at the first violation, after which no model is right."""
    rng = Random(f"{seed}:{index}")
    numbers: dict[str, float] = dict.fromkeys(_NUMBERS, 0.0)
    result = PartResult(numbers)
    for first in range(0, operations, _LIFE):
        with quick_examine():
            violation = _live(rng, min(_LIFE, operations - first), numbers, tell)
        if violation:
            result.violations.append(f"walker {seed}:{index}: {violation}")
            break
    return result


def _live(rng: Random, operations: int, numbers: dict[str, float], tell: Trace | None) -> str:
    """One life. Returns its violation; empty if there was none."""
    part = PagePart()
    part.rng = rng
    journal = Journal(part)
    done = 0
    try:
        for name in _draw(rng, operations):
            rule = _BY_NAME[name]
            if rule.is_idle(journal):
                continue
            values = tuple(rng.randint(low, high) for low, high in rule.ranges)
            if tell is not None:
                tell(f"{done}: {describe(name, values)}")
            rule.apply(journal, *values)
            done += 1
            if done == operations:
                break
    except Exception as error:  # noqa: BLE001 - Broken, or what would end the firmware
        return f"operation {done}: {type(error).__name__}: {error}"
    finally:
        numbers["operations"] += done
        numbers["starts"] += journal.starts
        numbers["cuts"] += part.cuts
        numbers["page_writes"] += sum(part.wear)
        numbers["steps"] += journal.truth.made
        numbers["refused"] += journal.refused
        numbers["start_reads_max"] = max(numbers["start_reads_max"], journal.reads_max)
        numbers["start_writes_max"] = max(numbers["start_writes_max"], journal.writes_max)
    return ""


def _draw(rng: Random, count: int) -> Iterator[str]:
    """Names of rules, without end; `count` at a time are drawn."""
    if rng.getrandbits(3):
        yield from _FIRST
    while True:
        yield from rng.choices(_NAMES, _WEIGHTS, k=count)


if __name__ == "__main__":
    _seed, _index = sys.argv[1].split(":")
    for _violation in replay(int(_seed), int(_index)).violations:
        sys.exit(_violation)
