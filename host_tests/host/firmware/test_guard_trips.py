"""What the guard must find: whatever the dose rests on is changed behind the pump's back, and DRIVE is low before more
than the disclosed volume has flowed (F11; R17, R18; docs/LIMITS.md, "The disclosed maximum")."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
from guard_rig import LATENCY_US, START_S, Pump

from firmware import alarms
from firmware.calibration import FIELDS
from firmware.dosing import HELD, OFF
from thecal.powercut.snapshot import blank

RATES = ("36 uL/day", "480 uL/day", "4.8 mL/day", "28.8 mL/day")
FLEX = {
    "mode": "flex",
    "period": [
        {"days": "daily", "from": "06:00", "to": "08:02", "rate": "6 mL/day"},
        {"days": "daily", "from": "08:03", "to": "10:00", "rate": "1 mL/day"},
    ],
}
PATIENT = {"patient_bolus": {"dose": "50 uL", "over": "5 min", "lockout": "1 h", "max_per_day": 4}}
EXPOSED_US = LATENCY_US + 5_000


def add(path: str, by: int) -> Callable[[Pump], None]:
    """Change an integer of the application by so much."""
    *owners, name = path.split(".")

    def act(pump: Pump) -> None:
        found: Any = pump.app
        for owner in owners:
            found = getattr(found, owner)
        setattr(found, name, getattr(found, name) + by)

    return act


def put(path: str, value: Any) -> Callable[[Pump], None]:
    *owners, name = path.split(".")

    def act(pump: Pump) -> None:
        found: Any = pump.app
        for owner in owners:
            found = getattr(found, owner)
        setattr(found, name, value)

    return act


def nominal(pump: Pump, rate: int) -> int:
    """Whole steps that a second can bring, rounded up."""
    return rate * 5 // 432 // pump.config.pl_per_step + 1


def excess(spoilt: Pump, sound: Pump) -> int:
    """Steps that one pump made and the other would not have made up to the very instant."""
    return spoilt.steps - sound.steps


def pair(rx: dict[str, Any], seconds: int, **config: int) -> tuple[Pump, Pump]:
    spoilt, sound = (Pump(rx, **config).start().run(seconds).to_frame() for _ in range(2))
    assert spoilt.board.now_us == sound.board.now_us
    return spoilt, sound


@lru_cache
def sound_steps(rate: str, seconds: int) -> int:
    """Steps that a sound pump has made some seconds after settled()."""
    return settled(rate).run(seconds).steps


def settled(rate: str) -> Pump:
    """A pump that doses, in the background of a frame."""
    return Pump({"basal": rate}).start().run(62 if rate == "36 uL/day" else 6).to_frame()


def most_at_once(pump: Pump, rate: int) -> int:
    """The disclosed maximum of a single fault of the tick's arithmetic, in a frame that is not late: the steps of one
    word, which lasts 0.99 s, within the time in which the guard cuts DRIVE; and never more than 1,023 in a second."""
    return 1 + EXPOSED_US * min(1_023, 2 * nominal(pump, rate) + 2) // 990_000


@pytest.mark.requirement("F11", "R17", "R18", "I8")
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("bit", [0, 9, 14, 20])
def test_a_remainder_that_grows_by_itself_never_flows(rate: str, bit: int):
    pump = settled(rate)
    add("cascade.acc_pl", 1 << bit)(pump)
    pump.run(3)
    if not pump.trips:  # so many steps at once can be taken from no reservation, and are given up
        assert (bit, rate) == (20, "36 uL/day")
        assert pump.steps == sound_steps(rate, 3)
        return
    assert pump.trips == ["demand"]
    assert "guard" in pump.active
    assert pump.steps - sound_steps(rate, 3) <= most_at_once(pump, pump.app.dosing.schedule.rate)


SPOILT: list[tuple[str, Callable[[Pump], None], tuple[str, ...]]] = [
    ("the remainder in 1/432 pL", add("cascade.rem", 1), ("demand",)),
    ("steps that wait", add("dosing.pending", 1), ("demand",)),
    ("many steps that wait", add("dosing.pending", 1_000), ("demand",)),
    ("the count goes up", add("ledger.used", 1), ("demand", "reserved")),
    ("the count goes far up", add("ledger.used", 1 << 14), ("reserved", "demand")),
    ("the count goes down", add("ledger.used", -2), ("pulses",)),
    ("the total goes up", add("ledger.counted", 1 << 20), ("reserved",)),
    ("the total goes down", add("ledger.counted", -(1 << 5)), ("pulses",)),
    ("the flow", add("cascade.flow_pl", 1), ("demand", "rate")),
    ("much of the flow", add("cascade.flow_pl", 1 << 20), ("demand", "rate")),
    ("the remainder of the flow", add("cascade.flow_rem", 1), ("demand", "rate")),
    ("less flow", add("cascade.flow_pl", -1), ("rate",)),
    ("the volume of a step", add("cascade.pl_per_step", -1_024), ("demand", "books")),
    ("the volume of a step, larger", add("cascade.pl_per_step", 1_024), ("books",)),
    ("the volume of a step in the ledger", add("ledger.pl_per_step", 1), ("books",)),
    ("the rate of the segment", add("dosing.schedule.rate", 1), ("rate",)),
    ("the rate for a lost clock", put("dosing.lowest", 28_900_000), ("rate",)),
    ("the second", add("dosing.second", 1), ("time",)),
    ("the day", add("dosing.day", 1), ("time",)),
    ("frames that come early", add("_executive._due", -500), ("time",)),
    ("a pulse that nobody asked for", add("board.counter.extra", 1), ("pulses",)),
    ("a generator that runs away", add("board.counter.extra", 20_000), ("pulses",)),
    ("a counter that goes back", add("board.counter.extra", -40), ("pulses", "silent")),
    ("a dead counter", put("board.counter.dead", True), ("counter",)),
]


@pytest.mark.requirement("F11", "R17", "R18", "I8")
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("act", "checks"), [row[1:] for row in SPOILT], ids=[row[0] for row in SPOILT])
def test_a_variable_that_changes_by_itself_cuts_the_motor_within_a_period(
    rate: str, act: Callable[[Pump], None], checks: tuple[str, ...]
):
    pump = settled(rate)
    act(pump)
    try:
        pump.run(3)
    except struct.error:  # a total below 0 that the ledger cannot store: the pump restarts, and reads the true one
        return
    assert pump.trips or pump.steps == sound_steps(rate, 3), "not found"
    assert pump.trips or rate == "36 uL/day", "not found"
    assert not pump.trips or (pump.trips[0] in checks and pump.app.dosing.mode == HELD)
    # The flow itself, or what waits, may be anything: then a word has all the steps that one can have.
    assert pump.steps - sound_steps(rate, 3) <= 1 + EXPOSED_US * 1_023 // 990_000


SCHEDULES: list[tuple[str, Callable[[Pump], None]]] = [
    ("a rate", lambda pump: pump.app.dosing.schedule._rates.__setitem__(2, 28_000_000)),
    ("an edge", lambda pump: pump.app.dosing.schedule._starts.__setitem__(2, 8 * 3_600 + 150)),
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
    act(spoilt)
    waited = 0
    while not spoilt.trips and waited < 200:
        spoilt.to_frame()
        sound.to_frame()
        waited += 1
    assert spoilt.trips
    assert spoilt.trips[0] in ("rate", "under")
    assert excess(spoilt, sound) <= 0


@pytest.mark.requirement("F11")
@pytest.mark.parametrize(
    "act",
    [
        put("dosing.mode", OFF),
        put("dosing.mode", HELD),
        lambda pump: (put("dosing._capped", 1 << 20)(pump), put("dosing._ceiling", 0)(pump)),
    ],
    ids=["mode off", "mode held", "a ceiling that stays"],
)
def test_dosing_that_stops_by_itself_is_found_within_a_minute(act: Callable[[Pump], None]):
    spoilt, _ = pair({}, 30)
    act(spoilt)
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
    act(pump)
    assert "error" in pump.say(line, 3)
    assert pump.trips == ["bolus"]
    assert pump.steps == before
    assert pump.app.dosing.bolus is None


@pytest.mark.requirement("F11", "F3", "R17")
def test_a_scheduled_bolus_that_no_record_knows_does_not_begin():
    at = {"days": "daily", "at": "08:01", "dose": "10 uL", "over": "10 min"}
    pump = Pump({"basal": "480 uL/day", "scheduled_bolus": [at]}).start().run(5)
    pump.app.records.prescription.scheduled[0] = (127, 481, 40_000, 600)
    pump.run(70)
    assert pump.trips == ["bolus"]


@pytest.mark.requirement("F11", "R08", "I6")
@pytest.mark.parametrize(("limit", "check"), [("max_per_hour", "max_per_hour"), ("max_per_day", "max_per_day")])
def test_boluses_that_the_history_has_forgotten_are_held_by_what_really_flowed(limit: str, check: str):
    pump = Pump({"basal": "48 uL/day", "limits": {limit: "100 uL"}}).start().run(5)
    for _ in range(3):
        assert "ok" in pump.say("bolus 45 uL over 3 min", 190)
        pump.app.records.boluses.recent.clear()
        if pump.trips:
            break
    assert pump.trips == [check]
    a_second = 45_000 // 180 // 25 + 1
    assert pump.steps <= 100_000 // 25 + 2 + 2 * a_second  # two of rounding, a period, and what is under way


@pytest.mark.requirement("F11", "R17")
def test_flow_above_the_highest_is_cut_after_what_may_be_behind():
    pump = Pump({"basal": "480 uL/day"}, max_rate=2_880_000).start().run(5)
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

    pump.app.ledger.mirror.append = refuse
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


@pytest.mark.requirement("F11", "I8")
def test_nobody_powers_the_motor_while_the_guard_has_tripped():
    pump = Pump().start().run(30)
    pump.counter.extra += 1
    pump.run(3)
    assert pump.trips == ["pulses"]
    pump.board.drive(True)
    assert not pump.board.train._powered
    pump.board._cut = False  # even if the interlock is gone, it lasts for a period at most
    pump.board.drive(True)
    pump.to_frame()
    assert not pump.board.train._powered
    assert "error" in pump.say("resume")


@pytest.mark.requirement("F11", "R18", "I8")
def test_the_operator_ends_it_once_no_train_can_be_under_way_and_it_watches_on():
    pump = Pump({"basal": "28.8 mL/day"}).start().run(30)
    pump.counter.extra += 5
    pump.to_frame()
    assert pump.trips == ["pulses"]
    assert "stays: guard" in pump.say("clear", 0.4)
    pump.run(4)
    assert "stays" not in pump.say("clear")
    assert pump.active == []
    before = pump.steps
    assert "ok" in pump.say("resume", 60)
    assert pump.trips == ["pulses"]
    assert pump.steps - before >= 55 * 13
    pump.counter.extra += 1
    pump.run(2)
    assert pump.trips == ["pulses", "pulses"]


@pytest.mark.requirement("F11")
def test_a_trip_survives_a_power_cut_until_the_operator_ends_it():
    pump = Pump().start().run(30)
    pump.counter.extra += 1
    pump.run(5)
    again = Pump(snapshot=pump.off()).start().run(10)
    assert again.active == ["guard"]
    assert again.trips == []
    before = again.steps
    again.run(30)
    assert again.steps == before
    assert "stays" not in again.say("clear")
    assert "ok" in again.say("resume", 30)
    assert again.steps > before
    assert again.trips == []


@pytest.mark.requirement("F11")
def test_a_dead_counter_keeps_the_alarm_until_it_answers():
    pump = Pump().start().run(30)
    pump.counter.dead = True
    pump.run(20)
    assert pump.trips == ["counter"]  # told once
    assert "stays: guard" in pump.say("clear")
    pump.counter.dead = False
    pump.run(4)
    assert "stays" not in pump.say("clear")
    assert "ok" in pump.say("resume", 30)
    assert pump.trips == ["counter"]


@pytest.mark.requirement("F11", "I8")
@pytest.mark.parametrize(("spoil", "check"), [("pulses", "start"), ("level", "start"), ("dead", "counter")])
def test_the_motor_is_not_powered_when_the_start_is_not_as_it_must_be(spoil: str, check: str):
    pump = Pump()
    if spoil == "pulses":
        pump.counter.extra = 1
    elif spoil == "dead":
        pump.counter.dead = True
    else:
        pump.board.at_rest = lambda: False
    powered: list[bool] = []
    drive = pump.board.drive
    pump.board.drive = lambda on: (drive(on), powered.append(pump.board.train._powered))
    pump.start().run(20)
    assert pump.trips == [check]
    assert not any(powered)
    assert pump.steps == 0


def numbers(thing: object, seen: set[int]) -> list[tuple[Any, str]]:
    """Every integer of the guard's own objects."""
    found: list[tuple[Any, str]] = []
    if id(thing) in seen or not type(thing).__module__.startswith("firmware.guard"):
        return found
    seen.add(id(thing))
    for name, value in vars(thing).items():
        if type(value) is int:
            found.append((thing, name))
        else:
            found += numbers(value, seen)
    return found


# Not sealed: numbers of alarms, sizes of slots; what lasts for one run.
_CONSTANT = {"_own", "_lost", "_slot_s", "newest"}


@pytest.mark.requirement("F11", "R18")
def test_every_bit_of_the_guards_own_state_is_watched():
    rx = {**PATIENT, "basal": "480 uL/day", "limits": {"max_per_hour": "1 mL", "max_per_day": "5 mL"}}
    pump = Pump(rx).start().run(5)
    pump.say("prime", 2)
    pump.say("bolus cancel", 2)
    pump.say("bolus 10 uL over 10 min", 2)
    pump.say("dose", 2)
    own = [row for row in numbers(pump.guard, set()) if row[1] not in _CONSTANT]
    own = [row for row in own if type(row[0]).__name__ != "Demand"]
    assert len(own) >= 35
    for thing, name in own:
        before = getattr(thing, name)
        for bit in range(max(20, before.bit_length())):
            setattr(thing, name, before ^ 1 << bit)
            assert pump.guard._is_broken(), name
        setattr(thing, name, before)
        assert not pump.guard._is_broken()
    pump.guard._slack ^= 1 << 8
    pump.run(1.5)
    assert pump.trips == ["self"]


@pytest.mark.requirement("F11", "R18")
@pytest.mark.parametrize("window", ["_hour", "_day"])
def test_a_slot_of_a_window_that_changes_is_found_when_it_ends(window: str):
    pump = Pump({"limits": {"max_per_hour": "1 mL", "max_per_day": "5 mL"}}).start().run(5)
    getattr(pump.guard._flow, window)._slots[7] = -5_000
    pump.run(60 if window == "_hour" else 900)
    assert pump.trips == ["max_per_hour" if window == "_hour" else "max_per_day"]


@pytest.mark.requirement("F11", "R18")
@pytest.mark.parametrize("name", ["mode", "_count", "_rate", "over", "bridging"])
def test_a_wrong_idea_of_the_prescription_shows_as_a_wrong_rate_within_a_minute(name: str):
    pump = Pump({**FLEX, "basal": "3 mL/day"}).start().run(5)
    demand = pump.guard._evidence.demand
    setattr(demand, name, 0 if name in ("_count", "_rate") else 3)
    demand._settle()
    before = pump.steps
    pump.run(62)
    assert pump.trips
    assert pump.trips[0] in ("rate", "demand", "under")
    assert pump.steps - before <= 62 * 6_000_000 // 86_400 // 25 + 2


@pytest.mark.requirement("F11")
def test_a_pump_from_the_factory_is_watched_and_found_sound():
    pump = Pump(snapshot=blank(START_S, 20_000_000_000)).start().run(3)
    for field in FIELDS:
        pump.say(f"calibrate set {field[0]} {field[-1]}", 0.2)
    pump.say("calibrate set serial bench-01", 0.2)
    assert "ok" in pump.say("calibrate commit", 3)
    assert pump.trips == []
    pump.counter.extra += 1
    pump.run(2)
    assert pump.trips == ["pulses"]


@pytest.mark.requirement("F11", "R18")
@pytest.mark.parametrize(
    ("record", "checks"),
    [
        ("records.calibrations", ("books",)),
        ("ledger.mirror", ("books",)),
        ("records.prescriptions", ("rate", "demand")),
    ],
)
def test_a_record_that_vanishes_is_found(record: str, checks: tuple[str, ...]):
    pump = Pump().start().run(20).to_frame()
    put(record + ".payload", None)(pump)
    pump.run(1)
    assert pump.trips[0] in checks


@pytest.mark.requirement("F11", "F2")
def test_midnight_is_no_fault():
    pump = Pump({"basal": "3 mL/day", **FLEX}).start().run(3)
    assert "ok" in pump.say("clock set 2026-03-08T23:59:50", 30)
    assert pump.trips == []
    assert pump.app.dosing.second < 60


@pytest.mark.requirement("F10", "F11", "F3")
@pytest.mark.parametrize("line", ["bolus 1 uL over 1 min", "stop"])
def test_a_record_that_does_not_fit_is_found_whoever_looks_first(line: str):
    pump = Pump().start().run(20)
    add("ledger.volume_pl", 1 << 12)(pump)
    pump.app.must_record = True
    pump.app.record_state()
    if line == "stop":
        pump.guard.permit()
    else:
        assert "error" in pump.say(line)
    assert pump.trips == ["books"]
    pump.run(5)
    assert pump.trips == ["books"]


@pytest.mark.requirement("F11", "R18")
@pytest.mark.parametrize("act", ["move", "begins"])
def test_state_that_has_changed_by_itself_is_found_whoever_looks_first(act: str):
    pump = Pump().start().run(20).to_frame()
    pump.guard._slack += 1
    if act == "move":
        pump.guard.move(pump.app.dosing.day, pump.app.dosing.second, 0)
    else:
        assert "error" in pump.say("bolus 1 uL over 1 min", 0.3)
    assert pump.trips == ["self"]
