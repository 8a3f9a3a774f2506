"""What holds of alarms over time: cadence, silence, the same one three times, missed volume, resets (F11; R28, R33).

On the whole application, the fast one or the twin.
"""

from __future__ import annotations

from typing import Any

import pytest
from alarm_causes import CAUSES, Cause
from alarm_rig import BASAL, STEP_NL, US, Pump, TestBoard, setting
from support import S, continuous, on_twin, scenario

from firmware import layout
from thecal.powercut.snapshot import Snapshot
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

# Independent of the firmware's table: seconds between two sounds, and their tones.
CADENCE = {"high": (600, [1_000, 1_500, 1_000]), "medium": (3_600, [1_000])}
MEDIUM = {"low_reservoir", "level_disagrees", "replace_soon", "battery_low", "under_delivery"}
LOW = {"bolus_denied", "refill_due", "button_held"}
NOT_STOPPING = {"rtc_lost", "stopped_48h", *MEDIUM, *LOW}
STOPS = sorted(set(CAUSES) - NOT_STOPPING - {"alarm_repeated"})


def priority(code: str) -> str:
    """By the sets above."""
    return "medium" if code in MEDIUM else "low" if code in LOW else "high"


def begins(pump: Pump, since_us: int) -> list[tuple[int, list[int]]]:
    """(whole seconds since then, tones) of everything that sounded: tones without a pause are one."""
    found: list[tuple[int, list[int]]] = []
    end = -1
    for begin, hz, length in pump.tones(since_us):
        if found and begin - end < US / 10:
            found[-1][1].append(hz)
        else:
            found.append((round((begin - since_us) / US), [hz]))
        end = begin + length * 1_000
    return found


@pytest.mark.requirement("F11", "R28", "R31")
@pytest.mark.parametrize("code", CAUSES)
def test_every_alarm_sounds_as_often_as_its_priority_says(code: str) -> None:
    pump = setting("continuous", "stopped" if code == "stopped_48h" else "running", "none").copy()
    if code == "under_delivery":
        pump.app.watch.keep = lambda seconds: None  # it finds none
    raised_us = CAUSES[code].come(pump)
    every, tones = CADENCE.get(priority(code), (0, []))
    count = 3 if every else 0
    pump.run(every * 2 + 30 if every else 4_000)
    heard = begins(pump, raised_us)
    assert [sound for _, sound in heard] == [tones] * count
    for number, (second, _) in enumerate(heard):
        assert 0 <= second - number * every <= 2


# -- silence ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F11", "R28")
@pytest.mark.parametrize("code", CAUSES)
def test_silence_is_two_minutes_at_most_logged_and_ended_by_a_new_alarm(code: str) -> None:
    pump = setting("continuous", "stopped" if code == "stopped_48h" else "running", "none").copy()
    if code == "under_delivery":
        pump.app.watch.keep = lambda seconds: None
    assert pump.refusal("silence") == "silence: no alarm sounds"
    CAUSES[code].come(pump)
    pump.run(2)
    if code in LOW:
        assert pump.refusal("silence") == "silence: no alarm sounds"
        return
    assert pump.say("silence") == []
    assert "silence_left_s: 120" in pump.say("status")
    silent_us, lights = pump.board.now_us, len(pump.board.lights)
    pump.run(110)
    assert begins(pump, silent_us + US) == []
    assert len(pump.board.lights) - lights >= 100
    assert "more" in pump.refusal("silence")
    pump.run(15)
    ((second, tones),) = begins(pump, silent_us + US)
    assert 117 <= second <= 119  # of the second after the command
    assert tones == CADENCE[priority(code)][1]
    pump.say("silence")
    pump.run(10)
    new_us = pump.board.now_us
    other = "driver_fault" if code != "driver_fault" else "stall"
    CAUSES[other].come(pump)
    pump.run(5)
    assert [tones for _, tones in begins(pump, new_us)] == [CADENCE["high"][1]]
    if code == "eeprom_dead":
        return  # it takes no event
    silenced = [event for event in pump.log() if event["code"] == "silenced"]
    assert [event["severity"] for event in silenced] == ["info", "info"]
    assert priority(silenced[0]["alarm"]) == priority(code)


@pytest.mark.requirement("F11", "R28")
def test_no_reset_keeps_a_silence() -> None:
    """Raised, silenced, and the power cut: it sounds right after the start. So it does after a hang."""
    for event in ({"do": "power_cut", "for": "10 s"}, {"do": "hang"}):
        plan = scenario(
            continuous("1 mL/day"),
            "90 s",
            {"at": "20 s", "do": "reservoir_empty"},
            {"at": "40 s", "do": "command", "line": "silence"},
            {"at": "45 s", **event},
        )
        twin = Twin(make_bench(plan), plan.seed)
        try:
            result = simulate(plan, twin)
        finally:
            twin.close()
        assert not result.refusals
        boots = [logged.t_ns for logged in result.events if logged.code == "boot"]
        assert len(boots) == 2
        sounds = [(t, hz) for t, hz in twin.bench.signals.sounds if t > 42 * S and hz]
        assert sounds[0][0] - boots[1] <= 2 * S
        assert [hz for _, hz in sounds[:3]] == [1_000, 1_500, 1_000]


# -- the same one three times -------------------------------------------------------------------------------------


def go_round(pump: Pump, code: str) -> None:
    """Found, gone, `clear` and `resume`, as a hasty operator has it."""
    # Ten readings of a new battery take five minutes: too long for three within ten.
    cause = CAUSES[code] if code != "battery_depleted" else Cause(CAUSES[code].number)
    cause.come(pump)
    pump.run(3)
    cause.go(pump)
    pump.say("clear")
    pump.say("resume")
    pump.run(60)


@pytest.mark.requirement("F11", "R33", "I8")
@pytest.mark.parametrize("code", STOPS)
def test_the_same_stop_alarm_three_times_in_ten_minutes_latches(code: str) -> None:
    """The third one within 600 s cannot be cleared and resumed blindly."""
    pump = setting("continuous", "running", "none").copy()
    go_round(pump, code)
    go_round(pump, code)
    assert pump.app.ledger.state == 0
    with pytest.raises(ValueError, match="alarm_repeated"):
        go_round(pump, code)
    assert "alarm_repeated" in pump.active()
    if code == "eeprom_dead":
        pump.app.must_record = True
        pump.run(2)
    rest = {"low_reservoir"} if code == "reservoir_empty" else set[str]()
    for _ in range(3):
        assert "stays: alarm_repeated, until `clear repeated`" in pump.say("clear")
        assert "alarm_repeated" in pump.refusal("resume")
    assert pump.active() - rest == {"alarm_repeated"}
    assert not pump.board.powered
    # Neither a power cut nor a watchdog reset ends it.
    for snapshot in (pump.board.off(), pump.copy().board.bitten()):
        again = Pump(TestBoard(snapshot), code)
        again.app.start()
        again.run(10)
        assert "alarm_repeated" in again.active()
        assert not again.board.powered
        assert "alarm_repeated" in again.refusal("resume")
        again.say("clear repeated")
        again.say("resume")
        assert again.steps_in(20) > 0
    pump.say("clear repeated")
    pump.say("resume")
    assert pump.steps_in(20) > 0
    assert pump.refusal("clear repeated") == "clear repeated: alarm_repeated is not active; `clear` does"


@pytest.mark.requirement("F11", "R33")
def test_three_times_in_more_than_ten_minutes_is_no_repetition() -> None:
    pump = setting("continuous", "running", "none").copy()
    for _ in range(6):
        go_round(pump, "stall")
        pump.run(250)
    assert pump.active() == set()


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


@pytest.mark.requirement("F9", "F11")
def test_only_a_light_that_blinks_wakes_the_pump_more_often() -> None:
    """Turns of the executive in 1,000 s: frames, their middles, and the changes of the LED."""

    def turns(*codes: str) -> int:
        pump = setting("continuous", "running", "none").copy()
        for code in codes:
            pump.app.alarms.raise_(CAUSES[code].number)
        pump.run(10)
        count = 0
        end = pump.board.now_us + 1_000 * US
        while pump.board.now_us < end:
            pump.app.turn()
            count += 1
        return count

    usual = turns()
    assert usual <= 1_340
    assert abs(turns("bolus_denied") - usual) <= 2
    assert turns("replace_soon") <= usual + 1_010
    assert turns("stall") <= usual + 4_010
