"""The therapies of a pump in one short life, on the twin and on the emulated board: the same events, the same steps."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Pump
from support import on_twin, scenario
from test_targets_agree import CONTROL_PERIOD_NS, comparable, on_board, typed

from thecal.emulated.board import EmulatedBoard
from thecal.prescription import Prescription, RateRange, commit_line, stage_lines
from thecal.prescription_toml import parse_prescription
from thecal.programming import pack
from thecal.scenario import Scenario
from thecal.sim import Result, make_bench, simulate

MIN = 60
# A path of 2 uL: primed and bridged in seconds.
PUMP = {"tubing": "0.001 mL", "catheter": "1 cm", "catheter_per_cm": "0.001 mL", "reservoir": "10 mL"}
LONG = 16  # periods and scheduled boluses
RATES = RateRange(6_000, 28_800_000)
# The port's stack is the last 8 kB of the RAM. MicroPython refuses a call that would use the last 256 bytes of it;
# there must be room for some two calls more.
STACK_TOP, STACK, MARGIN, SPARE = 0x42000, 8_192, 256, 512
MEASURED = ("missed", "assumed", "boot")  # their volumes and durations depend on the target's milliseconds


def prescription(concentration: str, basal: str, *scheduled: dict[str, Any], **more: Any) -> dict[str, Any]:
    rx: dict[str, Any] = {
        "patient": "bench-07",
        "drug": "morphine",
        "concentration": concentration,
        "mode": "continuous",
        "basal": basal,
        "patient_bolus": {"dose": "2 uL", "over": "20 s", "lockout": "2 min", "max_per_day": 4},
        **more,
    }
    return rx | ({"scheduled_bolus": list(scheduled)} if scheduled else {})


def bolus(at: str, dose: str, over: str) -> dict[str, Any]:
    return {"days": "daily", "at": at, "dose": dose, "over": over}


def happens(second: float, what: str, **more: Any) -> dict[str, Any]:
    return {"at": f"{second} s", "do": what, **more}


# 200 uL of basal an hour leave 9 uL for boluses.
FIRST = prescription("500 ug/mL", "4.8 mL/day", bolus("00:01", "4 uL", "40 s"), limits={"max_per_hour": "209 uL"})
SECOND = parse_prescription(
    prescription("1 mg/mL", "2.4 mL/day", bolus("00:05", "1 uL", "10 s"), bolus("00:06", "3 uL", "30 s")), RATES
)
CONFIRMED = ("program confirm max_per_hour none",)
TRIED = parse_prescription(prescription("1 mg/mL", "4.8 mL/day"), RATES)


def life() -> Scenario:
    """Nine minutes with power, and an hour without, in which a trial goes on. Little happens where a frame begins:
    milliseconds of the start decide which one that is."""
    return scenario(
        FIRST,
        "4060 s",
        happens(70.3, "patient_bolus"),  # sets the scheduled one of 00:01 aside
        happens(110.3, "patient_bolus"),  # lockout
        *typed(
            130.1, "bolus 5 uL over 20 s", "bolus 3 uL over 20 s"
        ),  # one more than the hour allows; one that it does
        *typed(140.1, "prime"),  # cancels it
        *typed(152.1, *stage_lines(SECOND, pack)),
        *typed(163.3, *CONFIRMED, commit_line(stage_lines(SECOND, pack))),  # a bridge of 36 s
        *typed(180.1, "bolus 1 uL over 10 s", "bridge"),
        happens(210.3, "set_clock", by="120 s"),  # past 00:05
        happens(230.3, "set_clock", by="-100 s"),  # 00:05 comes once more, and 00:06 flows at 340 s
        happens(344.5, "power_cut", **{"for": "10.4 s"}),
        happens(376, "reservoir_empty"),
        happens(400, "refill", volume="8 mL"),
        *typed(405.1, "clear", "resume"),
        *typed(410.1, *stage_lines(TRIED, pack)),
        *typed(416.1, "trial start 1 h then minimum"),
        *typed(418.1, "score pain 7", "bolus 2 uL over 20 s"),
        happens(430.4, "power_cut", **{"for": "3550.5 s"}),
        pump=PUMP,
    )


# (code, its fields), in the order in which they happen; of a code that stands here, all that there are.
HAPPENS = [
    ("bolus", "scheduled", 4_000, 40),
    ("bolus_suspended", "scheduled", 2_900),
    ("bolus", "patient", 2_000, 20),
    ("bolus_end", "patient", "done", 2_000),
    ("bolus_resumed", "scheduled", 2_800),
    ("bolus_denied", "patient", "lockout", 2_000),
    ("bolus_end", "scheduled", "done", 4_000),
    ("bolus_denied", "clinician", "max_per_hour", 5_000),
    ("bolus", "clinician", 3_000, 20),
    ("bolus_end", "clinician", "cancelled", 1_350),
    ("bolus", "prime", 2_000, 8),
    ("bolus_end", "prime", "done", 2_000),
    ("bridge", 2_000, 4_804_000),
    ("bolus_denied", "clinician", "bridge", 1_000),
    ("bridge_end", "done", 2_000),
    ("clock_set", 120),
    ("bolus_skipped", 0, 9_557, "clock", 1),
    ("clock_set", -100),
    ("bolus", "scheduled", 3_000, 30),
    ("bolus_end", "scheduled", "interrupted", 3_000),
    ("refilled", 9_968_150, 8_000_000),
    ("resume",),
    ("trial", 3_600, "minimum"),
    ("score", 7, 255, 0),
    ("bolus", "clinician", 2_000, 20),
    ("bolus_end", "clinician", "interrupted", 2_000),
    ("trial_end", "done"),
]


def details(result: Result) -> list[tuple[Any, ...]]:
    """Codes and all fields, but of what is measured."""
    return [(event.code, *event.details.values()) for event in result.events if event.code not in MEASURED]


def told(result: Result) -> list[tuple[Any, ...]]:
    """What both must say, in the same second; but for the last line of a prescription, for which the board needs 0.7 s
    longer: the commit behind it is laid into one second, and then this line cannot be."""
    return [(row[0], *row[2:]) if row[2] == "staged" else tuple(row) for row in comparable(result.events)]


def stack_used(pump: EmulatedBoard) -> int:
    """The most bytes of the stack that were ever in use: below is what RAM is at power-on."""
    sram = pump.chip.mcu.sram
    return STACK_TOP - next(at for at in range(STACK_TOP - STACK, STACK_TOP) if sram[at])


def full(basal: str) -> Prescription:
    """As many periods and boluses, each of every day."""
    periods = [
        {"days": "daily", "from": f"{hour:02}:00", "to": f"{hour:02}:30", "rate": f"3.{hour % 9} mL/day"}
        for hour in range(LONG)
    ]
    scheduled = [bolus(f"{hour:02}:30", "1 uL", "10 s") for hour in range(LONG)]
    return parse_prescription(prescription("500 ug/mL", basal, *scheduled, mode="flex", period=periods), RATES)


def ordered(second: float, rx: Prescription, *orders: str) -> tuple[list[dict[str, Any]], float]:
    """Console lines that stage it, and those that put it in force; and the second by which all of it has been done."""
    events: list[dict[str, Any]] = []
    for line in stage_lines(rx, pack):
        events += typed(second, line)
        second = round(second + 0.6, 1)
    for line in orders:
        second = round(second + 11, 1)  # for some ninety lines of the answer
        events += typed(second, line)
    return events, round(second + 4, 1)


@pytest.mark.requirement("F2", "F3", "F4", "F5")
def test_the_console_has_the_memory_for_a_long_prescription_on_trial_in_place_of_one_as_long(
    board: Pump,
) -> None:
    """What is longer may be refused, even with a restart in between: docs/LIMITS.md."""
    first = full("2.4 mL/day")
    commit = commit_line(stage_lines(first, pack))
    events, second = ordered(10.1, first, "program confirm max_per_hour none", commit)
    more, second = ordered(second, full("2.6 mL/day"), "trial start 1 h then minimum", "trial")
    plan = scenario(FIRST, f"{second} s", *events, *more, pump=PUMP)
    pump = board(make_bench(plan), seed=plan.seed)
    result = simulate(plan, pump)
    assert b"error" not in result.console
    assert b"trial: running" in result.console
    assert b"tells more" not in result.console
    codes = [event.code for event in result.events if event.code in ("staged", "confirmed", "committed", "trial")]
    assert codes == ["staged", "confirmed", "committed", "staged", "trial", "committed"]
    assert result.summary.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}
    assert stack_used(pump) <= STACK - MARGIN - SPARE


@pytest.mark.requirement("F3", "F5", "F6", "F7", "F10", "R05")
def test_a_life_of_therapies_is_the_same_on_both_targets(board: Pump) -> None:
    plan = life()
    twin, emulated = on_twin(plan), on_board(plan, board)
    codes = {code for code, *_ in HAPPENS}
    assert [event for event in details(emulated) if event[0] in codes] == HAPPENS
    assert details(emulated) == details(twin)
    assert told(emulated) == told(twin)
    alarms = [event.details["alarm"] for event in emulated.events if event.code == "alarm"]
    assert {"bolus_denied", "low_reservoir", "reservoir_empty"} <= set(alarms)
    assert len(emulated.step_times_ns) == len(twin.step_times_ns) > 1_000
    apart = [abs(a - b) for a, b in zip(emulated.step_times_ns, twin.step_times_ns, strict=True)]
    assert max(apart) <= CONTROL_PERIOD_NS
    assert [refusal.answer for refusal in emulated.refusals] == [refusal.answer for refusal in twin.refusals]
    for field in ("delivered_nl", "ledger_steps", "ledger_nl", "reservoir_nl", "resets", "state", "alarms_active"):
        assert getattr(emulated.summary, field) == getattr(twin.summary, field), field
