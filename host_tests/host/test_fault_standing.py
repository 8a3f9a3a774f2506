"""Alarms that stand, in the fault campaign: they stay, stop the pump, are heard and seen, or it is unsafe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fault_controls import basal, blind_guard

from thecal.faults import disclosed, reacting, standing, verdict
from thecal.faults.life import Life
from thecal.faults.pump import Run, Seen
from thecal.faults.standing import fault_of_an_alarm
from thecal.powercut.snapshot import S
from thecal.programming import firmware

pytestmark = pytest.mark.requirement("F11", "R17", "R18", "R42")

ALARMS = firmware("alarms")
RATE = 4_800_000  # nL/day
SIGNALS = firmware("signals").Signals


def diag(run: Run) -> None:
    run.at(60 * S, lambda board: setattr(board.bench, "diag", True))


def judged(plan: Callable[[Run], None], life: Life | None = None) -> verdict.Verdict:
    """As if a wrong bit in a sum had done it: then most is forgiven."""
    life = life or basal(RATE)
    seen = Run(life, plan).lead()
    return verdict.judge(life, Run(life).lead(), seen, 1 << ALARMS.DRIVER_FAULT, disclosed.sums)


def later(strike: Callable[[Any], None]) -> Callable[[Run], None]:
    """DIAG, and half a minute later this."""

    def plan(run: Run) -> None:
        diag(run)
        run.at(90 * S, lambda board: strike(run.app))

    return plan


def test_an_alarm_that_stands_is_safe() -> None:
    assert judged(diag).kind == verdict.DETECTED


def test_what_alarms_are_to_do_is_what_the_firmware_says() -> None:
    """Written down twice: a campaign that judged the firmware by its own table would excuse whatever is in there."""
    words = {
        ALARMS.UNCHANGED: "unchanged",
        ALARMS.NO_BOLUS: "no bolus",
        ALARMS.LOWEST: "lowest rate",
        ALARMS.STOP: "stop",
    }
    assert {code: (priority, words[to], kept) for code, priority, to, kept in ALARMS.TABLE} == reacting.TABLE


@pytest.mark.parametrize("within_s", [1, 2])
def test_an_alarm_that_goes_at_once_by_itself_is_unsafe(within_s: int) -> None:
    """Its cause still there or not: a reset alone may come before it is written down."""

    def plan(run: Run) -> None:
        run.at(60 * S, lambda board: run.app.alarms.raise_(ALARMS.STALL))
        run.at((60 + within_s) * S, lambda board: end(run.app.alarms))

    def end(alarms: Any) -> None:
        alarms.gone(ALARMS.STALL)
        alarms._end(ALARMS.STALL)

    assert "stall of 60" in fault_of_an_alarm(Run(basal(RATE), plan).lead())


def test_a_condition_is_told_by_an_alarm_that_stays() -> None:
    """Not by one that was active for a moment."""
    seen = Run(basal(RATE), diag).lead()
    assert standing.stood(seen) >> ALARMS.DRIVER_FAULT & 1
    (at_us, _), *_ = [entry for entry in seen.watch if entry[1] >> ALARMS.DRIVER_FAULT & 1]
    seen.watch.append((at_us + 2 * S, 0))
    assert not standing.stood(seen)
    seen.watch[-1] = (at_us + 3 * S, 0)
    assert standing.stood(seen) >> ALARMS.DRIVER_FAULT & 1


def test_a_clear_that_is_typed_while_the_pump_starts_is_the_operator_s() -> None:
    """It is read when the pump has started, and the alarm that the start has restored goes soon after it came."""
    seen = Run(replace(basal(RATE), lines=[(91 * S, "clear")])).lead()
    seen.starts = [seen.starts[0], 90 * S]
    alarm = 1 << ALARMS.OCCLUSION
    seen.watch = [(0, 0), (60 * S, alarm), (90 * S, 0), (91 * S + 100, alarm), (91 * S + 200_000, 0)]
    seen.trains = []
    assert fault_of_an_alarm(seen) == ""
    assert standing.stood(seen) == alarm
    seen.typed = [(80 * S, "clear")]
    assert "occlusion of 91" in fault_of_an_alarm(seen)


def fail(*_: Any) -> None:
    raise OSError("out of order")


def test_restarts_without_end_are_unsafe_if_nobody_hears_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ends behind the begin of the tone."""

    seen = looping(60, monkeypatch)
    assert seen.bench.is_loud  # from the reset on
    assert not fault_of_an_alarm(seen)
    seen.bench.is_loud = False
    assert "no alarm that is heard" in fault_of_an_alarm(seen)


def looping(at_s: int, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What comes of a pump that fails from then on, again and again, behind the begin of the tone."""

    def plan(run: Run) -> None:
        run.at(at_s * S, lambda board: monkeypatch.setattr(firmware("pressure").Pressure, "watch", fail))

    seen = Run(basal(RATE), plan).lead()
    assert seen.looped
    return seen


def test_a_tone_from_before_says_nothing_of_restarts_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = looping(60, monkeypatch)
    seen.bench.is_loud = False
    seen.bench.sounds[:] = [(10 * S, 1_000)]
    assert "no alarm that is heard" in fault_of_an_alarm(seen)
    seen.bench.sounds.append((seen.starts[3] + S, 1_000))
    seen.starts[4:] = [seen.starts[3] + 3 * S]
    assert not fault_of_an_alarm(seen)


def test_steps_after_an_alarm_that_stops_are_unsafe_however_loud_the_pump_is(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = looping(60, monkeypatch)
    assert seen.bench.is_loud
    seen.watch[:] = [(0, 0), (20 * S, 1 << ALARMS.STALL), (30 * S, 0)]
    seen.trains.append((25 * S, 1_000, 3))
    assert "after an alarm that stops" in fault_of_an_alarm(seen)


def test_a_start_that_has_lived_is_loud_by_its_alarms_alone() -> None:
    seen = Run(basal(RATE), lambda run: setattr(run.bench, "is_loud", True)).lead(30)
    assert not seen.bench.is_loud


def test_an_alarm_that_stops_nothing_is_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware("app").App, "mode", lambda self: firmware("dosing").ON)
    assert judged(diag).kind == verdict.DETECTED  # the guard cuts DRIVE
    blind_guard(monkeypatch)
    found = judged(diag)
    assert found.kind == verdict.UNSAFE
    assert "steps later than 2 s after an alarm" in found.why


@pytest.mark.parametrize("rate", [100_000, 480_000, RATE])
def test_a_pump_that_doses_on_after_an_alarm_is_unsafe_however_slowly(rate: int) -> None:
    """Of the few steps of a low rate none is forgiven."""

    def ignore(app: Any) -> None:
        app.apply = lambda: None

    def plan(run: Run) -> None:
        run.at(60 * S - 1, lambda board: ignore(run.app))
        diag(run)

    found = judged(plan, basal(rate))
    assert found.kind == verdict.UNSAFE
    assert "steps later than 2 s after an alarm" in found.why


def test_an_alarm_that_goes_by_itself_is_unsafe() -> None:
    def lose(app: Any) -> None:
        app.board.bench.diag = False
        app.alarms.active = app.alarms.present = 0
        app.alarms._ended = app.alarms._absent = ~0

    found = judged(later(lose))
    assert found.kind == verdict.UNSAFE
    assert "driver_fault of 6" in found.why
    assert "has gone at 9" in found.why


def test_an_alarm_that_a_reset_ends_is_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(app: Any) -> None:
        app.board.bench.diag = False
        app.board.hang()

    assert judged(later(hang)).kind == verdict.DETECTED
    monkeypatch.setattr(ALARMS.Alarms, "latched", lambda self: 0)
    found = judged(later(hang))
    assert found.kind == verdict.UNSAFE
    assert "driver_fault of 6" in found.why


def test_an_operator_may_clear_an_alarm() -> None:
    def mended(run: Run) -> None:
        diag(run)
        run.at(90 * S, lambda board: setattr(board.bench, "diag", False))

    life = replace(basal(RATE), lines=[(100 * S, "clear"), (110 * S, "resume")])
    seen = Run(life, mended).lead()
    assert not seen.watch[-1][1] >> ALARMS.DRIVER_FAULT & 1
    assert seen.trains[-1][0] > 200 * S
    assert not fault_of_an_alarm(seen)
    seen.typed = []
    assert fault_of_an_alarm(seen)


def never(self: Any, *more: object) -> int:
    return 1_000


@pytest.mark.parametrize(("silenced", "word"), [("_begin", "not heard"), ("blink", "not seen")])
def test_an_alarm_without_sound_or_light_is_unsafe(silenced: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SIGNALS, silenced, never)
    found = judged(diag)
    assert found.kind == verdict.UNSAFE
    assert word in found.why


def test_a_light_that_stands_still_is_unsafe() -> None:
    found = judged(later(lambda app: setattr(app.signals, "blink", lambda: 1_000)))
    assert found.kind == verdict.UNSAFE
    assert "not seen" in found.why


def test_a_second_alarm_needs_its_own_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    def hot(app: Any) -> None:
        monkeypatch.setattr(SIGNALS, "_begin", never)
        app.board.bench.rtc_quarters = 300

    found = judged(later(hot))
    assert found.kind == verdict.UNSAFE
    assert "not heard" in found.why


def test_too_little_of_an_alarm_is_no_fault() -> None:
    seen = Run(basal(RATE), diag).lead(64)
    seen.bench.sounds.clear()
    seen.bench.lights.clear()
    assert not fault_of_an_alarm(seen)
    assert not fault_of_an_alarm(Seen(seen.bench))
