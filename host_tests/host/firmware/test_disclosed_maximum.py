"""The disclosed maximum (docs/LIMITS.md): what a hung processor and a single fault can deliver, over the range of rates
and steps (R17; invariant 11)."""

from __future__ import annotations

from random import Random

import pytest
from guard_rig import LATENCY_US, Pump, S

from thecal.paths import ROOT

EXPOSED_US = LATENCY_US + 5_000
MAX_STEPS = 1_023
ONE_WORD = 1 + EXPOSED_US * MAX_STEPS // 990_000
DAY_S = 86_400


def still_to_come(pump: Pump) -> int:
    """Steps of the words that the generator has, not made yet."""
    return sum(steps for _, _, steps in pump.counter.words) - pump.counter.read()


@pytest.mark.requirement("F11", "R17", "I11")
@pytest.mark.parametrize("pl", [1_000, 25_000, 1_000_000])
@pytest.mark.parametrize("rate", [6_000, 480_000, 4_800_000, 28_800_000])
def test_a_processor_that_hangs_at_any_instant_leaves_four_times_a_second_of_steps_at_most(pl: int, rate: int):
    random = Random(pl + rate)
    pump = Pump({"basal": f"{rate} nL/day"}, pl_per_step=pl).start().run(3)
    whole = rate * 5 // 432 // pl
    most = 0
    for _ in range(60):
        pump.to_frame()
        pump.run(random.choice((0, 0, 0.2)))
        most = max(most, still_to_come(pump))
        words = pump.counter.words[-2:]
        assert all(gap * steps >= 985_000 * steps // (2 * (whole + 1)) for _, gap, steps in words)
        assert all(steps <= min(MAX_STEPS, 2 * (whole + 1)) for _, _, steps in words)
        pump.board.advance(random.choice((0, 300_000, 900_000, 1_700_000, 2_600_000)))  # the next tick is late
    assert most <= 4 * (whole + 1)
    assert whole == 0 or most >= whole  # the bound is near
    assert pump.trips == []
    hung = pump.counter.read() + still_to_come(pump)
    pump.board.now_us += 8_400_000  # nothing runs any more, until the watchdog bites
    assert pump.counter.read() == hung
    assert pump.app.ledger.steps >= hung


@pytest.mark.requirement("F11", "R17", "R18")
@pytest.mark.parametrize("name", ["flow_pl", "acc_pl"])
@pytest.mark.parametrize("pl", [1_000, 25_000, 1_000_000])
@pytest.mark.parametrize("rate", [36_000, 4_800_000, 28_800_000])
@pytest.mark.parametrize("late_s", [0, 0.5, 0.9, 2.5])
def test_a_wrong_sum_delivers_a_part_of_a_word_or_all_of_it_if_the_tick_is_late(
    name: str, pl: int, rate: int, late_s: float
):
    def begun() -> Pump:
        return Pump({"basal": f"{rate} nL/day"}, pl_per_step=pl).start().run(4).to_frame()

    pump, sound = begun(), begun()
    setattr(pump.app.cascade, name, getattr(pump.app.cascade, name) + (1 << 20))
    for one in (pump, sound):
        one.board.advance(round(late_s * S))
        one.run(3)
    most = ONE_WORD if not late_s else MAX_STEPS
    assert pump.steps - sound.steps <= most
    assert sound.trips == []
    assert pump.trips or pump.steps <= sound.steps


@pytest.mark.requirement("F11", "R17")
@pytest.mark.parametrize("at", [0.01, 0.4, 0.99])
def test_a_generator_that_runs_free_is_cut_within_a_period(at: float):
    pump = Pump().start().run(20).to_frame()
    pump.run(at)
    began = pump.board.now_us
    read = pump.counter.read
    pump.counter.read = lambda: read() + (pump.board.now_us - began) // 60  # type: ignore[method-assign]
    while not pump.trips:
        pump.app.turn()
    assert pump.trips == ["pulses"]
    assert pump.tripped_us - began <= 1_050_000
    assert not pump.board.train._powered


@pytest.mark.requirement("R17")
def test_the_numbers_in_the_document_are_these():
    text = (ROOT / "docs" / "LIMITS.md").read_text()
    table = text[text.index("## The disclosed maximum") : text.index("How the numbers come about")]

    def nl(steps: int) -> str:
        return f"{steps * 25:,} nL"

    at_480, at_most = 480_000 * 5 // 432 // 25_000, 28_800_000 * 5 // 432 // 25_000
    for steps in (4 * (at_480 + 1), 4 * (at_most + 1), ONE_WORD, MAX_STEPS, 1_050_000 // 60, 7 * (at_most + 1) + 1):
        assert nl(steps) in table
    assert f"{ONE_WORD} steps" in table
    assert f"{28_800_000 // DAY_S} nL a second" in table
