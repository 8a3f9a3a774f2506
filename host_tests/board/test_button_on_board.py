"""Button, buzzer, LED and battery of the real firmware on the emulated RP2040 (F3, F9; R36, R38)."""

from __future__ import annotations

import pytest
from rig import MS, Pump, S
from support import continuous, on_twin, scenario

from thecal.sim import make_bench, simulate

BOLUS = {"dose": "10 uL", "over": "1 min", "lockout": "1 h", "max_per_day": 4}
RX = {**continuous("1 mL/day"), "patient_bolus": BOLUS}


@pytest.mark.requirement("F3", "R38")
@pytest.mark.parametrize("at_ms", [20_000, 20_333, 20_650, 20_980])
def test_a_bouncing_press_of_50_ms_is_one_bolus_and_is_answered(at_ms: int, board: Pump) -> None:
    plan = scenario(RX, "40 s")
    pump = board(make_bench(plan), seed=plan.seed)
    sensors = pump.bench.sensors
    for index, after_ms in enumerate((0, 1, 2, 50, 51, 53)):
        pump.at((at_ms + after_ms) * MS, lambda index=index: setattr(sensors, "dose_button", index % 2 == 0))
    result = simulate(plan, pump)
    assert (result.summary.boluses_accepted, result.summary.boluses_denied) == (1, 0)
    (begin, hz), (end, silence) = pump.bench.signals.sounds
    assert abs(hz - 2_000) <= 20
    assert silence == 0
    assert at_ms * MS < begin <= (at_ms + 1_200) * MS
    assert abs(end - begin - S) <= 80 * MS  # it begins behind what the frame of the press has to store
    assert [lit for _, lit in pump.bench.signals.lights] == [True, False]


@pytest.mark.requirement("F3", "R38")
def test_a_button_held_through_the_start_is_no_press(board: Pump) -> None:
    plan = scenario(RX, "15 s")
    pump = board(make_bench(plan), seed=plan.seed)
    pump.bench.sensors.dose_button = True
    pump.at(8 * S, lambda: setattr(pump.bench.sensors, "dose_button", False))
    result = simulate(plan, pump)
    assert (result.summary.boluses_accepted, result.summary.boluses_denied) == (0, 0)
    assert pump.bench.signals.sounds == []


@pytest.mark.requirement("F3", "R38")
def test_the_tone_disturbs_no_step(board: Pump) -> None:
    """A denied press sounds for three seconds while the motor steps at its fastest. A second's steps may come later by
    a page write, 5 ms, as the press is logged."""
    press = {"at": "20 s", "do": "patient_bolus"}
    quiet = scenario(continuous("28.8 mL/day"), "30 s", pump={"pl_per_step": 1_000})
    loud = scenario(continuous("28.8 mL/day"), "30 s", press, pump={"pl_per_step": 1_000})
    pumps = [board(make_bench(plan), seed=1) for plan in (quiet, loud)]
    results = [simulate(plan, pump) for plan, pump in zip((quiet, loud), pumps, strict=True)]
    assert results[1].summary.boluses_denied == 1
    assert [round(hz, -2) for _, hz in pumps[1].bench.signals.sounds] == [500, 0, 500, 0]
    times = [result.step_times_ns for result in results]
    assert len(times[0]) == len(times[1])
    assert max(abs(a - b) for a, b in zip(*times, strict=True)) <= 5 * MS


@pytest.mark.requirement("F9", "R36")
def test_the_battery_is_measured_and_both_targets_raise_the_same_alarms(board: Pump) -> None:
    low = {"at": "30 s", "do": "battery", "millivolts": 2_998}
    plan = scenario(RX, "8 min", low, pump={"eri_to_eos": "90 s"})
    pump = board(make_bench(plan), seed=plan.seed)
    found = [
        {event.details["alarm"]: event.t_ns for event in result.events if event.code == "alarm"}
        for result in (simulate(plan, pump), on_twin(plan))
    ]
    assert list(found[0]) == ["battery_low", "battery_depleted", "replace_soon", "end_of_service"]
    assert list(found[1]) == list(found[0])
    assert all(abs(found[0][alarm] - found[1][alarm]) <= 3 * S for alarm in found[0])  # a start is as long as it is
