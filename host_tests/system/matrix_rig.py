"""A pump in any mode, with any bolus under way, and what it does with any command: for the matrix of all three.

Time is laid out so that one instant, t, finds the pump in the wanted state. Every flow can be told from every other by
the volume of a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from support import S, scenario, steps_by

from thecal.prescription import commit_line
from thecal.programming import pack
from thecal.scenario import Scenario
from thecal.scenario_event_types import Program
from thecal.sim import Result, Simulation, make_bench
from thecal.twin.twin import Twin

STEP_NL = 25
WATCHED_S = 60
# nL/day
BASAL, LOWEST, SAVED, BRIDGE, MINIMUM = 4_800_000, 1_200_000, 2_400_000, 3_000_000, 6_000
# nL in each second that a bolus flows: all sums of these and of basal differ
FLOWS = {"clinician": 40, "scheduled": 80, "patient": 20, "order": 10}
LONG_S = 1_800


def prescription(mode: str, bolus: str, t: int, basal: int = BASAL) -> dict[str, Any]:
    """Continuous or flex, with the scheduled boluses that a bolus state needs at t."""
    rx: dict[str, Any] = {"patient": "matrix", "drug": "saline", "mode": mode, "basal": f"{basal} nL/day"}
    if mode == "flex":
        rx["basal"] = f"{LOWEST} nL/day"
        rx["period"] = [{"days": "daily", "from": "00:00", "to": "12:00", "rate": f"{BASAL} nL/day"}]
    rx["patient_bolus"] = {
        "dose": f"{FLOWS['patient'] * 600} nL",
        "over": "600 s",
        "lockout": "20 min",
        "max_per_day": 9,
    }
    due = [t - 120] if bolus in ("scheduled", "suspended", "waiting") else []
    if bolus == "waiting":
        due.append(t - 60)
    dose = f"{FLOWS['scheduled'] * LONG_S} nL"
    rx["scheduled_bolus"] = [
        {"days": "daily", "at": f"{at // 3600:02}:{at // 60 % 60:02}", "dose": dose, "over": f"{LONG_S} s"}
        for at in due
    ]
    return rx if due else {key: value for key, value in rx.items() if key != "scheduled_bolus"}


def say(second: float, line: str) -> dict[str, Any]:
    """A line typed at a time."""
    return {"at": f"{second:g} s", "do": "command", "line": line}


BOLUSES: dict[str, tuple[str, ...]] = {  # what is typed a minute before t
    "none": (),
    "clinician": (f"bolus {FLOWS['clinician'] * LONG_S} nL over {LONG_S} s",),
    "scheduled": (),
    "patient": ("dose",),
    "suspended": ("dose",),
    "waiting": (),
    "prime": ("prime",),
}


def staged(rx: dict[str, Any]) -> list[str]:
    """The console lines that stage a prescription which needs no confirmation, and the one that commits it."""
    plan = scenario(
        other("continuous", basal=f"{BASAL} nL/day"), "10 s", {"at": "1 s", "do": "program", "prescription": rx}
    )
    (program,) = plan.events
    assert isinstance(program, Program)
    lines = program.lines(pack)
    return [*lines, commit_line(lines)]


def other(mode: str, **more: Any) -> dict[str, Any]:
    """Another prescription, of saline unless `more` says else."""
    return {"patient": "matrix", "drug": "saline", "mode": mode, **more}


BACLOFEN = other("continuous", drug="baclofen", concentration="500 ug/mL", basal="300 ug/day")
MODES = ("continuous", "flex", "stopped", "minimum", "bridge", "trial over", "stop", "stop for", "safe", "rtc lost")
KEEPING = ("continuous", "flex")  # the modes in which boluses flow
TRIAL_T = 4_200
USUAL_T = 600
HALT = "halt"  # what happens to the RTC behind the pump's back


def t_of(mode: str) -> int:
    """When the command is given, s. A trial takes an hour at least."""
    return TRIAL_T if mode == "trial over" else USUAL_T


def entering(mode: str, bolus: str) -> list[dict[str, Any]]:
    """How the pump gets into a mode shortly before t, with a bolus of some kind under way till then."""
    t = t_of(mode)
    if mode == "trial over":
        *lines, _ = staged(prescription("continuous", bolus, t, SAVED))
        begin = t - 3_600 - 10
        typed = [say(begin - 10 + index / 4, line) for index, line in enumerate(lines)]
        return [*typed, say(begin, "trial start 1 h then minimum")]
    programs = {"stopped": other("stopped"), "minimum": other("minimum"), "bridge": BACLOFEN}
    if mode in programs:
        return [{"at": f"{t - 20} s", "do": "program", "prescription": programs[mode]}]
    return {
        "stop": [say(t - 10, "stop")],
        "stop for": [say(t - 10, "stop for 30 min")],
        "safe": [{"at": f"{t - 40} s", "do": "reservoir_empty"}],
        "rtc lost": [{"at": f"{t - 50} s", "do": HALT}],
    }.get(mode, [])


class Outcome(NamedTuple):
    """What came of commands: the refusal of each, or ""; nL in the minute after them; events logged since t."""

    answers: tuple[str, ...]
    volume_nl: int
    logged: tuple[tuple[str, Any], ...]
    result: Result


Command = tuple[str, ...]
"""Lines, of which the last one is typed at its second and the others before; or PRESS."""
PRESS = ("the button",)


def given(command: Command, second: int) -> list[dict[str, Any]]:
    """The events of a command."""
    if command == PRESS:
        return [{"at": f"{second} s", "do": "patient_bolus"}]
    before = len(command) - 1
    return [say(second - (before - index) / 4, line) for index, line in enumerate(command)]


def setting(mode: str, bolus: str, commands: Sequence[Command]) -> tuple[Scenario, list[int]]:
    """The scenario in which the commands are given, a second apart from t on; the numbers of their last events."""
    t = t_of(mode)
    first = "continuous" if mode == "continuous" else "flex"
    events = [event for event in entering(mode, bolus) if event["do"] != HALT]
    events += [say(t - 60, line) for line in BOLUSES[bolus]]
    last = []
    for index, command in enumerate(commands):
        events += given(command, t + index)
        last.append(len(events))
    seconds = t + len(commands) + 3 + WATCHED_S
    rx = prescription(first, "none" if mode == "trial over" else bolus, t)
    return scenario(rx, f"{seconds} s", *events), last


def outcome(mode: str, bolus: str, commands: Sequence[Command]) -> Outcome:
    """Run it."""
    plan, last = setting(mode, bolus, commands)
    twin = Twin(make_bench(plan), plan.seed)
    for event in entering(mode, bolus):
        if event["do"] == HALT:
            twin.at(int(event["at"].split()[0]) * S, lambda: twin.bench.rtc.halt(twin.now_ns()))
    try:
        result = Simulation(plan, twin).run(lambda share: None)
    finally:
        twin.close()
    refused = {refusal.event: refusal.answer for refusal in result.refusals}
    t = t_of(mode)
    begin = (t + len(commands) + 2) * S
    volume = (steps_by(result, begin + WATCHED_S * S) - steps_by(result, begin)) * STEP_NL
    logged = tuple((event.code, dict(event.details)) for event in result.events if event.t_ns >= t * S)
    return Outcome(tuple(refused.get(number, "") for number in last), volume, logged, result)
