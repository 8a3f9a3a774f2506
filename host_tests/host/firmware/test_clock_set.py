"""`clock set` and a timed stop: what a cut leaves of the two starts no pump that was stopped, and passes no lockout
(F10, F11; R07, R17)."""

from __future__ import annotations

from functools import partial

import pytest
from pump_rig import MS, Pump, S, prescription

from thecal.models import ds3231


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
    pump.outage(silent_s * 1_000)
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
