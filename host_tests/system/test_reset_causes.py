"""Starts that nobody ordered: why they came, and when there are too many of them (F11; R27; invariant 10)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from resets_rig import RX, boots, cut, endings, hang, line, run
from support import S, scenario

from firmware import resets
from firmware.app import App
from firmware.counters import Counters
from firmware.retirement import Retired
from thecal.outcome import Summary
from thecal.programming import MemoryEeprom
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin


@pytest.mark.requirement("F11", "I10")
def test_three_bites_in_ten_minutes_latch_until_an_operator_clears() -> None:
    cuts = [cut(90), cut(230, 100), cut(540), cut(630)]
    events = [*cuts, *map(hang, (60, 200, 500, 600)), line(700, "resume")]
    result = run(800, *events)
    summary: Summary = result.summary
    assert summary.alarms_active == ["reset_loop"]
    assert summary.state == "safe"
    assert summary.resets == {"power_on": 5, "watchdog": 4, "commanded": 0}
    assert not [t for t in result.step_times_ns if t > 506 * S]
    causes = ["power_on", "watchdog", "power_on", "watchdog", "power_on", "reset_loop", "power_on", "reset_loop"]
    assert boots(result) == [*causes, "power_on"]
    assert {ending[:2] for ending in endings(result)} == {("hang", "background")}
    cleared = run(800, *events, line(750, "clear"), line(751, "resume"))
    assert cleared.summary.alarms_active == []
    assert next(t for t in cleared.step_times_ns if t > 506 * S) > 751 * S


@pytest.mark.requirement("F11", "I10")
def test_power_cuts_are_no_bites() -> None:
    result = run(400, *[cut(30 * n, 10) for n in range(1, 12)])
    assert result.summary.alarms_history == []
    assert result.summary.state == "dosing"


@pytest.mark.requirement("F11", "I10", "R24")
@settings(max_examples=12)
@given(
    st.lists(st.integers(40, 900), min_size=2, max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.integers(0, 900),
)
@example([300, 291], [True, True, True, True], 0)
@example([300, 309], [True, True, True, True], 0)
@example([40, 40, 40], [False, True, False, True], 0)
def test_the_third_bite_within_ten_minutes_latches_and_no_other(gaps: list[int], cuts: list[bool], phase: int) -> None:
    """Bites at any times, power cuts between them: latched if and only if a third one is within 600 s of the first."""
    at, times = 30 + phase / 1_000, []
    for gap in [0, *gaps]:
        at += gap
        times.append(at)
    events = [hang(t) for t in times] + [cut(t + 20, 5) for t, cutting in zip(times, cuts, strict=False) if cutting]
    result = run(times[-1] + 40, *events)
    bites = [end / S for end in _watchdog_ends(times)]
    spans = [third - first for first, third in zip(bites, bites[2:], strict=False)]
    if any(594 < span < 607 for span in spans):
        return  # too near to the border to tell from outside, where a bite is known to a second
    loop = any(span <= 600 for span in spans)
    assert (result.summary.alarms_active == ["reset_loop"]) == loop
    assert (result.summary.state == "safe") == loop


def _watchdog_ends(times: list[float]) -> list[int]:
    """The bite comes 4 to 5 s after a hang: 5 s after the last feed."""
    return [round((t + 4.5) * S) for t in times]


@pytest.mark.requirement("F11", "I10")
@given(st.lists(st.integers(0, 700), min_size=1, max_size=40), st.integers(1, 1 << 31))
def test_bites_are_counted_over_any_times_and_starts(gaps: list[int], begin: int) -> None:
    """Each in a start of its own, from the EEPROM alone; the clock may also go back, which counts as no time."""
    eeprom = MemoryEeprom()
    times: list[int] = []
    now = begin
    for gap in gaps:
        now += gap
        times.append(now)
        counters = Counters(eeprom, Retired(eeprom))
        counters.load()
        loop = counters.count_bite(now)
        counters.save()
        assert loop == (len(times) >= 3 and times[-1] - times[-3] <= 602)
    counters = Counters(eeprom, Retired(eeprom))
    counters.load()
    if len(times) > 1:
        counters.count_bite(times[-1] - 1_000)
        assert counters.count_bite(max(1, times[-1] - 2_000))


class Broken:
    """A pump whose firmware does something else in one place."""

    def __init__(self, duration: str = "90 s") -> None:
        self.plan = scenario(RX, duration)
        self.bench = make_bench(self.plan)
        self.twin = Twin(self.bench)

    def run(self) -> Result:
        try:
            return simulate(self.plan, self.twin)
        finally:
            self.twin.close()


@pytest.mark.requirement("F11", "R24", "R27")
@pytest.mark.parametrize(
    ("error", "name"),
    [
        (MemoryError, "MemoryError"),
        (OSError(5), "OSError"),
        (ValueError, "ValueError"),
        (ZeroDivisionError, "ZeroDivisionError"),
        (AssertionError, "other"),
        (SystemExit, "SystemExit"),
        (KeyboardInterrupt, "KeyboardInterrupt"),
    ],
)
def test_an_exception_is_logged_with_its_type_and_task_after_the_restart(
    error: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pump = Broken()
    kept = App._keep

    def fails(self: App, late: int) -> int:
        done = kept(self, late)
        if self.board.reset_cause == 0 and self._executive.number == 20:
            raise error
        return done

    monkeypatch.setattr(App, "_keep", fails)
    result = pump.run()
    assert boots(result) == ["power_on", "exception"]
    assert endings(result) == [("exception", "keep", name)]
    assert result.summary.resets == {"power_on": 1, "watchdog": 0, "commanded": 1}
    assert result.summary.state == "dosing"


@pytest.mark.requirement("F11", "I10", "R27")
def test_exceptions_in_a_loop_latch_as_bites_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each start doses for three seconds and ends by an exception; the third stops the pump, which then stays up."""
    pump = Broken("120 s")
    kept = App._keep

    def fails(self: App, late: int) -> int:
        done = kept(self, late)
        if self._executive.number >= 3 and not self.alarms.active:
            raise RuntimeError
        return done

    monkeypatch.setattr(App, "_keep", fails)
    result = pump.run()
    assert boots(result) == ["power_on", "exception", "exception", "reset_loop"]
    assert endings(result) == [("exception", "keep", "RuntimeError")] * 3
    assert result.summary.state == "safe"
    assert result.summary.alarms_active == ["reset_loop"]


@pytest.mark.requirement("F11", "I8", "I10")
@pytest.mark.parametrize("place", ["firmware.startup._load", "firmware.startup._raise_alarms"])
def test_a_start_that_always_fails_never_doses_and_can_be_heard(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pump = Broken("60 s")

    def fails(*arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(place, fails)
    lights: list[tuple[int, bool]] = pump.bench.signals.lights
    result = pump.run()
    assert result.summary.resets["commanded"] > 10
    assert result.summary.steps == 0
    sounds = [t for t, hz in pump.bench.signals.sounds if hz]
    assert len(sounds) >= 8
    assert sounds[0] < 12 * S
    assert any(lit for _, lit in lights)


@pytest.mark.requirement("F11", "I10")
def test_a_start_that_failed_three_times_and_then_comes_through_is_latched(monkeypatch: pytest.MonkeyPatch) -> None:
    pump = Broken("60 s")
    kept = App.start
    tries: list[int] = []

    def fails(self: App) -> None:
        tries.append(1)
        if len(tries) <= 3:
            raise MemoryError
        kept(self)

    monkeypatch.setattr(App, "start", fails)
    result = pump.run()
    assert result.summary.alarms_active == ["reset_loop"]
    assert result.summary.steps == 0
    assert boots(result) == ["reset_loop"]


@pytest.mark.requirement("F11", "I9", "R27")
@pytest.mark.parametrize("name", ["dose", "keep", "reserve", "clock", "level", "battery", "check"])
def test_a_task_that_stops_checking_in_is_named_after_the_bite(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never comes to its end any more. The rest goes on until its deadline; after that nothing runs until the bite,
    not even the tick, so that the time is known to be missed."""
    pump = Broken("120 s")
    made: list[App] = []
    kept = App.__init__

    def watched(self: App, board: Any) -> None:
        kept(self, board)
        made.append(self)

    monkeypatch.setattr(App, "__init__", watched)

    def forget() -> None:
        (task,) = [task for task in made[0]._executive._all if task.name == name]
        run = task.run
        task.run = lambda late: run(late) and None

    pump.twin.at(20 * S, forget)
    result = pump.run()
    monkeypatch.undo()
    assert boots(result)[:2] == ["power_on", "watchdog"]
    assert endings(result)[0] == ("late", name, "other")
    restarted = [event.t_ns for event in result.events if event.code == "boot"][1]
    assert not [t for t in result.step_times_ns if restarted - 5 * S < t < restarted]
    missed = next(event.details for event in result.events if event.code == "missed" and event.t_ns >= restarted)
    assert missed["why"] == "hang"
    assert 5 <= int(missed["seconds"]) <= 9
    assert result.summary.resets["watchdog"] >= 1


@pytest.mark.requirement("F11", "R24")
def test_the_tables_of_the_board_and_of_the_log_agree() -> None:
    import watchdog

    assert len(resets.CAUSES) == watchdog.WATCHDOG_TEST + 1
    assert [
        resets.CAUSES[n] for n in (watchdog.POWER_ON, watchdog.WATCHDOG, watchdog.COMMANDED, watchdog.EXCEPTION)
    ] == [
        "power_on",
        "watchdog",
        "commanded",
        "exception",
    ]
    assert resets.CAUSES[watchdog.RESET_LOOP] == "reset_loop"
    assert [resets.ENDINGS[n] for n in range(watchdog.HANG, watchdog.ORDERED + 1)] == list(resets.ENDINGS)
    assert resets.ENDINGS[watchdog.BY_EXCEPTION] == "exception"
    assert resets.ENDINGS[watchdog.BY_TEST] == resets.CAUSES[watchdog.WATCHDOG_TEST] == "watchdog_test"
    assert ("other", *[kind.__name__ for kind in watchdog._ERRORS]) == resets.ERRORS
