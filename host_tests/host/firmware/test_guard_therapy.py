"""What the guard must find of a therapy that has changed behind the pump's back: schedule, state, boluses, limits,
books (F11, F2, F3; R08, R17, R18)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from guard_rig import FLEX, LATENCY_US, PATIENT, Pump, add, put

from firmware import alarms
from firmware.dosing import HELD, OFF

EXPOSED_US = LATENCY_US + 5_000


def excess(spoilt: Pump, sound: Pump) -> int:
    """Steps that one pump made and the other would not have made up to the very instant."""
    return spoilt.steps - sound.steps


def pair(rx: dict[str, Any], seconds: int, **config: Any) -> tuple[Pump, Pump]:
    spoilt, sound = (Pump(rx, **config).start().run(seconds).to_frame() for _ in range(2))
    assert spoilt.board.now_us == sound.board.now_us
    return spoilt, sound


SCHEDULES: list[tuple[str, Callable[[Any], object]]] = [
    ("a rate", lambda pump: pump.app.dosing.schedule._rates.__setitem__(2, 28_000_000)),
    ("an edge", lambda pump: pump.app.dosing.schedule._days[1].__setitem__(2, (8 * 60 + 3) << 5)),
    ("the end of a segment", add("dosing.schedule._end", 30)),
    ("the second of the week", add("dosing._week_second", 4_096)),
    ("the prescription, laid out anew", lambda pump: (put("records.prescription.basal", 9_000_000)(pump),
                                                      pump.app.take_up_schedule())),
    ("the periods, laid out anew", lambda pump: (pump.app.records.prescription.periods.clear(),
                                                 pump.app.take_up_schedule())),
]  # fmt: skip


@pytest.mark.requirement("F11", "F2", "R17")
@pytest.mark.parametrize("act", [row[1] for row in SCHEDULES], ids=[row[0] for row in SCHEDULES])
def test_a_wrong_schedule_is_found_before_any_of_it_flows(act: Callable[[Pump], None]):
    """All of them act at an edge or before: with the period that ends at 08:02, or the one that begins at 08:03."""
    spoilt, sound = pair({"basal": "3 mL/day", **FLEX}, 62)
    act(spoilt.alone())
    waited = 0
    while not spoilt.trips and waited < 200:
        spoilt.to_frame()
        sound.to_frame()
        waited += 1
    assert spoilt.trips
    assert spoilt.trips[0] in ("rate", "under")
    assert excess(spoilt, sound) <= 0


@pytest.mark.requirement("F11", "F2", "R17", "R26", "I8")
@pytest.mark.parametrize("act", [row[1] for row in SCHEDULES], ids=[row[0] for row in SCHEDULES])
def test_guard_and_self_test_together_hold_a_wrong_schedule_before_any_of_it_flows(act: Callable[[Pump], None]):
    """Whichever comes first. The second of the week is none of the self-test's."""
    spoilt, sound = pair({"basal": "3 mL/day", **FLEX}, 62)
    act(spoilt)
    waited = 0
    while spoilt.app.dosing.mode != HELD and waited < 200:
        spoilt.to_frame()
        sound.to_frame()
        waited += 1
    assert spoilt.active in (["guard"], ["self_test_failed"])
    assert spoilt.active == ["guard"] if spoilt.trips else spoilt.app.selftest.failed >= 0
    assert excess(spoilt, sound) <= 0


@pytest.mark.requirement("F11")
@pytest.mark.parametrize(
    "act",
    [
        put("dosing.mode", OFF),
        put("dosing.mode", HELD),
    ],
    ids=["mode off", "mode held"],
)
def test_dosing_that_stops_by_itself_is_found_within_a_minute(act: Callable[[Pump], None]):
    spoilt, _ = pair({}, 30)
    act(spoilt)
    spoilt.run(64)
    assert spoilt.trips == ["under"]


@pytest.mark.requirement("F11", "R18")
@pytest.mark.parametrize(
    "act",
    [add("dosing.pending", -(1 << 30)), add("cascade.acc_pl", -(1 << 30)), add("cascade.rem", -(1 << 30))],
    ids=["steps", "picolitres", "remainder"],
)
@pytest.mark.parametrize("basal", ["6 uL/day", "3 mL/day"])
def test_a_sign_that_would_end_delivery_for_days_is_found_at_once(act: Callable[[Pump], None], basal: str):
    spoilt, _ = pair({"basal": basal}, 30)
    act(spoilt)
    spoilt.run(2)
    assert spoilt.trips == ["under"]


@pytest.mark.requirement("F11", "R18")
@pytest.mark.parametrize("mode", [OFF, HELD, 3])
def test_a_pump_whose_basal_is_nothing_does_not_stop_giving_boluses_by_itself(mode: int):
    spoilt, _ = pair({"basal": "0 nL/day"}, 30)
    put("dosing.mode", mode)(spoilt)
    spoilt.run(64)
    assert spoilt.trips == ["under"]


@pytest.mark.requirement("F11", "R17")
def test_dosing_that_begins_by_itself_makes_no_step():
    pump = Pump().start().run(5)
    assert "ok" in pump.say("stop", 3)
    before = pump.steps
    put("dosing.mode", 2)(pump)
    pump.board.drive(True)
    pump.run(2)
    assert pump.trips == ["rate"]
    assert pump.steps == before


@pytest.mark.requirement("F11", "R17")
@pytest.mark.parametrize("cause", ["operator", "alarm"])
def test_a_stopped_pump_that_takes_itself_for_running_makes_a_step_at_most(cause: str):
    pump = Pump().start().run(5)
    if cause == "operator":
        assert "ok" in pump.say("stop", 3)
    else:
        pump.app.alarms.raise_(alarms.OCCLUSION)
        pump.run(3)
        pump.app.alarms.gone(alarms.OCCLUSION)
        assert "ok" in pump.say("clear", 3)
    before = pump.steps
    put("ledger.state", 0)(pump)
    pump.app.apply()
    pump.run(3)
    assert pump.trips == ["books"]
    assert pump.steps <= before + 1


@pytest.mark.requirement("F11", "F3", "R17")
@pytest.mark.parametrize("name", ["_whole", "_rest", "_carry"])
@pytest.mark.parametrize("bit", [0, 8, 16, 23])
def test_a_bolus_that_grows_never_flows(name: str, bit: int):
    spoilt, sound = pair({"basal": "480 uL/day", **PATIENT}, 20)
    for pump in (spoilt, sound):
        assert "ok" in pump.say("dose", 5)
    flow = spoilt.app.dosing.bolus
    setattr(flow, name, getattr(flow, name) + (1 << bit))
    for pump in (spoilt, sound):
        pump.run(4 if bit else 180)  # the smallest change shows when it has become a picolitre
    assert spoilt.trips == ["demand"] or (name == "_carry" and not bit and not excess(spoilt, sound))
    assert excess(spoilt, sound) <= 1 + EXPOSED_US * 1_023 // 990_000


@pytest.mark.requirement("F11", "F3", "R17")
@pytest.mark.parametrize(
    ("act", "line"),
    [
        (put("records.prescription.patient_bolus", (60_000, 300, 3_600, 4)), "dose"),
        (put("records.prescription.patient_bolus", (50_000, 200, 3_600, 4)), "dose"),
        (put("records.calibration.tubing_nl", 199_000), "prime"),
    ],
    ids=["a larger dose", "a faster dose", "a longer tubing"],
)
def test_a_bolus_that_no_record_knows_does_not_begin(act: Callable[[Pump], None], line: str):
    pump = Pump({"basal": "480 uL/day", **PATIENT}).start().run(25)
    before = pump.steps
    act(pump.alone())
    assert "error" in pump.say(line, 3)
    assert pump.trips == ["bolus"]
    assert pump.steps == before
    assert pump.app.dosing.bolus is None


@pytest.mark.requirement("F11", "F3", "R07", "R17", "R26")
@pytest.mark.parametrize(
    ("act", "line"),
    [
        (put("records.prescription.patient_bolus", (60_000, 300, 3_600, 4)), "dose"),
        (put("records.prescription.patient_bolus", (50_000, 300, 60, 4)), "dose"),
        (put("records.prescription.max_per_hour", 1 << 30), "bolus 10 uL over 5 min"),
        (put("records.calibration.tubing_nl", 199_000), "prime"),
    ],
    ids=["a larger dose", "a shorter lockout", "a higher limit", "a longer tubing"],
)
def test_a_prescription_that_changed_in_ram_gives_no_bolus_at_all(act: Callable[[Pump], None], line: str):
    """It is compared with its record before each use, whoever asks and whatever the guard would say."""
    pump = Pump({"basal": "480 uL/day", **PATIENT, "limits": {"max_per_hour": "500 uL"}}).start().run(27.2)
    act(pump)
    assert "error: bolus: alarm self_test_failed" in pump.say(line, 1.5)
    assert [code for code in pump.active if code != "bolus_denied"] == ["self_test_failed"]
    assert pump.app.dosing.mode == HELD
    assert pump.app.dosing.bolus is None
    assert pump.app.records.boluses.number == 0


@pytest.mark.requirement("F11", "F3", "R17")
def test_a_scheduled_bolus_that_no_record_knows_does_not_begin():
    at = {"days": "daily", "at": "08:01", "dose": "10 uL", "over": "10 min"}
    pump = Pump({"basal": "480 uL/day", "scheduled_bolus": [at]}).start().run(5).alone()
    rx: Any = pump.app.records.prescription
    rx.scheduled[0] = (127, 481, 40_000, 600)
    pump.run(70)
    assert pump.trips == ["bolus"]


@pytest.mark.requirement("F11", "R08", "I6")
@pytest.mark.parametrize(("limit", "check"), [("max_per_hour", "max_per_hour"), ("max_per_day", "max_per_day")])
def test_boluses_that_the_history_has_forgotten_are_held_by_what_really_flowed(limit: str, check: str):
    pump = Pump({"basal": "48 uL/day", "limits": {limit: "100 uL"}}).start().run(5)
    for _ in range(3):
        assert "ok" in pump.say("bolus 45 uL over 3 min", 190)
        pump.alone().app.records.boluses.recent.clear()
        if pump.trips:
            break
    assert pump.trips == [check]
    a_second = 45_000 // 180 // 25 + 1
    assert pump.steps <= 100_000 // 25 + 2 + 2 * a_second  # two of rounding, a period, and what is under way


@pytest.mark.requirement("F11", "R17")
def test_flow_above_the_highest_is_cut_after_what_may_be_behind():
    pump = Pump({"basal": "480 uL/day"}, max_rate=2_880_000).start().run(5).alone()
    before = pump.steps
    put("records.calibration.max_rate", 28_800_000)(pump)
    assert "ok" in pump.say("bolus 200 uL over 15 min", 60)
    assert pump.trips == ["ceiling"]
    assert pump.steps - before <= 60 * 2_880_000 // 86_400 // 25 + 7 * 2 + 1


@pytest.mark.requirement("F10", "F11", "I2")
def test_steps_beyond_what_the_eeprom_reserves_are_cut():
    pump = Pump().start().run(62)

    def refuse(*_: object) -> None:
        raise OSError(5, "refused")

    mirror: Any = pump.app.ledger.mirror
    mirror.append = refuse
    pump.app.ledger.reserved += 10_000
    for _ in range(70):
        put("_write_failing_since", None)(pump)  # so that no other alarm comes first
        pump.to_frame()
    assert pump.trips == ["reserved"]
    record = pump.guard._evidence
    assert pump.steps <= record.allowed + 1


@pytest.mark.requirement("F10", "F11")
def test_a_total_volume_that_changes_by_itself_is_found_with_the_next_record():
    pump = Pump().start().run(30)
    add("ledger.volume_pl", 1 << 12)(pump)
    pump.run(60)
    assert pump.trips == ["books"]


@pytest.mark.requirement("F11")
def test_a_counter_that_stands_still_is_found_within_three_frames_of_a_step():
    pump = Pump().start().run(30)
    pump.counter.stuck = pump.counter.read()
    pump.run(5)
    assert pump.trips == ["silent"]


@pytest.mark.requirement("F11", "R18")
def test_more_steps_in_a_word_than_were_counted_are_found_within_a_period():
    pump = Pump().start().run(30)
    start = pump.board.train.start
    pump.board.train.start = lambda steps, interval_us: start(steps * 20, interval_us // 20 // 10 * 10)
    before = pump.steps
    pump.run(4)
    assert pump.trips == ["pulses"]
    assert pump.steps - before <= 1_023 + 20
