"""Sound and light of alarms by the real firmware on the emulated RP2040, the motor at work (F11; R28, R31)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from rig import MS, Pump, S
from support import continuous, scenario

from thecal.sim import make_bench, simulate


def rhythm(lights: list[tuple[int, bool]], begin_s: int, end_s: int) -> tuple[list[float], list[float]]:
    """(rate in Hz, share of light) of every whole period of the LED between two times."""
    rises = [index for index, (t, lit) in enumerate(lights) if lit and begin_s * S <= t < end_s * S]
    rates = [S / (lights[b][0] - lights[a][0]) for a, b in pairwise(rises)]
    shares = [(lights[a + 1][0] - lights[a][0]) / (lights[b][0] - lights[a][0]) for a, b in pairwise(rises)]
    return rates, shares


@pytest.mark.requirement("F11", "R28", "R31")
def test_medium_then_high_priority_sound_and_blink_while_the_pump_is_busy(board: Pump) -> None:
    """Low from the start, empty at 30 s; the console is busy, the motor at its fastest until then."""
    ask = [{"at": f"{second} s", "do": "command", "line": "status"} for second in range(12, 30, 2)]
    ask += [{"at": f"{second} s", "do": "command", "line": "log 40"} for second in range(40, 60, 4)]
    plan = scenario(
        continuous("28.8 mL/day"),
        "70 s",
        {"at": "30 s", "do": "reservoir_empty"},
        {"at": "62 s", "do": "command", "line": "silence"},
        {"at": "63 s", "do": "command", "line": "silence"},
        *ask,
        pump={"low_reservoir": "20 mL"},
    )
    pump = board(make_bench(plan), seed=plan.seed)
    result = simulate(plan, pump)
    raised = {event.details["alarm"]: event.t_ns for event in result.events if event.code == "alarm"}
    assert {"low_reservoir", "reservoir_empty"} <= set(raised)
    assert [event.code for event in result.events].count("silenced") == 1
    assert ["silent for" in refusal.answer for refusal in result.refusals] == [True]
    sounds = pump.bench.signals.sounds
    first = [sound for sound in sounds if sound[0] < 25 * S]
    assert [round(hz, -2) for _, hz in first] == [1_000, 0]
    assert abs(first[1][0] - first[0][0] - S) <= 50 * MS
    high = [sound for sound in sounds if sound[0] >= raised["reservoir_empty"] - S][:4]
    assert [round(hz, -2) for _, hz in high] == [1_000, 1_500, 1_000, 0]
    assert abs(high[3][0] - high[0][0] - 3 * S) <= 100 * MS
    assert high[0][0] - raised["reservoir_empty"] <= 1_100 * MS
    empty_s = raised["reservoir_empty"] // S + 2
    for begin, end, least, most, count in ((5, 30, 0.4, 0.8, 10), (empty_s, 70, 1.4, 2.8, 50)):
        rates, shares = rhythm(pump.bench.signals.lights, begin, end)
        print(f"{min(rates):.2f} to {max(rates):.2f} Hz, lit {min(shares):.2f} to {max(shares):.2f}")
        assert len(rates) >= count
        assert least <= min(rates) <= max(rates) <= most
        assert 0.2 <= min(shares) <= max(shares) <= 0.8
