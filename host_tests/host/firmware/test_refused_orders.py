"""What was refused does not come into force later, and what a cut leaves of `clock set` starts no pump that was stopped
(F4, F5, F7, F10; invariants 4 and 5).

The part falls silent at the worst instant: it has taken the page that makes a record, and the firmware cannot find out,
nor undo it, as nothing answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from pump_rig import Pump, S, prescription

from firmware import layout
from firmware.pages import CALIBRATION, COUNTERS, HEAD_SIZE, PAGE, PRESCRIPTION
from thecal.bus_faults import BusFaults
from thecal.models import ds3231
from thecal.scenario_event_types import I2cFault

MS = 1_000_000
_KIND = 3  # offset in a page


def outage(pump: Pump, kind: int, late_ms: float, length_ms: int, first: bool = True) -> list[int]:
    """The EEPROM is silent for a while, from so late behind the write of a page of a kind that is the first part of a
    record. Returns a list that gets the page."""
    eeprom, twin = pump.bench.eeprom, pump.twin
    silence = I2cFault(0, 0, "eeprom", length_ms * MS)
    struck: list[int] = []

    def written(page: int, now: int) -> None:
        content = eeprom.memory[PAGE * page : PAGE * page + PAGE]
        if not struck and content[_KIND] == kind and (not first or content[HEAD_SIZE] == 0):
            struck.append(page)
            twin.at(now + round(late_ms * MS), lambda: BusFaults(twin).begin(silence))

    eeprom.on_page_written.append(written)
    return struck


def cut(pump: Pump) -> None:
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(2 * S))
    pump.run(8)


def a_commit(pump: Pump) -> str:
    return "program commit " + pump.confirmed(prescription(basal="9 mL/day"))


def a_trial_that_starts(pump: Pump) -> str:
    pump.confirmed(prescription(basal="9 mL/day"))
    return "trial start 2 d then minimum"


def a_trial_that_ends(pump: Pump) -> str:
    pump.confirmed(prescription(basal="2 mL/day"))
    assert pump.ask("trial start 2 d then stopped", 1.5)[-1] == "ok"
    return "trial end"


def a_bridge_that_ends(pump: Pump) -> str:
    pump.run(60)
    digest = pump.confirmed(prescription(concentration="250 ug/mL", basal="4 mL/day"))
    assert pump.ask("program commit " + digest, 1.5)[-1] == "ok"
    return "bridge cancel"


def a_calibration(pump: Pump) -> str:
    assert pump.ask("stop")[-1] == "ok"
    assert pump.ask("calibrate set pl_per_step 12500")[-1] == "ok"
    return "calibrate commit"


ORDERS: dict[str, tuple[int, Callable[[Pump], str]]] = {
    "commit": (PRESCRIPTION, a_commit),
    "trial start": (PRESCRIPTION, a_trial_that_starts),
    "trial end": (PRESCRIPTION, a_trial_that_ends),
    "bridge cancel": (PRESCRIPTION, a_bridge_that_ends),
    "calibrate commit": (CALIBRATION, a_calibration),
}


def in_force(pump: Pump) -> list[str]:
    """What would be another one if the order had come into force."""
    status = pump.status()
    shown = [status.get(key, "") for key in ("mode", "rate", "prescription", "state")]
    values = [line for line in pump.ask("calibrate show", 1) if not line.startswith("staged")]
    return [*shown, str("bridge_left_nl" in status), str("trial_left_s" in status), *values]


@pytest.mark.requirement("F4", "F10", "I4", "I5")
@pytest.mark.parametrize("late_ms", [0, 2, 6.2])
@pytest.mark.parametrize("length_ms", [40, 400])
@pytest.mark.parametrize("name", ORDERS)
def test_an_order_that_was_refused_is_not_in_force_after_the_next_start(name: str, length_ms: int, late_ms: float):
    kind, prepare = ORDERS[name]
    pump = Pump(prescription(basal="1 mL/day"))
    line = prepare(pump)
    before = in_force(pump)
    struck = outage(pump, kind, late_ms, length_ms)
    answer = pump.ask(line, 1.5)
    assert struck
    assert answer[-1].startswith("error")
    assert in_force(pump) == before
    pump.run(2)
    cut(pump)
    assert in_force(pump) == before
    assert pump.status()["alarms"] in ("none", "input_pending")
    pump.close()


@pytest.mark.requirement("F4", "F11", "I4")
def test_the_refusal_says_to_keep_the_power_on_and_a_part_that_stays_silent_stops_the_pump():
    pump = Pump(prescription(basal="1 mL/day"))
    line = a_commit(pump)
    before = in_force(pump)
    outage(pump, PRESCRIPTION, 0, 20_000)
    answer = pump.ask(line, 1.5)[-1]
    assert answer.startswith("error")
    assert "keep the power on until then" in answer
    pump.run(12)
    status = pump.status()
    assert "eeprom_dead" in status["alarms"]
    assert status["state"] == "safe"
    pump.run(12)
    assert pump.ask("clear", 1)[-1] == "ok"
    assert pump.ask("resume", 1)[-1] == "ok"
    cut(pump)
    assert in_force(pump) == before
    pump.close()


@pytest.mark.requirement("F9", "R36")
@pytest.mark.parametrize("late_ms", [0, 3, 6])
def test_a_new_battery_that_was_refused_does_not_end_eri_at_the_next_start(late_ms: float):
    pump = Pump(prescription(basal="1 mL/day"))
    pump.bench.sensors.battery_mv = 3_200
    pump.run(400)
    pump.bench.sensors.battery_mv = 3_900
    pump.run(400)
    assert "replace_soon" in pump.status()["alarms"]
    struck = outage(pump, COUNTERS, late_ms, 60, first=False)
    answer = pump.ask("service battery", 1)
    assert struck
    assert answer[-1].startswith("error")
    pump.run(1)
    cut(pump)
    assert "replace_soon" in pump.status()["alarms"]
    pump.close()


def about_to_set_the_clock() -> Pump:
    """Ahead, in a timed stop that then has 49 min to go."""
    pump = Pump(prescription(basal="5 mL/day"))
    pump.ask("clock", 1)
    assert pump.ask("stop for 50 min")[-1] == "ok"
    pump.run(0.2)
    pump.type(b"clock set 2026-03-02T01:00:10\r")
    return pump


@pytest.mark.requirement("F10", "I2", "R07")
def test_a_cut_at_any_millisecond_of_a_clock_set_ends_no_timed_stop():
    """From before its first page is written until behind its last."""
    pump = about_to_set_the_clock()
    began = pump.twin.now_ns()
    instants: list[int] = []
    pump.bench.eeprom.on_page_written.append(lambda page, now: instants.append(now - began))
    pump.run(2)
    pump.close()
    assert len(instants) >= 2
    first, last = min(instants) // MS - 5, max(instants) // MS + 5
    assert 10 <= last - first < 200
    for at_ms in range(first, last):
        pump = about_to_set_the_clock()
        pump.twin.at(pump.twin.now_ns() + at_ms * MS, partial(pump.twin.power_cut, S))
        pump.run(20)
        assert pump.steps_within(30) == 0, at_ms
        pump.close()


def cut_behind(pump: Pump, count: int) -> None:
    """The power fails half a byte behind so many that set a register of the RTC, the seconds being the first."""
    part = pump.bench.rtc
    write, written = part._write, []

    def counted(at: int, value: int, now: int) -> None:
        write(at, value, now)
        if written or at == ds3231.SECONDS:
            written.append(at)
            if len(written) == count:
                pump.twin.at(now + 11_000, partial(pump.twin.power_cut, S))

    part._write = counted  # pyright: ignore[reportAttributeAccessIssue]


BACK = b"clock set 2026-03-01T23:55:00\r"  # over an hour, a day and a month


@pytest.mark.requirement("F10", "I2", "R07")
@pytest.mark.parametrize("count", range(1, 9))
def test_a_cut_at_any_byte_of_a_clock_set_back_ends_no_timed_stop_and_no_lockout(count: int):
    """A new hour with the old date would be a clock that is ahead, and the next start would believe it."""
    bolus = {"dose": "50 ug", "over": "10 min", "lockout": "4 h", "max_per_day": 2}
    pump = Pump(prescription(basal="5 mL/day", patient_bolus=bolus))
    assert pump.ask("dose", 1)[-1] == "ok"
    pump.ask("clock", 1)
    assert pump.ask("stop for 50 min")[-1] == "ok"
    pump.run(60.2)
    cut_behind(pump, count)
    pump.type(BACK)
    pump.run(20)
    assert pump.steps_within(60) == 0
    assert pump.ask("resume", 1)[-1] == "ok"
    assert pump.ask("dose", 1)[-1].startswith("error")
    # All but the last byte leave no time at all; with it, the clock is as it was set, and only its record is missing.
    assert pump.status()["alarms"] == "rtc_lost,bolus_denied"
    pump.close()


@pytest.mark.requirement("F11", "R17")
@pytest.mark.parametrize("silent_s", [1.5, 3, 4.5])
def test_a_stop_that_ends_while_the_eeprom_is_silent_waits_until_it_is_told(silent_s: float):
    """The guard looks its end up in the record, and would find the one of the clock that was set back."""
    pump = Pump(prescription(basal="5 mL/day"))
    pump.ask("clock", 1)
    pump.ask("stop for 10 s")
    pump.run(7.5)
    BusFaults(pump.twin).begin(I2cFault(0, 0, "eeprom", round(silent_s * S)))
    assert pump.ask("clock set 2026-03-01T12:00:10", 0.5)[-1] == "ok"
    pump.run(12)
    status = pump.status()
    assert (status["state"], status["alarms"]) == ("dosing", "none")
    pump.close()


@pytest.mark.requirement("F11", "R17")
@pytest.mark.parametrize("to", ["2026-03-01T12:00:10", "2026-03-02T12:00:10", "2025-03-01T12:00:10"])
def test_a_clock_set_in_the_very_second_in_which_a_timed_stop_ends_is_no_fault(to: str):
    ends = []
    for after_s in range(6, 13):
        pump = Pump(prescription(basal="5 mL/day"))
        pump.ask("clock", 1)
        began = pump.twin.now_ns()
        pump.ask("stop for 10 s")
        pump.run(after_s - 1.3)
        assert pump.ask(f"clock set {to}", 1.0)[-1] == "ok"
        pump.run(5)
        status = pump.status()
        assert (status["state"], status["alarms"]) == ("dosing", "none"), after_s
        ends.append(min(t for t in pump.bench.motor.step_times if t > began + 3 * S) - began)
        pump.close()
    assert 10 * S < min(ends) <= max(ends) < 13 * S


ZICONOTIDE = {"drug": "ziconotide", "concentration": "100 ug/mL"}


@pytest.mark.requirement("F7", "R10")
def test_no_calibration_makes_a_bridge_flow_faster_than_it_was_confirmed():
    pump = Pump(prescription(**ZICONOTIDE, basal="150 uL/day"))
    pump.run(60)
    digest = pump.confirmed(prescription(drug="saline", concentration=None, basal="1.4 mL/day"))
    assert pump.ask("program commit " + digest, 1.5)[-1] == "ok"
    pump.ask("stop")
    pump.ask("calibrate set min_rate 1400000")
    refused = "error: calibration.min_rate = 1400000: at most 150000 nL/day, at which the bridge runs"
    assert pump.ask("calibrate commit", 1)[-1] == refused
    pump.ask("calibrate set min_rate 150000")
    assert pump.ask("calibrate commit", 1)[-1] == "ok"
    pump.close()


CALIBRATION_VALUES = {
    "pl_per_step": 25_000,
    "steps_per_index": 20,
    "reservoir_nl": 100_000_000,
    "low_reservoir_nl": 2_000_000,
    "tubing_nl": 140_000,
    "catheter_mm": 800,
    "catheter_pl_per_mm": 220_000,
    "min_rate": 6_000,
    "max_rate": 28_800_000,
    "battery_mah": 0,
    "eri_to_eos_s": 7_776_000,
    "serial": "bench-01",
}


def staged_anew(pump: Pump, **values: int) -> None:
    """Every value of a calibration."""
    for name, value in {**CALIBRATION_VALUES, **values}.items():
        assert pump.ask(f"calibrate set {name} {value}", 1)[-1] == "ok"


def calibration_rots(pump: Pump) -> None:
    memory = pump.bench.eeprom.memory
    for slot in range(layout.CALIBRATION_SLOTS):
        at = (layout.CALIBRATION_FIRST + slot * layout.CALIBRATION_PAGES) * PAGE
        if memory[at + _KIND] == CALIBRATION:
            memory[at + 20] ^= 1
    cut(pump)
    assert "calibration_damaged" in pump.status()["alarms"]


@pytest.mark.requirement("F7", "R10")
def test_nor_does_a_calibration_that_takes_the_place_of_a_damaged_one():
    pump = Pump(prescription(**ZICONOTIDE, basal="150 uL/day"))
    pump.run(60)
    digest = pump.confirmed(prescription(drug="saline", concentration=None, basal="1.4 mL/day"))
    assert pump.ask("program commit " + digest, 1.5)[-1] == "ok"
    pump.ask("stop")
    calibration_rots(pump)
    staged_anew(pump, min_rate=1_400_000)
    assert pump.ask("calibrate commit", 4)[-1] == "ok"
    for _ in range(2):
        assert "prescription_damaged" in pump.status()["alarms"]
        pump.ask("clear", 1)
        assert pump.ask("resume", 1)[-1].startswith("error")
        assert pump.steps_within(600) == 0
        cut(pump)  # the next start judges it alike
    pump.ask("calibrate set min_rate 6000")
    assert pump.ask("calibrate commit", 4)[-1] == "ok"
    assert pump.ask("clear", 1) == ["ok"]
    assert pump.ask("resume", 1)[-1] == "ok"
    assert "bridge_left_nl" in pump.status()
    pump.close()


@pytest.mark.requirement("F5", "R10")
@pytest.mark.parametrize("over", [False, True])
def test_no_calibration_makes_a_drug_flow_beyond_its_limits_after_a_trial(over: bool):
    bolus = {"over": "10 min", "lockout": "4 h", "max_per_day": 2}
    doses = [{**ZICONOTIDE, "basal": "0 uL/day", "patient_bolus": {"dose": dose, **bolus}} for dose in ("1 uL", "2 uL")]
    pump = Pump(prescription(**doses[0]))
    pump.run(5)
    pump.confirmed(prescription(**doses[1]))
    assert pump.ask("trial start 1 h then minimum", 1.5)[-1] == "ok"
    if over:
        pump.run(3_700)
    pump.ask("stop")
    pump.ask("calibrate set min_rate 1400000")
    answer = pump.ask("calibrate commit", 1)[-1]
    assert answer.startswith("error: calibration.min_rate, after the trial")
    calibration_rots(pump)
    staged_anew(pump, min_rate=1_400_000)
    assert pump.ask("calibrate commit", 4)[-1] == "ok"
    assert "prescription_damaged" in pump.status()["alarms"]
    pump.ask("clear", 1)
    assert pump.ask("resume", 1)[-1].startswith("error")
    pump.close()


@pytest.mark.requirement("F4", "F7", "I5")
def test_no_calibration_comes_between_the_end_of_a_bridge_and_its_record():
    """The next start would find the bridge in the record, and the prescription not valid."""
    pump = Pump(prescription(**ZICONOTIDE, basal="150 uL/day"), tubing_nl=1_000, catheter_mm=0)
    pump.run(700)
    digest = pump.confirmed(prescription(drug="saline", concentration=None, basal="1.4 mL/day"))
    assert pump.ask("program commit " + digest, 1.5)[-1] == "ok"
    while "bridge_left_nl" in pump.status():
        pump.run(1)
    pump.ask("stop")
    pump.ask("calibrate set min_rate 1400000")
    answer = pump.ask("calibrate commit", 1)[-1]
    assert answer == "error: calibrate commit: the end of a bridge or trial is stored first, within 2 min"
    pump.run(70)
    pump.ask("calibrate set min_rate 1400000")
    assert pump.ask("calibrate commit", 1)[-1] == "ok"
    cut(pump)
    assert pump.status()["alarms"] == "none"
    assert pump.ask("resume", 1)[-1] == "ok"
    assert pump.steps_within(60)
    pump.close()


@pytest.mark.requirement("F5", "F7")
def test_what_was_before_a_trial_is_found_whatever_bridge_it_began_with():
    saline = {"drug": "saline", "concentration": None}
    pump = Pump(prescription(**ZICONOTIDE, basal="150 uL/day"), tubing_nl=1_000, catheter_mm=0)
    pump.run(700)
    digest = pump.confirmed(prescription(**saline, basal="1.4 mL/day"))
    assert pump.ask("program commit " + digest, 1.5)[-1] == "ok"
    pump.confirmed(prescription(**saline, basal="2 mL/day"))
    assert pump.ask("trial start 2 d then stopped", 2)[-1] == "ok"
    while "bridge_left_nl" in pump.status():
        pump.run(1)
    pump.run(90)
    pump.ask("stop")
    pump.ask("calibrate set min_rate 1400000")
    assert pump.ask("calibrate commit", 1)[-1] == "ok"
    answer = pump.ask("trial discard", 3)
    assert answer[0] == "before the trial: found, and checked once more"
    assert not any("mode stopped is staged" in line for line in answer)
    pump.close()


@pytest.mark.requirement("F10", "I4", "I5")
@pytest.mark.parametrize("late_ms", [0, 6.2, 7, 8, 10, 12, 14, 16, 18, 20])
def test_a_first_calibration_is_in_force_if_the_pump_says_so_and_only_then(late_ms: float):
    """Its own record may be taken, and the ledger's behind it refused."""
    pump = Pump(programmed=False)
    staged_anew(pump)
    outage(pump, CALIBRATION, late_ms, 60)
    told = pump.ask("calibrate commit", 4)[-1] == "ok"
    pump.run(2)
    for _ in range(2):
        pump.run(2)
        shown = pump.ask("calibrate show", 1)[0]
        assert shown.startswith("calibration: version" if told else "calibration: none"), shown
        assert pump.status()["alarms"] == "none"
        cut(pump)
    pump.close()


@pytest.mark.requirement("F11", "R18")
def test_two_outages_that_lie_apart_are_no_dead_eeprom_and_one_that_ends_can_be_cleared():
    pump = Pump(programmed=False)
    for silent_ms in (1_500, 1_500, 9_000):
        staged_anew(pump)
        outage(pump, CALIBRATION, 0, silent_ms)
        assert pump.ask("calibrate commit", 4)[-1].startswith("error")
        pump.run(4)
        assert pump.status()["alarms"] == ("none" if silent_ms < 5_000 else "eeprom_dead")
        pump.run(600)
    assert pump.ask("clear", 1)[-1] == "ok"
    assert pump.status()["alarms"] == "none"
    pump.close()
