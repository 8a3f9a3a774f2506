"""How the guard holds what it has cut, begins, ends and watches itself (F11; R17, R18; invariant 8)."""

from __future__ import annotations

from typing import Any

import pytest
from guard_rig import FLEX, PATIENT, START_S, Pump, add, put
from test_guard_sound import in_a_bridge, in_a_trial

from firmware.calibration import FIELDS
from thecal.powercut.snapshot import blank


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
    """Every integer and truth value of the guard's own objects."""
    found: list[tuple[Any, str]] = []
    if id(thing) in seen or not type(thing).__module__.startswith("firmware.guard"):
        return found
    seen.add(id(thing))
    for name, value in vars(thing).items():
        if type(value) in (int, bool):
            found.append((thing, name))
        else:
            found += numbers(value, seen)
    return found


# Not sealed: numbers of alarms, sizes of slots; what lasts for one run.
_CONSTANT = {"_own", "_lost", "_slot_s", "newest"}


def watched(pump: Pump) -> None:
    """Flip every bit of every number of the guard: each is found, and nothing is when it is put back."""
    guard = pump.guard
    own = [row for row in numbers(guard, set()) if row[1] not in _CONSTANT]
    if not guard._boluses.flow:  # it begins anew before it is asked for again
        own = [row for row in own if row[1] != "_waits"]
    if not guard._flow._is_limited:  # so do they
        own = [row for row in own if type(row[0]).__name__ != "Window" or row[1] == "most"]
    assert len(own) >= 40
    for thing, name in own:
        before = getattr(thing, name)
        for bit in range(max(20, before.bit_length())):
            setattr(thing, name, before ^ 1 << bit)
            assert guard._is_broken(), name
        setattr(thing, name, before)
        assert not guard._is_broken(), name


@pytest.mark.requirement("F11", "R18")
def test_every_bit_of_the_guards_own_state_is_watched():
    rx = {**PATIENT, "basal": "480 uL/day", "limits": {"max_per_hour": "1 mL", "max_per_day": "5 mL"}}
    pump = Pump(rx).start().run(5)
    pump.say("prime", 2)
    pump.say("bolus cancel", 2)
    pump.say("bolus 10 uL over 10 min", 2)
    pump.say("dose", 2)
    watched(pump)
    pump.guard._slack ^= 1 << 8
    pump.run(1.5)
    assert pump.trips == ["self"]


@pytest.mark.requirement("F11", "F5", "F7", "R18")
@pytest.mark.parametrize("course", ["trial", "after a trial", "bridge", "after a bridge"])
def test_every_bit_of_the_guards_own_state_is_watched_in_a_course_and_behind_it(course: str):
    """What holds only when the course has ended is watched before: a wrong limit of it would not show until then."""
    life = in_a_trial() if "trial" in course else in_a_bridge()
    life.run(2 if "after" not in course else 3_700 if "trial" in course else 190)
    demand = life.pump.guard._evidence.demand
    assert demand.in_course == ("after" not in course)
    assert demand.over == (course == "after a trial")
    assert demand.bridging == (course == "bridge")
    watched(life.pump)
    assert life.pump.trips == []
    demand._hour_nl ^= 1 << 3
    life.pump.run(1.5)
    assert life.pump.trips == ["self"]


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
    pump.guard._close()  # as if it had been wrong from the first: the seal does not tell
    pump.guard._close_still()
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
        pump.guard.permit(True)
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


@pytest.mark.requirement("F11", "R18")
def test_after_clear_it_reads_everything_anew_and_watches_the_time_again():
    pump = Pump().start().run(30)
    pump.guard._evidence.allowed += 1_000
    pump.guard._evidence.pl += 1
    pump.run(6)
    assert pump.trips == ["self"]
    assert "stays" not in pump.say("clear")
    assert "ok" in pump.say("resume", 60)
    book = pump.app.ledger
    assert pump.guard._evidence.allowed == book.counted + book.reserved
    assert pump.guard._evidence.pl == book.pl_per_step
    assert pump.trips == ["self"]
    add("_executive._due", -200)(pump)
    pump.run(2)
    assert pump.trips == ["self", "time"]


@pytest.mark.requirement("F11", "I8")
def test_until_three_frames_without_a_pulse_the_cause_counts_as_there():
    pump = Pump().start().run(30).to_frame()
    pump.counter.extra += 1
    pump.to_frame()
    assert pump.trips
    for frame in range(4):  # in the first of them the pulses of the word under way were counted
        assert pump.app.alarms.present, frame
        pump.to_frame()
    assert not pump.app.alarms.present
