"""How a decade wears the EEPROM: cycles of every page, at a high rate and at the rate that needs the most records.

The firmware's own code writes every record that matters: boluses, commits, starts after torn pages, the logs. Of the
plain reservations in between, whole rounds of the ledger's rings are only reckoned: they wear each page once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from thecal.models.tears import MODELS
from thecal.powercut.event_logs import event_log, work_off
from thecal.powercut.journal import BOARD_ID, RUNNING
from thecal.powercut.page_part import PAGE, PagePart, PowerCut
from thecal.powercut.parts import PartResult, Progress, Settings, run_packages
from thecal.powercut.quick import quick_examine
from thecal.programming import firmware

NAME = "wear"
# nL/day. low: 55 s are a little less than two steps, so a reservation holds one; no other rate needs as many records.
RATES = {"24ml": 24_000_000, "low": 78_500}
CYCLES = 1_000_000  # of a page, by the data sheets of the AT24C256, at 25 degC
LIFE_MIN_YEARS = 20.0
SPREAD_MAX = 0.10
# A ring is judged by its spread if its worst page loses a hundredth of its life in ten years. The others make a few
# hundred cycles in that time, and the one that a start adds, at a place of its own, makes the spread.
_JUDGED_SHARE = 0.01
_DAYS_PER_YEAR = 365.25
_DECADE, _MONTH = 3_653, 30
_BOLUSES_A_DAY = 8
_COMMITS_EVERY = 3.5  # days
_MEASURED_S = 6 * 3_600
_DAY_S = 86_400

_layout = firmware("layout")
RINGS = {
    "ledger_a": (_layout.LEDGER_FIRSTS[0], _layout.LEDGER_PAGES),
    "ledger_b": (_layout.LEDGER_FIRSTS[1], _layout.LEDGER_PAGES),
    "bolus_a": (_layout.BOLUS_FIRSTS[0], _layout.BOLUS_PAGES),
    "bolus_b": (_layout.BOLUS_FIRSTS[1], _layout.BOLUS_PAGES),
    "counters_a": (_layout.COUNTERS_FIRSTS[0], _layout.COUNTERS_PAGES),
    "counters_b": (_layout.COUNTERS_FIRSTS[1], _layout.COUNTERS_PAGES),
    "events": (_layout.EVENTS_FIRST, _layout.EVENTS_PAGES),
    "faults": (_layout.FAULTS_FIRST, _layout.FAULTS_PAGES),
}


def run(settings: Settings, progress: Progress) -> PartResult:
    """A decade at each rate; reduced: a month."""
    return run_packages(settings, NAME, package, len(RATES), progress)


def package(settings: Settings, index: int) -> PartResult:
    """One rate."""
    name = list(RATES)[index]
    days = _MONTH if settings.reduced else _DECADE
    with quick_examine():
        life = Life(RATES[name], settings.seed)
        for day in range(days):
            life.day(day)
    return judge(name, days, life.part.wear)


def judge(name: str, days: int, wear: list[int]) -> PartResult:
    """Figures and violations from the cycles of every page in so many days."""
    worst = max(wear)
    years = CYCLES / (worst / days) / _DAYS_PER_YEAR
    spreads = {}
    for ring, (first, count) in RINGS.items():
        cycles = wear[first : first + count]
        if max(cycles) * _DECADE >= _JUDGED_SHARE * CYCLES * days:
            spreads[ring] = (max(cycles) - min(cycles)) / max(cycles)
    numbers = {
        f"wear_{name}_page_writes_a_day": sum(wear) / days,
        f"wear_{name}_worst_page_cycles_a_day": worst / days,
        f"wear_{name}_life_years": years,
        f"wear_{name}_spread_max": max(spreads.values(), default=0.0),
    }
    violations = [
        f"wear {name}: ring {ring}: (max - min) / max = {spread:.3f} in {days} days"
        for ring, spread in spreads.items()
        if spread > SPREAD_MAX
    ]
    if years < LIFE_MIN_YEARS:
        violations.append(f"wear {name}: page {wear.index(worst)} lasts {years:.1f} years")
    return PartResult(numbers, violations)


@dataclass
class Life:
    """A pump that gives `rate` nL/day all its life, with eight boluses and a power cut a day, and two commits a week.

    skip: leave out whole rounds of plain reservations; False writes every record.
    """

    rate: int
    seed: int
    skip: bool = True
    part: PagePart = field(default_factory=PagePart)

    def __post_init__(self) -> None:
        self._rng = Random(f"wear:{self.seed}:{self.rate}")
        self.part.rng = self._rng
        self._commits = 0
        self._records: Any = None
        self._log: Any = None
        self._load()
        self._records.commit_calibration(firmware("calibration").Calibration(), 9_557, 0)
        self._records.ledger.close(self._records.cascade, 9_557, 0)
        self._commit()
        self._records.ledger.state = RUNNING
        self._reserve()
        self._a_day = self._records_a_day()

    def _records_a_day(self) -> int:
        """Reservations a day at this rate: from six hours, second by second."""
        ledger, cascade = self._records.ledger, self._records.cascade
        count = pending = 0
        for _ in range(_MEASURED_S):
            pending += cascade.second()
            pending -= ledger.take(pending)
            if ledger.wants_record(cascade, pending):
                self._reserve(pending)
                count += 1
        return count * _DAY_S // _MEASURED_S

    def day(self, day: int) -> None:
        """One day: its events, evenly spread, and the reservations between them."""
        events = [self._bolus] * _BOLUSES_A_DAY + [self._cut]
        if day % 7 in (0, int(_COMMITS_EVERY)):
            events.append(self._commit)
        self._rng.shuffle(events)
        for number, event in enumerate(events):
            share = self._a_day * (number + 1) // len(events) - self._a_day * number // len(events)
            self._reservations(share)
            event()

    # -- what happens -----------------------------------------------------------------------------------------

    def _reserve(self, pending: int = 0) -> None:
        self._records.ledger.reserve(self._records.cascade, pending, 9_557, 0)

    def _reservations(self, count: int) -> None:
        """So many plain reservations. All but the last round of the ring, and a rest, are only reckoned."""
        mirror = self._records.ledger.mirror
        pages = mirror.copies[0].count  # none is worn here
        rounds = max(0, count // pages - 1) if self.skip else 0
        for copy in mirror.copies:
            copy.sequence = (copy.sequence + rounds * pages) % 0xFFFFFFFF
            for page in range(copy.first, copy.first + copy.count):
                self.part.wear[page] += rounds
        mirror.sequence = (mirror.sequence + rounds * pages) % 0xFFFFFFFF
        for _ in range(count - rounds * pages):
            self._reserve()

    def _bolus(self) -> None:
        """A bolus begins and ends: history, two ledger records, two events."""
        self._records.boluses.begin(1, (0, 600), (25_000, 0))
        self._records.ledger.bolus = self._records.boluses.number
        self._reserve()
        self._log.log("committed", digest=0, sequence=0, drug=0)
        self._reserve()
        self._log.log("committed", digest=1, sequence=0, drug=0)
        work_off(self._log)

    def _commit(self) -> None:
        """A prescription of 1 to 24 periods."""
        self._commits += 1
        rx = firmware("prescription").Prescription()
        rx.patient, rx.mode, rx.basal = "bench-07", 2, self.rate
        rx.periods = [(0x7F, 60 * hour, 60 * hour + 30, self.rate) for hour in range(1 + self._commits % 24)]
        self._records.commit_prescription(rx)
        self._reserve()
        self._log.log("committed", digest=2, sequence=self._commits, drug=0)
        work_off(self._log)

    def _cut(self) -> None:
        """Power fails in one of the two writes of a reservation; the start that follows."""
        self.part.cut_in(self._rng.randrange(2), self._rng.choice(MODELS), self._rng.randrange(PAGE))
        try:
            self._reserve()
        except PowerCut:
            self.part.power_on()
        self._load()
        counters = self._records.counters
        counters.count_start(0, 0)
        counters.save()
        self._reserve()
        self._log.log("assumed", steps=1, volume_nl=25)
        work_off(self._log)

    def _load(self) -> None:
        self._records = firmware("records").Records(self.part, [0, 0, 0, 0], BOARD_ID)
        found = self._records.load()
        if found:
            raise RuntimeError(f"alarms {found} in a life without damage")
        self._records.cascade.set_rate(self.rate)
        self._log = event_log(self._records, self.part)
        work_off(self._log)
