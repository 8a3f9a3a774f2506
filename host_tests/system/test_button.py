"""The DOSE button of a whole pump: a press is a bolus or a denial, and is answered (F3; R38)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from support import S, continuous, scenario

from thecal.scenario import Scenario
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

MS = 1_000_000
MIN = 60 * S
BOLUS = {"dose": "10 uL", "over": "5 min", "lockout": "1 h", "max_per_day": 4}
RX = {**continuous("1 mL/day"), "patient_bolus": BOLUS}


class Pressed:
    """A simulation with somebody at the button."""

    def __init__(self, plan: Scenario, *spans_ms: tuple[float, float]) -> None:
        """spans_ms: the button goes down and up."""
        self.bench = make_bench(plan)
        twin = Twin(self.bench, plan.seed)
        for down, up in spans_ms:
            twin.at(round(down * MS), self._set(True))
            twin.at(round(up * MS), self._set(False))
        try:
            self.result: Result = simulate(plan, twin)
        finally:
            twin.close()

    def _set(self, pressed: bool) -> Callable[[], None]:
        return lambda: setattr(self.bench.sensors, "dose_button", pressed)

    def of_patient(self, code: str) -> list[int]:
        """True times, ns, of the events of this code."""
        return [event.t_ns for event in self.result.events if event.code == code and event.details["kind"] == "patient"]

    @property
    def counts(self) -> tuple[int, int]:
        summary = self.result.summary
        return summary.boluses_accepted, summary.boluses_denied


@pytest.mark.requirement("F3", "R38")
def test_a_press_of_50_ms_is_taken_wherever_in_the_second_it_falls() -> None:
    for at_ms in range(120_000, 121_000, 25):
        pump = Pressed(scenario(RX, "3 min"), (at_ms, at_ms + 50))
        assert pump.counts == (1, 0), at_ms
        (begun,) = pump.of_patient("bolus")
        assert at_ms * MS <= begun <= at_ms * MS + 1_100 * MS


@pytest.mark.requirement("F3", "R38")
@pytest.mark.parametrize(
    "spans",
    [
        [(120_000, 120_002), (120_003, 120_008), (120_010, 120_300), (120_302, 120_303), (120_305, 120_306)],
        [(120_000, 150_000), (150_001, 150_003), (150_005, 150_006)],
        [(120_000, 120_100), (120_900, 121_000), (121_900, 122_000)],
        [(120_000, 220_000)],
    ],
)
def test_bounces_presses_within_a_second_and_a_held_button_are_one_press(spans: list[tuple[int, int]]) -> None:
    assert Pressed(scenario(RX, "5 min"), *spans).counts == (1, 0)


@pytest.mark.requirement("F3", "R09", "R38")
def test_every_answer_is_heard_and_seen() -> None:
    pump = Pressed(scenario(RX, "5 min"), (120_020, 120_220), (180_020, 180_220))
    assert pump.counts == (1, 1)
    signals = pump.bench.signals
    (accepted, accepted_end), (denied, *rest) = signals.sounds[:2], signals.sounds[2:]
    assert (accepted[1], accepted_end[1]) == (2_000, 0)
    assert abs(accepted_end[0] - accepted[0] - S) <= 100 * MS
    assert accepted[0] <= 122 * S
    assert denied[1] == 500
    assert [hz for _, hz in rest] == [0, 500, 0]
    assert 180 * S < denied[0] <= 182 * S
    assert signals.lights[0][0] == pytest.approx(accepted[0], abs=5 * MS)
    assert [lit for _, lit in signals.lights][:2] == [True, False]


@pytest.mark.requirement("F3", "F11", "R38")
def test_the_led_is_lit_while_a_bolus_is_denied() -> None:
    pump = Pressed(scenario(RX, "5 min"), (60_020, 60_220), (120_020, 120_220))
    assert pump.counts == (1, 1)
    spans = {event.code: event.t_ns for event in pump.result.events if event.code in ("alarm", "alarm_end")}
    (_, _), (_, _), (lit, on), (dark, off) = pump.bench.signals.lights
    assert (on, off) == (True, False)
    assert abs(lit - spans["alarm"]) <= S
    assert abs(dark - spans["alarm_end"]) <= S
    assert dark - lit == pytest.approx(60 * S, abs=S)


@pytest.mark.requirement("F3", "F11", "R31")
def test_the_led_blinks_for_the_highest_priority_whatever_a_steady_light_would_say() -> None:
    """A denied bolus (low), then a depleted battery (low, medium and high): dark, steady, 2 Hz."""
    battery = {"at": "30 s", "do": "battery", "millivolts": 2_900}
    pump = Pressed(scenario(RX, "10 min", battery), (60_020, 60_220), (290_020, 290_220))
    assert pump.counts == (1, 1)
    assert {"battery_depleted", "battery_low", "bolus_denied"} <= set(pump.result.summary.alarms_history)
    raised = next(e.t_ns for e in pump.result.events if e.details.get("alarm") == "battery_depleted")
    lights = [(t, lit) for t, lit in pump.bench.signals.lights if t > 280 * S]
    steady = [t for t, _ in lights if t < raised]
    assert len(steady) == 1
    rises = [t for t, lit in lights if lit and t > raised + S]
    assert all(1.4 <= S / (b - a) <= 2.8 for a, b in pairwise(rises))
    assert len(rises) > 500


@pytest.mark.requirement("F3", "R38")
@pytest.mark.parametrize("up_ms", [100, 1_000])
def test_a_button_that_is_down_when_the_pump_starts_is_no_press(up_ms: int) -> None:
    """Down before power-on, and again before a reset: no press; let go and pressed anew, it is one."""
    assert Pressed(scenario(RX, "3 min"), (0, up_ms), (100_000, 100_050)).counts == (1, 0)
    hang = {"at": "60 s", "do": "hang"}
    spans = (61_000, 65_000 + up_ms), (150_000, 150_050)
    pump = Pressed(scenario(RX, "3 min", hang), *spans)
    assert pump.result.summary.resets["watchdog"] == 1
    assert pump.counts == (1, 0)
    assert pump.of_patient("bolus")[0] > 150 * S


@pytest.mark.requirement("F3", "F11", "R25", "R38")
@pytest.mark.parametrize("cause", ["power_on", "watchdog"])
def test_a_button_that_is_held_throughout_a_start_is_stuck_and_no_press(cause: str) -> None:
    """Nothing flows until it is let go and an operator has cleared; pressed anew, it is one."""
    lines = [
        {"at": "80 s", "do": "command", "line": "clear"},
        {"at": "90 s", "do": "command", "line": "resume"},
        {"at": "110 s", "do": "command", "line": "clear"},
        {"at": "111 s", "do": "command", "line": "resume"},
    ]
    if cause == "power_on":
        pump = Pressed(scenario(RX, "3 min", *lines), (0, 100_000), (150_000, 150_050))
    else:
        hang = {"at": "60 s", "do": "hang"}
        pump = Pressed(scenario(RX, "3 min", hang, *lines), (61_000, 100_000), (150_000, 150_050))
    tests = [event.details["test"] for event in pump.result.events if event.code == "self_test"]
    assert tests == ["button"]
    held_for_a_minute = ["button_held"] if cause == "power_on" else []
    assert pump.result.summary.alarms_history == ["self_test_failed", *held_for_a_minute]
    assert pump.result.summary.alarms_active == []
    since = 0 if cause == "power_on" else 66 * S
    assert not [t for t in pump.result.step_times_ns if since <= t < 111 * S]
    assert [t for t in pump.result.step_times_ns if t > 111 * S]
    assert pump.counts == (1, 0)


@pytest.mark.requirement("F3", "R38")
def test_a_press_while_the_pump_starts_is_a_bolus_or_nothing_but_never_two() -> None:
    for down_ms in range(0, 4_000, 100):
        accepted, denied = Pressed(scenario(RX, "1 min"), (down_ms, down_ms + 50)).counts
        assert accepted + denied <= 1
        if down_ms >= 2_500:
            assert accepted + denied == 1, down_ms


@pytest.mark.requirement("F3", "R38")
def test_presses_while_the_pump_is_off_or_hangs_are_nothing() -> None:
    cut = {"at": "60 s", "do": "power_cut", "for": "30 s"}
    assert Pressed(scenario(RX, "2 min", cut), (70_000, 70_200)).counts == (0, 0)
    hang = {"at": "60 s", "do": "hang"}
    assert Pressed(scenario(RX, "2 min", hang), (62_000, 62_200)).counts == (0, 0)


@pytest.mark.requirement("F3", "F12")
def test_the_patient_bolus_event_presses_the_button_and_the_summary_counts_the_answers() -> None:
    def press(at: str) -> dict[str, Any]:
        return {"at": at, "do": "patient_bolus"}

    plan = scenario(RX, "4 h", press("10 min"), press("30 min"), press("71 min"), press("130 min"))
    pump = Pressed(plan)
    assert pump.counts == (2, 2)
    assert pump.result.summary.record()["patient_boluses"] == {"accepted": 2, "denied": 2}
    assert [round(t / MIN) for t in pump.of_patient("bolus")] == [10, 71]
    assert [round(t / MIN) for t in pump.of_patient("bolus_denied")] == [30, 130]
