"""Nothing that is done to clock, EEPROM or power makes room under a rolling limit (I6, R09)."""

from __future__ import annotations

from typing import Any

import pytest
from support import S, continuous, scenario

from thecal.models.board_id import board_id
from thecal.outcome import parsed
from thecal.programming import MemoryEeprom, firmware
from thecal.scenario import Scenario
from thecal.sim import make_bench
from thecal.twin.twin import Twin

LIMITED = {**continuous("4.8 mL/day"), "limits": {"max_per_hour": "250 uL"}}  # 200 uL of basal and 50 uL of boluses
BOLUS = "bolus 50 uL over 5 min"
PLAN = scenario(LIMITED, "1 h")


class Bench:
    """A pump on the twin that an operator talks to."""

    def __init__(self, plan: Scenario = PLAN) -> None:
        self.bench = make_bench(plan)
        self.twin = Twin(self.bench, 1)
        self.heard = bytearray()
        self.twin.on_console = self.heard.extend
        self.twin.run(5 * S)

    def wait(self, seconds: int) -> None:
        self.twin.run(self.twin.now_ns() + seconds * S)

    def say(self, line: str, seconds: int = 2) -> str:
        before = len(self.heard)
        self.twin.send(b"\x15" + line.encode() + b"\r")
        self.wait(seconds)
        return bytes(self.heard[before:]).decode()

    def cut(self) -> None:
        self.twin.power_cut(5 * S)
        self.wait(10)

    def alarms(self) -> str:
        return parsed(self.say("status"))["alarms"]


@pytest.fixture
def pump() -> Any:
    made = Bench()
    assert "ok" in made.say(BOLUS)
    made.wait(310)
    assert "for max_per_hour" in made.say(BOLUS)
    yield made
    made.twin.close()


def set_forward(pump: Bench) -> str:
    return pump.say("clock set 2026-03-02T05:00:00")


@pytest.mark.requirement("I6", "R09", "F10")
def test_a_clock_set_that_the_eeprom_does_not_take_is_not_done(pump: Bench):
    pump.bench.eeprom.worn = set(range(512))
    set_forward(pump)
    pump.bench.eeprom.worn = set()
    assert parsed(pump.say("status"))["clock"].startswith("2026-03-02T00:")
    pump.cut()
    assert "for max_per_hour" in pump.say(BOLUS)


@pytest.mark.requirement("I6", "R09", "F10")
def test_a_clock_set_is_refused_while_the_eeprom_could_not_be_read(pump: Bench):
    pump.bench.eeprom.dead = True
    pump.twin.power_cut(5 * S)
    pump.wait(12)
    pump.bench.eeprom.dead = False
    assert "could not be read at the start" in set_forward(pump)
    pump.cut()
    assert "error" in pump.say(BOLUS)


@pytest.mark.requirement("I6", "R09", "F10")
def test_a_clock_set_is_refused_while_the_records_are_in_doubt(pump: Bench):
    layout = firmware("layout")
    first = 64 * layout.COUNTERS_FIRSTS[0]
    pump.bench.eeprom.overwrite(first, b"\xff" * 64 * layout.COUNTERS_PAGES)
    pump.twin.power_cut(5 * S)
    pump.wait(10)
    assert pump.alarms() == "ledger_damaged"
    assert "clock set: alarm ledger_damaged; `calibrate commit` comes first" in set_forward(pump)


@pytest.mark.requirement("I6", "R09", "F10")
def test_a_new_ledger_takes_the_last_bolus_for_one_just_given(pump: Bench):
    set_forward(pump)
    layout = firmware("layout")
    for first in layout.LEDGER_FIRSTS:
        pump.bench.eeprom.overwrite(64 * first, b"\xff" * 64 * layout.LEDGER_PAGES)
    pump.cut()
    assert pump.alarms() == "ledger_damaged"
    fields = firmware("calibration").FIELDS
    for name, _, _, _, value in fields:
        pump.say(f"calibrate set {name} {value}", 1)
    pump.say("calibrate set serial bench-01", 1)
    assert "ok" in pump.say("calibrate commit", 4)
    records = firmware("records").Records(MemoryEeprom(pump.bench.eeprom.image()), [0, 0, 0, 0], board_id("bench-01"))
    assert records.load() == []
    assert records.prescription is None
    day, second = records.ledger.recorded
    entry = records.boluses.recent[-1]
    assert records.ledger.pump_time(day, second) <= entry.start + 5


@pytest.mark.requirement("F10", "I2", "I4")
def test_steps_that_no_calibration_could_book_are_booked_by_the_next_one():
    plan = scenario(continuous("28.8 mL/day"), "1 h", pump={"pl_per_step": 1_000_000})
    pump = Bench(plan)
    pump.wait(60)
    before = pump.bench.motor.steps
    pump.bench.eeprom.overwrite(64 * firmware("layout").CALIBRATION_FIRST, b"\x00" * 64)
    pump.cut()
    pump.cut()
    assert pump.alarms() == "calibration_damaged"
    for name, _, _, _, value in firmware("calibration").FIELDS:
        pump.say(f"calibrate set {name} {1_000_000 if name == 'pl_per_step' else value}", 1)
    pump.say("calibrate set serial bench-01", 1)
    assert "ok" in pump.say("calibrate commit", 4)
    status = parsed(pump.say("status"))
    assert int(status["ledger_steps"]) >= before
    assert int(status["ledger_nl"]) == int(status["ledger_steps"]) * 1_000
    assert int(status["reservoir_nl"]) == 20_000_000 - int(status["ledger_nl"])
    assert status["prescription"] != "none"
    pump.twin.close()


@pytest.mark.requirement("I6", "R49", "D11")
@pytest.mark.parametrize("reset", ["cut", "hang"])
def test_a_reset_does_not_make_the_pump_believe_a_clock_that_it_has_given_up(pump: Bench, reset: str):
    pump.bench.rtc.jump(36 * 3_600, pump.twin.now_ns())
    pump.wait(45)
    assert pump.alarms() == "rtc_lost"
    if reset == "cut":
        pump.cut()
    else:
        pump.twin.hang()
        pump.wait(12)
    status = parsed(pump.say("status"))
    assert status["alarms"] == "rtc_lost"
    assert status["clock"].startswith("2026-03-02T00:")
    assert "ok" in pump.say("clock set 2026-03-02T00:10:00")
    assert "for max_per_hour" in pump.say(BOLUS)
    pump.cut()
    assert "for max_per_hour" in pump.say(BOLUS)


@pytest.mark.requirement("F10", "I2", "I12")
def test_an_eeprom_that_was_silent_for_minutes_and_a_cut_lose_no_step(pump: Bench):
    """Each refused record uses a number up; the copies are far apart then."""
    pump.bench.eeprom.dead = True
    pump.wait(150)
    pump.bench.eeprom.dead = False
    written: list[int] = []
    pump.bench.eeprom.on_page_written.append(lambda page, now_ns: written.append(page))
    for _ in range(3_000):
        pump.twin.run(pump.twin.now_ns() + S // 1_000)
        if written:
            break
    pump.twin.run(pump.twin.now_ns() + S // 200)
    pump.cut()
    status = parsed(pump.say("status"))
    assert status["alarms"] == "none" or status["alarms"] == "eeprom_dead"
    assert int(status["ledger_steps"]) >= pump.bench.motor.steps


@pytest.mark.requirement("F10", "I12")
def test_the_ledger_outlives_the_end_of_the_century():
    made = Bench(scenario(continuous("4.8 mL/day"), "1 h", start="2099-12-31T22:00:00"))
    made.say("clock set 2099-12-31T23:59:30")
    made.wait(90)
    made.cut()
    assert int(parsed(made.say("status"))["ledger_steps"]) >= made.bench.motor.steps > 0
    assert "ledger_damaged" not in made.alarms()
    made.twin.close()
