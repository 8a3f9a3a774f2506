"""Delivered volume against demanded volume, through the whole pump on the twin (invariant 1)."""

from __future__ import annotations

import os
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import S, check_exact, continuous, flex, on_twin, scenario

from thecal.demand import demanded_nl
from thecal.programming import firmware
from thecal.sim import make_bench, simulate
from thecal.twin.twin import Twin

DAYS = int(os.environ.get("DRIFT_DAYS", "10"))

PRIMES = (1_009, 7_919, 24_989, 25_013, 104_729, 999_983)
STEPS_PL = st.one_of(st.integers(1_000, 1_000_000), st.sampled_from(PRIMES))
RATES = st.integers(6_000, 28_800_000)


def _nl(rate: int) -> str:
    return f"{rate} nL/day"


@pytest.mark.requirement("F1", "R01")
@settings(max_examples=30)
@given(rate=RATES, pl_per_step=STEPS_PL)
def test_a_constant_rate_is_never_ahead_and_never_a_step_behind(rate: int, pl_per_step: int) -> None:
    plan = scenario(continuous(_nl(rate)), "20 min", pump={"pl_per_step": pl_per_step, "reservoir": "40 mL"})
    result = on_twin(plan)
    check_exact(plan, result)
    assert result.summary.ledger_steps == result.summary.steps


@st.composite
def flex_prescriptions(draw: st.DrawFn) -> dict[str, object]:
    """Up to six periods within the first two hours of Monday, which begin and end at whole minutes."""
    minutes = sorted(draw(st.sets(st.integers(0, 90), min_size=2, max_size=12)))
    periods = []
    for first, last in zip(minutes[0::2], minutes[1::2], strict=False):
        rate = draw(st.one_of(st.just(0), RATES))
        clock = [f"{m // 60:02d}:{m % 60:02d}" for m in (first, last)]
        periods.append((draw(st.sampled_from(["mon", "daily", "sun-tue"])), clock[0], clock[1], _nl(rate)))
    return flex(_nl(draw(RATES)), *periods)


@pytest.mark.requirement("F2", "R01")
@settings(max_examples=25)
@given(prescription=flex_prescriptions(), pl_per_step=STEPS_PL)
def test_a_random_schedule_is_followed_exactly_to_the_second(prescription: dict[str, object], pl_per_step: int) -> None:
    plan = scenario(prescription, "100 min", pump={"pl_per_step": pl_per_step, "reservoir": "40 mL"})
    check_exact(plan, on_twin(plan))


@pytest.mark.requirement("F2")
def test_periods_cross_midnight_and_the_end_of_the_week() -> None:
    plan = scenario(
        flex("1 mL/day", ("sun", "23:30", "00:30", "20 mL/day"), ("mon", "00:30", "01:00", "0 uL/day")),
        "3 h",
        start="2026-03-08T23:00:00",
    )
    result = on_twin(plan)
    check_exact(plan, result)
    expected = demanded_nl(plan.prescription, plan.pump, plan.start, 2 * S, 3 * 3600 * S)
    two_seconds = Fraction(2 * 1_000_000, 86_400)
    assert 0 <= expected - result.summary.delivered_nl < 25 + two_seconds


@pytest.mark.requirement("F1", "F10")
@settings(max_examples=20)
@given(
    rate=RATES,
    pl_per_step=STEPS_PL,
    cut=st.fractions(min_value=Fraction(20), max_value=Fraction(500), max_denominator=1000),
    off=st.integers(1, 300),
)
def test_a_power_cut_costs_a_minute_of_flow_at_most_and_is_never_caught_up(
    rate: int, pl_per_step: int, cut: Fraction, off: int
) -> None:
    cut_ms = int(cut * 1000)
    plan = scenario(
        continuous(_nl(rate)),
        "16 min",
        {"at": f"{cut_ms / 1000:.3f} s", "do": "power_cut", "for": f"{off} s"},
        pump={"pl_per_step": pl_per_step, "reservoir": "40 mL"},
    )
    result = on_twin(plan)
    check_exact(plan, result)
    summary = result.summary
    lost = (summary.ledger_steps - summary.steps) * Fraction(pl_per_step, 1000)
    step = Fraction(pl_per_step, 1000)
    assert 0 <= lost <= max(Fraction(rate, 1440), step) + step


@pytest.mark.requirement("F11", "R27")
@settings(max_examples=15)
@given(rate=RATES, pl_per_step=STEPS_PL, at_ms=st.integers(10_000, 300_000))
def test_a_hang_ends_in_a_watchdog_reset_that_costs_two_steps_at_most(rate: int, pl_per_step: int, at_ms: int) -> None:
    plan = scenario(
        continuous(_nl(rate)),
        "8 min",
        {"at": f"{at_ms / 1000:.3f} s", "do": "hang"},
        pump={"pl_per_step": pl_per_step, "reservoir": "40 mL"},
    )
    result = on_twin(plan)
    check_exact(plan, result)
    assert result.summary.resets == {"power_on": 1, "watchdog": 1, "commanded": 0}
    assert 0 <= result.summary.ledger_steps - result.summary.steps <= 2
    (boot,) = [e for e in result.events if e.code == "boot" and e.details["cause"] == "watchdog"]
    assert boot.t_ns <= at_ms * 1_000_000 + 8_400_000_000 + 5 * S


@pytest.mark.requirement("F1", "R01")
def test_ten_days_without_drift() -> None:
    """Of the whole pump. `make bench` and DRIFT_DAYS=90 take it through 90 days, which take ten minutes."""
    plan = scenario(continuous("123457 nL/day"), f"{DAYS} d", pump={"pl_per_step": 24_989, "reservoir": "40 mL"})
    result = on_twin(plan)
    expected = demanded_nl(plan.prescription, plan.pump, plan.start, 2 * S, plan.duration_ns - S)
    assert result.summary.steps == int(expected * 1000 / plan.pump.pl_per_step)


@pytest.mark.requirement("F1", "R01")
@pytest.mark.parametrize(("rate", "pl_per_step"), [(123_457, 24_989), (28_799_999, 1_009), (6_007, 999_983)])
def test_ninety_days_of_the_arithmetic_without_drift(rate: int, pl_per_step: int) -> None:
    """Every second of them, but not the pump around it."""
    cascade = firmware("cascade").Cascade(pl_per_step)
    cascade.set_rate(rate)
    seconds = 90 * 86_400
    made = sum(cascade.second() for _ in range(seconds))
    assert made == rate * 1_000 * seconds // (86_400 * pl_per_step)


@pytest.mark.requirement("R15", "F4")
@settings(max_examples=15)
@given(rate=RATES, stop_ms=st.integers(20_000, 60_000), pause=st.integers(1, 120))
def test_a_timed_stop_ends_by_itself_and_nothing_is_caught_up(rate: int, stop_ms: int, pause: int) -> None:
    plan = scenario(
        continuous(_nl(rate)),
        "5 min",
        {"at": f"{stop_ms / 1000:.3f} s", "do": "command", "line": f"stop for {pause} s"},
    )
    result = on_twin(plan)
    assert result.summary.state == "dosing"
    step = Fraction(25)
    flow = Fraction(rate, 86_400)
    given_up = 2 + pause
    most = flow * (300 - given_up + 1)
    assert result.summary.delivered_nl <= most
    assert result.summary.delivered_nl > flow * (300 - given_up - 4) - 2 * step
    quiet = [t for t in result.step_times_ns if stop_ms * 1_000_000 + 2 * S < t < stop_ms * 1_000_000 + (pause - 1) * S]
    assert quiet == []
    assert result.summary.step_pulses == result.summary.steps


@pytest.mark.requirement("R15", "F4")
@pytest.mark.parametrize("line", ["stop", "stop for 60 s"])
def test_an_operators_stop_lets_the_seconds_steps_end_and_then_takes_the_motors_power(line: str) -> None:
    plan = scenario(continuous("5 mL/day"), "40 s", {"at": "30.3 s", "do": "command", "line": line})
    bench = make_bench(plan)
    twin = Twin(bench)
    seen: dict[float, bool] = {}
    for at in (29.9, 30.5, 32.5, 39.9):
        twin.at(round(at * S), lambda at=at: seen.update({at: bench.motor.drive}))
    try:
        result = simulate(plan, twin)
    finally:
        twin.close()
    assert seen == {29.9: True, 30.5: True, 32.5: False, 39.9: False}
    assert result.summary.step_pulses == result.summary.steps  # none was cut off


@pytest.mark.requirement("R15", "F4")
@pytest.mark.parametrize("off", [60, 100, 3_600])
def test_a_timed_stop_that_ends_while_the_pump_is_off_costs_no_second_after_the_start(off: int) -> None:
    stop = {"at": "60 s", "do": "command", "line": "stop for 60 s"}
    cut = {"at": "61 s", "do": "power_cut", "for": f"{off} s"}
    on = (61 + off) * S
    stopped, plain = (on_twin(scenario(continuous("5 mL/day"), "2 h", *events)) for events in ([stop, cut], [cut]))
    assert [event.code for event in stopped.events if event.t_ns > on and event.code in ("boot", "stop_end")] == [
        "boot",
        "stop_end",
    ]
    made = [[t for t in result.step_times_ns if t > on] for result in (stopped, plain)]
    assert abs(made[0][0] - made[1][0]) < 10_000_000  # a second without flow is 58 nL, two steps
    assert len(made[0]) == len(made[1])
