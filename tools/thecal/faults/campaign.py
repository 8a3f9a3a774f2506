"""The campaign on the fast board: lives, faults in them, verdicts, in work packages that survive an interruption."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from thecal.faults.calls import called, counted
from thecal.faults.follow_up import until_s
from thecal.faults.kinds import CALL_ERRORS, KINDS, failing
from thecal.faults.lives import draw
from thecal.faults.planned import Known, Planned
from thecal.faults.pump import Run, Seen
from thecal.faults.verdict import CLASSES, UNSAFE, Verdict, judge
from thecal.powercut.parts import PartResult, Progress, Settings, run_packages
from thecal.powercut.quick import quick_examine

PACKAGE = 200  # injections
_LIVES = 10  # of a package
_SYSTEMATIC = 40  # lives, whose functions all fail at their first call
_LINES_MAX = 20  # unsafe ones told in words, of one package


@dataclass
class Case:
    """One injection, and what came of it."""

    where: str
    what: str
    life: str
    verdict: Verdict

    def line(self) -> str:
        return f"--replay {self.where}: {self.life}; {self.what}: {self.verdict.why}"


def known_life(seed: int, package: int, number: int) -> Known:
    """The number-th life of a package, led without a fault. Raises RuntimeError if that alone goes wrong."""
    life = draw(Random(f"life {seed}:{package}:{number}"))
    with counted() as counts:
        run = Run(life)
        seen = run.lead()
    verdict = judge(life, seen, seen, 0)
    if seen.resets or seen.errors or verdict.kind == UNSAFE:
        raise RuntimeError(
            f"life {seed}:{package}:{number} ({life.kind}) goes wrong by itself: {seen.errors} {verdict}"
        )
    return Known(life, seen, called(counts))


_known = lru_cache(maxsize=2 * _LIVES)(known_life)


def try_one(kind: str, seed: int, package: int, number: int) -> Case:
    """One injection; it follows from these four alone."""
    known, planned = _planned(kind, seed, package, number)
    seen = lead(known, planned, f"{kind} {seed}:{package}:{number}")
    verdict = judge(known.life, known.seen, seen, planned.must, planned.most)
    return Case(f"{kind}:{package}:{number}", planned.what, known.life.kind, verdict)


def _planned(kind: str, seed: int, package: int, number: int) -> tuple[Known, Planned]:
    """Every other one of the first exceptions at calls is one of first_calls(); all else is drawn at random."""
    turn, is_drawn = divmod(package * PACKAGE + number, 2)
    if kind == "calls" and not is_drawn and turn < len(first_calls(seed)):
        life, name, error = first_calls(seed)[turn]
        return _known(seed, *divmod(life, _LIVES)), failing(name, 1, error)
    known = _known(seed, package, number % _LIVES)
    return known, KINDS[kind][0](known, Random(f"{kind} {seed}:{package}:{number}"))


@lru_cache(maxsize=1)
def first_calls(seed: int) -> list[tuple[int, str, type[Exception]]]:
    """(life, function, error): each function that one of the first lives calls, in the first that does, with each of
    the errors. The lives are numbered over the packages."""
    found: dict[str, int] = {}
    for life in range(_SYSTEMATIC):
        for name in known_life(seed, *divmod(life, _LIVES)).calls:
            found.setdefault(name, life)
    by_life = sorted((life, name) for name, life in found.items())
    return [(life, name, error) for life, name in by_life for error in CALL_ERRORS]


def lead(known: Known, planned: Planned, seed: str) -> Seen:
    """The life with the fault in it, for as long as it needs to show."""
    with planned.around():
        return Run(known.life, planned.plan, seed).lead(longer=lambda seen: until_s(known, planned, seen))


@dataclass
class Tally:
    """What a package has found."""

    kind: str
    classes: Counter[str] = field(default_factory=Counter)
    excess_nl: int = 0
    allowed_excess_nl: int = 0
    undercounts: int = 0
    lines: list[str] = field(default_factory=list)

    def add(self, case: Case) -> None:
        verdict = case.verdict
        self.classes[verdict.kind] += 1
        self.undercounts += verdict.undercount > 0
        nl = verdict.excess_pl // 1_000
        self.excess_nl = max(self.excess_nl, nl)
        if verdict.kind != UNSAFE:
            self.allowed_excess_nl = max(self.allowed_excess_nl, nl)
        elif len(self.lines) < _LINES_MAX:
            self.lines.append(case.line())

    def result(self) -> PartResult:
        numbers: dict[str, float] = {f"{self.kind}_{name}": self.classes[name] for name in CLASSES}
        numbers[f"{self.kind}_injections"] = sum(self.classes.values())
        numbers[f"{self.kind}_ledger_behind"] = self.undercounts
        numbers[f"{self.kind}_excess_nl_max"] = self.excess_nl
        numbers[f"{self.kind}_excess_of_the_safe_nl_max"] = self.allowed_excess_nl
        return PartResult(numbers, self.lines)


@dataclass(frozen=True)
class Part:
    """A kind of fault, as a part of the campaign."""

    kind: str

    def work(self, settings: Settings, package: int) -> PartResult:
        """One package."""
        tally = Tally(self.kind)
        with quick_examine():
            for number in range(min(PACKAGE, settings.ops - package * PACKAGE)):
                tally.add(try_one(self.kind, settings.seed, package, number))
        return tally.result()

    def run(self, settings: Settings, progress: Progress) -> PartResult:
        """settings.ops: injections of this kind."""
        packages = -(-settings.ops // PACKAGE)
        return run_packages(settings, self.kind, self.work, packages, progress)


def share(injections: int, kind: str) -> int:
    """How many of so many injections are of this kind."""
    return max(1, round(injections * KINDS[kind][1]))
