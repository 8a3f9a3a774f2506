"""One life of the real application on a fast board, over all its resets, with one fault in it."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from thecal.faults.board_of_faults import TICKS_MASK, FaultBoard
from thecal.faults.bounded import bound_spin, bounded, untraced
from thecal.faults.disclosed import LATENCY_US
from thecal.faults.life import LENGTH_S, Life
from thecal.faults.parts import Bench
from thecal.powercut.snapshot import START_US, WATCHDOG, Bite, S, Snapshot, module

COMMANDED = 2
LOOP = 3  # starts that nobody ordered, and after which a start sounds the buzzer before anything else
RESETS_MAX = 8  # a pump that has been reset so often shows nothing new


@dataclass
class Seen:
    """What came of a life: the motor's trains, the alarms, the resets by cause, the events, the end.

    faults: codes of those of medium or high severity. watch: (true time, mask of active alarms) at every change; a
    start begins with none. starts: true times. rate: that the pump believes in at the end, nL/day; -1: unknown."""

    bench: Bench
    trains: list[tuple[int, int, int]] = field(default_factory=list)
    alarms: int = 0
    resets: list[int] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    began_us: int = 0  # the edge on which the first frame was laid
    end_us: int = 0
    steps: int = 0
    ledger_steps: int = 0
    looped: bool = False
    errors: list[str] = field(default_factory=list)
    begun: list[int] = field(default_factory=list)  # true times at which a bolus was,
    ended: list[int] = field(default_factory=list)  # and at which one has ended
    typed: list[tuple[int, str]] = field(default_factory=list)  # (true time, line); later than planned after a reset
    heard: bool = False  # whether the last line was answered with `ok`
    watch: list[tuple[int, int]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    rate: int = -1
    stumbled: str = ""  # what a model of the bench has raised: then the campaign has failed, and not the pump


Fault = Callable[["Run"], None]


class Run:
    """A life that is led. `app`, `board`: of the present power-on. seen: what has come of it so far."""

    def __init__(self, life: Life, fault: Fault | None = None, seed: str = "") -> None:
        """fault: called before the first power-on; it plans what happens, with at(), on_start or on the bench."""
        self.life = life
        self.bench = Bench(life.config.steps_per_index, Random(f"bench {seed}"))
        self.seen = Seen(self.bench)
        self.app: Any = None
        self.on_start: Callable[[], None] = lambda: None  # a power-on: `app` is there, and has not begun
        self.board: FaultBoard
        self._events: list[tuple[int, int, Callable[[FaultBoard], None]]] = []
        self._order = 0
        self._typed_to: tuple[FaultBoard, int] | None = None
        for at_us, line in life.lines:
            self.at(at_us, lambda board, line=line: self._type(board, line))
        for at_us in life.presses:
            self.at(at_us, lambda board: setattr(board, "presses", board.presses + 1))
        if fault is not None:
            fault(self)

    def at(self, at_us: int, action: Callable[[FaultBoard], None]) -> None:
        """Something happens at a true time; after a reset that comes before, on the board of that time."""
        self._order += 1
        heapq.heappush(self._events, (at_us, self._order, action))

    def _type(self, board: FaultBoard, line: str) -> None:
        self._typed_to = board, len(board.output)
        self.seen.typed.append((board.now_us, line))
        board.input.extend(b"\x15" + line.encode() + b"\r")

    def lead(self, length_s: int = LENGTH_S, longer: Callable[[Seen], int] | None = None) -> Seen:
        """Live for length_s of true time. longer(), asked then and at each end, says for how long in all; 0: it is
        enough."""
        with _logged(self), bounded(), untraced():
            self._live(self._power_on(self.life.snapshot, length_s * S), length_s * S)
            while longer is not None and not self.seen.looped and (end_us := longer(self.seen) * S) > self.board.now_us:
                self._live(self._go_on(lambda: None, end_us), end_us)
        return self.seen

    def _live(self, snapshot: Snapshot | None, end_us: int) -> None:
        """On from a reset, over those that follow, to the end."""
        while snapshot is not None:
            snapshot = self._power_on(snapshot, end_us)

    def _power_on(self, snapshot: Snapshot, end_us: int) -> Snapshot | None:
        """From a reset to the next one, which leaves a snapshot, or to the end."""
        self.board = board = FaultBoard(snapshot, self.life, self.bench, self._events)
        self.seen.starts.append(board.now_us)
        self.seen.watch.append((board.now_us, 0))

        def begin() -> None:
            self.app = module("app").App(board)
            self._delay_guard()
            self.on_start()
            self.app.start()
            self.seen.began_us = self.seen.began_us or board.now_us

        return self._go_on(begin, end_us)

    def _go_on(self, begin: Callable[[], None], end_us: int) -> Snapshot | None:
        """begin() and then turn after turn, to the next reset, which leaves a snapshot, or to the end."""
        try:
            begin()
            self._turns(end_us)
        except Bite:
            return self._reset(WATCHDOG)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as firmware/pump.py: outputs safe, and a restart
            self.seen.errors.append(f"{type(error).__name__}: {error}")
            self.board.train.power(False)
            return self._reset(COMMANDED)
        self._settle()
        return None

    def _delay_guard(self) -> None:
        """Between a tick and the guard behind it pass the milliseconds that docs/LIMITS.md reckons with."""
        board = self.board
        (task,) = (task for task in self.app._executive._starting if task.name == "guard")
        run = task.run

        def behind(late: int) -> Any:
            board.advance(LATENCY_US)
            return run(late)

        task.run = behind

    def _turns(self, end_us: int) -> None:
        board, turn, seen = self.board, self.app.turn, self.seen
        alarms, last = self.app.alarms, seen.watch[-1][1]
        while board.now_us < end_us:
            bound_spin()
            part_us = min(end_us, board.now_us + LENGTH_S * S)
            while board.now_us < part_us:
                turn()
                active = alarms.active
                if active != last:
                    last = active
                    seen.watch.append((board.now_us, active))
                    seen.alarms |= active

    def _settle(self) -> None:
        board, seen = self.board, self.seen
        if self.app is not None:
            seen.alarms |= self.app.alarms.active
            book = self.app.ledger
            seen.rate = self.app.cascade.rate
            seen.ledger_steps = book.counted + book.used  # not by its property, which may be made to raise
        if self._typed_to is not None:
            seen.heard = b"\r\nok\r\n" in self._typed_to[0].output[self._typed_to[1] :]
        seen.steps = board.train.steps()
        seen.trains = [*self.bench.trains, *board.train._cropped(board.train._all)]
        seen.end_us = board.now_us

    def _told(self, cause: int) -> int:
        """The cause as firmware/board.py tells it to the next start, which it counts if nobody ordered it."""
        bench, names = self.bench, causes()
        if "exception" not in names:
            return cause  # a firmware that does not look for more
        if cause == WATCHDOG and bench.noted == names.index("watchdog_test"):
            cause = names.index("watchdog_test")
        else:
            cause = names.index("exception") if cause == COMMANDED else cause
            bench.unbooked += 1
            bench.fruitless += 1
        bench.noted = None
        bench.is_loud |= max(bench.unbooked, bench.fruitless) >= LOOP
        return cause

    def _reset(self, cause: int) -> Snapshot | None:
        board, seen = self.board, self.seen
        bound_spin()
        if cause == WATCHDOG:
            board.now_us = max(board.now_us, board._bite_us)
        self._settle()
        board.train.over()
        seen.resets.append(cause)
        cause = self._told(cause)
        if len(seen.resets) >= RESETS_MAX:
            seen.looped = True
            return None
        scratch = tuple(word & TICKS_MASK for word in board.scratch)
        return replace(board.off(0), scratch=scratch, cause=cause)


def causes() -> tuple[str, ...]:
    """The causes of a start that the firmware tells apart, by number."""
    return tuple(module("events").NAMES["cause"])


def start_span() -> tuple[int, int]:
    """Of true time: in which the records are read and the first frame is laid."""
    return START_US, START_US + 2_000_000


@contextmanager
def _logged(run: Run) -> Iterator[None]:
    """While this lasts, the events that are logged are noted: of an alarm that it is there, of a fault its code."""
    cls, is_fault = module("eventlog").EventLog, module("events").is_fault
    original = cls.log
    seen = run.seen

    def log(self: Any, code: str, **fields: int) -> None:
        if code == "alarm":
            seen.alarms |= 1 << fields["alarm"]
        if is_fault(code, fields):
            seen.faults[code] += 1
        if code == "bolus":
            seen.begun.append(run.board.now_us)
        if code == "bolus_end":
            seen.ended.append(run.board.now_us)
        original(self, code, **fields)

    cls.log = log
    try:
        yield
    finally:
        cls.log = original
