"""Lives with a commit, in the fault campaign: what was acknowledged is in force, and nothing of what was before it."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from fault_controls import blind_guard

from thecal.faults import board, disclosed, lives, memory, verdict
from thecal.faults.kinds import _COMMIT
from thecal.faults.life import Life
from thecal.faults.pump import Run, Seen
from thecal.powercut.snapshot import S
from thecal.programming import firmware

pytestmark = pytest.mark.requirement("F4", "F11", "R18", "R22")

SCHEDULED, THERAPY = firmware("scheduled").Scheduled, firmware("therapy").Therapy


def drawn(wanted: Any) -> Life:
    """The first life with a commit of which wanted(life) holds."""
    found = (lives.draw(Random(seed)) for seed in range(4_000))
    return next(life for life in found if life.kind == "commit" and wanted(life))


def falls(life: Life) -> bool:
    """To less than a half, and by enough steps to see it."""
    (_, old), (_, new) = life.rates
    return old > 2 * new and not life.boluses and old * 1_000 // 86_400 > life.size_pl


def changes_bolus(life: Life) -> bool:
    """From a minute to another, in which many steps are made."""
    return any(dose * 1_000 > 40 * life.size_pl + 40 * life.peak_pl_s() // 10 for _, _, dose in life.former)


def led(life: Life) -> Seen:
    return Run(life).lead(600)


def judged(life: Life, seen: Seen) -> verdict.Verdict:
    reference = led(life)
    assert verdict.judge(life, reference, reference, 0).kind == verdict.MASKED
    return verdict.judge(life, reference, seen, 0, disclosed.sums)


def test_every_life_with_a_commit_is_drawn_so_that_it_is_acknowledged() -> None:
    kinds = set()
    for seed in range(250):
        life = lives.draw(Random(seed))
        if life.kind == "commit":
            seen = Run(life).lead(60)
            assert seen.heard, (seed, life.lines[-1])
            assert seen.rate == life.rates[-1][1]
            kinds.add((life.lines[-1][1].split()[0], bool(life.boluses)))
    assert kinds == {(verb, with_bolus) for verb in ("program", "trial") for with_bolus in (False, True)}


def test_an_acknowledged_commit_after_which_the_old_rate_flows_is_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    life = drawn(falls)
    app = firmware("app").App
    with monkeypatch.context() as patch:
        patch.setattr(app, "take_up_schedule", lambda self: None)
        seen = led(life)
        assert seen.heard
    assert judged(life, seen).kind == verdict.DETECTED  # the guard sees a rate that it does not expect
    with monkeypatch.context() as patch:
        patch.setattr(app, "take_up_schedule", lambda self: None)
        blind_guard(patch)
        seen = led(life)
    assert judged(life, seen).kind == verdict.UNSAFE


def test_a_bolus_of_the_prescription_before_an_acknowledged_commit_is_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    life = drawn(changes_bolus)
    with monkeypatch.context() as patch:
        patch.setattr(SCHEDULED, "committed", lambda self: None)
        blind_guard(patch)
        seen = led(life)
    assert seen.heard
    found = judged(life, seen)
    assert found.kind == verdict.UNSAFE, found


def test_a_commit_that_was_not_acknowledged_may_be_in_force_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    life = drawn(falls)

    def none(*args: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(firmware("agenda").Agenda, "lay", none)
        refused = led(life)
    assert not refused.heard
    assert judged(life, refused).kind != verdict.UNSAFE
    with monkeypatch.context() as patch:
        patch.setattr(THERAPY, "committed", none)
        behind = led(life)
    assert not behind.heard
    assert behind.resets
    assert behind.rate == life.rates[-1][1]
    assert judged(life, behind).kind != verdict.UNSAFE


def test_a_commit_that_is_half_in_force_is_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    """The new bolus beside the old rate, though each may be given alone."""
    life = drawn(lambda life: falls(replace(life, boluses=[])) and changes_bolus(life))
    with monkeypatch.context() as patch:
        failures = iter([RuntimeError()])

        def once(app: Any) -> None:
            for error in failures:
                raise error
            take_up(app)

        take_up = firmware("app").App.take_up_schedule
        patch.setattr(firmware("app").App, "take_up_schedule", once)
        restarted = led(life)
        assert restarted.resets
        assert not restarted.heard
        failures = iter([RuntimeError()])
        patch.setattr(type(firmware("records").BEHIND_A_RECORD), "__exit__", lambda *args: None)
        blind_guard(patch)
        half = led(life)
    assert judged(life, restarted).kind == verdict.DETECTED
    assert not half.heard
    assert not half.resets
    assert judged(life, half).kind == verdict.UNSAFE


def test_what_is_staged_is_reached_by_flips() -> None:
    life = drawn(lambda _: True)
    run = Run(life)
    found: list[str] = []
    run.at(life.lines[-1][0] - S, lambda board: found.extend(memory.leaves(run.app)))
    run.lead(60)
    for wanted in _COMMIT:
        assert any(name.startswith(wanted) for name in found), wanted


@pytest.mark.parametrize(
    ("console", "heard"),
    [
        (b"\r\nprogram commit 1\r\nok\r\n", True),
        (b"\r\nprogram commit 1\r\nwarning\r\nok\r\n\r\nstatus\r\nstate: running\r\nok\r\n", True),
        (b"\r\nprogram commit 1\r\nerror: no\r\n\r\nstatus\r\nstate: running\r\nok\r\n", False),
        (b"\r\nprogram commit 1\r\n\r\nstatus\r\nok\r\n", False),
        (b"\r\nprogram stage end 1\r\nok\r\n\r\nstatus\r\nok\r\n", False),
    ],
)
def test_what_is_acknowledged_on_the_emulated_board_is_the_line_and_no_later_one(console: bytes, heard: bool) -> None:
    assert board.is_heard("program commit 1", console) is heard
