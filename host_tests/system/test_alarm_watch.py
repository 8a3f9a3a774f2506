"""What alarms rest on and cost: missed volume, under-delivery, a button held down, damaged records (F11; R03, R38).

On the whole application, the fast one or the twin.
"""

from __future__ import annotations

from typing import Any

import pytest
from alarm_causes import CAUSES
from alarm_rig import BASAL, STEP_NL, US, Pump, TestBoard, begins, setting
from alarm_table import CADENCE, STOPS
from support import S, continuous, on_twin, scenario

from firmware import layout, selftest
from thecal.faults.memory import flipped_bit
from thecal.powercut.snapshot import Snapshot
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

# -- missed volume ------------------------------------------------------------------------------------------------


def missed(pump: Pump) -> list[tuple[int, int]]:
    """(volume, nL; seconds) of every report of what a stop alarm cost."""
    reports = [event for event in pump.log() if event["code"] == "missed" and event["why"] == "stop_alarm"]
    return [(int(event["volume_nl"]), int(event["seconds"])) for event in reports]


@pytest.mark.requirement("F11", "F10")
@pytest.mark.parametrize("code", STOPS)
def test_what_a_stop_alarm_costs_is_logged_every_hour_and_at_the_end(code: str) -> None:
    """Two and a half hours: two reports of an hour each, and one of the rest when dosing begins again; in all what the
    prescription demanded meanwhile."""
    pump = setting("continuous", "running", "none").copy()
    before = pump.app.ledger.missed_nl
    began_us = CAUSES[code].come(pump)
    pump.run(2.5 * 3_600)
    if code == "eeprom_dead":
        CAUSES[code].go(pump)
        pump.run(25)  # the log is tried again
        assert [seconds for _, seconds in missed(pump)] == [3_600, 3_600]
    else:
        assert [seconds for _, seconds in missed(pump)] == [3_600, 3_600]
        CAUSES[code].go(pump)
    pump.say("clear")
    pump.run(60)  # cleared is not resumed
    assert len(missed(pump)) == 2
    held_s = (pump.board.now_us - began_us) / US
    pump.say("resume")
    pump.run(5)
    reports = missed(pump)
    assert len(reports) == 3
    demanded = BASAL * held_s / 86_400
    assert abs(sum(volume for volume, _ in reports) - demanded) <= 3 * STEP_NL + 2 * BASAL / 86_400
    assert abs(pump.app.ledger.missed_nl - before - demanded) <= 3 * STEP_NL + 2 * BASAL / 86_400


# -- stopped for too long -----------------------------------------------------------------------------------------


@pytest.mark.requirement("F11", "R34")
@pytest.mark.parametrize("cleared_h", [1, 30, 49])
def test_a_pump_that_an_alarm_has_stopped_alarms_after_48_hours_until_it_is_resumed(cleared_h: int) -> None:
    """Counted from the stop, whether or not the alarm that stopped it has been cleared."""
    pump = setting("continuous", "running", "none").copy()
    _stall(pump)
    _skip(pump, cleared_h)
    pump.say("clear")
    assert pump.active() == ({"stopped_48h"} if cleared_h > 48 else set())
    if cleared_h < 48:
        _skip(pump, 48 - cleared_h - 1 / 60)
        assert pump.active() == set()
        pump.run(120)
    assert pump.active() == {"stopped_48h"}
    assert pump.say("clear") == ["stays: stopped_48h"]
    assert not pump.board.powered
    pump.say("resume")
    assert pump.active() == set()
    _stall(pump)
    pump.say("clear")
    _skip(pump, 47)
    assert pump.active() == set()  # the next stop begins anew


def _stall(pump: Pump) -> None:
    """It stops, and may be cleared."""
    CAUSES["stall"].come(pump)
    pump.run(2)
    CAUSES["stall"].go(pump)


def _skip(pump: Pump, hours: float) -> None:
    """So much time passes while it is stopped: all but the last two minutes of it for the count alone."""
    pump.app.operations.count_stop(pump.app.operations.stopped_s + round(hours * 3_600) - 120)
    pump.run(120)


@pytest.mark.requirement("F11", "R18", "R34")
@pytest.mark.parametrize("bit", range(31))
def test_no_wrong_bit_hides_that_the_pump_is_stopped(bit: int) -> None:
    pump = setting("continuous", "stopped", "none").copy()
    pump.app.operations.count_stop(48 * 3_600 - 60)
    pump.app.operations.stopped_s = flipped_bit(pump.app.operations.stopped_s, bit)
    pump.run(62)
    assert pump.active() == {"self_test_failed"}
    assert pump.app.selftest.failed == selftest.RAM


@pytest.mark.requirement("F11", "R34")
@pytest.mark.parametrize("before", ["stopped", "paused"])
def test_an_alarm_during_an_operators_stop(before: str) -> None:
    """The 48 h of `stop` run on; a timed stop, which would have ended, becomes one by the alarm."""
    pump = setting("continuous", before, "none").copy()
    pump.app.operations.count_stop(40 * 3_600)
    _stall(pump)
    pump.say("clear")
    _skip(pump, 9)
    assert pump.active() == ({"stopped_48h"} if before == "stopped" else set())


@pytest.mark.requirement("F11", "F10", "R34")
@pytest.mark.parametrize("off_h", [47, 50])
def test_the_48_hours_of_an_operators_stop_run_on_while_the_power_is_cut(off_h: int) -> None:
    """By local time: the alarm comes 48 h after `stop`, or with the start if they have passed by then."""
    events = (
        {"at": "30 s", "do": "command", "line": "stop"},
        {"at": "1 h", "do": "power_cut", "for": f"{off_h} h"},
    )
    result = on_twin(scenario(continuous("6 uL/day"), f"{off_h + 1.3:.1f} h", *events))
    (raised,) = [event.t_ns / S for event in result.events if event.details.get("alarm") == "stopped_48h"]
    due = 30 + 48 * 3_600
    back = (1 + off_h) * 3_600
    assert max(due, back) <= raised <= max(due, back) + 5  # a start takes up to 2.7 s
    assert result.summary.alarms_active == ["stopped_48h"]
    assert result.summary.state == "stopped"


# -- what falls short ---------------------------------------------------------------------------------------------


@pytest.mark.requirement("F11", "R03")
@pytest.mark.parametrize(("busy_s", "short"), [(8, False), (16, True)])
def test_a_step_train_that_is_busy_too_often_is_under_delivery(busy_s: int, short: bool) -> None:
    """Of each 100 s so many find the train busy; what is due for more than two seconds is given up. The alarm comes
    within 16 min, changes nothing, and ends by itself within 16 min."""
    pump = setting("continuous", "running", "none").copy()
    idle = pump.board.train.idle
    begin = pump.board.now_us

    def often_busy() -> bool:
        return (pump.board.now_us - begin) // US % 100 >= busy_s and idle()

    pump.board.train.idle = often_busy
    pump.run(100)
    assert "under_delivery" not in pump.active()
    pump.run(890)
    assert ("under_delivery" in pump.active()) == short
    rate = pump.steps_in(1_000) * STEP_NL * 86.4
    assert (rate < 0.9 * BASAL) == short
    pump.board.train.idle = idle
    pump.run(960)
    assert pump.active() == set()


@pytest.mark.requirement("F11", "R03")
def test_the_coarsest_step_at_the_lowest_rate_is_no_under_delivery() -> None:
    """A step of 1 uL every four hours: quarters of an hour without any."""
    result = on_twin(scenario(continuous("6 uL/day"), "9 h", pump={"pl_per_step": 1_000_000}))
    assert result.summary.steps >= 2
    assert "under_delivery" not in result.summary.alarms_history


@pytest.mark.requirement("F11", "R38")
def test_a_button_held_for_a_minute_alarms_and_one_held_at_the_start_too() -> None:
    for down_s in (0, 100):
        plan = scenario(continuous("1 mL/day"), "4 min")
        twin = Twin(make_bench(plan), plan.seed)
        sensors = twin.bench.sensors

        def hold(down: bool, sensors: Any = sensors) -> None:
            sensors.dose_button = down

        twin.at(down_s * S, lambda hold=hold: hold(True))
        twin.at((down_s + 70) * S, lambda hold=hold: hold(False))
        try:
            result: Result = simulate(plan, twin)
        finally:
            twin.close()
        times = [e.t_ns / S - down_s for e in result.events if e.details.get("alarm") == "button_held"]
        raised, ended = times
        assert 60 <= raised <= 64  # a start takes up to 2.7 s
        assert 70 <= ended <= 71.2
        if not down_s:  # the self-test has found it as well: an alarm of high priority, which somebody must clear
            (failed,) = [e.t_ns for e in result.events if e.details.get("alarm") == "self_test_failed"]
            assert failed <= 3 * S
            assert result.summary.alarms_active == ["self_test_failed"]
            assert result.summary.steps == 0
            assert len([t for t, _ in twin.bench.signals.lights if 60 * S < t <= 80 * S]) >= 75
            continue
        assert result.summary.alarms_active == []
        for at_s, lit in ((65, True), (75, False)):  # before, the press itself may have been denied
            assert [on for t, on in twin.bench.signals.lights if t < (down_s + at_s) * S][-1] == lit


# -- damaged records ----------------------------------------------------------------------------------------------

DAMAGE = {
    "prescription_damaged": (layout.PRESCRIPTION_FIRST, layout.CALIBRATION_FIRST),
    "calibration_damaged": (layout.CALIBRATION_FIRST, layout.KEYS_FIRST),
    "ledger_damaged": (layout.LEDGER_FIRSTS[0], layout.BOLUS_FIRSTS[1]),
}


@pytest.mark.requirement("F11", "I4", "I8")
@pytest.mark.parametrize("mode", ["stopped", "continuous", "flex", "minimum"])
@pytest.mark.parametrize("state", ["running", "stopped", "paused", "safe"])
@pytest.mark.parametrize("code", DAMAGE)
def test_damaged_records_found_at_the_start_sound_shine_and_stop(mode: str, state: str, code: str) -> None:
    pump = setting(mode, state, "none").copy()
    pump.run(30)
    off = pump.board.off()
    first, last = DAMAGE[code]
    pages = [*off.pages[:first], *[b"\x5a" * 64] * (last - first), *off.pages[last:]]
    again = Pump(TestBoard(Snapshot(pages, off.now_us, off.rtc, off.steps, off.fluid_pl)), code)
    began_us = again.board.now_us
    again.app.start()
    again.run(10)
    assert code in again.active()
    assert not again.board.powered
    assert again.board.train.steps() == off.steps
    ((second, tones),) = begins(again, began_us)
    assert tones == CADENCE["high"][1]
    assert second <= 4
    rises = [t for t, lit in again.board.lights if lit]
    assert len(rises) >= 10
    again.say("clear")
    assert code in again.active()
    (raised,) = [event for event in again.log() if event["code"] == "alarm" and event["alarm"] == code]
    assert raised["severity"] == "high"
