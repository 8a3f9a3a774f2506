"""A stop ends by order, or at the time that its record has: never because a bit in RAM says so (F11; R17, R18; I8)."""

from __future__ import annotations

from typing import Any

import pytest
from guard_rig import Pump

from firmware.ledger import PAUSED, RUNNING, SAFE, STOPPED
from thecal.powercut.snapshot import module

FAST = {"basal": "28.8 mL/day"}


def halted(line: str, **rx: str) -> Pump:
    pump = Pump({**FAST, **rx}).start().run(20)
    assert "ok" in pump.say(line)
    return pump.run(30)


def gives_nothing(pump: Pump, seconds: float, trips: list[str]) -> None:
    steps = pump.steps
    pump.run(seconds)
    assert pump.steps == steps
    assert pump.trips == trips
    assert ("guard" in pump.active) == bool(trips)


@pytest.mark.requirement("F11", "R17", "I8")
@pytest.mark.parametrize("bit", range(8))
def test_no_bit_of_the_state_ends_a_stop(bit: int) -> None:
    pump = halted("stop")
    assert pump.app.ledger.state == STOPPED
    pump.app.ledger.state ^= 1 << bit
    steps = pump.steps
    pump.run(600)
    assert pump.steps == steps
    assert pump.trips or pump.active or pump.app.ledger.state != PAUSED


@pytest.mark.requirement("F11", "R17", "I8")
@pytest.mark.parametrize("bit", range(8))
def test_no_bit_of_the_state_resumes_after_an_alarm(bit: int) -> None:
    pump = Pump(FAST).start().run(20)
    pump.counter.extra += 1
    pump.run(10)
    pump.say("clear")
    assert pump.active == []
    assert pump.app.ledger.state == SAFE
    pump.trips.clear()
    pump.app.ledger.state ^= 1 << bit
    steps = pump.steps
    pump.run(600)
    assert pump.steps == steps


@pytest.mark.requirement("F11", "R17", "I8")
@pytest.mark.parametrize("bit", range(12))
def test_no_bit_of_what_is_left_of_a_timed_stop_ends_it_early(bit: int) -> None:
    pump = halted("stop for 60 min")
    assert pump.app.ledger.state == PAUSED
    end = pump.board.now_us + pump.app.stop_left * 1_000_000
    pump.app.stop_left ^= 1 << bit
    steps = pump.steps
    pump.run((end - pump.board.now_us) / 1_000_000 - 8)
    assert pump.steps == steps
    pump.run(120)
    assert pump.trips in (["books"], ["under"]) or pump.steps > steps


@pytest.mark.requirement("F11", "R18", "I9")
def test_a_timed_stop_that_does_not_end_is_found_a_minute_later() -> None:
    pump = halted("stop for 2 min")
    pump.app.stop_left += 1 << 20
    gives_nothing(pump, 88 + 60, [])
    gives_nothing(pump, 5, ["under"])


@pytest.mark.requirement("F11", "F3")
@pytest.mark.parametrize("clock", ["", "2026-03-02T07:00:00", "2026-03-02T08:30:00", "2026-03-03T08:00:00"])
def test_a_timed_stop_of_a_sound_pump_ends_whatever_the_clock_is_set_to(clock: str) -> None:
    pump = halted("stop for 2 min")
    if clock:
        assert "ok" in pump.say("clock set " + clock, 3)
    steps = pump.steps
    pump.run(150)
    assert pump.steps > steps
    assert pump.trips == []
    assert pump.active == []


@pytest.mark.requirement("F11", "F3")
def test_a_timed_stop_goes_on_and_ends_after_a_power_cut() -> None:
    pump = Pump(snapshot=halted("stop for 2 min").off(5)).start()
    steps = pump.steps
    pump.run(60)
    assert pump.steps == steps
    pump.run(60)
    assert pump.steps > steps
    assert pump.trips == []


@pytest.mark.requirement("F11", "R17", "I8")
@pytest.mark.parametrize("line", ["stop", "stop for 60 min"])
def test_a_start_that_forgets_a_stop_makes_no_step(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has changed between the record and the first second: the guard has read the record too."""
    snapshot = halted(line).off(10)
    monkeypatch.setattr(module("startup"), "_take_up_stop", lambda app, *more: setattr(app.ledger, "state", RUNNING))
    pump = Pump(FAST, snapshot).start()
    gives_nothing(pump, 60, ["books"])


@pytest.mark.requirement("F11", "R17")
def test_a_generator_that_runs_free_cannot_be_cleared() -> None:
    pump = Pump(FAST).start().run(20)
    pump.counter.extra += 1
    pump.run(2)
    assert pump.trips == ["pulses"]
    for _ in range(10):
        pump.counter.extra += 1
        assert "stays: guard" in pump.say("clear")
    pump.run(4)
    assert "stays" not in pump.say("clear")


@pytest.mark.requirement("F11", "R49")
def test_a_clock_that_nobody_has_set_is_not_set() -> None:
    pump = Pump(FAST).start().run(20)
    wallclock: Any = pump.app.wallclock
    with pytest.raises(AttributeError):
        wallclock.is_wanted = True
    with pytest.raises(RuntimeError, match="nobody has said what time it is"):
        wallclock.take_wanted()


@pytest.mark.requirement("F11", "I8")
def test_three_frames_without_a_pulse_end_the_cause_each_time_anew() -> None:
    pump = Pump({"basal": "36 uL/day"}).start().run(20).to_frame()
    for trip in range(3):
        pump.guard._slack += 1
        pump.to_frame()
        assert pump.trips == ["self"] * (trip + 1)
        for _ in range(2):  # the first of the three is the one of the trip
            assert pump.app.alarms.present
            pump.to_frame()
        assert not pump.app.alarms.present
        pump.say("clear repeated" if trip == 2 else "clear")
        pump.say("resume", 2)
        pump.to_frame()


@pytest.mark.requirement("F11", "R17")
@pytest.mark.parametrize(
    ("late", "may_end", "overdue"), [(-6, False, False), (-5, True, False), (60, True, False), (61, True, True)]
)
def test_a_stop_may_end_five_seconds_early_and_is_overdue_after_a_minute(
    late: int, may_end: bool, overdue: bool
) -> None:
    evidence = halted("stop for 2 min").guard._evidence
    day, second = divmod(evidence.paused_until + late, 86_400)
    assert evidence.pause_may_end(day, second) == may_end
    assert evidence.pause_is_overdue(day, second) == overdue


@pytest.mark.requirement("F11", "R03", "R19")
@pytest.mark.parametrize(
    ("rate", "size", "within_s"),
    [
        ("28.8 mL/day", 25_000, 50),
        ("480 uL/day", 25_000, 60),
        ("6 uL/day", 25_000, 420),
        ("6 uL/day", 1_000_000, 14_500),
    ],
)
def test_a_generator_that_takes_no_word_any_more_is_found_with_the_first_steps_that_wait(
    rate: str, size: int, within_s: int
):
    """Nothing flows, and no pulse is missing, as none was commanded."""
    pump = Pump({"basal": rate}, pl_per_step=size).start().run(20)
    pump.board.train.idle = lambda: False
    steps = pump.run(2).steps
    pump.run(within_s)
    assert pump.steps == steps
    assert pump.trips == ["silent"]
    assert "guard" in pump.active
