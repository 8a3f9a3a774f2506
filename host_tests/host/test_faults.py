"""The fault campaign: a slice of it with nothing unsafe, and proof that it finds what is broken on purpose."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fault_controls import basal
from hypothesis import given
from hypothesis import strategies as st

from thecal.faults import __main__ as command
from thecal.faults import calls, campaign, excess, kinds, lives, memory, verdict
from thecal.faults.campaign import Part, known_life, try_one
from thecal.faults.pump import Run
from thecal.powercut.parts import Settings, Silent
from thecal.powercut.quick import quick_examine
from thecal.powercut.snapshot import S, module
from thecal.programming import firmware

pytestmark = pytest.mark.requirement("F11", "R17", "R18", "R42")

SLICE = {"flips": 160, "blinded": 80, "calls": 100, "memory": 100, "tasks": 40, "ticks": 20, "clocks": 40, "parts": 80}


def settings(folder: Path, ops: int) -> Settings:
    return Settings(jobs=1, seed=1, ops=ops, reduced=False, folder=folder)


@pytest.mark.parametrize("kind", SLICE)
def test_no_fault_of_the_slice_is_unsafe(kind: str, tmp_path: Path) -> None:
    result = Part(kind).run(settings(tmp_path, SLICE[kind]), Silent())
    assert result.numbers[f"{kind}_injections"] == SLICE[kind]
    assert result.violations == []
    assert result.numbers[f"{kind}_unsafe"] == 0


def test_the_kinds_are_all_of_the_campaign() -> None:
    assert set(SLICE) == set(kinds.KINDS)
    assert sum(share for _, share in kinds.KINDS.values()) == pytest.approx(1)


# -- the lives ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(30))
def test_a_life_without_a_fault_keeps_to_its_demand(number: int) -> None:
    known = known_life(7, 0, number)  # raises if it goes beyond, or if the pump is reset
    life, seen = known.life, known.seen
    demanded = life.demanded_pl(seen.end_us) - life.demanded_pl(seen.began_us)
    if life.empty_us is None and not life.stretches_of_a_stop():
        assert demanded - excess.usual_pl(life) <= seen.steps * life.size_pl <= demanded


def test_lives_of_every_kind_are_drawn() -> None:
    drawn = {lives.draw(Random(number)).kind for number in range(120)}
    assert drawn == set(lives.KINDS)


def test_the_lives_reach_what_runs_between_two_resets() -> None:
    """What they do not reach are operations: programming, calibration, refill, bridge, trial, priming."""
    reached = {name for _, name, _ in campaign.first_calls(1)}
    for name in ("dosing", "cascade", "ledger", "supervisor", "executive", "wallclock", "bolus_flow"):
        missing = [
            function for function in calls.functions() if function.startswith(f"{name}.") and function not in reached
        ]
        assert len(missing) <= _NOT_REACHED.get(name, 0), missing


def test_every_function_that_the_first_lives_call_fails_at_its_first_call() -> None:
    wanted = campaign.first_calls(1)
    assert len(wanted) == 3 * len({name for _, name, _ in wanted}) > 1_000
    assert 2 * len(wanted) < campaign.share(200_000, "calls")
    for turn in (0, 1, 700):
        life, name, error = wanted[turn]
        case = try_one("calls", 1, *divmod(2 * turn, campaign.PACKAGE))
        assert case.what == f"{error.__name__} at the 1. of {name}"
        assert case.life == known_life(1, *divmod(life, campaign._LIVES)).life.kind


# What an operator, a loss of the clock or a reset calls.
_NOT_REACHED = {"ledger": 4, "wallclock": 10, "dosing": 1}


# -- what is broken on purpose is found -----------------------------------------------------------------------


def unsafe_of(kind: str, count: int) -> int:
    campaign._known.cache_clear()
    with quick_examine():
        found = sum(try_one(kind, 1, 0, number).verdict.kind == verdict.UNSAFE for number in range(count))
    campaign._known.cache_clear()
    return found


def struck(plan: Callable[[Run], None], must: int = 0) -> verdict.Verdict:
    """A basal life with this fault."""
    life = basal(4_800_000)
    return verdict.judge(life, Run(life).lead(), Run(life, plan).lead(), must)


def test_a_silent_pump_and_a_pump_that_gives_too_much_are_both_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_clock(run: Run) -> None:
        run.at(60 * S, lambda board: setattr(board.bench, "rtc_shift_s", 1_000))

    lost = 1 << module("alarms").RTC_LOST
    assert struck(lose_clock, lost).kind == verdict.DETECTED
    monkeypatch.setattr(firmware("wallclock").Timekeeping, "check", lambda self, late: 8)  # in resets.TASKS
    assert struck(lose_clock, lost).kind == verdict.UNSAFE

    def give_more(run: Run) -> None:
        def add(board: Any) -> None:
            run.bench.trains.append((board.now_us, 100, 2_000))

        run.at(100 * S, add)

    found = struck(give_more)
    assert found.kind == verdict.UNSAFE
    assert found.excess_pl > 0


def test_without_the_alarms_of_a_dead_eeprom_its_death_is_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(run: Run) -> None:
        run.at(30 * S, lambda board: setattr(board.bench, "eeprom_until_us", 1 << 60))

    assert struck(die).kind == verdict.DETECTED
    monkeypatch.setattr(firmware("app").App, "_write_failed", lambda self: None)
    assert struck(die).kind == verdict.DETECTED  # by the guard, half a minute after the first step that is due
    monkeypatch.setattr(firmware("guard_tick"), "_STUCK_FRAMES", 1 << 30)
    assert struck(die).kind == verdict.UNSAFE


def test_an_injection_follows_from_its_name_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    for kind in kinds.KINDS:
        first = try_one(kind, 1, 2, 5)
        campaign._known.cache_clear()
        assert try_one(kind, 1, 2, 5) == first
        monkeypatch.setattr("sys.argv", ["faults", "--replay", f"{kind}:2:5"])
        assert command.main() == (first.verdict.kind == verdict.UNSAFE)
        assert first.what in capsys.readouterr().out


# -- the tools ------------------------------------------------------------------------------------------------


@given(st.integers(-(1 << 40), 1 << 40), st.integers(0, 30))
def test_a_flip_changes_one_bit_and_comes_back(value: int, bit: int) -> None:
    flipped = memory.flipped_bit(value, bit)
    assert flipped != value
    assert memory.flipped_bit(flipped, bit) == value
    small = range(-(1 << 30), 1 << 30)
    assert (value in small) == (flipped in small) or value not in small


def test_every_variable_of_dosing_is_reached_and_can_be_changed() -> None:
    life = lives.draw(Random(13))
    run = Run(life)
    run.lead(60)
    found = memory.leaves(run.app)
    for wanted in (
        "app.dosing.pending",
        "app.dosing.mode",
        "app.dosing.schedule._rates",
        "app.records.cascade.flow_pl",
        *("app.records.ledger.reserved", "app.records.ledger._state", "app.stop_left"),
        "app.records.ledger._scratch._words",
        "app.records.prescription.basal",
        "app.records.calibration.pl_per_step",
        "app.alarms.active",
        "app._executive._due",
        "app._executive._starting.checked_in",
        "app.wallclock._followed",
        *("app.guard._slack", "app.guard._seal", "app.guard._evidence.allowed", "app.guard._pulses.made"),
        *("app.guard._flow._hour._slots", "app.guard._tick._ahead", "app.guard._evidence.demand._payload"),
        *("app._executive._supervisor._fed", "app._executive._supervisor.ending", "app.motion._balance._lowest"),
        *("app.pressure._line._level_mv", "app.selftest.failed", "app.selftest._schedule_crc", "app.board._cut"),
    ):
        assert wanted in found, wanted
    for wanted in kinds._STATE:
        assert any(name.startswith(wanted) for name in found), wanted
    for group in found.values():
        for leaf in group:
            before = memory._get(leaf)
            before = bytes(before) if isinstance(before, bytearray) else before
            memory.flip(leaf, Random(1))
            if not isinstance(leaf.holder, array):  # whose elements have fewer bits
                assert memory._get(leaf) != before, leaf.path


@pytest.mark.parametrize(
    "name",
    ["dosing.Dosing.tick", "driver.eeprom.write_page", "alarms.codes", "limits.Denied.__init__", "ledger.Ledger.state"],
)
def test_a_call_is_counted_and_the_code_is_put_back(name: str) -> None:
    function = calls.functions()[name]
    code = function.__code__
    owner = calls._owner(name)
    before = dict(vars(owner))
    happened: list[int] = []
    with calls.at_call(name, 2, lambda: happened.append(1)):
        run = Run(known_life(1, 0, 2).life)
        run.lead(30)
    assert function.__code__ is code
    assert calls.functions()[name] is function
    assert dict(vars(owner)) == before
    assert happened == [1] or name in ("limits.Denied.__init__", "alarms.codes")


def test_an_error_at_a_line_comes_where_it_was_ordered() -> None:
    lines: list[int] = []

    def plan(run: Run) -> None:
        run.at(50 * S, lambda board: calls.AtLine(40, lambda: lines.append(board.now_us)).begin())

    Run(lives.draw(Random(13)), plan).lead(60)
    (at_us,) = lines
    assert 50 * S <= at_us <= 52 * S
