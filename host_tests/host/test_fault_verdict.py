"""The verdict of the fault campaign, and the disclosed maximum that it rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fault_controls import basal, blind_guard, idle
from hypothesis import given
from hypothesis import strategies as st

from thecal.faults import conditions, disclosed, excess, lives, plans, verdict
from thecal.faults.pump import Run, Seen
from thecal.models.bench import PumpConfig
from thecal.paths import ROOT
from thecal.powercut.snapshot import S, Snapshot
from thecal.programming import firmware

pytestmark = pytest.mark.requirement("F11", "R17", "R18", "R42")


def slow_excess(life: lives.Life, times: list[int], end_us: int) -> int:
    """By definition: the largest delivered less demanded of all stretches from one instant to a later one."""
    marks = sorted({0, end_us, *times, *(t - 1 for t in times if t)})
    ahead = [sum(t <= mark for t in times) * life.size_pl - life.demanded_pl(mark) for mark in marks]
    return max(later - early for n, early in enumerate(ahead) for later in ahead[n:])


@given(
    st.lists(st.integers(1, 60 * S), max_size=12),
    st.integers(0, 20_000_000),
    st.integers(0, 20_000_000),
    st.integers(1, 59),
)
def test_the_excess_is_that_of_the_worst_stretch(times: list[int], rate: int, later: int, edge_s: int) -> None:
    life = replace(_LIFE, rates=[(0, rate), (edge_s * S, later)])
    times.sort()
    found = excess.excess_pl(life, [(t_us, 1, 1) for t_us in times], 60 * S)
    assert abs(found - slow_excess(life, times, 60 * S)) <= 2  # pL: of a microsecond of flow


_LIFE = lives.Life("basal", PumpConfig(), Snapshot([], 0, (0, 0), 0, 0), [(0, 0)])


def test_the_bounds_are_those_of_the_document() -> None:
    """docs/LIMITS.md, with 25 nL a step."""
    text = (ROOT / "docs" / "LIMITS.md").read_text()
    table = text[text.index("## The disclosed maximum") : text.index("How the numbers come about")]
    slow, fast = (replace(_LIFE, rates=[(0, rate)]) for rate in (480_000, 28_800_000))
    rows = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("|")}
    for name, bound in (
        ("the tick's sums", disclosed.sums),
        ("a bit of a command word", disclosed.count),
        ("a command word that is wrong as a whole", disclosed.word),
        ("the processor's milliseconds leap", disclosed.leap),
        ("a part that fails", disclosed.nothing),
    ):
        (line,) = (line for row, line in rows.items() if row.startswith(name))
        for life in (slow, fast):
            assert f" {bound(life) * 25:,} nL" in line or (not bound(life) and "nothing" in line), name


@pytest.mark.parametrize("which", ["x_bit", "word_bit"])
@pytest.mark.parametrize("rate", [36_000, 480_000, 4_800_000, 28_800_000])
def test_any_wrong_bit_of_the_generator_is_found_within_a_second_and_costs_a_step_or_two(which: str, rate: int) -> None:
    life = basal(rate)
    reference = Run(life).lead()
    for bit in range(31 if which == "x_bit" else 30):
        seen = Run(life, lambda run, bit=bit: run.at(90 * S, lambda board: setattr(board.bench, which, bit))).lead()
        found = verdict.judge(life, reference, seen, 0, disclosed.count)
        assert found.kind != verdict.UNSAFE, (bit, found)
        assert found.kind == verdict.DETECTED or (rate == 36_000 or seen.steps <= reference.steps), (bit, found)
        assert seen.steps <= reference.steps + disclosed.count(life), bit


def test_without_the_guard_a_wrong_count_is_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    life = basal(480_000)

    def strike(run: Run) -> None:
        run.at(90 * S, lambda board: setattr(board.bench, "x_bit", 13))

    reference = Run(life).lead()
    assert verdict.judge(life, reference, Run(life, strike).lead(), 0, disclosed.count).kind == verdict.DETECTED
    monkeypatch.setattr(firmware("guard").Guard, "run", idle("guard"))
    found = verdict.judge(life, reference, Run(life, strike).lead(), 0, disclosed.count)
    assert found.kind == verdict.UNSAFE, found
    assert found.excess_pl > 50 * life.size_pl


def test_the_bound_of_a_stall_is_that_of_the_document() -> None:
    text = " ".join((ROOT / "docs" / "LIMITS.md").read_text().split())
    size = PumpConfig().steps_per_index
    assert f"two indices of lost steps, {conditions._STALL_INDICES * size} steps" in text
    assert conditions._STALL_S == 3
    assert "those of up to three seconds of flow" in text


def test_a_bolus_that_a_restart_kept_waiting_is_demanded_once_and_later_by_that() -> None:
    life = replace(_LIFE, boluses=[(60 * S, 30, 1_000)])
    for begun, demanded in ((61, 60), (62, 60), (63, 61), (64, 62), (65, 60)):  # s; the last is no answer to it
        assert life.as_it_went([begun * S, 100 * S], True).boluses == [(demanded * S, 30, 1_000)]
    assert life.as_it_went([], True).boluses == life.boluses


def test_a_second_order_is_demanded_only_if_the_first_bolus_was_over_by_then() -> None:
    order = (80 * S, 30, 1_000)
    life = replace(_LIFE, kind="clinician", boluses=[(60 * S, 30, 1_000)], orders=[order])
    both = [60 * S, 81 * S]
    for begun, freed, is_demanded in (
        (both, [], False),
        (both, [59 * S, 85 * S], False),  # not in between
        (both, [70 * S], True),
        ([60 * S], [70 * S], False),
        ([81 * S], [], True),  # nothing was begun before
    ):
        assert (order in life.as_it_went(begun, True, freed=freed).boluses) == is_demanded
    assert order not in replace(life, kind="patient").as_it_went(both, True, freed=[70 * S]).boluses  # the lockout


def test_a_pump_without_a_clock_is_demanded_the_lowest_rate_above_0_at_every_hour() -> None:
    rates = [(0, 500_000), (60 * S, 0), (120 * S, 500_000)]
    life = replace(_LIFE, kind="flex", rates=rates)
    assert life.as_it_went([], True).rates == rates
    assert life.as_it_went([], True, lost=True).rates == [(since, 500_000) for since, _ in rates]
    stopped = replace(life, kind="stopped")
    assert stopped.as_it_went([], True, lost=True).rates == rates


# -- stops --------------------------------------------------------------------------------------------------------

LEDGER = firmware("ledger")
ALARMS = firmware("alarms")


def held(rate: int, state: int, seconds: int = 0, latched: int = 0) -> lives.Life:
    """A pump that begins in this state."""
    life = replace(basal(rate), kind="held", held=True, rates=[(0, 0), *([(seconds * S, rate)] if seconds else [])])
    life.snapshot.pages[:] = plans.pages(
        lives.held_image(life.config, b"".join(life.snapshot.pages), state, seconds, latched)
    )
    return life


def typed(rate: int, line: str, stop_s: int = 0) -> lives.Life:
    """A pump that is told to stop at 20 s."""
    rates = [(0, rate), (22 * S, 0), *([((20 + stop_s) * S, rate)] if stop_s else [])]
    return replace(basal(rate), kind="stop for" if stop_s else "stopped", rates=rates, lines=[(20 * S, line)])


def flipped(life: lives.Life, strike: Callable[[Any], None], at_s: int, length_s: int = 240) -> verdict.Verdict:
    """What comes of a flip in the App object."""
    reference = Run(life).lead(length_s)
    assert verdict.judge(life, reference, reference, 0).kind == verdict.MASKED
    run = Run(life)
    run.at(at_s * S, lambda board: strike(run.app))
    return verdict.judge(life, reference, run.lead(length_s), 0, disclosed.sums)


def flip_state(bit: int) -> Callable[[Any], None]:
    return lambda app: setattr(app.ledger, "state", app.ledger.state ^ bit)


@pytest.mark.parametrize("rate", [480_000, 28_800_000])
@pytest.mark.parametrize("bit", [1, 2])
def test_a_bit_of_the_state_ends_no_stop(bit: int, rate: int) -> None:
    for life in (typed(rate, "stop"), held(rate, LEDGER.STOPPED)):
        found = flipped(life, flip_state(bit), 60)
        assert found.kind != verdict.UNSAFE, (life.kind, found)


@pytest.mark.parametrize("rate", [480_000, 28_800_000])
@pytest.mark.parametrize("bit", [1, 2])
def test_a_bit_of_the_state_ends_no_safe_state(bit: int, rate: int) -> None:
    uncleared = held(rate, LEDGER.SAFE, latched=1 << ALARMS.OCCLUSION)
    cleared = replace(uncleared, lines=[(20 * S, "clear")])
    for life in (cleared, uncleared, held(rate, LEDGER.SAFE)):
        found = flipped(life, flip_state(bit), 60)
        assert found.kind != verdict.UNSAFE, found


def test_a_bit_of_what_is_left_of_a_stop_does_not_end_it() -> None:
    def strike(app: Any) -> None:
        assert app.stop_left >> 11 & 1
        app.stop_left ^= 1 << 11

    found = flipped(typed(28_800_000, "stop for 60 min", 3_600), strike, 60, 2_400)
    assert found.kind != verdict.UNSAFE, found


def test_without_the_guard_a_stop_that_ends_early_is_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    blind_guard(monkeypatch)
    stop, safe = typed(480_000, "stop"), held(480_000, LEDGER.SAFE)
    for life, strike in ((stop, flip_state(2)), (safe, flip_state(1))):  # both look like a timed stop that is over
        found = flipped(life, strike, 60)
        assert found.kind == verdict.UNSAFE, (life.kind, found)


@pytest.mark.parametrize("life", [typed(480_000, "stop for 40 min", 2_400), held(480_000, LEDGER.PAUSED, 2_300)])
@pytest.mark.parametrize("bit", range(12))
def test_no_bit_of_what_is_left_of_a_stop_ends_it(life: lives.Life, bit: int) -> None:
    def strike(app: Any) -> None:
        app.stop_left ^= 1 << bit

    found = flipped(life, strike, 100, 500)
    assert found.kind != verdict.UNSAFE, found


@pytest.mark.parametrize("leap_s", [21, 92, 199, 331, 542])
def test_a_leap_of_the_processors_clock_ends_no_timed_stop(leap_s: int) -> None:
    """The pump's seconds are ahead then, and the reset that follows finds the RTC behind them."""

    def strike(app: Any) -> None:
        app.board.bench.ticks_base += leap_s * 1_000

    found = flipped(typed(480_000, "stop for 10 min", 600), strike, 100, 660)
    assert found.kind == verdict.DETECTED, found


# -- what the verdict asks for ------------------------------------------------------------------------------------


def seen_of(life: lives.Life, *names: str) -> Seen:
    seen = Run(life).lead()
    seen.alarms, seen.watch = sum(1 << getattr(ALARMS, name) for name in names), []
    return seen


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ((), verdict.UNSAFE),
        (("RESERVOIR_EMPTY",), verdict.UNSAFE),  # of the life, and it says nothing of the clock
        (("RESERVOIR_EMPTY", "STALL"), verdict.UNSAFE),
        (("RTC_LOST",), verdict.UNSAFE),  # and the reservoir?
        (("RESERVOIR_EMPTY", "RTC_LOST"), verdict.DETECTED),
        (("RESERVOIR_EMPTY", "GUARD"), verdict.DETECTED),
        (("SELF_TEST_FAILED",), verdict.DETECTED),
    ],
)
def test_each_condition_needs_its_own_alarm(names: tuple[str, ...], kind: str) -> None:
    life = replace(basal(480_000), kind="low then empty", empty_us=100 * S)
    reference = Run(life).lead()
    assert reference.alarms >> ALARMS.RESERVOIR_EMPTY & 1
    assert verdict.judge(life, reference, seen_of(life, *names), 1 << ALARMS.RTC_LOST).kind == kind


@pytest.mark.parametrize(
    ("code", "fields", "kind"),
    [
        ("clock_set", {"by_s": 1}, verdict.MASKED),
        ("clock_step", {"by_s": 1}, verdict.MASKED),
        ("write_failed", {"record": 0}, verdict.DETECTED),
        ("alarm", {"alarm": ALARMS.LOW_RESERVOIR}, verdict.DETECTED),
    ],
)
def test_only_alarms_resets_and_events_of_medium_or_high_severity_are_a_detection(
    code: str, fields: dict[str, int], kind: str
) -> None:
    run = Run(basal(480_000))
    run.at(60 * S, lambda board: run.app.log.log(code, **fields))
    assert verdict.judge(run.life, Run(run.life).lead(), run.lead(), 0).kind == kind


def test_a_slow_pump_that_runs_in_a_stop_is_unsafe_within_the_bound() -> None:
    life = held(480_000, LEDGER.STOPPED)
    reference, seen = Run(life).lead(), Run(life).lead()
    seen.trains, seen.steps = [(100 * S, 1, 1), (101 * S, 1, 1)], 2
    assert verdict.judge(life, reference, seen, 0, disclosed.sums).kind == verdict.UNDETECTED
    seen.trains.append((120 * S, 1, 1))
    found = verdict.judge(life, reference, seen, 0, disclosed.sums)
    assert found.kind == verdict.UNSAFE
    assert found.excess_pl <= disclosed.sums(life) * life.size_pl
