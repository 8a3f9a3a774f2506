"""The therapies of the power cuts on the emulated board, and what is drawn for each cut of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from thecal.models.at24c256 import METASTABLE, WRITE_CYCLE_NS
from thecal.models.tears import MODELS
from thecal.prescription import Prescription, commit_line, stage_lines
from thecal.programming import pack
from thecal.scenario import Scenario, parse_scenario

MS = 1_000_000
S = 1_000_000_000
STARTED_NS = 3 * S  # a pump has started by then
_START = datetime(2026, 3, 2)
_LINE_EVERY_NS = 60 * MS
_TEARS = (*MODELS, METASTABLE, None)
# After the page under way most often comes its copy, one read-back and one transfer later.
_BEYOND_NS = 12 * MS
_SKIPS = (0, 0, 0, 0, 1, 1, 2, 3, 5)  # page writes that are let pass

Typed = list[tuple[int, str]]  # ns after power-on, line


@dataclass(frozen=True)
class Cut:
    """When and how the power fails. Times in ns after the power-on that went before.

    aimed: not at after_ns but delay_ns after a page write from there on, the first one but `skip`, at last_ns at the
    latest. off_ns: how long the power stays off. tear: the model by which a page under way is torn.
    """

    after_ns: int
    aimed: bool
    skip: int
    delay_ns: int
    last_ns: int
    off_ns: int
    tear: str | None


@dataclass(frozen=True)
class Plan:
    """One therapy. longest_ns: of a life from power-on to cut. record_ns: within it a ledger record is written, for
    certain, while it doses. hangs: the processor is hung now and then.

    other: the prescription that is programmed in mid-run, and the first one again. lines: what is typed in a life.
    """

    name: str
    scenario: Scenario
    longest_ns: int
    record_ns: int = 57 * S
    hangs: bool = False
    other: Prescription | None = None
    lines: Callable[[Random, int], Typed] | None = None

    @property
    def can_stop(self) -> bool:
        """Whether it may be stopped by an order."""
        return self.lines is _orders


def plans() -> dict[str, Plan]:
    """All of them, by name."""
    lowest = {"mode": "continuous", "basal": "6 uL/day"}
    found = [
        Plan("low", _scenario({"mode": "continuous", "basal": "240 uL/day"}), 70 * S),
        Plan("least", _scenario(lowest), 420 * S, 365 * S),
        Plan("high", _scenario({"mode": "continuous", "basal": "28.8 mL/day"}), 70 * S),
        Plan("flex", _scenario(_flex()), 70 * S),
        Plan("program", _scenario({"mode": "continuous", "basal": "12 mL/day"}), 7 * S, other=_other()),
        Plan("orders", _scenario({"mode": "continuous", "basal": "24 mL/day"}), 12 * S, lines=_orders),
        Plan("hang", _scenario({"mode": "continuous", "basal": "10 mL/day"}), 16 * S, hangs=True),
        Plan("bolus", _scenario({"mode": "continuous", "basal": "240 uL/day"}), 20 * S, lines=_bolus),
    ]
    return {plan.name: plan for plan in found}


def draw(plan: Plan, rng: Random, commit_ns: int | None = None) -> Cut:
    """The next cut: a quarter while the pump starts, half of all in a write cycle, some shortly behind one.

    commit_ns: when a prescription is put in force, after the power-on; most cuts then come at that time.
    """
    aimed = rng.random() < 0.65
    if rng.random() < 0.25:
        after = rng.randrange(STARTED_NS)
    elif commit_ns is not None:
        after = commit_ns + rng.randrange(-60 * MS, 500 * MS)
    elif aimed and plan.lines is None:
        # A write must follow: that of the start, or the next reservation.
        after = STARTED_NS // 2 + rng.randrange(max(STARTED_NS // 2, plan.longest_ns - plan.record_ns))
    else:
        after = rng.randrange(STARTED_NS, plan.longest_ns)
    delay = rng.randrange(WRITE_CYCLE_NS) if rng.random() < 0.85 else rng.randrange(_BEYOND_NS)
    off = rng.randrange(S // 2, 2 * S)
    skip = rng.choice(_SKIPS)
    return Cut(after, aimed, skip, delay, max(after, plan.longest_ns), off, rng.choice(_TEARS))


def program_lines(rx: Prescription) -> list[str]:
    """What stages a prescription and puts it in force."""
    lines = stage_lines(rx, pack)
    return [*lines, commit_line(lines)]


def typed_from(first_ns: int, lines: list[str]) -> Typed:
    """These lines, at a typing machine's pace."""
    return [(first_ns + index * _LINE_EVERY_NS, line) for index, line in enumerate(lines)]


def _scenario(prescription: dict[str, Any]) -> Scenario:
    rx = {"patient": "bench", "drug": "saline", **prescription}
    return parse_scenario({"start": _START.isoformat(), "duration": "1 d", "prescription": rx}, Path())


def _flex() -> dict[str, Any]:
    """A high rate in every third minute."""
    periods = [
        {"days": "daily", "from": f"00:{minute:02}", "to": f"00:{minute + 1:02}", "rate": "20 mL/day"}
        for minute in range(1, 59, 3)
    ]
    return {"mode": "flex", "basal": "480 uL/day", "period": periods}


def _other() -> Prescription:
    # Large enough to fill several pages of a slot.
    return _scenario({**_flex(), "basal": "6 mL/day"}).prescription


def _orders(rng: Random, cut_ns: int) -> Typed:
    """A stop and its end shortly before the cut, or only one of the two."""
    last = max(STARTED_NS, cut_ns + rng.randrange(-60 * MS, 60 * MS))
    first = max(STARTED_NS, last - rng.randrange(3 * S))
    return [(first, rng.choice(("stop", "resume"))), (last, rng.choice(("stop", "resume")))]


def _bolus(rng: Random, cut_ns: int) -> Typed:
    """A bolus that is just beginning at the cut, or has been flowing for some seconds."""
    before = rng.randrange(-60 * MS, 60 * MS) if rng.random() < 0.7 else rng.randrange(8 * S)
    return [(max(STARTED_NS, cut_ns - before), "bolus 50 uL over 10 min")]
