"""What reviewers of the whole pump found, each as it was shown: console, records, clock, motion (F4, F10, F11, F12)."""

from __future__ import annotations

import pytest
from pump_rig import Pump, prescription

from firmware.console import Console
from thecal.models.bench import PumpConfig
from thecal.models.board_id import board_id
from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription
from thecal.programming import MemoryEeprom, calibration_values, firmware


def refused(pump: Pump, line: str) -> str:
    (answer,) = pump.ask(line)
    return answer.removeprefix("error: ")


@pytest.mark.requirement("F4", "I5")
@pytest.mark.parametrize("end", ["power_cut", "hang"])
def test_a_stop_that_was_answered_survives_a_reset_right_after_it(end: str):
    pump = Pump(prescription(basal="20 mL/day"))
    assert pump.ask("stop") == ["ok"]
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(10**9) if end == "power_cut" else pump.twin.hang())
    pump.run(12)
    assert pump.status()["state"] == "stopped"
    assert pump.steps_within(20) == 0


@pytest.mark.requirement("F10", "I2", "I5")
def test_records_that_could_not_be_read_are_not_overwritten():
    pump = Pump(prescription(basal="20 mL/day"))
    pump.run(60)
    pump.bench.eeprom.dead = True
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(10**9))
    pump.run(10)
    pump.bench.eeprom.dead = False
    for name, value in calibration_values(PumpConfig()):
        pump.ask(f"calibrate set {name} {value}")
    assert "could not be read at the start" in refused(pump, "calibrate commit")
    made = pump.bench.motor.steps
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(10**9))
    pump.run(10)
    assert int(pump.status()["ledger_steps"]) >= made > 0


@pytest.mark.requirement("F10")
def test_an_eeprom_that_answers_after_a_moment_is_read_after_all():
    pump = Pump(prescription(basal="20 mL/day"))
    pump.bench.eeprom.dead = True
    now = pump.twin.now_ns()
    pump.twin.at(now, lambda: pump.twin.power_cut(10**9))
    pump.twin.at(now + 2_200_000_000, lambda: setattr(pump.bench.eeprom, "dead", False))
    pump.run(10)
    assert pump.status()["state"] == "dosing"


@pytest.mark.requirement("F7", "I1")
def test_a_new_minimum_rate_is_the_rate_of_the_minimum_mode_at_once():
    least = {"patient": "bench-07", "drug": "saline", "mode": "minimum"}
    pump = Pump(parse_prescription(least, RateRange(6_000, 28_800_000)), min_rate=24_000_000)
    pump.ask("stop")
    assert pump.ask("calibrate set min_rate 6000") == ["ok"]
    assert pump.ask("calibrate commit") == ["ok"]
    assert pump.ask("resume") == ["ok"]
    pump.run(2)
    assert pump.status()["rate"].startswith("6000 nL/day")
    assert pump.steps_within(60) <= 1


@pytest.mark.requirement("R49", "I6")
@pytest.mark.parametrize("end", ["power_cut", "hang"])
def test_a_clock_that_disagreed_is_not_believed_after_a_reset(end: str):
    pump = Pump(prescription(basal="20 mL/day"))
    pump.twin.at(pump.twin.now_ns(), lambda: pump.bench.rtc.jump(6 * 3600, pump.twin.now_ns()))
    pump.run(60)
    assert pump.status()["alarms"] == "rtc_lost"
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(10**9) if end == "power_cut" else pump.twin.hang())
    pump.run(12)
    assert pump.status()["alarms"] == "rtc_lost"
    assert pump.ask("clear") == ["stays: rtc_lost", "ok"]
    assert pump.ask("clock set 2026-03-02T00:05:00") == ["ok"]
    pump.run(2)
    assert pump.status()["alarms"] == "none"


@pytest.mark.requirement("R49")
@pytest.mark.parametrize(("ppb", "alarm"), [(60_000, "none"), (20_000_000, "rtc_lost"), (-20_000_000, "rtc_lost")])
def test_an_rtc_that_drifts_beyond_what_crystals_do_is_lost(ppb: int, alarm: str):
    pump = Pump(prescription(basal="20 mL/day"))
    pump.twin.at(pump.twin.now_ns(), lambda: pump.bench.rtc.set_drift(ppb, pump.twin.now_ns()))
    pump.run(600)
    assert pump.status()["alarms"] == alarm


@pytest.mark.requirement("F11")
def test_a_hang_in_the_first_second_costs_the_time_of_the_hang_and_no_more():
    pump = Pump(prescription(basal="10 mL/day"))
    before = int(pump.status()["missed_nl"])
    now = pump.twin.now_ns() // 10**9 * 10**9 + 1_500_000_000  # so that it starts on the edge 2.5 s after the power-on
    pump.twin.at(now, lambda: pump.twin.power_cut(10**9))
    pump.twin.at(now + 3_900_000_000, pump.twin.hang)
    pump.run(20)
    assert pump.twin.resets["watchdog"] == 1
    assert 6 * 115 < int(pump.status()["missed_nl"]) - before <= (3 + 10) * 116


class Verbs:
    """Commands that need nothing loaded."""

    def prepare(self, verb: str) -> bool:
        return False

    def run(self, words: list[str]) -> list[str]:
        return ["answer " + words[0]]


class Port:
    """A console's bytes. `full`: there is no memory to write any."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.out = bytearray()
        self.full = False

    def read_byte(self) -> int:
        return self.data.pop(0) if self.data else -1

    def write(self, data: memoryview) -> int:
        if self.full:
            raise MemoryError("memory allocation failed, allocating 917 bytes")
        self.out += data
        return len(data)


@pytest.mark.requirement("F12", "I7")
def test_an_error_that_nobody_foresaw_refuses_the_command_and_restarts_nothing():
    class Failing(Verbs):
        def run(self, words: list[str]) -> list[str]:
            raise MemoryError("memory allocation failed")

    port = Port(b"status\r")
    console = Console(port)
    console.commands = Failing()  # pyright: ignore[reportAttributeAccessIssue]
    for _ in range(3):
        console.work(True)
    assert b"error: internal: MemoryError memory allocation failed\r\n" in port.out


@pytest.mark.requirement("F12")
def test_refusing_prescriptions_without_end_leaves_the_log_alone():
    pump = Pump(prescription(basal="10 mL/day"))
    for _ in range(50):
        pump.type(b"\x15program commit 00000000\rprogram discard\r")
        pump.run(0.5)
    lines = [line for line in pump.ask("log 100") if "refused" in line or "discarded" in line]
    assert len(lines) == 1


@pytest.mark.requirement("F11", "I1")
def test_steps_that_the_generator_does_not_take_are_missed_and_not_caught_up():
    pump = Pump(prescription(basal="20 mL/day"))
    before = int(pump.status()["missed_nl"])
    trains = pump.twin.world.trains
    assert trains is not None
    free = trains.waiting  # type: ignore[attr-defined]
    trains.waiting = lambda: 1  # type: ignore[attr-defined] # a word that never leaves the FIFO
    pump.run(60)
    trains.waiting = free  # type: ignore[attr-defined]
    assert int(pump.status()["missed_nl"]) - before > 55 * 231
    assert pump.steps_within(5) <= 5 * 10 + 2 * 10 + 10


def rot_newest_ledger_page(pump: Pump, *copies: int) -> None:
    """Flip a bit of the newest record in these copies, as a start would find them."""
    board = board_id(pump.bench.config.serial)
    records = firmware("records").Records(MemoryEeprom(pump.bench.eeprom.image()), [0, 0, 0, 0], board)
    records.load()
    for copy in copies:
        pump.bench.eeprom.memory[records.ledger.mirror.copies[copy].page * 64 + 20] ^= 1


@pytest.mark.requirement("F10", "I2", "I3")
@pytest.mark.parametrize("copy", [0, 1])
@pytest.mark.parametrize("end", ["power_cut", "hang"])
def test_a_newest_ledger_page_that_rots_costs_nothing(copy: int, end: str):
    """The other copy has the record: no step is missed, and the pump doses on."""
    pump = Pump(prescription(basal="20 mL/day"))
    pump.run(130)
    rot_newest_ledger_page(pump, copy)
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(10**9) if end == "power_cut" else pump.twin.hang())
    pump.run(12)
    made = pump.bench.motor.steps
    status = pump.status()
    assert (status["state"], status["alarms"]) == ("dosing", "none")
    assert made + 60 * 10 >= int(status["ledger_steps"]) >= made > 1_200
    assert "scrubbed" in pump.codes()


@pytest.mark.requirement("F10", "I2")
@pytest.mark.parametrize("end", ["power_cut", "hang"])
def test_a_newest_ledger_record_that_rots_in_both_copies_stops_the_pump(end: str):
    """An older record would tell fewer steps than were made: none is taken up in its place."""
    pump = Pump(prescription(basal="20 mL/day"))
    pump.run(130)
    rot_newest_ledger_page(pump, 0, 1)
    made = pump.bench.motor.steps
    assert made > 1_200
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(10**9) if end == "power_cut" else pump.twin.hang())
    pump.run(12)
    assert pump.status()["alarms"] == "ledger_damaged"
    assert pump.steps_within(20) == 0


@pytest.mark.requirement("F11", "R16")
@pytest.mark.parametrize("late_ms", [0, 100, 600, 999, 1_000, 1_600, 1_999])
def test_the_motor_is_never_asked_for_more_than_twice_the_speed_of_its_rate(late_ms: int):
    class Train:
        MAX_STEPS = 1_023
        words: list[tuple[int, int]] = []

        def idle(self) -> bool:
            return True

        def start(self, steps: int, interval_us: int) -> bool:
            self.words.append((steps, interval_us))
            return True

    class Ledger:
        def take(self, steps: int) -> int:
            return steps

        def note(self, *state: object) -> None:
            return None

    cascade = firmware("cascade").Cascade(1_000)
    module = firmware("dosing")
    dosing = module.Dosing(cascade, Ledger(), Train())
    dosing.schedule = firmware("schedule").Schedule(28_800_000, ())
    dosing.mode = module.ON
    dosing.begin_second()
    Train.words.clear()
    for _ in range(4):
        dosing.tick(late_ms)
    nominal_us = 1_000_000 * 86_400 * 1_000 // (28_800_000 * 1_000)
    assert Train.words
    assert all(2 * interval >= 0.97 * nominal_us for _, interval in Train.words), Train.words


@pytest.mark.requirement("F12", "I7")
def test_without_memory_the_console_forgets_its_output_and_goes_on():
    port = Port(b"one\r")
    port.full = True
    console = Console(port)
    console.commands = Verbs()  # pyright: ignore[reportAttributeAccessIssue]
    for _ in range(3):
        console.work(True)
    assert console.idle
    assert console.dropped > 0
    port.full = False
    port.data += b"two\r"
    for _ in range(5):
        console.work(True)
    assert port.out == b"two\r\nanswer two\r\nok\r\n"
