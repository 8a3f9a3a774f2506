"""The compiled firmware on the emulated RP2040 and the sources on CPython make the same steps (docs/SCENARIOS.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rig import Pump, S
from support import check_exact, continuous, flex, on_twin, scenario

from thecal.build import littlefs_image
from thecal.emulated.board import EmulatedBoard
from thecal.prescription import RateRange, commit_line, stage_lines
from thecal.prescription_toml import parse_prescription
from thecal.programming import firmware, pack
from thecal.scenario import Scenario
from thecal.sim import Result, make_bench, simulate
from thecal.target import Target
from thecal.twin.twin import Twin

CONTROL_PERIOD_NS = S


def typed(second: float, *lines: str) -> list[dict[str, Any]]:
    """Console lines, a fifth of a second apart."""
    return [
        {"at": f"{round(second + 0.2 * place, 1)} s", "do": "command", "line": line} for place, line in enumerate(lines)
    ]


NEW = parse_prescription(flex("20 mL/day", ("daily", "00:01", "00:02", "1 mL/day")), RateRange(6_000, 28_800_000))
# A line is typed in the middle of a frame: at its beginning, milliseconds of the start decide which frame that is.
SCENARIOS: dict[str, Scenario] = {
    "lowest rate": scenario(continuous("6 uL/day"), "10 min", pump={"pl_per_step": 1_009}),
    "highest rate, smallest step": scenario(continuous("28.8 mL/day"), "40 s", pump={"pl_per_step": 1_000}),
    "a step of a prime": scenario(continuous("7654321 nL/day"), "3 min", pump={"pl_per_step": 24_989}),
    "edges around midnight": scenario(
        flex("3 mL/day", ("mon", "00:00", "00:02", "28.8 mL/day"), ("sun", "23:59", "00:00", "0 uL/day")),
        "4 min",
        start="2026-03-01T23:58:00",
    ),
    "power cuts": scenario(
        continuous("10 mL/day"),
        "3 min",
        {"at": "41.5 s", "do": "power_cut", "for": "10.4 s"},
        {"at": "90 s", "do": "power_cut", "for": "30.6 s"},
    ),
    "a hang": scenario(continuous("10 mL/day"), "90 s", {"at": "40 s", "do": "hang"}),
    "a stop": scenario(continuous("10 mL/day"), "80 s", {"at": "30.3 s", "do": "command", "line": "stop for 20 s"}),
    "stop and resume": scenario(
        continuous("10 mL/day"),
        "80 s",
        {"at": "30.3 s", "do": "command", "line": "stop"},
        {"at": "50.3 s", "do": "command", "line": "resume"},
    ),
    "boluses, the second one cut short": scenario(
        continuous("3 mL/day"),
        "2 min",
        # As seconds since 2000 that year is no small integer either.
        {"at": "20.3 s", "do": "command", "line": "bolus 5 uL over 30 s"},
        {"at": "60.3 s", "do": "command", "line": "bolus 5 mL over 6 h"},  # 5e9 pL: beyond small integers
        # The pump looks for the RTC's edge 1.6 s after power-on: not where only one of the targets would still see it.
        {"at": "80.4 s", "do": "power_cut", "for": "10.5 s"},
        start="2035-03-05T00:00:00",
    ),
    "an RTC that jumps, and an EEPROM that is silent for a while": scenario(
        continuous("10 mL/day"),
        "100 s",
        {"at": "5.5 s", "do": "rtc_jump", "by": "-1 h"},
        {"at": "31 s", "do": "i2c_fault", "device": "eeprom", "for": "4 s"},
        {"at": "57.3 s", "do": "i2c_fault", "device": "eeprom", "for": "40 s"},
    ),
    "an RTC that stops, and a bus that is held": scenario(
        continuous("10 mL/day"),
        "80 s",
        {"at": "10.3 s", "do": "rtc_stop"},
        {"at": "52.2 s", "do": "i2c_fault", "device": "bus", "for": "20 s"},
    ),
    "a pump that is too hot for a while": scenario(
        continuous("10 mL/day"),
        "2 min",
        {"at": "20.3 s", "do": "temperature", "celsius": 60},
        {"at": "60.3 s", "do": "temperature", "celsius": 25},
        *typed(95.1, "clear", "resume"),
    ),
    "records that change behind the pump, and an EEPROM that dies": scenario(
        continuous("10 mL/day"),
        "2 min",
        {
            "at": "20.4 s",
            "do": "eeprom_write",
            "address": 64 * firmware("layout").COUNTERS_FIRSTS[0],
            "bytes": "00 00 00 00",
        },
        {"at": "40.4 s", "do": "power_cut", "for": "10.6 s"},
        {"at": "70.4 s", "do": "eeprom_dead"},
    ),
    "the clock goes back": scenario(
        flex("3 mL/day", ("mon", "00:00", "00:01", "20 mL/day")),
        "2 min",
        {"at": "70.3 s", "do": "set_clock", "by": "-50 s"},
    ),
    "a new prescription": scenario(
        continuous("3 mL/day"),
        "90 s",
        # The board answers a second later, as it loads what that needs: the commit waits for it.
        *typed(25.1, *stage_lines(NEW, pack)),
        *typed(30.4, commit_line(stage_lines(NEW, pack))),
    ),
    "a prescription that is refused": scenario(
        continuous("3 mL/day"), "60 s", {"at": "30 s", "do": "program", "prescription": continuous("99 mL/day")}
    ),
}


# What some of them are for: an event, or an alarm at the end.
REACHES = {
    "a new prescription": "committed",
    "a pump that is too hot for a while": "resume",
    "records that change behind the pump, and an EEPROM that dies": "eeprom_dead",
}


def on_board(plan: Scenario, board: Pump) -> Result:
    """Simulate on the emulated board, with the firmware that mpremote deployed."""
    return simulate(plan, board(make_bench(plan), seed=plan.seed))


_ran: dict[str, Result] = {}


def ran(name: str, board: Pump) -> Result:
    """One of SCENARIOS on the emulated board, which repeats exactly: it runs once for all tests."""
    if name not in _ran:
        _ran[name] = on_board(SCENARIOS[name], board)
    return _ran[name]


def comparable(events: Any) -> list[Any]:
    """Of each event what must not depend on the target: all but times below a second and measured durations."""
    return [
        (
            event.seq,
            event.rtc.split(".")[0],
            event.code,
            event.severity,
            {k: v for k, v in event.details.items() if k not in ("start_ms", "volume_nl", "seconds")},
        )
        for event in events
    ]


@pytest.mark.requirement("F1", "F2", "F4", "F10", "F11")
@pytest.mark.parametrize("name", SCENARIOS)
def test_both_targets_make_the_same_steps(name: str, board: Pump) -> None:
    twin, emulated = on_twin(SCENARIOS[name]), ran(name, board)
    assert len(emulated.step_times_ns) == len(twin.step_times_ns) > 0
    apart = [abs(a - b) for a, b in zip(emulated.step_times_ns, twin.step_times_ns, strict=True)]
    assert max(apart) <= CONTROL_PERIOD_NS
    assert comparable(emulated.events) == comparable(twin.events)
    if name in REACHES:
        assert REACHES[name] in [event.code for event in emulated.events] + emulated.summary.alarms_active
    for field in ("steps", "step_pulses", "delivered_nl", "ledger_steps", "resets", "state", "alarms_active"):
        assert getattr(emulated.summary, field) == getattr(twin.summary, field), field


@pytest.mark.requirement("F1", "F2")
@pytest.mark.parametrize(
    "name", ["lowest rate", "highest rate, smallest step", "edges around midnight", "power cuts", "a hang"]
)
def test_the_board_itself_is_exact(name: str, board: Pump) -> None:
    check_exact(SCENARIOS[name], ran(name, board))


def first_rtc_access_ms(target: Target) -> float:
    """When a pump that is switched on at 0 first asks its RTC: from there on, both targets wait for the same edge."""
    seen: list[int] = []
    rtc = target.bench.rtc
    inner = rtc.start

    def start(read: bool, now_ns: int) -> bool:
        seen.append(now_ns)
        return inner(read, now_ns)

    rtc.start = start  # type: ignore[method-assign]
    target.run(3 * S)
    return seen[0] / 1e6


@pytest.mark.requirement("F11")
def test_the_twin_starts_as_fast_as_the_board(image: Path, built: Path) -> None:
    """A firmware that grows starts later; then the twin must too, or the two would begin on different seconds.

    The board has the file system that `thecal sim --target board` makes. One that mpremote wrote is read 0.1 s slower.
    """
    plan = SCENARIOS["power cuts"]
    twin = first_rtc_access_ms(Twin(make_bench(plan), plan.seed))
    emulated = first_rtc_access_ms(EmulatedBoard(make_bench(plan), image, littlefs_image(built)))
    assert abs(emulated - twin) < 20, f"add {emulated - twin:.0f} ms to BOOT_NS in tools/thecal/twin/twin.py"
    assert emulated < 1_900  # then up to 1 s until the RTC's edge: a start takes 3 s at most


@pytest.mark.requirement("F12", "I7")
def test_three_and_a_half_seconds_after_a_flood_the_console_is_free(board: Pump) -> None:
    """The board takes up to that to refuse what the flood has left in its buffers; then a command is run."""
    plan = scenario(
        continuous("10 mL/day"),
        "25 s",
        {"at": "8 s", "do": "console_flood", "for": "2 s"},
        {"at": "13.5 s", "do": "command", "line": "stop"},
    )
    twin, emulated = on_twin(plan), on_board(plan, board)
    assert emulated.summary.state == twin.summary.state == "stopped"
    assert len(emulated.step_times_ns) == len(twin.step_times_ns)
