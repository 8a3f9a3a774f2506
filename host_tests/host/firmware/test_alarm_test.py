"""The operator's test of the alarms: what a high and a medium one sound and show (F11; R29)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pump_rig import Pump
from signals_rig import ALARM, HIGH, LOW, MEDIUM, Recorder

SOUNDS = {0: ALARM[HIGH], 4: ALARM[MEDIUM]}


@pytest.mark.requirement("F11", "R29")
@pytest.mark.parametrize("priority", [None, LOW])
def test_both_are_sounded_and_shown_once(priority: str | None) -> None:
    pump = Recorder()
    pump.alarm(priority, fresh=False)
    pump.seconds(5)
    lit, before = pump.lit, len(pump.lights)
    pump.signals.test(priority)
    assert pump.tones(6) == SOUNDS
    lights = pump.lights[before:]
    high = [t for t, _ in lights if t < 9_000]
    medium = [t for t, _ in lights if 9_000 <= t < 11_000]
    assert {end - begin for begin, end in pairwise(high)} == {250}
    assert len(high) >= 15
    assert len(medium) == 2
    assert pump.tones(8_000) == {}
    assert pump.lit == lit
    assert all(t <= 11_000 for t, _ in pump.lights)


@pytest.mark.requirement("F11", "R29", "R31")
@pytest.mark.parametrize("after_s", range(7))
@pytest.mark.parametrize("priority", [HIGH, MEDIUM])
def test_a_real_alarm_ends_a_test_and_sounds_at_once(after_s: int, priority: str) -> None:
    pump = Recorder()
    pump.signals.test(None)
    pump.seconds(after_s)
    pump.alarm(priority)
    assert pump.tones(100) == {0: ALARM[priority]}
    before = len(pump.lights)
    pump.seconds(4)
    assert len(pump.lights) - before == {HIGH: 16, MEDIUM: 4}[priority]


@pytest.mark.requirement("F3", "F11", "R29")
def test_an_answer_is_given_whole_after_a_test() -> None:
    pump = Recorder()
    pump.signals.denied()
    pump.seconds(1)
    pump.signals.test(None)
    assert pump.tones(12) == {**SOUNDS, 6: [500], 8: [500]}


@pytest.mark.requirement("F11", "R29")
@pytest.mark.parametrize("priority", [HIGH, MEDIUM])
def test_it_is_refused_while_an_alarm_of_those_is_active_and_disturbs_it_not(priority: str) -> None:
    pump = Recorder()
    pump.alarm(priority)
    with pytest.raises(ValueError, match=f"test alarms: an alarm of {priority} priority is active"):
        pump.signals.test(priority)
    assert pump.tones(100) == {0: ALARM[priority]}


@pytest.mark.requirement("F11", "F12", "R29")
def test_at_the_console_it_sounds_is_logged_and_disturbs_no_dosing() -> None:
    pump = Pump()
    steps = pump.steps_within(10)
    assert pump.ask("test") == ["error: test = nothing: `alarms` is needed"]
    assert pump.ask("test alarms now") == ["error: test = alarms now: `alarms` is needed"]
    assert pump.ask("test alarms") == ["ok"]
    assert abs(pump.steps_within(10) - steps) <= 1
    sounds = pump.bench.signals.sounds
    assert [hz for _, hz in sounds] == [1_000, 1_500, 1_000, 0, 1_000, 0]
    assert pump.codes()[-1] == "alarms_tested"
    assert "alarm" not in pump.codes()
    pump.close()
