"""Mutants that no test has noticed, and the document that must justify each: docs/SURVIVORS.md."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from thecal.paths import ROOT

DOCUMENT = ROOT / "docs" / "SURVIVORS.md"
# - `module`: `line` becomes `line`
_ENTRY = re.compile(r"^- `([a-z_]+\.py)`: `(.+)` becomes `(.+)`$", re.MULTILINE)


class Survivor(NamedTuple):
    """A line of a module of the firmware, and what it may become; both without the spaces around them."""

    module: str
    line: str
    becomes: str

    def __str__(self) -> str:
        return f"- `{self.module}`: `{self.line}` becomes `{self.becomes}`"


def of_diff(module: str, diff: str) -> Survivor:
    """A diff has no context, and lines that begin with a minus and a plus."""
    old = [line[1:].strip() for line in diff.splitlines() if line.startswith("-")]
    new = [line[1:].strip() for line in diff.splitlines() if line.startswith("+")]
    return Survivor(module, " ".join(old), " ".join(new))


def documented(text: str | None = None) -> set[Survivor]:
    """Those that the document names."""
    return {Survivor(*found) for found in _ENTRY.findall(DOCUMENT.read_text("utf-8") if text is None else text)}


def stale(entries: Iterable[Survivor]) -> list[Survivor]:
    """Entries whose line is no longer in its module."""
    found = []
    for entry in entries:
        path = ROOT / "firmware" / entry.module
        text = " ".join(line.strip() for line in path.read_text("utf-8").splitlines()) if path.is_file() else ""
        if entry.line not in text:
            found.append(entry)
    return found
