"""A stall, a driver fault, an occlusion on the emulated RP2040, one after the other, and the way out of each (F11)."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Pump, S
from support import continuous, scenario, steps_by

from thecal.sim import make_bench, simulate


def command(at_s: int, line: str) -> dict[str, Any]:
    return {"at": f"{at_s} s", "do": "command", "line": line}


@pytest.mark.requirement("F11", "R18", "R20", "I8")
def test_stall_driver_fault_and_occlusion_stop_the_real_firmware(board: Pump) -> None:
    """8.64 mL/day: four steps a second, so a stall is found after ten seconds."""
    ways_out = [event for at in (60, 90, 150) for event in (command(at, "clear"), command(at + 1, "resume"))]
    plan = scenario(
        continuous("8.64 mL/day"),
        "165 s",
        {"at": "30 s", "do": "stall", "for": "25 s"},
        {"at": "100 s", "do": "occlusion", "for": "40 s"},
        *ways_out,
        command(163, "status"),
    )
    pump = board(make_bench(plan), seed=plan.seed)
    pump.at(80 * S, lambda: setattr(pump.bench.motor, "fault", True))
    pump.at(85 * S, lambda: setattr(pump.bench.motor, "fault", False))
    result = simulate(plan, pump)
    alarms = [(event.details["alarm"], event.t_ns) for event in result.events if event.code == "alarm"]
    bounds = [("stall", 35, 42), ("driver_fault", 80, 82), ("occlusion", 112, 120)]
    assert [alarm for alarm, _ in alarms if alarm != "refill_due"] == [alarm for alarm, _, _ in bounds]
    for (alarm, low, high), found in zip(bounds, (pair for pair in alarms if pair[0] != "refill_due"), strict=True):
        assert low * S < found[1] <= high * S, alarm
    assert steps_by(result, 30 * S) == steps_by(result, 61 * S)  # nothing while it stalls, nothing before `resume`
    assert steps_by(result, 82 * S) == steps_by(result, 91 * S)
    assert steps_by(result, 120 * S) == steps_by(result, 151 * S)
    assert result.summary.state == "dosing"
    (stall,) = [event.details for event in result.events if event.code == "stall"]
    assert int(stall["volume_nl"]) == int(stall["steps"]) * 25 >= 1_000
    # The second PIO program saw every index, and the line is as it was.
    shown = dict(line.split(": ", 1) for line in result.console.decode("ascii", "replace").splitlines() if ": " in line)
    assert abs(int(shown["rotor_indices"]) - pump.bench.motor.indices) <= 1
    assert (shown["pressure_kpa"], shown["temperature_c"]) == ("0.0", "25.0")
