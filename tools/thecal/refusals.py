"""Which lines of a scenario the pump refused, found in what it wrote to its console.

The pump echoes a line and answers it with lines of its own and a last one, `ok` or `error: ...`. Noise gets answers
too; only what follows the echo of a typed line is an answer to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

_LAST_LINE = re.compile(rb"\r\n(?:ok|(error: [^\r\n]*))\r\n")


class Refusal(NamedTuple):
    """event: the number of the scenario's event; answer: the pump's line, `error: ` and its reason."""

    event: int
    answer: str


@dataclass
class Typed:
    """A line that an event typed. first, last: where in the console's output its echo and its answer may stand."""

    event: int
    line: str
    first: int
    last: int | None = None


def answer(console: bytes, typed: Typed) -> list[str] | None:
    """The lines of the answer to a line, without the last; None while there is no whole one. The newest if there are
    several."""
    echo = b"\r\n" + typed.line.encode("ascii") + b"\r\n"
    at = console.rfind(echo, typed.first)
    last = _LAST_LINE.search(console, at + len(echo) - 2) if at >= 0 else None
    if last is None:
        return None
    text = console[at + len(echo) : last.start()].decode("ascii", "replace")
    return text.split("\r\n") if text else []


def refusals(console: bytes, typed: Iterable[Typed]) -> list[Refusal]:
    """The refused ones of the lines, in the order in which they were typed.

    A line without an answer, because the pump was off, hung or starting, is not a refused one.
    """
    found = []
    answered = 0
    for line in typed:
        begin = max(line.first, answered)
        end = len(console) if line.last is None else line.last
        echo = b"\r\n" + line.line.encode("ascii") + b"\r\n"
        at = console.find(echo, begin, end)
        if at < 0:
            continue
        last = _LAST_LINE.search(console, at + len(echo) - 2, end)
        if last is None:
            continue
        answered = last.end() - 2  # the line end before the next echo
        if last[1] is not None:
            found.append(Refusal(line.event, last[1].decode("ascii", "replace")))
    return found
