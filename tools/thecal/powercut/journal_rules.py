"""What can happen to a pump's records: operations, resets, faults. The random walker and the state machine of
hypothesis draw from this one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thecal.models.tears import MODELS
from thecal.powercut.journal import PAUSED, RUNNING, STOPPED, Journal
from thecal.powercut.page_part import PAGE
from thecal.programming import firmware

_SIZES = (1_000, 10_000, 25_000, 1_000_000)
_RATES = (0, 6_000, 78_000, 500_000, 1_000_000, 24_000_000, 28_800_000)
_LAYOUT = firmware("layout")
_PRESCRIPTION = firmware("prescription")
_CONTINUOUS, _FLEX = 1, 2
_DAY_MAX = 36_000
_WORN_MAX = 3  # worn pages at a time: more is not a part that wears, but one that is broken

# Pages that may wear out: of every ring, and the first slot of the prescription.
_RINGS = (
    (_LAYOUT.LEDGER_FIRSTS[0], _LAYOUT.LEDGER_PAGES),
    (_LAYOUT.LEDGER_FIRSTS[1], _LAYOUT.LEDGER_PAGES),
    (_LAYOUT.BOLUS_FIRSTS[0], _LAYOUT.BOLUS_PAGES),
    (_LAYOUT.BOLUS_FIRSTS[1], _LAYOUT.BOLUS_PAGES),
    (_LAYOUT.PRESCRIPTION_FIRST, _LAYOUT.PRESCRIPTION_PAGES),
)


@dataclass(frozen=True)
class Rule:
    """apply is called with one whole number of each range (both ends included). weight: how often the walker picks it,
    relative to the others."""

    name: str
    weight: int
    ranges: tuple[tuple[int, int], ...]
    apply: Callable[..., None]

    def is_idle(self, journal: Journal) -> bool:
        """Whether it would do nothing now: such an operation is neither done nor counted."""
        return self.name == "dose" and not (journal.calibrated and journal.truth.totals.state == RUNNING)


def _dose(journal: Journal, seconds: int) -> None:
    if not journal.calibrated or journal.truth.totals.state != RUNNING:
        return
    for _ in range(seconds):
        journal.second_passes()


def _state(journal: Journal, state: int, ahead: int) -> None:
    """Resume, stop, stop for a time; a start in SAFE is the alarms' business, not the journal's."""
    if journal.records.prescription is None:
        return
    second = journal.second + ahead
    totals = journal.truth.totals
    totals.state = journal.ledger.state = (RUNNING, STOPPED, PAUSED)[state]
    totals.aside_nl = journal.ledger.aside_nl = 0  # as every stop cancels what is set aside
    totals.stop = journal.ledger.stop_day, journal.ledger.stop_second = journal.day + second // 86_400, second % 86_400
    journal.pending = 0
    journal.write_ledger(totals.state == RUNNING)


def _rate(journal: Journal, index: int) -> None:
    journal.set_rate(_RATES[index])


def _calibrate(journal: Journal, index: int, serial: int) -> None:
    if journal.truth.totals.state == RUNNING and journal.calibrated:
        _state(journal, STOPPED, 0)
    if journal.truth.totals.state != RUNNING:
        journal.commit_calibration(_SIZES[index], f"bench-{serial:02d}")


def _program(journal: Journal, patient: int, periods: int) -> None:
    rx = _PRESCRIPTION.Prescription()
    rx.patient = f"walker-{patient}"
    rx.mode = _FLEX if periods else _CONTINUOUS
    rx.basal = 1_000_000 + patient
    rx.periods = [(0x7F, 60 * hour, 60 * hour + 30, 2_000_000) for hour in range(periods)]
    journal.commit_prescription(rx)


def _bolus(journal: Journal, kind: int, minutes: int, dose_nl: int) -> None:
    """A bolus begins: history first, then the ledger says that it flows."""
    before = journal.starts
    journal.begin_bolus(kind, 60 * minutes, dose_nl, 0)
    ledger, truth = journal.ledger, journal.truth
    if journal.starts != before or not journal.calibrated or not truth.boluses or not truth.boluses[-1][1]:
        return
    truth.totals.bolus = ledger.bolus = journal.records.boluses.number
    truth.totals.bolus_left_nl = ledger.bolus_left_nl = dose_nl
    if truth.totals.state == RUNNING:
        truth.totals.aside_nl = ledger.aside_nl = dose_nl // 3 * kind
    journal.write_ledger(truth.totals.state == RUNNING)


def _bolus_ends(journal: Journal) -> None:
    if journal.truth.totals.bolus_left_nl:
        journal.truth.totals.bolus_left_nl = journal.ledger.bolus_left_nl = 0
        journal.truth.totals.aside_nl = journal.ledger.aside_nl = 0
        journal.write_ledger(journal.truth.totals.state == RUNNING)


def _refill(journal: Journal, volume_nl: int) -> None:
    if not journal.calibrated:
        return
    journal.ledger.refill(volume_nl)
    journal.truth.totals.reservoir_pl = volume_nl * 1_000
    journal.write_ledger(journal.truth.totals.state == RUNNING)


def _missed(journal: Journal, volume_nl: int) -> None:
    """Told to the next record, whenever that is written: a cut may forget it, so it is written at once here."""
    if not journal.calibrated:
        return
    journal.truth.totals.missed_nl = journal.ledger.missed_nl = journal.truth.totals.missed_nl + volume_nl
    journal.write_ledger(journal.truth.totals.state == RUNNING)


def _clock(journal: Journal, by_s: int) -> None:
    """The operator sets the clock: pump time goes on as if nothing had happened."""
    if not journal.calibrated:
        return
    moved = journal.day * 86_400 + journal.second + by_s
    if not 86_400 <= moved < _DAY_MAX * 86_400:
        return
    before = journal.ledger.pump_time(journal.day, journal.second)
    journal.day, journal.second = divmod(moved, 86_400)
    journal.truth.totals.shift = journal.ledger.shift = (journal.truth.totals.shift + by_s) & 0xFFFFFFFF
    if journal.ledger.pump_time(journal.day, journal.second) != before:
        raise AssertionError("I6: setting the clock moved pump time")
    journal.write_ledger(journal.truth.totals.state == RUNNING)


def _log(journal: Journal) -> None:
    journal.write_event()


# -- what goes wrong --------------------------------------------------------------------------------------------------


def _cut(journal: Journal) -> None:
    journal.restart()


def _watchdog(journal: Journal) -> None:
    journal.keep_scratch = True
    journal.restart()


def _cut_in(journal: Journal, writes: int, model: int, at: int, metastable: int) -> None:
    """Power will fail in one of the next page writes."""
    journal.keep_scratch = False
    journal.part.cut_in(writes, MODELS[model], at, metastable == 0)


def _reset_in(journal: Journal, writes: int, done: int) -> None:
    """The watchdog will bite in one of the next page writes: the part finishes it, or never got it."""
    journal.keep_scratch = True
    journal.part.cut_in(writes, "new" if done else "old")


def _cut_start(journal: Journal, writes: int, model: int, at: int, metastable: int) -> None:
    """The next start will be cut too."""
    if len(journal.start_cuts) < 3:
        journal.start_cuts.append((writes, MODELS[model], at, metastable == 0))


def _refuse(journal: Journal, writes: int, reads: int) -> None:
    journal.part.refuse_writes = writes
    journal.part.refuse_reads = reads


def _misread(journal: Journal, reads: int) -> None:
    """A bit comes wrong over the bus once, in one of the next pages that are read: in a start, as a rule."""
    journal.part.misread_in = reads


def _wear(journal: Journal, ring: int, page: int, bit: int) -> None:
    """A page wears out: it keeps what it has, or a bit of it is stuck."""
    part = journal.part
    if len(part.worn) + len(part.refusing) >= _WORN_MAX:
        return
    first, count = _RINGS[ring]
    worn = first + page % count
    if bit % 8 == 0:
        part.refusing.add(worn)
        return
    zeros, ones = bytearray(b"\xff" * PAGE), bytearray(PAGE)
    if bit % 2:
        ones[bit // 8] = 1 << bit % 8
    else:
        zeros[bit // 8] ^= 1 << bit % 8
    part.worn[worn] = bytes(zeros), bytes(ones)


def _set_state(journal: Journal, state: int, ahead: int) -> None:
    _state(journal, state, ahead)


_TEAR: tuple[tuple[int, int], ...] = ((0, len(MODELS) - 1), (0, PAGE), (0, 3))

RULES: tuple[Rule, ...] = (
    Rule("dose", 600, ((1, 60),), _dose),
    Rule("state", 60, ((0, 2), (0, 3_600)), _set_state),
    Rule("rate", 40, ((0, len(_RATES) - 1),), _rate),
    Rule("calibrate", 6, ((0, len(_SIZES) - 1), (0, 99)), _calibrate),
    Rule("program", 10, ((0, 9_999), (0, 24)), _program),
    Rule("bolus", 40, ((0, 2), (1, 60), (1, 100_000)), _bolus),
    Rule("bolus_ends", 30, (), _bolus_ends),
    Rule("refill", 8, ((1_000, 40_000_000),), _refill),
    Rule("missed", 20, ((1, 100_000),), _missed),
    Rule("clock", 8, ((-10_000_000, 10_000_000),), _clock),
    Rule("log", 30, (), _log),
    Rule("cut", 8, (), _cut),
    Rule("watchdog", 8, (), _watchdog),
    Rule("cut_in", 16, ((0, 14), *_TEAR), _cut_in),
    Rule("reset_in", 6, ((0, 14), (0, 1)), _reset_in),
    Rule("cut_start", 10, ((0, 6), *_TEAR), _cut_start),
    Rule("refuse", 10, ((0, 8), (0, 8)), _refuse),
    Rule("misread", 4, ((0, 300),), _misread),
    Rule("wear", 1, ((0, len(_RINGS) - 1), (0, 63), (0, 511)), _wear),
)


def describe(name: str, values: tuple[Any, ...]) -> str:
    """One line of a replay."""
    return f"{name}({', '.join(map(str, values))})"
