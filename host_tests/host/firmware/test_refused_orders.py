"""What was refused does not come into force later (F4, F5, F7, F9, F10; invariants 4 and 5).

The part falls silent at the worst instant: it has taken the page that makes a record, and the firmware cannot find out,
nor undo it, as nothing answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pump_rig import Pump, prescription

from firmware.pages import CALIBRATION, COUNTERS, PRESCRIPTION


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
    pump.commit(prescription(concentration="250 ug/mL", basal="4 mL/day"))
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
    struck = pump.outage_behind(kind, late_ms, length_ms)
    answer = pump.ask(line, 1.5)
    assert struck
    assert answer[-1].startswith("error")
    assert in_force(pump) == before
    pump.run(2)
    pump.cut()
    assert in_force(pump) == before
    assert pump.status()["alarms"] in ("none", "input_pending")
    pump.close()


@pytest.mark.requirement("F4", "F11", "I4")
def test_the_refusal_says_to_keep_the_power_on_and_a_part_that_stays_silent_stops_the_pump():
    pump = Pump(prescription(basal="1 mL/day"))
    line = a_commit(pump)
    before = in_force(pump)
    pump.outage_behind(PRESCRIPTION, 0, 20_000)
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
    pump.cut()
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
    struck = pump.outage_behind(COUNTERS, late_ms, 60, first=False)
    answer = pump.ask("service battery", 1)
    assert struck
    assert answer[-1].startswith("error")
    pump.run(1)
    pump.cut()
    assert "replace_soon" in pump.status()["alarms"]
    pump.close()
