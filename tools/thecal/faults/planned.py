"""One fault as it is planned, and what is known of the life that it is put into."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from random import Random

from thecal.faults.disclosed import Steps, nothing
from thecal.faults.life import Life
from thecal.faults.pump import Run, Seen, start_span
from thecal.powercut.snapshot import S

FIRST_US, LAST_US = start_span()[0] + 50_000, 130 * S


@dataclass
class Planned:
    """One fault. what: in words. plan: puts it into a run. around: holds while the run lasts. must: mask of alarms of
    which one must come. most: of the disclosed maximum, steps."""

    what: str
    plan: Callable[[Run], None] = lambda run: None
    around: Callable[[], AbstractContextManager[None]] = field(default=nullcontext)
    must: int = 0
    most: Steps = nothing
    needs_s: int = 0


@dataclass(frozen=True)
class Known:
    """A life that was led without a fault: what came of it, and how often each function was called."""

    life: Life
    seen: Seen
    calls: dict[str, int]


def moment(rng: Random) -> int:
    return rng.randrange(FIRST_US, LAST_US)


def seconds(us: int) -> str:
    return f"{us / S:.3f} s"
