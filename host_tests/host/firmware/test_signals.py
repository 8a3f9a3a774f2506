"""What is heard and seen: alarms by priority, and the answer to a press (F3, F11; R28, R31)."""

from __future__ import annotations

import pytest
from signals_rig import ACCEPTED, ALARM, DENIED, EVERY_S, HIGH, LOW, MEDIUM, SILENT, Recorder


@pytest.mark.requirement("F3")
def test_the_two_answers_differ_in_pitch_number_and_light() -> None:
    pump = Recorder()
    assert pump.seconds(3) == [SILENT] * 3
    pump.signals.accepted()
    assert pump.seconds(4) == [*ACCEPTED, SILENT, SILENT, SILENT]
    pump.signals.denied()
    assert pump.seconds(5) == [*DENIED, SILENT, SILENT]
    assert pump.signals.sounded_s == 3


@pytest.mark.requirement("F3")
def test_a_new_answer_takes_the_place_of_the_old_one() -> None:
    pump = Recorder()
    pump.signals.denied()
    assert pump.seconds(1) == DENIED[:1]
    pump.signals.accepted()
    assert pump.seconds(2) == [*ACCEPTED, SILENT]
    pump.signals.accepted()
    pump.signals.denied()
    assert pump.seconds(4) == [*DENIED, SILENT]


@pytest.mark.requirement("F11", "R31")
def test_a_low_priority_shines_steadily_through_every_answer_and_is_silent() -> None:
    pump = Recorder()
    pump.alarm(LOW, fresh=False)
    pump.signals.denied()
    assert pump.seconds(4) == [(500, True), (0, True), (500, True), (0, True)]
    assert pump.tones(8_000) == {}
    assert pump.lights == [(0, True)]
    pump.alarm(None, fresh=False)
    assert pump.seconds(1) == [SILENT]


@pytest.mark.requirement("F11", "R28", "R31")
@pytest.mark.parametrize("priority", [HIGH, MEDIUM])
def test_an_alarm_sounds_at_once_and_then_every_so_often(priority: str) -> None:
    pump = Recorder()
    pump.seconds(5)
    pump.alarm(priority)
    every = EVERY_S[priority]
    assert pump.tones(every * 3 + 10) == {number * every: ALARM[priority] for number in range(4)}
    pump.alarm(None, fresh=False)
    assert pump.tones(every + 10) == {}


@pytest.mark.requirement("F11", "R31")
def test_the_highest_priority_decides_and_a_new_alarm_sounds_at_once() -> None:
    pump = Recorder()
    pump.alarm(MEDIUM)
    assert pump.tones(100) == {0: ALARM[MEDIUM]}
    pump.alarm(HIGH)
    assert pump.tones(300) == {0: ALARM[HIGH]}
    pump.alarm(HIGH)  # another one, of either priority
    assert pump.tones(601) == {0: ALARM[HIGH], 600: [1_000]}
    pump.alarm(MEDIUM, fresh=False)  # the high ones have ended, in the middle of their tune
    assert pump.tones(3_700) == {3_599: ALARM[MEDIUM]}


@pytest.mark.requirement("F11")
def test_the_tune_of_an_alarm_ends_with_it() -> None:
    pump = Recorder()
    pump.alarm(HIGH)
    assert [hz for hz, _ in pump.seconds(2)] == [1_000, 1_500]
    pump.alarm(None, fresh=False)
    assert pump.seconds(3) == [SILENT] * 3


@pytest.mark.requirement("F3", "F11")
def test_an_alarm_comes_before_an_answer_which_then_follows_whole() -> None:
    pump = Recorder()
    pump.signals.denied()
    pump.alarm(HIGH)
    assert [hz for hz, _ in pump.seconds(8)] == [*ALARM[HIGH], 0, 500, 0, 500, 0]
    pump.signals.denied()
    assert [hz for hz, _ in pump.seconds(2)] == [500, 0]
    pump.alarm(HIGH)  # in the middle of the answer
    assert [hz for hz, _ in pump.seconds(8)] == [*ALARM[HIGH], 0, 500, 0, 500, 0]
    pump.alarm(MEDIUM)
    assert [hz for hz, _ in pump.seconds(1)] == ALARM[MEDIUM]
    pump.signals.accepted()  # while the alarm sounds
    assert [hz for hz, _ in pump.seconds(3)] == [0, 2_000, 0]
    pump.alarm(MEDIUM)  # an answer that is over is not given again
    assert [hz for hz, _ in pump.seconds(4)] == [1_000, 0, 0, 0]


@pytest.mark.requirement("F3", "F11")
def test_no_tone_of_an_alarm_is_one_of_an_answer() -> None:
    answers = {hz for hz, _ in ACCEPTED + DENIED}
    assert not answers & {hz for tune in ALARM.values() for hz in tune}


@pytest.mark.requirement("F11", "R31")
@pytest.mark.parametrize("busy_ms", [0, 3, 30, 100])
@pytest.mark.parametrize(
    ("priority", "least_hz", "most_hz"), [(HIGH, 1.4, 2.8), (MEDIUM, 0.4, 0.8)], ids=[HIGH, MEDIUM]
)
def test_the_light_blinks_at_its_rate_however_busy_the_pump_is(
    priority: str, least_hz: float, most_hz: float, busy_ms: int
) -> None:
    """Every period, and its share of light; through a wrap of the ticks, an answer and a new alarm."""
    pump = Recorder(busy_ms)
    pump.second()
    pump.alarm(priority)
    pump.seconds(5)
    pump.signals.accepted()
    pump.seconds(5)
    pump.alarm(priority)
    pump.seconds(20)
    assert pump.lights[0] == (1_000, True)  # at once
    rises = [t for t, lit in pump.lights if lit]
    falls = [t for t, lit in pump.lights if not lit]
    assert len(rises) >= 30 * least_hz
    for rise, fall, again in zip(rises, falls, rises[1:], strict=False):
        assert least_hz <= 1_000 / (again - rise) <= most_hz
        assert 0.2 <= (fall - rise) / (again - rise) <= 0.8


@pytest.mark.requirement("F11")
def test_the_light_of_an_answer_does_not_show_while_it_blinks_and_steady_follows() -> None:
    pump = Recorder()
    pump.alarm(MEDIUM)
    pump.seconds(3)
    before = len(pump.lights)
    pump.signals.accepted()
    pump.seconds(4)
    assert len(pump.lights) - before == 4  # a change each second, as before
    pump.alarm(LOW, fresh=False)
    pump.seconds(3)
    assert pump.lit
    pump.alarm(None, fresh=False)
    pump.seconds(3)
    assert not pump.lit


@pytest.mark.requirement("F9", "F11")
def test_without_a_light_that_blinks_the_pump_sleeps_as_long_as_ever() -> None:
    for priority in (None, LOW):
        pump = Recorder()
        pump.alarm(priority, fresh=False)
        pump.signals.accepted()
        pump.seconds(100)
        assert pump.turns == 100
    pump.alarm(HIGH)
    pump.seconds(100)
    assert pump.turns <= 100 + 5 * 100


@pytest.mark.requirement("F11", "R31")
@pytest.mark.parametrize(("priority", "half_ms"), [(HIGH, 250), (MEDIUM, 1_000)])
def test_the_light_changes_to_the_millisecond_whoever_looks_how_often(priority: str, half_ms: int) -> None:
    pump = Recorder()
    pump.signals.frame(priority, True)
    for ms in range(5 * half_ms):
        pump.now_ms = ms
        left = pump.signals.blink()
        assert left == half_ms - ms % half_ms
        assert pump.lit == (ms // half_ms % 2 == 0)


@pytest.mark.requirement("F11", "R28")
@pytest.mark.parametrize("priority", [HIGH, MEDIUM])
def test_an_alarm_that_is_not_new_sounds_after_a_whole_interval(priority: str) -> None:
    pump = Recorder()
    assert pump.signals.silent_s == 0
    pump.alarm(priority, fresh=False)
    assert pump.tones(EVERY_S[priority] + 5) == {EVERY_S[priority] - 1: ALARM[priority]}
