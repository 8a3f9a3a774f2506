"""The guard after a start or a `clear`, in the middle of a bridge, a trial or a second trip (F11; R17, R18)."""

from __future__ import annotations

from typing import Any

import pytest
from guard_rig import Pump
from test_guard_sound import MORPHINE, STRENGTHS, Life


@pytest.mark.requirement("F11", "F7", "R17")
def test_a_bridge_that_the_count_of_a_cut_has_ended_is_over_at_the_start():
    """A cut counts what was reserved: it may be beyond the end of the bridge."""
    life = Life(1)
    life.config.update(tubing_nl=2_000, catheter_mm=0, pl_per_step=25_000)
    table: dict[str, Any] = {**MORPHINE, "concentration": STRENGTHS[0], "mode": "continuous", "basal": "2 mL/day"}
    life.pump = Pump(table, **life.config).start().run(90)
    life.program(1, 1, trial=False)
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
    life = Life(3)
    life.random.choice = lambda options: options[0]  # type: ignore[method-assign]
    life.program(1, 0, trial=True)
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
