"""What is heard and seen: alarms by priority, and the answer to a press (F3, F11; R28, R31)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.signals import Signals

WRAP = 1 << 30
HIGH, MEDIUM, LOW = "high", "medium", "low"
Second = tuple[int, bool]


class Recorder:
    """What sounds and shines, second by second. `lights`: (ms, lit) at every change. The processor takes up to
    `busy_ms` before it sees to the light."""

    def __init__(self, busy_ms: int = 0) -> None:
        self.hz = 0
        self.lit = False
        self.now_ms = 0
        self.lights: list[tuple[int, bool]] = []
        self.turns = 0
        self.priority: str | None = None
        self.fresh = False
        self._busy_ms = busy_ms
        self.signals = Signals(self)

    def sound(self, hz: int) -> None:
        assert hz != self.hz, "a tone that goes on must not begin anew"
        self.hz = hz

    def led(self, on: bool) -> None:
        assert on != self.lit
        self.lit = on
        self.lights.append((self.now_ms, on))

    def ticks_ms(self) -> int:
        return (self.now_ms + WRAP - 5_000) % WRAP  # a wrap after five seconds

    @staticmethod
    def ticks_add(ticks: int, delta: int) -> int:
        return (ticks + delta) % WRAP

    @staticmethod
    def ticks_diff(end: int, start: int) -> int:
        return (end - start + WRAP // 2) % WRAP - WRAP // 2

    def alarm(self, priority: str | None, fresh: bool = True) -> None:
        """From now on this is the highest priority of the active alarms."""
        self.priority, self.fresh = priority, fresh

    def second(self) -> Second:
        """One second, with as many turns as the light asks for."""
        end = self.now_ms + 1_000
        self.signals.frame(self.priority, self.fresh)
        self.fresh = False
        heard = self.hz, self.lit
        while self.now_ms < end:
            self.turns += 1
            patience = self.signals.blink()
            assert 0 < patience <= 1_000
            self.now_ms = min(end, self.now_ms + patience + self._busy_ms)
        return heard

    def seconds(self, count: int) -> list[Second]:
        return [self.second() for _ in range(count)]

    def tones(self, count: int) -> dict[int, list[int]]:
        """Tones without a pause between them, by the second in which the first began."""
        found: dict[int, list[int]] = {}
        begin = -1
        for number in range(count):
            hz, _ = self.second()
            if hz:
                begin = number if begin < 0 else begin
                found.setdefault(begin, []).append(hz)
            else:
                begin = -1
        return found


SILENT = (0, False)
ACCEPTED = [(2_000, True)]
DENIED = [(500, False), SILENT, (500, False)]
ALARM = {HIGH: [1_000, 1_500, 1_000], MEDIUM: [1_000]}
EVERY_S = {HIGH: 600, MEDIUM: 3_600}


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
