"""What a simulation leaves behind: steps.csv, events.jsonl and summary.json, the same bytes for the same run
anywhere.

Times are integer nanoseconds of true time since the start; they are written in seconds with three decimals,
cut and not rounded, so that nothing seems to happen later than it did.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SEVERITIES = ("info", "low", "medium", "high")
STATES = ("dosing", "stopped", "safe", "off")
_EVENT_KEYS = ("seq", "t_s", "rtc", "code", "severity")
_ROWS_AT_ONCE = 50_000
_NS_PER_MS = 1_000_000


@dataclass(frozen=True)
class LoggedEvent:
    """One entry of the pump's own log, as read back from it.

    t_ns: the true time at which it was logged; rtc: the local ISO time that the pump believed; severity: of
    SEVERITIES; details: what else the event tells, in the pump's order.
    """

    seq: int
    t_ns: int
    rtc: str
    code: str
    severity: str
    details: Mapping[str, str | int] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The JSON object of the event.

        Raises ValueError for an unknown severity or a detail named like a fixed key.
        """
        if self.severity not in SEVERITIES:
            raise ValueError(f"event {self.seq}: severity = {self.severity}: one of {', '.join(SEVERITIES)}")
        for key in self.details:
            if key in _EVENT_KEYS:
                raise ValueError(f"event {self.seq}: detail {key}: the name is taken")
        fixed = (self.seq, seconds(self.t_ns), self.rtc, self.code, self.severity)
        return {**dict(zip(_EVENT_KEYS, fixed, strict=True)), **self.details}


@dataclass(frozen=True)
class Summary:
    """The outcome of a simulation. Steps are those of the motor; volumes whole nL.

    delivered_nl: true fluid; ledger_*: what the pump recorded; off_ns: time without power; reservoir_nl: what
    the pump believes to be left, true_reservoir_nl: what is; state: at the end, of STATES; boluses_*: what the
    patient asked for and got, and was denied.
    """

    steps: int
    step_pulses: int
    delivered_nl: int
    ledger_steps: int
    ledger_nl: int
    missed_nl: int
    off_ns: int
    reservoir_nl: int
    true_reservoir_nl: int
    resets: Mapping[Literal["power_on", "watchdog", "commanded"] | str, int]
    alarms_active: list[str]
    alarms_history: list[str]
    state: str
    boluses_accepted: int = 0
    boluses_denied: int = 0

    def record(self) -> dict[str, Any]:
        """The JSON object, in its documented order. Raises ValueError for an unknown state."""
        if self.state not in STATES:
            raise ValueError(f"state = {self.state}: one of {', '.join(STATES)}")
        return {
            "steps": self.steps,
            "step_pulses": self.step_pulses,
            "delivered_nl": self.delivered_nl,
            "ledger_steps": self.ledger_steps,
            "ledger_nl": self.ledger_nl,
            "missed_nl": self.missed_nl,
            "off_s": seconds(self.off_ns),
            "reservoir_nl": self.reservoir_nl,
            "true_reservoir_nl": self.true_reservoir_nl,
            "resets": {cause: self.resets.get(cause, 0) for cause in ("power_on", "watchdog", "commanded")},
            "alarms": {"active": list(self.alarms_active), "history": list(self.alarms_history)},
            "state": self.state,
            "patient_boluses": {"accepted": self.boluses_accepted, "denied": self.boluses_denied},
        }


def seconds(ns: int) -> float:
    """Seconds with at most three decimals, cut toward zero: exactly the float that prints as such."""
    ms = abs(ns) // _NS_PER_MS
    return (ms if ns >= 0 else -ms) / 1000


def write_steps(path: Path, step_times_ns: Iterable[int]) -> int:
    """Write steps.csv: a row of zero, then one for each step that the motor made.

    Returns the number of steps.

    step_times_ns: rising, none negative. Raises ValueError naming the first step that is out of order.
    """
    times = iter(step_times_ns)
    count = 0
    last = 0
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write("t_s,steps\n0.000,0\n")
        while rows := list(islice(times, _ROWS_AT_ONCE)):
            for number, (earlier, later) in enumerate(zip([last, *rows], rows, strict=False), count + 1):
                if later < earlier:
                    raise ValueError(f"step {number}: at {later} ns, before the one at {earlier} ns")
            stamps = (divmod(ns // _NS_PER_MS, 1000) for ns in rows)
            file.write("".join([f"{s}.{ms:03},{n}\n" for n, (s, ms) in enumerate(stamps, count + 1)]))
            count += len(rows)
            last = rows[-1]
    return count


def write_events(path: Path, events: Iterable[LoggedEvent]) -> int:
    """Write events.jsonl, oldest first. Returns the number of events.

    Raises ValueError, naming the event, if seq does not rise strictly or an event is malformed.
    """
    last: int | None = None
    count = 0
    with path.open("w", encoding="ascii", newline="\n") as file:
        for event in events:
            if last is not None and event.seq <= last:
                raise ValueError(f"event {event.seq}: seq must rise, and follows {last}")
            file.write(json.dumps(event.record()) + "\n")
            last = event.seq
            count += 1
    return count


def write_summary(path: Path, summary: Summary) -> None:
    """Write summary.json."""
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(json.dumps(summary.record(), indent=2) + "\n")
