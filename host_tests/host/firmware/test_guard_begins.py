"""The guard after a start or a `clear`, in the middle of a bridge, a trial or a second trip (F11; R17, R18)."""

from __future__ import annotations

from typing import Any

import pytest
from guard_rig import PATIENT, Pump
from test_guard_sound import in_a_bridge, in_a_trial


@pytest.mark.requirement("F11", "F7", "R17")
def test_a_bridge_that_the_count_of_a_cut_has_ended_is_over_at_the_start():
    """A cut counts what was reserved: it may be beyond the end of the bridge."""
    life = in_a_bridge()
    bridging = life.pump.app.courses.bridging
    while bridging.left_nl() > 700:
        life.run(1)
    assert life.pump.guard._evidence.demand.bridging
    life.cut(1)
    assert not life.pump.app.courses.bridging.left_nl()
    assert not life.pump.guard._evidence.demand.bridging
    assert life.pump.guard._flow._is_limited
    life.run(30)


@pytest.mark.requirement("F11", "F5", "R17")
@pytest.mark.parametrize("off", [1, 600, 4_000])
def test_a_trial_goes_on_or_is_over_at_the_start_as_pump_time_says(off: int):
    life = in_a_trial()
    life.run(60)
    life.cut(off)
    demand = life.pump.guard._evidence.demand
    assert demand.over == (off > 3_600)
    if not demand.over:
        assert demand.trial_left == life.pump.app.courses.trials.left_s()
    life.run(30)


@pytest.mark.requirement("F11", "R18")
def test_whatever_trips_it_again_can_be_cleared_again():
    pump = Pump().start().run(30)
    for time in range(1, 3):
        pump.counter.extra += 1
        pump.run(5)
        assert pump.trips == ["pulses"] * time
        assert "stays" not in pump.say("clear")
        assert pump.active == []
        assert "ok" in pump.say("resume", 90)


@pytest.mark.requirement("F11", "I8", "R18")
def test_a_dead_counter_must_answer_for_three_frames_in_a_row():
    pump = Pump().start().run(30).to_frame()
    pump.counter.dead = True
    for _ in range(6):
        pump.to_frame()
    pump.counter.dead = False
    for _ in range(2):
        pump.to_frame()
        assert pump.app.alarms.present
    pump.counter.dead = True  # once more, before the third
    pump.to_frame()
    pump.counter.dead = False
    for _ in range(2):
        pump.to_frame()
        assert pump.app.alarms.present
    pump.to_frame()
    assert not pump.app.alarms.present


@pytest.mark.requirement("F11", "F3", "R18")
def test_a_bolus_is_sealed_while_it_flows_and_a_priming_until_it_is_made():
    rx: dict[str, Any] = {"basal": "480 uL/day", **PATIENT}
    pump = Pump(rx).start().run(20)
    assert "ok" in pump.say("dose", 5)
    boluses: Any = pump.guard._boluses
    assert boluses.flow
    assert not boluses.prime_pl
    assert not pump.guard._is_broken()
    boluses._newest.passed += 1
    assert pump.guard._is_broken()
    pump = Pump(rx).start().run(20)
    assert "ok" in pump.say("prime", 5.5)
    pump.board.input += b"bolus cancel\r"
    while pump.guard._boluses.flow:
        pump.to_frame()
    assert pump.guard._boluses.prime_pl
    assert not pump.guard._is_broken()
    pump.guard._boluses.prime_pl += 1
    assert pump.guard._is_broken()


@pytest.mark.requirement("F11", "F7", "R08")
def test_what_a_priming_had_still_to_make_is_forgotten_with_a_trip():
    pump = Pump({"basal": "480 uL/day"}).start().run(20)
    assert "ok" in pump.say("prime", 5.5)
    assert pump.guard._boluses.prime_pl
    pump.counter.extra += 1
    pump.run(5)
    assert pump.trips == ["pulses"]
    assert "stays" not in pump.say("clear")
    assert not pump.guard._boluses.flow
    assert pump.guard._boluses.prime_pl == 0
