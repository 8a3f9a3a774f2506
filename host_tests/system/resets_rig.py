"""Scenarios of resets, and what the log says of them."""

from __future__ import annotations

from typing import Any

from support import continuous, on_twin, scenario

from thecal.sim import Result

RX = continuous("1 mL/day")


def hang(at: float) -> dict[str, Any]:
    return {"at": f"{at:g} s", "do": "hang"}


def cut(at: float, seconds: float = 10) -> dict[str, Any]:
    return {"at": f"{at:g} s", "do": "power_cut", "for": f"{seconds:g} s"}


def line(at: float, text: str) -> dict[str, Any]:
    return {"at": f"{at:g} s", "do": "command", "line": text}


def run(duration: float, *events: dict[str, Any]) -> Result:
    return on_twin(scenario(RX, f"{duration:g} s", *sorted(events, key=lambda event: float(event["at"].split()[0]))))


def boots(result: Result) -> list[str]:
    return [str(event.details["cause"]) for event in result.events if event.code == "boot"]


def endings(result: Result) -> list[tuple[Any, ...]]:
    found = [event.details for event in result.events if event.code == "run_ended"]
    return [(details["ending"], details["task"], details["error"]) for details in found]
