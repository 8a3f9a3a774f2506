"""The fault campaign's second look: a pump that runs ahead is followed for longer, and judged by all that it did."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fault_controls import basal, idle

from thecal.faults import disclosed, verdict
from thecal.faults.follow_up import LONGER_S, until_s
from thecal.faults.life import Life
from thecal.faults.planned import Known, Planned
from thecal.faults.pump import Run, Seen
from thecal.powercut.snapshot import S
from thecal.programming import firmware

pytestmark = pytest.mark.requirement("F11", "R17", "R18", "R42")


@pytest.fixture
def no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware("guard").Guard, "run", idle("guard"))


def faster(life: Life, times: float = 4) -> Callable[[Run], None]:
    """From 30 s on the pump doses at so many times its rate."""
    rate = round(times * life.rates[0][1])
    return lambda run: run.at(30 * S, lambda board: setattr(run.app.dosing.schedule, "rate_at", lambda week_s: rate))


def followed(life: Life, plan: Callable[[Run], None]) -> tuple[Run, Seen, verdict.Verdict]:
    known, run = Known(life, Run(life).lead(), {}), Run(life, plan)
    planned = Planned("", plan, most=disclosed.sums)
    seen = run.lead(longer=lambda seen: until_s(known, planned, seen))
    return run, seen, verdict.judge(life, known.seen, seen, 0, disclosed.sums)


def test_what_comes_late_is_judged(no_guard: None) -> None:
    life = basal(120_000)
    run, seen, found = followed(life, faster(life))
    assert seen.end_us >= LONGER_S * S
    assert seen.steps == run.board.train.steps() > 200
    assert sum(steps for *_, steps in seen.trains) == seen.steps
    assert found.kind == verdict.UNSAFE, found


def test_a_pump_that_hangs_late_starts_again(no_guard: None) -> None:
    life = basal(120_000)

    def plan(run: Run) -> None:
        faster(life)(run)
        run.at(400 * S, lambda board: board.hang())

    run, seen, _ = followed(life, plan)
    assert seen.resets == [1]
    assert seen.end_us >= LONGER_S * S
    assert seen.steps == run.board.train.steps()


def test_an_exception_that_comes_late_is_a_restart(no_guard: None) -> None:
    life = basal(120_000)

    def fail(late: int) -> None:
        raise RuntimeError("late")

    def plan(run: Run) -> None:
        faster(life)(run)
        run.at(400 * S, lambda board: setattr(run.app._executive._all[1], "run", fail))

    _, seen, _ = followed(life, plan)
    assert seen.resets == [2]
    assert seen.errors == ["RuntimeError: late"]
    assert seen.end_us >= LONGER_S * S


def test_what_is_planned_behind_a_bite_comes_after_it() -> None:
    """Also what is due in the stretch of time in which the watchdog bites."""
    came: list[bool] = []

    def plan(run: Run) -> None:
        run.at(30 * S, lambda board: board.hang())
        for tenth in range(1, 101):
            run.at(30 * S + tenth * S // 10, lambda board: came.append(board is run.board))

    _, seen, _ = followed(basal(120_000), plan)
    assert seen.resets == [1]
    assert came == [True] * 100


def test_a_pump_that_does_not_run_ahead_is_not_followed() -> None:
    life = basal(120_000)
    _, seen, found = followed(life, lambda run: None)
    assert seen.end_us < 242 * S
    assert found.kind == verdict.MASKED


@pytest.mark.parametrize("times", [1.5, 4])
@pytest.mark.parametrize("rate", [6_000, 36_000, 122_000])
def test_an_error_that_lasts_is_unsafe_at_any_rate(rate: int, times: float, no_guard: None) -> None:
    life = basal(rate)
    _, seen, found = followed(life, faster(life, times))
    assert found.kind == verdict.UNSAFE, found
    assert seen.end_us < 6 * 3_600 * S


def test_the_guard_finds_an_error_that_lasts() -> None:
    life = basal(6_000)
    assert followed(life, faster(life))[2].kind == verdict.DETECTED


def test_an_error_that_has_ended_is_followed_and_lasts_not(no_guard: None) -> None:
    life = basal(122_000)

    def plan(run: Run) -> None:
        faster(life, 2)(run)
        run.at(100 * S, lambda board: setattr(run.app.dosing.schedule, "rate_at", lambda week_s: 122_000))

    _, seen, found = followed(life, plan)
    assert seen.end_us >= LONGER_S * S
    assert "too fast" not in found.why, found
