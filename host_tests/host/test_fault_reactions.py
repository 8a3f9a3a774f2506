"""Alarms that lower delivery, in the fault campaign: `rtc_lost` leaves the lowest rate, `low_reservoir` lets no bolus
begin; what flows all the same is unsafe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fault_controls import basal, idle

from thecal.faults import disclosed, verdict
from thecal.faults.campaign import lead
from thecal.faults.conditions import LEVEL
from thecal.faults.follow_up import LONGER_S
from thecal.faults.life import Life
from thecal.faults.planned import Known, Planned
from thecal.faults.plans import Plan, planned_life
from thecal.faults.pump import Run, Seen
from thecal.powercut.snapshot import S
from thecal.programming import firmware

pytestmark = pytest.mark.requirement("F11", "R06", "R17", "R18", "R32", "R42", "D11")

ALARMS = firmware("alarms")
RATE = 4_800_000  # nL/day
LOW_MV = 400  # of the level sensor: low, and not empty
DOSE_NL, DOSE_S = 5_000, 100


def flex(rate: int, other: int, size: int = 25_000) -> Life:
    """The other rate from 60 s to 120 s."""
    start = basal(rate).start
    period = {"days": "daily", "from": "00:01", "to": "00:02", "rate": f"{other} nL/day"}
    table = {**basal(rate).table, "mode": "flex", "period": [period]}
    rates = [(0, rate), (60 * S, other), (120 * S, rate)]
    return planned_life("flex", Plan(size, rate, rate, start, table), rates)


def with_bolus(at_s: int, rate: int = RATE) -> Life:
    bolus = (at_s * S, DOSE_S, DOSE_NL)
    line = (at_s * S, f"bolus {DOSE_NL} nL over {DOSE_S} s")
    return replace(basal(rate), kind="clinician", boluses=[bolus], lines=[line])


def lose_clock(run: Run) -> None:
    """Found within 20 s."""
    run.at(30 * S, lambda board: setattr(board.bench, "rtc_shift_s", 100))


def lower_level(run: Run) -> None:
    """Found within 12 s."""
    run.at(60 * S, lambda board: board.bench.show(LEVEL, LOW_MV, board.now_us))


def seen_of(life: Life, plan: Callable[[Run], None], most: disclosed.Steps = disclosed.nothing) -> Seen:
    return lead(Known(life, Run(life).lead(), {}), Planned("", plan, most=most), "")


def judged(life: Life, seen: Seen, most: disclosed.Steps = disclosed.nothing) -> verdict.Verdict:
    return verdict.judge(life, Run(life).lead(), seen, 0, most)


@pytest.fixture
def unmoved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pump whose delivery no alarm changes but one that stops it, and whose guard sees nothing."""
    reaction = ALARMS.Alarms.reaction

    def stops_only(self: Any) -> int:
        found = reaction(self)
        return found if found == ALARMS.STOP else ALARMS.UNCHANGED

    monkeypatch.setattr(ALARMS.Alarms, "reaction", stops_only)
    monkeypatch.setattr(firmware("guard").Guard, "run", idle("guard"))


LOST = (
    flex(RATE, 480_000),
    flex(480_000, RATE),
    flex(RATE, 0),
    flex(480_000, 36_000, 1_000),
    with_bolus(20),
    with_bolus(60),
    basal(RATE),
    basal(36_000),
)


@pytest.mark.parametrize("life", LOST)
def test_a_pump_that_obeys_a_lost_clock_is_safe(life: Life) -> None:
    seen = seen_of(life, lose_clock)
    assert seen.alarms >> ALARMS.RTC_LOST & 1
    found = judged(life, seen)
    assert found.kind == verdict.DETECTED, found


@pytest.mark.parametrize("life", [LOST[0], LOST[1], LOST[3], LOST[4], LOST[5]])
@pytest.mark.parametrize("most", [disclosed.nothing, disclosed.leap, disclosed.presses])
def test_a_pump_that_disregards_a_lost_clock_is_unsafe(life: Life, most: disclosed.Steps, unmoved: None) -> None:
    found = judged(life, seen_of(life, lose_clock, most), most)
    assert found.kind == verdict.UNSAFE
    assert "that lowers delivery" in found.why


def test_a_lost_clock_that_a_restart_finds_is_obeyed_from_there_on() -> None:
    def plan(run: Run) -> None:
        lose_clock(run)
        run.at(100 * S, lambda board: board.hang())

    for life in LOST:
        seen = seen_of(life, plan)
        assert seen.resets
        assert judged(life, seen).kind == verdict.DETECTED, life.kind


def lost_at(life: Life, at_us: int) -> Seen:
    """The life without a fault, but for this alarm, as if it had been raised and nothing else had come of it."""
    seen = Run(life).lead()
    seen.alarms |= 1 << ALARMS.RTC_LOST
    seen.watch.append((at_us, seen.watch[-1][1] | 1 << ALARMS.RTC_LOST))
    return seen


def test_steps_of_a_bolus_after_a_lost_clock_are_unsafe_and_a_step_that_waited_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verdict, "fault_of_an_alarm", lambda *_: "")  # that it is not heard is another matter
    life = with_bolus(60, 36_000)
    seen = lost_at(life, 100 * S)
    seen.trains = [(60 * S + n * 490_000, 1, 1) for n in range(80)]  # to 99 s: the bolus, until then
    assert verdict.judge(life, seen, seen, 0).kind == verdict.MASKED
    seen.trains.append((103 * S, 1, 1))
    assert verdict.judge(life, seen, seen, 0).kind == verdict.MASKED
    seen.trains.append((105 * S, 1, 1))
    found = verdict.judge(life, seen, seen, 0)
    assert found.kind == verdict.UNSAFE
    assert not found.excess_pl  # as the bolus was demanded, there is nothing beyond
    seen.watch[-1] = (104 * S, 1 << ALARMS.RTC_LOST)  # two seconds are in order
    assert verdict.judge(life, seen, seen, 0).kind == verdict.MASKED


def test_in_a_stop_a_lost_clock_demands_nothing() -> None:
    life = replace(basal(RATE), kind="stopped", rates=[(0, RATE), (22 * S, 0)], lines=[(20 * S, "stop")])
    seen = seen_of(life, lose_clock)
    assert seen.alarms >> ALARMS.RTC_LOST & 1
    assert judged(life, seen).kind == verdict.DETECTED
    seen.trains.append((100 * S, S, 20))
    assert judged(life, seen).kind == verdict.UNSAFE


def test_a_slow_pump_without_a_clock_that_believes_in_a_higher_rate_is_followed(unmoved: None) -> None:
    """The lowest rate was that of the period, which is over."""
    life = flex(60_000, 30_000)
    seen = seen_of(life, lose_clock)
    assert seen.rate == 60_000
    assert seen.end_us > LONGER_S * S
    assert judged(life, seen).kind == verdict.UNSAFE


def test_a_pump_that_has_stopped_is_not_followed_for_a_lost_clock() -> None:
    def plan(run: Run) -> None:
        lose_clock(run)
        run.at(150 * S, lambda board: setattr(board.bench, "diag", True))

    life = flex(60_000, 30_000)
    seen = seen_of(life, plan)
    assert seen.watch[-1][1] >> ALARMS.RTC_LOST & 1
    assert seen.end_us < LONGER_S * S
    assert judged(life, seen).kind == verdict.DETECTED


# -- no bolus begins ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_s", [40, 80])
def test_a_low_reservoir_lets_a_bolus_end_and_begins_none(at_s: int) -> None:
    life = with_bolus(at_s)
    seen = seen_of(life, lower_level)
    assert seen.alarms >> ALARMS.LOW_RESERVOIR & 1
    assert bool(seen.begun) == (at_s < 60)
    assert judged(life, seen).kind == verdict.DETECTED


@pytest.mark.parametrize(("at_s", "kind"), [(40, verdict.DETECTED), (80, verdict.UNSAFE)])
def test_a_bolus_that_begins_with_a_low_reservoir_is_unsafe(at_s: int, kind: str, unmoved: None) -> None:
    life = with_bolus(at_s)
    seen = seen_of(life, lower_level)
    assert seen.begun
    found = judged(life, seen)
    assert found.kind == kind, found


def test_a_patient_bolus_with_a_low_reservoir_is_unsafe_whatever_the_button_does(unmoved: None) -> None:
    bolus = (80 * S, DOSE_S, DOSE_NL)
    patient = {"dose": f"{DOSE_NL} nL", "over": f"{DOSE_S} s", "lockout": "10 min", "max_per_day": 4}
    plain = basal(RATE)
    made = planned_life("patient", Plan(25_000, RATE, RATE, plain.start, {**plain.table, "patient_bolus": patient}))
    life = replace(made, boluses=[bolus], presses=[bolus[0]])
    seen = seen_of(life, lower_level, disclosed.presses)
    assert seen.begun
    assert judged(life, seen, disclosed.presses).kind == verdict.UNSAFE
