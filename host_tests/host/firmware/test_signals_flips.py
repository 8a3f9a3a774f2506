"""One wrong bit in the numbers of sound and light: the sound comes in time, and the light is right again within two
seconds (F11; R26, R28)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from signals_rig import ALARM, EVERY_S, HIGH, LOW, MEDIUM, Recorder

from thecal.faults import memory

HALF_MS = {HIGH: 250, MEDIUM: 1_000}
SETTLED_MS = 2_000
BITS = range(memory.BITS)


class Changed(Recorder):
    """The same, where a wrong bit may make a tone begin anew, or the light be told what it is."""

    def sound(self, hz: int) -> None:
        self.hz = hz

    def led(self, on: bool) -> None:
        if on != self.lit:
            self.lit = on
            self.lights.append((self.now_ms, on))

    def quick(self, limit_s: int) -> int:
        """Seconds until an alarm sounds next, ten at a time; the light is left alone."""
        for number in range(limit_s // 10 + 2):
            self.signals.frame(self.priority, False, 10)
            if self.hz:
                return number * 10
        return -1


Prepared = Callable[[], Changed]


def active(priority: str | None, after_s: int, late_ms: int = 0) -> Prepared:
    def prepared() -> Changed:
        pump = Changed()
        pump.alarm(priority, fresh=priority in ALARM)
        pump.seconds(3)
        pump.signals.frame(priority, False, max(0, after_s - 6))
        pump.seconds(after_s % 4)
        pump.now_ms += late_ms
        return pump

    return prepared


def silenced(priority: str, after_s: int) -> Prepared:
    def prepared() -> Changed:
        pump = active(priority, 10)()
        pump.signals.silence(priority)
        pump.seconds(after_s)
        return pump

    return prepared


def under_test(after_s: int) -> Prepared:
    def prepared() -> Changed:
        pump = Changed()
        pump.seconds(2)
        pump.signals.test(None)
        pump.seconds(after_s)
        return pump

    return prepared


def flips(prepared: Prepared) -> list[tuple[str, int]]:
    """Every variable and its bits; those of tuples too."""
    found = [leaf for group in memory.leaves(prepared().signals, "signals").values() for leaf in group]
    assert {leaf.path.partition("[")[0] for leaf in found} >= {f"signals.{name}" for name in INTEGERS}
    return [(leaf.path, bit) for leaf in found for bit in (BITS if not isinstance(memory._get(leaf), bool) else (0,))]


INTEGERS = ["silent_s", "sounded_s", "_since_s", "_seal", "_hz", "_lit", "_toggle_at"]


def flipped(prepared: Prepared, path: str, bit: int) -> Changed:
    pump = prepared()
    (leaf,) = [leaf for group in memory.leaves(pump.signals, "signals").values() for leaf in group if leaf.path == path]
    old = memory._get(leaf)
    memory._set(leaf, (not old) if isinstance(old, bool) else memory.flipped_bit(old, bit))
    return pump


def is_right(pump: Recorder, priority: str | None, since_ms: int) -> bool:
    """Whether the light has been right since then."""
    if priority not in HALF_MS:
        return pump.lit == (priority == LOW) and all(at < since_ms for at, _ in pump.lights)
    changes = [at for at, _ in pump.lights if at >= since_ms]
    half_ms = HALF_MS[priority]
    return changes[0] - since_ms <= half_ms and {b - a for a, b in pairwise(changes)} == {half_ms}


MOMENTS: dict[str, tuple[str, Prepared, int]] = {  # and seconds until it sounds at the latest
    "high, sounding": (HIGH, active(HIGH, 2), 600),
    "high": (HIGH, active(HIGH, 301, 130), 300),
    "high, about to sound": (HIGH, active(HIGH, 597), 10),
    "high, silent": (HIGH, silenced(HIGH, 1), 120),
    "high, silent for long": (HIGH, silenced(HIGH, 117), 10),
    "medium": (MEDIUM, active(MEDIUM, 1_802, 700), 1_800),
    "medium, silent": (MEDIUM, silenced(MEDIUM, 50), 70),
}


@pytest.mark.requirement("F11", "R26", "R28")
@pytest.mark.parametrize("moment", MOMENTS)
def test_an_alarm_sounds_in_time_and_blinks_at_its_rate(moment: str) -> None:
    priority, prepared, within_s = MOMENTS[moment]
    for path, bit in flips(prepared):
        pump = flipped(prepared, path, bit)
        begin_ms = pump.now_ms
        pump.lights.clear()
        heard = [hz for hz, _ in pump.seconds(6)]
        assert is_right(pump, priority, begin_ms + SETTLED_MS), (path, bit)
        if not any(heard):
            assert 0 <= pump.quick(within_s) <= within_s, (path, bit)
        pump.seconds(5)
        assert pump.hz == 0, (path, bit)
        assert 0 <= pump.quick(EVERY_S[priority]) <= EVERY_S[priority], (path, bit)


@pytest.mark.requirement("F11", "R28")
@pytest.mark.parametrize("priority", [None, LOW])
def test_without_an_alarm_that_sounds_nothing_does_and_the_next_one_comes_in_time(priority: str | None) -> None:
    prepared = active(priority, 5)
    for path, bit in flips(prepared):
        pump = flipped(prepared, path, bit)
        pump.lights.clear()
        begin_ms = pump.now_ms
        heard = [hz for hz, _ in pump.seconds(8)]
        assert not any(heard), (path, bit)
        assert is_right(pump, priority, begin_ms + SETTLED_MS), (path, bit)
        assert pump.quick(4_000) == -1
        pump.alarm(MEDIUM, fresh=False)  # one that was active before, behind one of high priority
        assert 0 <= pump.quick(3_600) <= 3_600, (path, bit)


@pytest.mark.requirement("F11", "R29")
@pytest.mark.parametrize("after_s", [1, 5])
def test_a_test_of_the_alarms_ends_all_the_same(after_s: int) -> None:
    prepared = under_test(after_s)
    for path, bit in flips(prepared):
        pump = flipped(prepared, path, bit)
        pump.seconds(8)
        pump.lights.clear()
        assert [hz for hz, _ in pump.seconds(8)] == [0] * 8, (path, bit)
        assert is_right(pump, None, pump.now_ms), (path, bit)


@pytest.mark.requirement("F11", "R28")
@pytest.mark.parametrize("left_s", [1, 60, 119])
def test_a_wrong_bit_ends_a_silence_at_once(left_s: int) -> None:
    """Never the other way round: it is two minutes at most."""
    prepared = silenced(HIGH, 120 - left_s)
    for name in ("silent_s", "_since_s", "_seal"):
        for bit in BITS:
            pump = flipped(prepared, f"signals.{name}", bit)
            assert [hz for hz, _ in pump.seconds(4)] == [*ALARM[HIGH], 0], (name, bit)
            assert pump.signals.silent_s == 0
            assert pump.quick(600) == 590, (name, bit)


@pytest.mark.requirement("F11", "R28")
@pytest.mark.parametrize("name", ["_since_s", "_seal"])
def test_a_silence_that_begins_now_hides_no_wrong_bit(name: str) -> None:
    for bit in BITS:
        pump = flipped(active(HIGH, 301), f"signals.{name}", bit)
        pump.signals.silence(HIGH)
        assert [hz for hz, _ in pump.seconds(4)] == [*ALARM[HIGH], 0], (name, bit)


@pytest.mark.requirement("F11", "R28")
@pytest.mark.parametrize("name", ["silent_s", "_since_s", "_seal"])
def test_without_an_alarm_the_time_begins_anew(name: str) -> None:
    """One that was active before, behind one of higher priority, sounds an interval after it is the highest."""
    pump = flipped(active(None, 5), f"signals.{name}", 7)
    pump.second()
    pump.alarm(HIGH, fresh=False)
    assert pump.tones(EVERY_S[HIGH] + 5) == {EVERY_S[HIGH] - 1: ALARM[HIGH]}


@pytest.mark.requirement("F11", "R31")
@pytest.mark.parametrize("bit", BITS)
@pytest.mark.parametrize("priority", [HIGH, MEDIUM])
def test_the_light_never_waits_for_longer_than_half_a_period(priority: str, bit: int) -> None:
    pump = flipped(active(priority, 5), "signals._toggle_at", bit)
    assert 0 < pump.signals.blink() <= HALF_MS[priority]
