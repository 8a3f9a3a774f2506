"""The parts of the campaign that run the whole application, in work packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from thecal.powercut import cuts
from thecal.powercut.life import Recorded, lead
from thecal.powercut.parts import PartResult, Progress, Settings, run_packages
from thecal.powercut.recovery import Tally
from thecal.powercut.sampled import try_case
from thecal.powercut.snapshot import PAGE

_SCALE = {False: 12, True: 1}  # of the life: two and a half hours, and 23 minutes
_BYTES = {False: range(PAGE + 1), True: range(0, PAGE + 1, 32)}
_PULSES = {False: 60, True: 1}  # of a stretch between two writes: where a pump is started
_REDUCED_METASTABLE = 16  # every so many page writes, in the reduced form
_REDUCED_PAIRS = 40


@lru_cache(maxsize=2)
def life(reduced: bool) -> Recorded:
    """The life that cuts are tried in; each process leads it once."""
    return lead(_SCALE[reduced])


@dataclass(frozen=True)
class Part:
    """A part of the campaign. size: units of work in a package. count: units in all. try_one: tries one of them."""

    name: str
    size: int
    count: Callable[[Settings], int]
    try_one: Callable[[Tally, Settings, int], None]

    def work(self, settings: Settings, package: int) -> PartResult:
        """One package."""
        tally = Tally(self.name)
        for index in range(package * self.size, min((package + 1) * self.size, self.count(settings))):
            self.try_one(tally, settings, index)
        return tally.result()

    def run(self, settings: Settings, progress: Progress) -> PartResult:
        """All packages, as parts.py wants it."""
        packages = -(-self.count(settings) // self.size)
        result = run_packages(settings, self.name, self.work, packages, progress)
        result.numbers[f"{self.name}_packages"] = packages
        return result


def _single(tally: Tally, settings: Settings, index: int) -> None:
    cuts.try_singles(tally, life(settings.reduced), index, settings.seed, _BYTES[settings.reduced])


def _metastable(tally: Tally, settings: Settings, index: int) -> None:
    if not settings.reduced or index % _REDUCED_METASTABLE == 0:
        cuts.try_metastable(tally, life(settings.reduced), index, settings.seed)


def _pulse(tally: Tally, settings: Settings, index: int) -> None:
    cuts.try_pulses(tally, life(settings.reduced), index, _PULSES[settings.reduced])


def _pair(tally: Tally, settings: Settings, index: int) -> None:
    if not settings.reduced or index % _REDUCED_PAIRS == 0:
        cuts.try_pairs(tally, life(settings.reduced), index, settings.seed)


def _sample(tally: Tally, settings: Settings, index: int) -> None:
    try_case(tally, life(settings.reduced), settings.seed, index)


def _points(settings: Settings) -> int:
    return len(life(settings.reduced).points)


def _stretches(settings: Settings) -> int:
    return len(life(settings.reduced).stretches)


def _cases(settings: Settings) -> int:
    return settings.ops


PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        Part("singles", 4, _points, _single),
        Part("metastable", 8, _points, _metastable),
        Part("pulses", 8, _stretches, _pulse),
        Part("pairs", 2, _points, _pair),
        Part("sampled", 2_000, _cases, _sample),
    )
}
