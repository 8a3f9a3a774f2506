"""Scenarios for tests: a good one, variations of it, and the reason for which one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from thecal.paths import parse_toml
from thecal.scenario import ScenarioError, parse_scenario
from thecal.scenario_event_types import Event

NS = 10**9


HOUR = 3600 * NS


HERE = Path(__file__).parent


SUPPORTED = (
    "one of power_cut, hang, command, set_clock, console_flood, patient_bolus, battery, reservoir_empty, refill, "
    "program, eeprom_write, eeprom_dead, stall, occlusion, temperature, rtc_jump, rtc_stop, i2c_fault"
)


RX = """
patient = "bench-07"
drug = "saline"
mode = "continuous"
basal = "1 mL/day"
"""


FULL = f"""
start = "2026-03-02T00:00:00"
duration = "48 h"
seed = 7
[pump]
pl_per_step = 10000
reservoir = "40 mL"
serial = "bench-02"
[prescription]{RX}
[[event]]
at = "6 h"
do = "power_cut"
for = "90 s"
[[event]]
at = "1 h"
do = "command"
line = "stop for 30 min"
"""


def scenario(**changes: Any) -> dict[str, Any]:
    """A good scenario with some keys replaced, or removed where None."""
    data = parse_toml(FULL)
    data.update(changes)
    return {key: value for key, value in data.items() if value is not None}


def with_event(**keys: Any) -> dict[str, Any]:
    """A good scenario whose second event has these keys; `at` is 1 h unless given."""
    event = {key: value for key, value in {"at": "1 h", **keys}.items() if value is not None}
    return scenario(event=[{"at": "0 s", "do": "hang"}, event])


def with_pump(**keys: Any) -> dict[str, Any]:
    return scenario(pump=keys)


def only_event(**keys: Any) -> Event:
    """The event that with_event() adds."""
    return parse_scenario(with_event(**keys), HERE).events[1]


def refusal(data: Any, folder: Path = HERE) -> str:
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(data, folder, "day.toml")
    message = str(refused.value)
    assert message.startswith("day.toml: ")
    return message.removeprefix("day.toml: ")
