"""What a simulation ends with: the pump at one instant, as its motor, its EEPROM and its scratch registers have it.

The ledger is read as the pump itself would recover it. Asking the pump instead would take time, and in that time it
doses on: the answer would not fit the steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thecal.link import ReplyError, parse_status
from thecal.models.board_id import board_id
from thecal.outputs import LoggedEvent, Summary
from thecal.programming import MemoryEeprom, firmware
from thecal.target import Target


@dataclass(frozen=True)
class Snapshot:
    """A pump at one instant. Steps and pulses of the motor, volumes nL."""

    powered: bool
    steps: int
    pulses: int
    delivered_nl: int
    true_reservoir_nl: int
    resets: dict[str, int]
    ledger_steps: int
    ledger_nl: int
    reservoir_nl: int
    missed_nl: int
    state: str
    alarms: tuple[str, ...]

    @classmethod
    def of(cls, target: Target) -> Snapshot:
        """The pump as it is now."""
        bench = target.bench
        image = MemoryEeprom(bench.eeprom.image())
        records = firmware("records").Records(image, list(target.scratch()[:4]), board_id(bench.config.serial))
        found = sum(1 << alarm for alarm in set(records.load()))
        book = records.ledger
        return cls(
            powered=target.powered,
            steps=bench.motor.steps,
            pulses=bench.motor.pulses,
            delivered_nl=bench.reservoir.delivered_pl // 1000,
            true_reservoir_nl=bench.reservoir.volume_pl // 1000,
            resets=dict(target.resets),
            ledger_steps=book.steps,
            ledger_nl=book.volume_nl,
            reservoir_nl=book.reservoir_nl,
            missed_nl=book.missed_nl,
            state=_state(records, found) if target.powered else "off",
            alarms=tuple(firmware("alarms").codes(book.alarms | found)),
        )


def _state(records: Any, found: int) -> str:
    """What the records say of a pump that does not answer: it hangs, or it is starting."""
    module = firmware("ledger")
    rx = records.prescription
    state = records.ledger.state
    if found or state == module.SAFE:
        return "safe"
    dosing = state == module.RUNNING and rx is not None and rx.mode != firmware("prescription").STOPPED
    return "dosing" if dosing else "stopped"


def summary(at_end: Snapshot, answer: str, events: list[LoggedEvent], off_ns: int) -> Summary:
    """The summary of a run. answer: what the pump said to a `status` asked at the end; empty if it said nothing."""
    status = parsed(answer)
    state, missed_nl, alarms = at_end.state, at_end.missed_nl, list(at_end.alarms)
    if at_end.powered and status:
        state = status["state"]
        missed_nl = int(status["missed_nl"])
        alarms = [] if status["alarms"] == "none" else status["alarms"].split(",")
    raised = [str(event.details["alarm"]) for event in events if event.code == "alarm"]
    if at_end.powered and status and status["alarm_history"] != "none":
        raised += status["alarm_history"].split(",")  # among them what a dead EEPROM could not log
    return Summary(
        steps=at_end.steps,
        step_pulses=at_end.pulses,
        delivered_nl=at_end.delivered_nl,
        ledger_steps=at_end.ledger_steps,
        ledger_nl=at_end.ledger_nl,
        missed_nl=missed_nl,
        off_ns=off_ns,
        reservoir_nl=at_end.reservoir_nl,
        true_reservoir_nl=at_end.true_reservoir_nl,
        resets=at_end.resets,
        alarms_active=alarms,
        alarms_history=list(dict.fromkeys(raised)),
        state=state,
        boluses_accepted=_of_patient("bolus", events),
        boluses_denied=_of_patient("bolus_denied", events),
    )


def _of_patient(code: str, events: list[LoggedEvent]) -> int:
    return sum(event.code == code and event.details.get("kind") == "patient" for event in events)


def parsed(answer: str) -> dict[str, str]:
    """The pump's answer to `status` in what it wrote after it was asked; empty if there is none, or not the whole."""
    lines = answer.split("\r\n")
    if "status" not in lines:
        return {}
    first = len(lines) - lines[::-1].index("status")  # the last one: a scenario may ask too
    if "ok" not in lines[first:]:
        return {}
    try:
        status = parse_status(lines[first : lines.index("ok", first)])
    except ReplyError:
        return {}
    return status if {"state", "missed_nl", "alarms"} <= set(status) else {}
