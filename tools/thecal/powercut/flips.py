"""Every single bit of a pump's EEPROM flipped: what a start then finds must be the same, or an alarm.

Pairs of flips are sampled: in one page, anywhere, and in both copies of the newest record of a ring.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from random import Random
from typing import Any

from thecal.powercut.event_logs import event_log
from thecal.powercut.journal import BOARD_ID
from thecal.powercut.page_part import PAGE, PAGES, SIZE, PagePart
from thecal.powercut.parts import PartResult, Progress, Settings, run_packages
from thecal.powercut.quick import quick_examine
from thecal.powercut.reference import reference_image
from thecal.programming import firmware

NAME = "flips"
_PACKAGES = 64
_PAIRS = 200_000  # in the full run
_REDUCED_PER_PAGE = 6
_REDUCED_PAIRS = 2_000
_WHOLE_LISTING = 64  # of the flips in a log, one in so many compares every line of the listing
_PAGE_BITS = PAGE * 8
_BOLUSES = 4  # the history's place in Records.state()
Bits = tuple[int, ...]

_records = firmware("records")
_layout = firmware("layout")
_MIRRORED = frozenset(
    page
    for firsts, count in (
        (_layout.LEDGER_FIRSTS, _layout.LEDGER_PAGES),
        (_layout.BOLUS_FIRSTS, _layout.BOLUS_PAGES),
        (_layout.COUNTERS_FIRSTS, _layout.COUNTERS_PAGES),
        (_layout.RETIRED_FIRSTS, _layout.RETIRED_PAGES),
    )
    for first in firsts
    for page in range(first, first + count)
)
_LOGS = frozenset(
    (
        *range(_layout.EVENTS_FIRST, _layout.EVENTS_FIRST + _layout.EVENTS_PAGES),
        *range(_layout.FAULTS_FIRST, _layout.FAULTS_FIRST + _layout.FAULTS_PAGES),
    )
)


def run(settings: Settings, progress: Progress) -> PartResult:
    """All 262,144 flips and the sampled pairs; reduced: some bits of every page."""
    return run_packages(settings, NAME, package, _PACKAGES, progress)


def package(settings: Settings, index: int) -> PartResult:
    """A 64th of all flips, and as many pairs."""
    rng = Random(f"{settings.seed}:{index}")
    bench = _bench()
    with quick_examine():
        for page in _pages(index):
            bits = rng.sample(range(_PAGE_BITS), _REDUCED_PER_PAGE) if settings.reduced else range(_PAGE_BITS)
            for bit in bits:
                bench.try_bits((page * _PAGE_BITS + bit,))
        for bits in bench.pairs(rng, (_REDUCED_PAIRS if settings.reduced else _PAIRS) // _PACKAGES):
            bench.try_bits(bits)
    return bench.take_result()


def _pages(index: int) -> range:
    return range(index * PAGES // _PACKAGES, (index + 1) * PAGES // _PACKAGES)


@lru_cache(maxsize=1)
def _bench() -> FlipBench:
    return FlipBench(reference_image())


class FlipBench:
    """Tries flips of one image."""

    def __init__(self, image: bytes) -> None:
        """image: of a pump that starts without an alarm."""
        self.part = PagePart(image)
        self.part.keep()
        records, found = self._load()
        self.usual = dict(self.part.undo or {})  # pages that any start writes
        if found:
            raise ValueError(f"the reference image itself has alarms: {found}")
        self.state = records.state()
        self.newest = [[copy.page for copy in mirror.copies] for mirror in records._mirrors()]
        self.log, self.lines = self._read_log(records, listing=True)
        self.part.put_back()
        self._result = PartResult()
        self._tried = 0

    def _load(self) -> tuple[Any, list[int]]:
        records = _records.Records(self.part, [0, 0, 0, 0], BOARD_ID)
        return records, records.load()

    def _read_log(self, records: Any, listing: bool) -> tuple[list[list[int]], list[str]]:
        """The numbers of the events in each page of the two logs, and, on demand, all the lines."""
        log = event_log(records, self.part)
        while log._scanning < len(log._rings):
            log._scan()
        return [list(ring.index) for ring in log._rings], list(log.newest(PAGES)) if listing else []

    # -- one trial --------------------------------------------------------------------------------------------

    def try_bits(self, bits: Bits) -> None:
        """Flip these bits (number: 8 x address + bit of the byte), start, compare, and put everything back."""
        self._tried += 1
        memory = self.part.memory
        for bit in bits:
            memory[bit >> 3] ^= 1 << (bit & 7)
        try:
            outcome = self._outcome(bits)
        except Exception as error:  # noqa: BLE001 - whatever a start raises would end the firmware
            outcome = f"{type(error).__name__}: {error}"
        if outcome in ("alarm", "logged", "repaired", "masked"):
            self._count(f"flips_{outcome}" if len(bits) == 1 else f"flip_pairs_{outcome}")
        else:
            self._result.violations.append(f"flips {','.join(map(str, bits))}: {outcome}")
        self.part.put_back()
        for bit in bits:
            memory[bit >> 3] ^= 1 << (bit & 7)

    def _outcome(self, bits: Bits) -> str:
        """alarm, logged, repaired, masked, or what is wrong."""
        records, found = self._load()
        if not records.loaded:
            return "the records could not be loaded"
        pages = {bit // _PAGE_BITS for bit in bits}
        if found:
            needless = len(pages) == 1 and pages <= _MIRRORED
            return f"alarms {found}, though the other copy was whole" if needless else "alarm"
        return self._without_alarm(records, bits, pages)

    def _without_alarm(self, records: Any, bits: Bits, pages: set[int]) -> str:
        changed = self._changed(records.state())
        if changed == [_BOLUSES] and len(bits) > 1 and records.boluses.mirror.scrubbed > 1:
            return "logged"  # an entry has rotted in both copies: the start logs damaged pages of the history
        if changed:
            return f"SILENT: parts {changed} of the state are others"
        wrong = self._compare_log(records, pages & _LOGS) if pages & _LOGS else ""
        return wrong or ("masked" if (self.part.undo or {}).keys() <= self.usual.keys() else "repaired")

    def _changed(self, state: tuple[Any, ...]) -> list[int]:
        """Which parts of Records.state() are not what they were."""
        return [part for part, (now, before) in enumerate(zip(state, self.state, strict=True)) if now != before]

    def _compare_log(self, records: Any, flipped: set[int]) -> str:
        """The log may miss the events of flipped pages, and tells none that never were. Returns what is wrong."""
        listing = self._tried % _WHOLE_LISTING == 0
        index, lines = self._read_log(records, listing)
        for ring, first in enumerate((_layout.EVENTS_FIRST, _layout.FAULTS_FIRST)):
            for offset, (now, before) in enumerate(zip(index[ring], self.log[ring], strict=True)):
                if now != before and (first + offset not in flipped or now != 0xFFFFFFFF):
                    return f"SILENT: page {first + offset} holds event {now}, expected {before}"
        if listing and not set(lines) <= set(self.lines):
            return f"SILENT: the log tells {set(lines) - set(self.lines)}"
        return ""

    # -- pairs ------------------------------------------------------------------------------------------------

    def pairs(self, rng: Random, count: int) -> Iterator[Bits]:
        """So many pairs of bits: a third in one page, a third anywhere, a third in both copies of a newest record."""
        for number in range(count):
            if number % 3 == 0:
                page = rng.randrange(PAGES) * _PAGE_BITS
                yield page + rng.randrange(_PAGE_BITS), page + rng.randrange(_PAGE_BITS)
            elif number % 3 == 1:
                yield rng.randrange(SIZE * 8), rng.randrange(SIZE * 8)
            else:
                pages = rng.choice(self.newest)
                yield tuple(page * _PAGE_BITS + rng.randrange(_PAGE_BITS) for page in pages)

    # -- result -----------------------------------------------------------------------------------------------

    def _count(self, name: str) -> None:
        self._result.numbers[name] = self._result.numbers.get(name, 0) + 1

    def take_result(self) -> PartResult:
        """What came out since the last call."""
        result, self._result = self._result, PartResult()
        return result
