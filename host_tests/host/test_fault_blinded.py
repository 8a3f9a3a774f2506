"""A wrong bit in a watcher, and then what it watches: the fault campaign finds one that a bit switches off."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from fault_controls import basal

from thecal.faults import campaign, conditions, kinds_blinded, verdict
from thecal.faults.planned import LAST_US, Known
from thecal.faults.pump import Run
from thecal.faults.standing import mask
from thecal.powercut.snapshot import S
from thecal.programming import firmware

pytestmark = pytest.mark.requirement("F11", "R17", "R18", "R42")

ALARMS = firmware("alarms")
PRESSURE = firmware("pressure")
RATE = 4_800_000  # nL/day: so fast that a stall shows within the life


def watch_by_edges(self: Any) -> None:
    """As it would be if the alarm were raised only when something else is found than before."""
    app, line = self._app, self._line
    before = line.found
    line.read(app.board.millivolts(app.board.PRESSURE), 0)
    if line.found and line.found != before:
        app.alarms.raise_(ALARMS.OCCLUSION)
    elif before and not line.found:
        app.alarms.gone(ALARMS.OCCLUSION)


def injected(number: int) -> verdict.Verdict:
    life = basal(RATE)
    known = Known(life, Run(life).lead(), {})
    planned = kinds_blinded.blinded(known, Random(number))
    seen = campaign.lead(known, planned, "")
    assert "app.pressure._line.found: 0 -> " in planned.what
    return verdict.judge(life, known.seen, seen, planned.must, planned.most)


def test_a_detector_that_one_bit_switches_off_is_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    of_pressure = kinds_blinded.adc(conditions.PRESSURE, 1_500, "app.pressure._line.found")
    monkeypatch.setattr(kinds_blinded, "CONDITIONS", (of_pressure,))
    monkeypatch.setattr(kinds_blinded, "OWN_SHARE", 1)
    monkeypatch.setattr(kinds_blinded, "SLOW_SHARE", 0)
    assert {injected(number).kind for number in range(5)} == {verdict.DETECTED}
    made = PRESSURE.Line.__init__

    def make(self: Any) -> None:
        made(self)
        self._released_mv = 0

    monkeypatch.setattr(PRESSURE.Line, "__init__", make)
    monkeypatch.setattr(PRESSURE.Pressure, "watch", watch_by_edges)
    found = [injected(number) for number in range(5)]
    assert verdict.UNSAFE in {each.kind for each in found}
    assert all("OCCLUSION" in each.why for each in found if each.kind == verdict.UNSAFE)


STALL, LATEST_US = "the motor does not follow", LAST_US + kinds_blinded.AFTER_US[1]
CONDITIONS = {condition[0]: condition for condition in kinds_blinded.CONDITIONS}


@pytest.mark.parametrize("name", sorted(set(CONDITIONS) - {STALL}))
def test_each_condition_comes_early_enough_to_be_demanded(name: str) -> None:
    """At its latest it is told, and nothing said would be unsafe."""
    _, strike, _, alarms = CONDITIONS[name]
    life = basal(RATE)
    reference = Run(life).lead()
    seen = Run(life, lambda run: run.at(LATEST_US, strike)).lead()
    must = mask(alarms)
    assert verdict.judge(life, reference, seen, must).kind == verdict.DETECTED
    (its,) = (each for _, each, is_so in conditions.conditions(life, reference, seen, must) if is_so)
    assert seen.alarms & its
    seen.alarms, seen.watch = 0, []
    assert conditions.silent(life, reference, seen, must)


def test_a_stall_that_nobody_sees_is_long_enough_to_be_demanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is seen stops the pump, and pulses with it."""
    _, strike, _, _ = CONDITIONS[STALL]
    life = basal(RATE)
    reference = Run(life).lead()
    assert verdict.judge(life, reference, Run(life, lambda run: run.at(LATEST_US, strike)).lead(), 0).kind == "detected"
    monkeypatch.setattr(firmware("motion").Motion, "watch", lambda self: None)
    seen = Run(life, lambda run: run.at(LATEST_US, strike)).lead()
    assert verdict.judge(life, reference, seen, 0).kind == verdict.UNSAFE


def test_the_battery_has_the_time_that_it_needs() -> None:
    life = basal(RATE)
    known = Known(life, Run(life).lead(), {})
    drawn = [kinds_blinded.blinded(known, Random(number)) for number in range(400)]
    slow = [planned.needs_s for planned in drawn if planned.needs_s]
    assert 0 < len(slow) < 40
    assert min(slow) * S >= LATEST_US + conditions._NEED_NOT[conditions.BATTERY][2]
