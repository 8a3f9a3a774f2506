"""What must hold of every start that follows a cut, and how much work it was."""

from __future__ import annotations

from dataclasses import dataclass, field

from thecal.powercut.expected import Violation
from thecal.powercut.parts import PartResult
from thecal.powercut.session import Session
from thecal.powercut.snapshot import S, module

RUN_S = 2.2  # after each start: the first two frames
_LINES_MAX = 20  # violations told in words, of one work package


@dataclass
class Tally:
    """What has been tried, and what came of it."""

    part: str
    cuts: int = 0
    boots: int = 0
    reads: int = 0
    writes: int = 0
    start_us: int = 0
    violated: int = 0
    lines: list[str] = field(default_factory=list)
    more: dict[str, float] = field(default_factory=dict)

    def started(self, session: Session) -> None:
        """A start has ended, after so much work."""
        self.boots += 1
        self.reads = max(self.reads, session.start_reads)
        self.writes = max(self.writes, session.start_writes)
        self.start_us = max(self.start_us, session.start_us)

    def violation(self, where: str, error: Violation) -> None:
        """An invariant was broken."""
        self.violated += 1
        if len(self.lines) < _LINES_MAX:
            self.lines.append(f"{where}: {error}")

    def result(self) -> PartResult:
        """As a part of the campaign answers. Recovery time: from the first line of App, ms."""
        numbers: dict[str, float] = {
            "cuts": self.cuts,
            "boots": self.boots,
            "violations": self.violated,
            "recovery_reads_max": self.reads,
            "recovery_writes_max": self.writes,
            "recovery_ms_max": self.start_us / 1_000,
            **self.more,
        }
        return PartResult({f"{self.part}_{name}": value for name, value in numbers.items()}, list(self.lines))


def recover(tally: Tally, session: Session, twice: bool = False) -> Session:
    """Start a pump after a cut, let it run for two frames, and check everything. Raises Violation. twice: it must also
    find the same if it is cut short right after reading its records."""
    session.twice = twice
    session.start()
    tally.started(session)
    check_mode(session)
    session.run(RUN_S)
    check_flow(session)
    return session


def check_mode(session: Session) -> None:
    """It doses if, and only if, it may. Raises Violation."""
    app = session.app
    is_on = app.dosing.mode == module("dosing").ON
    may = (
        app.ledger.state == module("ledger").RUNNING
        and app.records.prescription is not None
        and app.alarms.reaction() != module("alarms").STOP
    )
    if is_on != may:
        raise Violation(f"dosing is {'on' if is_on else 'off'}, and should be {'on' if may else 'off'}")


def check_flow(session: Session) -> None:
    """The motor has made no more steps than were demanded since the start, and none while the pump is stopped."""
    board, app = session.board, session.app
    steps = board.train.read()
    if app.dosing.mode != module("dosing").ON and steps and app.ledger.state != module("ledger").PAUSED:
        raise Violation(f"{steps} steps made by a pump that does not dose")
    demanded_pl = session.highest_flow() * (board.now_us - session.began_us) // S
    if steps > demanded_pl // app.cascade.pl_per_step + 1:
        raise Violation(f"{steps} steps, {demanded_pl} pL demanded since the start")
