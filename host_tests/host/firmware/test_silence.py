"""Silence: two minutes at most, and never the light (F11; R28)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals_rig import ALARM, EVERY_S, HIGH, LOW, MEDIUM, Recorder


@pytest.mark.requirement("F11", "R28")
@pytest.mark.parametrize("priority", [HIGH, MEDIUM])
def test_a_silence_lasts_two_minutes_at_most_and_never_dims_the_light(priority: str) -> None:
    pump = Recorder()
    pump.alarm(priority)
    pump.second()
    pump.signals.silence(priority)
    assert pump.signals.silent_s == 120
    lights = len(pump.lights)
    pump.signals.denied()  # an answer is none of the alarm
    assert pump.tones(119) == {0: [500], 2: [500]}
    assert len(pump.lights) - lights == (119 * 4 if priority == HIGH else 119)
    assert pump.signals.silent_s == 1
    every = EVERY_S[priority]
    assert pump.tones(every + 1) == {0: ALARM[priority], every: [1_000]}


@pytest.mark.requirement("F11", "R28")
def test_a_new_alarm_ends_a_silence_and_so_does_the_end_of_all() -> None:
    pump = Recorder()
    pump.alarm(HIGH)
    pump.seconds(10)
    pump.signals.silence(HIGH)
    assert pump.tones(50) == {}
    pump.alarm(HIGH)
    assert pump.tones(120) == {0: ALARM[HIGH]}
    pump.signals.silence(HIGH)
    pump.alarm(LOW, fresh=False)
    pump.second()
    assert pump.signals.silent_s == 0
    pump.alarm(MEDIUM)
    assert pump.tones(20) == {0: ALARM[MEDIUM]}


@pytest.mark.requirement("F11", "R28")
def test_frames_that_were_missed_count_against_a_silence() -> None:
    pump = Recorder()
    pump.alarm(HIGH)
    pump.seconds(10)
    pump.signals.silence(HIGH)
    pump.signals.frame(HIGH, False, 119)
    assert pump.hz == 0
    pump.signals.frame(HIGH, False, 5)
    assert pump.hz == 1_000


@pytest.mark.requirement("F11", "R28")
def test_silence_is_refused_where_nothing_sounds_and_cannot_be_made_longer() -> None:
    pump = Recorder()
    for priority in (None, LOW):
        pump.alarm(priority, fresh=False)
        pump.second()
        with pytest.raises(ValueError, match="silence: no alarm sounds"):
            pump.signals.silence(priority)
    pump.alarm(HIGH)
    pump.second()
    pump.signals.silence(HIGH)
    pump.seconds(20)
    with pytest.raises(ValueError, match="silence: it is silent for 100 s more"):
        pump.signals.silence(HIGH)
    assert pump.tones(101) == {99: [1_000, 1_500]}
    pump.signals.silence(HIGH)  # it has sounded meanwhile; the tune ends at once
    assert pump.tones(100) == {}


@pytest.mark.requirement("F11", "R28")
@given(st.lists(st.tuples(st.sampled_from([None, LOW, MEDIUM, HIGH]), st.booleans(), st.booleans()), max_size=40))
def test_whatever_comes_no_two_minutes_of_an_alarm_pass_without_its_sound_after_a_silence(
    story: list[tuple[str | None, bool, bool]],
) -> None:
    """Alarms come and go every 30 s, each time with a try to silence them. No alarm is without a sound for longer than
    its interval, nor for longer than two minutes after a silence was accepted."""
    pump = Recorder()
    quiet_s, limit_s = 0, 0
    for priority, fresh, silence in story:
        sounding = priority in ALARM
        risen = sounding and (pump.priority not in ALARM or (priority == HIGH and pump.priority == MEDIUM))
        pump.alarm(priority, sounding and (fresh or risen))
        if silence:
            try:
                pump.signals.silence(pump.priority)
                limit_s = min(limit_s, quiet_s + 120) if limit_s else quiet_s + 120
            except ValueError:
                assert not sounding or pump.signals.silent_s
        for _ in range(30):
            hz, _ = pump.second()
            if hz or not sounding:
                assert not hz or sounding
                quiet_s, limit_s = 0, 0
            else:
                quiet_s += 1
                assert quiet_s <= (limit_s or EVERY_S[str(priority)])
