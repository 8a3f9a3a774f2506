"""Conditions of high priority in the fault campaign: each needs its own alarm, and without its watcher it is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from fault_controls import basal, idle

from thecal.faults import campaign, conditions, kinds_parts, memory, verdict
from thecal.faults.board_of_faults import FaultBoard
from thecal.faults.parts import Bench
from thecal.faults.planned import Known, Planned
from thecal.faults.pump import Run, Seen
from thecal.paths import ROOT
from thecal.powercut.snapshot import NEVER_US, S
from thecal.programming import firmware

pytestmark = pytest.mark.requirement("F11", "R17", "R18", "R42")

ALARMS = firmware("alarms")
RATE = 960_000  # nL/day
Strike = Callable[[Bench, int], None]


def adc(channel: int, millivolts: int) -> Strike:
    return lambda bench, now_us: bench.show(channel, millivolts, now_us)


def heat(quarters: int) -> Strike:
    return lambda bench, now_us: bench.heat(quarters, now_us)


def judged(strike: Strike, needs_s: int = 0, at_s: int = 60) -> tuple[Seen, verdict.Verdict]:
    life = basal(RATE)
    plan = Planned("", lambda run: run.at(at_s * S, lambda board: strike(board.bench, board.now_us)), needs_s=needs_s)
    known = Known(life, Run(life).lead(), {})
    seen = campaign.lead(known, plan, "")
    return seen, verdict.judge(life, known.seen, seen, 0)


FOUND = (
    ("pressure", "Pressure", "watch", adc(0, 2_000), "OCCLUSION", 0),
    ("pressure", "Pressure", "watch", adc(0, 0), "OCCLUSION", 0),
    ("pressure", "Pressure", "watch", adc(0, 3_299), "OCCLUSION", 0),
    ("battery", "Battery", "sense", adc(1, 0), "BATTERY_DEPLETED", 480),
    ("battery", "Battery", "sense", adc(1, 1_000), "BATTERY_DEPLETED", 480),
    ("reservoir", "Reservoir", "sense", adc(2, 300), "RESERVOIR_EMPTY", 0),
    ("temperature", "Temperature", "sense", adc(3, 500), "OVER_TEMPERATURE", 0),
    ("temperature", "Temperature", "sense", heat(240), "OVER_TEMPERATURE", 0),
)


@pytest.mark.parametrize(("module", "cls", "watcher", "strike", "alarm", "needs_s"), FOUND)
def test_without_its_watcher_a_condition_is_unsafe(
    module: str,
    cls: str,
    watcher: str,
    strike: Strike,
    alarm: str,
    needs_s: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, found = judged(strike, needs_s)
    task = {"pressure": "keep", "reservoir": "level"}.get(module, module)
    assert found.kind == verdict.DETECTED, found
    assert seen.alarms >> getattr(ALARMS, alarm) & 1
    monkeypatch.setattr(getattr(firmware(module), cls), watcher, idle(task))
    _, found = judged(strike, needs_s)
    assert found.kind == verdict.UNSAFE, found
    assert alarm in found.why


@pytest.mark.requirement("R16")
@pytest.mark.parametrize("level", [False, True])
def test_a_drive_pin_that_is_held_is_read_back(level: bool) -> None:
    def plan(run: Run) -> None:
        run.at(60 * S, lambda board: board.train.hold(level))
        if level:
            run.at(61 * S, lambda board: run.app.board.cut(True))  # else it is as it is told

    life = basal(RATE)
    known = Known(life, Run(life).lead(), {})
    seen = campaign.lead(known, Planned("", plan), "")
    assert seen.alarms >> ALARMS.SELF_TEST_FAILED & 1
    assert verdict.judge(life, known.seen, seen, 0).kind == verdict.DETECTED


@pytest.mark.parametrize("strike", [adc(0, 1_000), adc(0, 300), adc(1, 2_000), adc(2, 2_000), adc(3, 2_000), heat(219)])
def test_what_needs_no_alarm_is_not_asked_for(strike: Strike) -> None:
    seen, found = judged(strike)
    assert found.kind != verdict.UNSAFE, found
    assert not any(is_so for _, _, is_so in conditions.conditions(basal(RATE), seen, seen, 0))


def test_what_is_too_short_to_be_found_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware("temperature").Temperature, "sense", idle("temperature"))
    assert judged(adc(3, 0), at_s=212)[1].kind != verdict.UNSAFE
    assert judged(adc(3, 0), at_s=205)[1].kind == verdict.UNSAFE


def made(**changes: object) -> Seen:
    """A pump that has said nothing, of whose bench so much is known."""
    bench = Bench(20, Random(0))
    for name, value in changes.items():
        setattr(bench, name, value)
    return Seen(bench, end_us=400 * S)


@pytest.mark.parametrize(
    ("seen", "its_own"),
    [
        (made(refused=[1 * S, 9 * S]), "EEPROM_DEAD"),
        (made(eeprom_since_us=300 * S), "EEPROM_DEAD"),
        (made(stall_pulses=1_000), "STALL"),
        (made(stall_pulses=1_000), "DRIVER_FAULT"),
        (made(adc={0: 1_200}), "OCCLUSION"),
        (made(adc={1: 1_499}), "BATTERY_DEPLETED"),
        (made(adc={2: 304}), "RESERVOIR_EMPTY"),
        (made(adc={3: 600}), "OVER_TEMPERATURE"),
        (made(rtc_quarters=221), "OVER_TEMPERATURE"),
    ],
)
def test_each_condition_has_its_alarm(seen: Seen, its_own: str) -> None:
    life, reference = basal(RATE), made()
    assert conditions.silent(life, reference, seen, 0)
    (its,) = (each for _, each, is_so in conditions.conditions(life, reference, seen, 0) if is_so)
    for alarm, row in enumerate(ALARMS.TABLE):
        name = row[0].upper()
        seen.alarms = 1 << alarm
        is_told = bool(its >> alarm & 1) or name in conditions.IN_DOUBT
        assert bool(conditions.silent(life, reference, seen, 0)) != is_told, name
        assert is_told or name != its_own


def test_a_silent_eeprom_is_none_before_what_was_reserved_is_used_up() -> None:
    for life, since_s in ((basal(RATE), 335), (basal(60_000), 300), (replace(basal(RATE), rates=[(0, 0)]), 0)):
        assert not conditions.silent(life, made(), made(eeprom_since_us=since_s * S), 0)


def test_a_loop_of_resets_and_what_was_done_have_their_alarms() -> None:
    seen = made()
    seen.looped = True
    assert conditions.silent(basal(RATE), made(), seen, 0)
    seen.alarms = 1 << ALARMS.RESET_LOOP
    assert not conditions.silent(basal(RATE), made(), seen, 0)
    seen.looped, seen.alarms = False, 0
    assert conditions.silent(basal(RATE), made(), seen, 1 << ALARMS.DRIVER_FAULT)


def test_the_thresholds_are_those_of_the_document() -> None:
    text = (ROOT / "docs" / "CONSOLE.md").read_text()
    rows = {line.split("|")[1].strip(" `"): line for line in text.splitlines() if line.startswith("| `")}
    for alarm, said in (
        ("occlusion", "Raised at 70 kPa in three readings"),
        ("battery_depleted", "Raised below 3,000 mV"),
        ("reservoir_empty", "the sensor at 304 mV or less in two readings, 4 s apart"),
        ("over_temperature", "Raised above 55 in two"),
    ):
        assert said in rows[alarm]


def test_the_campaign_draws_what_alarms() -> None:
    drawn = {kinds_parts._adc(Random(number), S).what for number in range(200)}
    assert {"ADC channel 0 = 2000 mV", "ADC channel 3 = 300 mV", "ADC channel 1 = 0 mV"} <= drawn
    assert {kinds_parts._heat(Random(number), S).what for number in range(40)}


def test_a_wrong_bit_about_the_ledger_hides_no_empty_reservoir() -> None:
    def plan(run: Run) -> None:
        def lose(board: object) -> None:
            run.app.records.recovered = (False, *run.app.records.recovered[1:])

        run.at(50 * S, lose)
        run.at(60 * S, lambda board: adc(2, 300)(board.bench, board.now_us))

    assert Run(basal(RATE), plan).lead().alarms >> ALARMS.RESERVOIR_EMPTY & 1


@pytest.mark.parametrize("bit", range(31))
def test_no_wrong_bit_puts_off_that_the_eeprom_is_dead(bit: int) -> None:
    """From the second in which it refuses the first record."""
    flips: list[int] = []

    def plan(run: Run) -> None:
        def flip(board: FaultBoard) -> None:
            since = run.app._write_failing_since
            if since is not None and not flips:
                flips.append(board.now_us)
                run.app._write_failing_since = memory.flipped_bit(since, bit)

        run.at(60 * S, lambda board: setattr(board.bench, "eeprom_until_us", NEVER_US))
        for second in range(60, 140):
            run.at(second * S + S // 2, flip)

    seen = Run(basal(RATE), plan).lead(150)
    (flipped,) = flips
    came = next(t_us for t_us, active in seen.watch if active >> ALARMS.EEPROM_DEAD & 1)
    assert flipped < came <= flipped + 7 * S


@pytest.mark.parametrize("bit", range(31))
def test_no_wrong_bit_reserves_hours(bit: int) -> None:
    """A power cut would count them as delivered, and a silent EEPROM would not be missed until they are."""
    reserved: list[int] = []

    def plan(run: Run) -> None:
        def flip(board: FaultBoard) -> None:
            run.app.cascade.bolus_pl = memory.flipped_bit(run.app.cascade.bolus_pl, bit)
            run.app.must_record = True  # a record is due in this very second

        run.at(30 * S + S // 2, flip)
        run.at(33 * S, lambda board: reserved.append(run.app.ledger.reserved - run.app.ledger.used))

    Run(basal(RATE), plan).lead(40)
    assert 0 < reserved[0] * 25 <= RATE * 60 // 86_400 + 25


def test_a_wrong_bit_about_the_ledger_hides_no_dead_eeprom_and_ends_no_delivery() -> None:
    def lose(run: Run) -> None:
        run.at(50 * S, lambda board: setattr(run.app.records, "recovered", (False, *run.app.records.recovered[1:])))

    def lose_and_silence(run: Run) -> None:
        lose(run)
        run.at(60 * S, lambda board: setattr(board.bench, "eeprom_until_us", NEVER_US))

    assert Run(basal(RATE), lose).lead().steps == Run(basal(RATE)).lead().steps
    assert Run(basal(RATE), lose_and_silence).lead().alarms >> ALARMS.EEPROM_DEAD & 1
