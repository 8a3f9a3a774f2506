"""Nothing that is done to clock, EEPROM or power makes room under a rolling limit (I6, R09)."""

from __future__ import annotations

from typing import Any

import pytest
from support import S, continuous, scenario

from thecal.outcome import parsed
from thecal.programming import firmware
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
    records = firmware("records").Records(_memory(pump), [0, 0, 0, 0], _board_id())
    assert records.load() == []
    assert records.prescription is None
    day, second = records.ledger.recorded
    entry = records.boluses.recent[-1]
    assert records.ledger.pump_time(day, second) <= entry.start + 5


def _memory(pump: Bench) -> Any:
    from thecal.programming import MemoryEeprom

    return MemoryEeprom(pump.bench.eeprom.image())


def _board_id() -> bytes:
    from thecal.models.board_id import board_id

    return board_id("bench-01")


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
