"""What tests of recalls and counter-examples look at."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from support import S, continuous, steps_by

from thecal.sim import Result

STEP_NL = 25
MIN = 60 * S
HOUR = 60 * MIN
PATH_NL = 140_000 + 800 * 220  # tubing and catheter of the reference hardware
RATE = continuous("4.8 mL/day")
BIG = {"reservoir": "100 mL"}  # no refill is due soon


def say(at: str, line: str) -> dict[str, Any]:
    return {"at": at, "do": "command", "line": line}


def codes(result: Result, *wanted: str) -> list[tuple[str, dict[str, Any]]]:
    return [(event.code, dict(event.details)) for event in result.events if event.code in wanted]


def delivered(result: Result, begin_ns: int, end_ns: int) -> int:
    return (steps_by(result, end_ns) - steps_by(result, begin_ns)) * STEP_NL


def raised(result: Result) -> dict[str, float]:
    """Alarm -> true time, s, at which it was logged first."""
    times: dict[str, float] = {}
    for event in result.events:
        if event.code == "alarm":
            times.setdefault(str(event.details["alarm"]), event.t_ns / S)
    return times


def most_in_any(result: Result, window_ns: int) -> int:
    """The largest volume delivered in any window of this length, nL."""
    times = result.step_times_ns
    return max(index + 1 - bisect_right(times, t_ns - window_ns) for index, t_ns in enumerate(times)) * STEP_NL
