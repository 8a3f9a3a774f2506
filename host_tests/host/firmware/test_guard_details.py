"""The guard beside a sound pump, step by step: what it holds at a start, when the clock moves, when boluses, bridges
and calibrations end or change (F11; R17)."""

from __future__ import annotations

from typing import Any

import pytest
from guard_rig import PATIENT, Pump, add
from test_guard_sound import MORPHINE, STRENGTHS, in_a_bridge, in_a_trial

LIMITED = {**MORPHINE, "concentration": STRENGTHS[0], "mode": "continuous", "basal": "1.4 mL/day"}


@pytest.mark.requirement("F11")
@pytest.mark.parametrize("by", [-2, -1, 1, 2])
def test_a_trial_ends_by_pump_time_which_follows_the_rtc(by: int):
    life = in_a_trial()
    life.run(60)
    demand = life.pump.guard._evidence.demand
    left = demand.trial_left
    rtc = life.pump.board.rtc
    rtc.setting = (rtc.setting[0] + by, rtc.setting[1])
    life.run(25)
    assert left - 25 - 2 <= demand.trial_left + by <= left - 25 + 2
    course = life.pump.app.courses.trials
    assert demand.trial_left == course.left_s()
    life.set_clock(7_200)
    assert demand.trial_left == course.left_s()


@pytest.mark.requirement("F11", "F3")
def test_what_is_owed_is_taken_as_it_is_at_the_start():
    pump = Pump({"basal": "28.8 mL/day"}).start()
    assert pump.guard._slack == pump.app.cascade.acc_pl * 432 + pump.app.cascade.rem
    bitten = Pump({"basal": "4.8 mL/day"}).start().run(20.3)
    again = Pump(snapshot=bitten.board.bitten())
    again.app.start()
    assert again.app.cascade.acc_pl > 0
    assert again.guard._slack == again.app.cascade.acc_pl * 432 + again.app.cascade.rem
    assert again.run(30).trips == []


@pytest.mark.requirement("F11", "F3")
def test_a_cancelled_bolus_is_expected_no_more():
    pump = Pump({"basal": "480 uL/day", **PATIENT}).start().run(20)
    assert "ok" in pump.say("dose", 5)
    assert pump.guard._boluses.flow
    assert "ok" in pump.say("bolus cancel", 2)
    assert not pump.guard._boluses.flow
    assert pump.trips == []


@pytest.mark.requirement("F11", "R08")
def test_steps_still_to_come_do_not_count_for_a_new_prescription():
    pump = Pump({**LIMITED, "limits": {"max_per_hour": "70 uL"}}).start().run(20).to_frame()
    pulses = pump.guard._pulses
    pulses.made = pulses.commanded - 4
    pump.app.dosing.pending = 3
    pump.guard._limit()
    assert pump.guard._flow._hour.total == -7
    assert pump.guard._flow._day.total == -7


@pytest.mark.requirement("F11", "F7", "R08")
def test_limits_begin_with_the_end_of_a_bridge_and_priming_does_not_count():
    life = in_a_bridge()
    life.run(2)
    demand, flow = life.pump.guard._evidence.demand, life.pump.guard._flow
    assert demand.bridging
    assert not flow._is_limited
    life.run(190)  # a minute later it is stored, and the windows begin anew once more
    assert not demand.bridging
    assert flow._is_limited
    before, steps = flow._hour.total, life.pump.app.ledger.steps
    assert "ok" in life.say("prime", 30)
    counted, made = flow._hour.total - before, life.pump.app.ledger.steps - steps
    assert made >= 80  # the path holds 2 uL
    assert 0 <= counted <= 31 * 1_400_000 // 86_400 // 25 + 2


@pytest.mark.requirement("F11", "F8")
@pytest.mark.parametrize("late_ms", [999, 1_000, 1_001, 1_999, 2_000, 2_001, 3_000])
def test_a_tick_that_is_late_to_the_millisecond_is_no_fault(late_ms: int):
    pump = Pump({"basal": "28.8 mL/day"}).start().run(10)
    for _ in range(3):
        pump.to_frame()
        executive, board = pump.app._executive, pump.board
        ahead = board.ticks_diff(executive._due, board.ticks_ms())
        board.advance((ahead + late_ms) * 1_000 - board.now_us % 1_000)
        pump.to_frame()
        assert pump.trips == []
        pump.run(5)
    assert pump.trips == []


@pytest.mark.requirement("F11", "R49")
def test_the_lowest_rate_of_a_lost_clock_is_expected_and_no_other():
    rx: dict[str, Any] = {
        "mode": "flex",
        "basal": "3 mL/day",
        "period": [{"days": "daily", "from": "09:00", "to": "10:00", "rate": "1 mL/day"}],
    }
    pump = Pump(rx).start().run(30)
    rtc = pump.board.rtc
    rtc.setting = (rtc.setting[0] + 30, rtc.setting[1])
    pump.run(60)
    assert pump.active == ["rtc_lost"]
    assert pump.app.cascade.rate == 1_000_000
    assert pump.trips == []
    pump.app.dosing.lowest = 0
    add("dosing.lowest", 1_000_001)(pump)
    pump.run(2)
    assert pump.trips == ["rate"]


@pytest.mark.requirement("F11", "F10")
@pytest.mark.parametrize("pl", [1_000, 24_000, 1_000_000])
def test_a_calibration_while_trains_are_under_way_is_no_fault(pl: int):
    pump = Pump({"basal": "28.8 mL/day"}).start().run(10)
    pump.say(f"calibrate set pl_per_step {pl}", 0.1)
    pump.to_frame()
    pump.board.input += b"stop\rcalibrate commit\rresume\r"
    pump.run(0.4)
    assert pump.app.cascade.pl_per_step == pl
    assert pump.run(70).trips == []
    assert pump.app.dosing.mode == 2
    assert pump.guard._pulses.made <= pump.app.ledger.steps


@pytest.mark.requirement("F11", "F3", "R05", "R17")
@pytest.mark.parametrize("dose_s", [1, 2, 3, 10])
def test_a_bolus_that_begins_in_any_second_of_another_is_no_fault(dose_s: int):
    """Before it, in the very second in which it begins, in its last one, and right behind it; the scheduled one falls
    due at 08:01:00 and is begun with the frame before."""
    at = {"days": "daily", "at": "08:01", "dose": "250 nL", "over": f"{dose_s} s"}
    quick = {"dose": "250 nL", "over": "3 s", "lockout": "1 h", "max_per_day": 4}
    for press_s in range(54, 64 + dose_s):
        pump = Pump({"basal": "480 uL/day", "scheduled_bolus": [at], "patient_bolus": quick})
        pump.start().run(press_s - 2.5)
        presses = [True]
        pump.board.take_press = lambda presses=presses: bool(presses) and presses.pop()
        pump.run(40)
        assert pump.trips == [], press_s
        given = [entry.kind for entry in pump.app.records.boluses.recent]
        assert sorted(given) == [0, 2], press_s
        assert not pump.app.therapy.running
