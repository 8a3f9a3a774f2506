"""What holds of alarms over time: cadence, silence, the same one three times, missed volume, resets (F11; R28, R33).

On the whole application, the fast one or the twin.
"""

from __future__ import annotations

import pytest
from alarm_causes import CAUSES, Cause
from alarm_rig import US, Pump, TestBoard, begins, setting
from alarm_table import CADENCE, LOW, STOPS, TABLE
from support import S, continuous, scenario

from firmware import alarms
from thecal.sim import make_bench, simulate
from thecal.twin.twin import Twin


@pytest.mark.requirement("F11", "R28", "R31")
@pytest.mark.parametrize("code", CAUSES)
def test_every_alarm_sounds_as_often_as_its_priority_says(code: str) -> None:
    pump = setting("continuous", "stopped" if code == "stopped_48h" else "running", "none").copy()
    if code == "under_delivery":
        pump.app.watch.keep = lambda seconds: None  # it finds none
    raised_us = CAUSES[code].come(pump)
    every, tones = CADENCE.get(TABLE[code][0], (0, []))
    count = 3 if every else 0
    if code == "input_pending":
        count = 1  # the input is given up five minutes later
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
    if TABLE[code][0] == LOW:
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
    assert tones == CADENCE[TABLE[code][0]][1]
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
    assert TABLE[silenced[0]["alarm"]][0] == TABLE[code][0]


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


# -- after a reset ------------------------------------------------------------------------------------------------

# Of what they rest on a start has read nothing yet.
UNREAD = {"reservoir_empty", "end_of_service", "battery_depleted", "over_temperature"}


@pytest.mark.requirement("F11", "I8", "R36", "R37")
@pytest.mark.parametrize("code", [*(code for code in STOPS if code != "eeprom_dead"), "alarm_repeated"])
def test_after_a_reset_what_has_not_been_read_yet_cannot_be_cleared(code: str) -> None:
    """docs/CONSOLE.md: the cause of four alarms is there until something says otherwise, those of the others count as
    gone until they are found again. Here none is there in truth."""
    pump = setting("continuous", "running", "none").copy()
    Cause(CAUSES[code].number).come(pump)
    pump.run(3)
    again = Pump(TestBoard(pump.board.off()), code)
    again.app.start()
    again.run(1.5)
    assert code in again.active()
    if code == "alarm_repeated":
        assert again.say("clear repeated") == []
    elif code in UNREAD:
        assert f"stays: {code}" in again.say("clear")
        CAUSES[code].go(again)
    again.say("clear")
    assert code not in again.active()


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
    assert 1_440 <= usual <= 1_460  # every 4th frame has a middle, and every 5th; the others fall together with these
    assert abs(turns("bolus_denied") - usual) <= 2
    assert turns("replace_soon") <= usual + 1_010
    assert turns("stall") <= usual + 4_010


@pytest.mark.requirement("F11", "R28")
def test_a_silence_ends_in_time_though_frames_come_late() -> None:
    """A busy pump: of three seconds one has a frame of its own."""
    pump = setting("continuous", "running", "none").copy()
    pump.app.alarms.raise_(alarms.DRIVER_FAULT)
    pump.run(8)
    pump.say("silence")
    since = pump.board.now_us
    while pump.board.now_us - since < 130 * US:
        pump.board.advance(2_500_000)
        pump.app.turn()
        pump.run(0.4)
    first, _, _ = pump.tones(since)[0]
    assert 110 * US <= first - since <= 124 * US
