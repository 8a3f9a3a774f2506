"""Lives in a trial or a bridge, in the fault campaign: what ends one falsely, and unsaid, is unsafe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from fault_controls import basal

from thecal.faults import disclosed, lives, memory, plans, verdict
from thecal.faults.campaign import lead
from thecal.faults.kinds import _COURSE
from thecal.faults.kinds_time import clocks
from thecal.faults.life import MONDAY, Life
from thecal.faults.planned import Known, Planned
from thecal.faults.pump import Run
from thecal.powercut.snapshot import S
from thecal.programming import firmware

pytestmark = pytest.mark.requirement("F5", "F7", "F11", "R17", "R18")

SELFTEST, COURSES = firmware("selftest").SelfTest, firmware("courses").Courses


def drawn(kind: str) -> Life:
    """A life of this kind."""
    return next(life for life in (lives.draw(Random(seed)) for seed in range(400)) if life.kind == kind)


def bridge() -> Life:
    """The old rate is a tenth of the new one."""
    life = replace(basal(4_800_000), kind="bridge", rates=[(0, 480_000)])
    return lives._in_course(life, Random(1), bridge_nl=300_000, bridge_rate=480_000)


def trial() -> Life:
    """Without basal; after it the lowest rate."""
    table = {**basal(6_000).table, "basal": "0 nL/day"}
    life = plans.planned_life("trial", plans.Plan(1_000, 0, 0, MONDAY, table))
    return lives._in_course(life, Random(1), trial_s=200_000, afterwards=0)


def flip(name: str, bit: int) -> Callable[[Any], None]:
    def strike(app: Any) -> None:
        holder = app.ledger if hasattr(app.ledger, name) else app.records.prescription.course
        setattr(holder, name, memory.flipped_bit(getattr(holder, name), bit))

    return strike


def struck(life: Life, strike: Callable[[Any], None]) -> verdict.Verdict:
    """What comes of a flip at 60 s."""
    known = Known(life, Run(life).lead(), {})
    planned = Planned("", lambda run: run.at(60 * S, lambda board: strike(run.app)), most=disclosed.sums)
    return verdict.judge(life, known.seen, lead(known, planned, ""), 0, disclosed.sums)


STORE_LATER = COURSES._store_later


def at_once(self: Any, course: Any) -> None:
    """In place of Courses._store_later: an end is stored in the frame in which it is found."""
    STORE_LATER(self, course)
    self._wait = 0
    self._app.must_record = False


CASES = (
    (lambda: drawn("mode stopped"), flip("trial_s", 19)),
    (lambda: drawn("basal 0"), flip("trial_s", 19)),
    (bridge, flip("bridge_end", 20)),
)


@pytest.mark.parametrize(("make", "strike"), CASES, ids=("mode stopped", "basal 0", "bridge"))
def test_without_a_look_at_the_record_a_wrong_bit_of_a_course_is_unsafe(
    make: Callable[[], Life], strike: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = make()
    assert struck(life, strike).kind == verdict.DETECTED
    monkeypatch.setattr(SELFTEST, "records_hold", lambda self: True)
    assert struck(life, strike).kind == verdict.DETECTED  # the guard sees a rate that it does not expect
    monkeypatch.setattr(COURSES, "_store_later", at_once)
    assert struck(life, strike).kind == verdict.UNSAFE


@pytest.mark.parametrize(("make", "strike"), [(trial, flip("shift", 21)), (bridge, flip("volume_pl", 33))])
def test_an_end_that_is_stored_before_the_guard_has_seen_it_is_unsafe(
    make: Callable[[], Life], strike: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = make()
    assert struck(life, strike).kind == verdict.DETECTED
    monkeypatch.setattr(COURSES, "_store_later", at_once)
    assert struck(life, strike).kind == verdict.UNSAFE


@pytest.mark.parametrize("kind", ["mode stopped", "basal 0", "trial", "bridge"])
def test_what_a_course_is_told_from_is_reached(kind: str) -> None:
    run = Run(drawn(kind))
    run.lead(30)
    found = memory.leaves(run.app)
    for wanted in _COURSE:
        assert any(name.startswith(wanted) for name in found), wanted


@pytest.mark.parametrize(("afterwards", "rate"), [(0, 6_000), (1, 0)])
def test_a_trial_over_which_the_processor_s_clock_leaps_ends_as_was_confirmed_with_an_alarm(
    afterwards: int, rate: int
) -> None:
    """As docs/LIMITS.md says: nothing tells it from an RTC that has gone back. Leaps of the campaign are shorter."""
    table = {**basal(6_000).table, "basal": "0 nL/day"}
    life = plans.planned_life("trial", plans.Plan(1_000, 0, 0, MONDAY, table))
    lives._in_course(life, Random(1), trial_s=40_000, afterwards=afterwards)

    def leap(run: Run) -> None:
        run.at(3 * S, lambda board: setattr(board.bench, "ticks_base", board.bench.ticks_base + 62_000_000))

    seen = Run(life, leap).lead(400)
    assert seen.watch[-1][1] == 1 << firmware("alarms").RTC_LOST
    assert seen.rate == rate
    known = Known(life, Run(life).lead(20), {})
    leaps = [planned.what for planned in (clocks(known, Random(n)) for n in range(400)) if "ticks_ms" in planned.what]
    assert len(leaps) > 100
    assert all(abs(int(what.split()[3])) < 25_200_000 - 240_000 for what in leaps)
