"""How long the pump needs to recover after a power cut, on the emulated board: clean, torn, full and rotten EEPROMs.

The pump asks its clock for the first time when its records are loaded; that is how loading is seen from outside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from thecal.bench.context import Context, Figures
from thecal.bench.rig import MS, S, continuous
from thecal.bench.starts import Watched
from thecal.models.at24c256 import METASTABLE, PAGE_SIZE, WRITE_CYCLE_NS
from thecal.models.board_id import board_id
from thecal.models.tears import MODELS
from thecal.programming import MemoryEeprom, firmware, programmed_image
from thecal.scenario import Scenario

_FIRST_CUT_NS = 5 * S
_APART_NS = 7 * S
_PHASE_NS = 137 * MS  # power-ons fall into different parts of the RTC's second
_OFF_NS = 2 * S
_TEARS = (*MODELS, METASTABLE, None)
_ROTTEN = 10  # garbage pages in each ring: more than one start makes empty


@dataclass
class _Times:
    """From power-on, ns: to loaded records, and to DRIVE. reading: first EEPROM transaction to the first of the RTC."""

    loaded: list[int] = field(default_factory=list)
    dosing: list[int] = field(default_factory=list)
    reading: list[int] = field(default_factory=list)


class _Starts(Watched):
    """A pump whose transactions with EEPROM and RTC are noted, and whose power is cut as it is told."""

    def __init__(self, context: Context, scenario: Scenario, image: bytes | None) -> None:
        super().__init__(context, scenario)
        bench = self.rig.bench
        if image is not None:
            bench.eeprom.load(image)
        self._tear: str | None = None
        self._waiting = False
        self._eeprom: list[int] = []
        self._rtc: list[int] = []
        self._note(bench.eeprom, self._eeprom)
        self._note(bench.rtc, self._rtc)
        bench.eeprom.on_page_written.append(self._written)

    @staticmethod
    def _note(part: Any, times: list[int]) -> None:
        inner = part.start

        def start(read: bool, now_ns: int) -> bool:
            times.append(now_ns)
            return inner(read, now_ns)

        part.start = start

    def cut_now(self, tear: str | None) -> None:
        """Cut the power for two seconds."""
        self._level = False
        self.powered.append(self.board.now_ns() + _OFF_NS)
        self.board.power_cut(_OFF_NS, tear)

    def cut_in_write(self, tear: str | None) -> None:
        """Cut it in the middle of the next page write."""
        self._waiting, self._tear = True, tear

    def _written(self, page: int, now_ns: int) -> None:
        if self._waiting:
            self._waiting = False
            self.board.at(now_ns + WRITE_CYCLE_NS // 2, lambda: self.cut_now(self._tear))

    def times(self) -> _Times:
        """Of every start that was not cut short, but the first: no power was cut before that one."""
        found = _Times()
        for on, end in zip(self.powered[1:], [*self.powered[2:], self.board.now_ns() + _OFF_NS], strict=True):
            if end - _OFF_NS - on < _FIRST_CUT_NS:
                continue
            loaded = self.after(self._rtc, on)
            found.loaded.append(loaded - on)
            found.reading.append(loaded - self.after(self._eeprom, on))
            found.dosing.append(self.after(self.drives, on) - on)
        return found


def measure(context: Context) -> Figures:
    """The keys recovery_*."""
    scenario = continuous("28.8 mL/day")
    full = full_history(scenario)
    cuts = context.count(8, 2)
    clean = _cuts(context, scenario, None, cuts, torn=False)
    context.progress(0.25)
    torn = _cuts(context, scenario, None, cuts, torn=True)
    context.progress(0.5)
    filled = _cuts(context, scenario, full, cuts, torn=True)
    context.progress(0.75)
    worst = _rotten(context, scenario, full, context.count(4, 1))
    everything = (clean, torn, filled, worst)
    return {
        "recovery_reading_ms": max(filled.reading) / MS,
        "recovery_loaded_ms_clean": max(clean.loaded) / MS,
        "recovery_loaded_ms_torn": max(torn.loaded) / MS,
        "recovery_loaded_ms_full": max(filled.loaded) / MS,
        "recovery_loaded_ms_rotten": max(worst.loaded) / MS,
        "recovery_dosing_ms": max(max(times.dosing) for times in everything[:3]) / MS,
        "recovery_dosing_ms_rotten": max(worst.dosing) / MS,
        "recovery_starts": sum(len(times.loaded) for times in everything),
    }


def _cuts(context: Context, scenario: Scenario, image: bytes | None, cuts: int, torn: bool) -> _Times:
    """Starts after cuts: in page writes, torn by one model after the other, or at any time."""
    starts = _Starts(context, scenario, image)
    for number in range(cuts):
        tear = _TEARS[number % len(_TEARS)]
        action = starts.cut_in_write if torn else starts.cut_now
        at = _FIRST_CUT_NS + number * (_APART_NS + _OFF_NS + _PHASE_NS)
        starts.board.at(at, lambda action=action, tear=tear: action(tear))
        # `clear` writes a ledger record, alarm or not; without an order the next one might take 55 s.
        starts.board.at(at + MS, lambda: starts.board.send(b"\x15clear\r"))
    starts.board.run(_FIRST_CUT_NS + cuts * (_APART_NS + _OFF_NS + _PHASE_NS))
    return starts.times()


def _rotten(context: Context, scenario: Scenario, full: bytes, starts: int) -> _Times:
    """Starts from EEPROMs in which every ring has more garbage than one start makes empty."""
    found = _Times()
    for number in range(starts):
        pump = _Starts(context, scenario, None)
        image = rotten(full, number)
        pump.board.at(_FIRST_CUT_NS + number * _PHASE_NS, lambda pump=pump: pump.cut_now(None))
        pump.board.run(_FIRST_CUT_NS + number * _PHASE_NS + _OFF_NS // 2)
        pump.rig.bench.eeprom.load(image)
        pump.board.run(2 * _FIRST_CUT_NS + number * _PHASE_NS + _OFF_NS)
        times = pump.times()
        found.loaded += times.loaded
        found.dosing += times.dosing
        found.reading += times.reading
    return found


def full_history(scenario: Scenario) -> bytes:
    """The EEPROM of the scenario's pump after years: every ring has gone round."""
    eeprom = MemoryEeprom(programmed_image(scenario.pump, scenario.prescription, scenario.start))
    records = firmware("records").Records(eeprom, [0, 0, 0, 0], board_id(scenario.pump.serial))
    layout, pages, rings = firmware("layout"), firmware("pages"), firmware("rings")
    records.load()
    _, _, _, day, second = records.recovered
    for _ in range(2 * layout.BOLUS_PAGES + 3):
        records.boluses.mirror.append(b"")  # a bolus of no dose in the year 2000: it counts for nothing
    for _ in range(2 * layout.COUNTERS_PAGES + 3):
        records.counters.save()
    records.ledger.bolus = records.boluses.number
    for _ in range(2 * layout.LEDGER_PAGES + 3):
        records.ledger.close(records.cascade, day, second)
    for first, count, kind in (
        (layout.EVENTS_FIRST, layout.EVENTS_PAGES, pages.EVENT),
        (layout.FAULTS_FIRST, layout.FAULTS_PAGES, pages.FAULT),
    ):
        ring = rings.Ring(eeprom, first, count, kind)
        for _ in range(count + count // 2):
            ring.append(b"")
    return bytes(eeprom.memory)


def rotten(full: bytes, seed: int) -> bytes:
    """The same with garbage in pages of each copy of each ring; the newest records and their neighbours are whole."""
    layout, pages = firmware("layout"), firmware("pages")
    rng = Random(seed)
    image = bytearray(full)
    for name in ("LEDGER", "BOLUS", "COUNTERS"):
        count = getattr(layout, f"{name}_PAGES")
        for first in getattr(layout, f"{name}_FIRSTS"):
            newest = max(range(first, first + count), key=lambda page: pages.examine(_page(image, page))[2])
            spoilt = [first + (newest - first + offset) % count for offset in range(3, count - 2)]
            for page in rng.sample(spoilt, min(_ROTTEN, len(spoilt))):
                image[page * PAGE_SIZE : (page + 1) * PAGE_SIZE] = rng.randbytes(PAGE_SIZE)
    return bytes(image)


def _page(image: bytearray, page: int) -> bytearray:
    return image[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
