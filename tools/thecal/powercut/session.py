"""One power-on of the whole pump, from reset to the next cut, watched: what it may remember, and what it must."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from thecal.powercut.expected import Durable, Expected, Point, Violation, differences, durable, found_in
from thecal.powercut.ring_numbers import Numbers
from thecal.powercut.snapshot import NEVER_US, START_US, WATCHDOG, Bite, Cut, S, Snapshot, module
from thecal.powercut.whole_pump import Board

START_LIMIT_US = 3 * S
READS_LIMIT = 2 * 512  # page reads of a start: each page twice
WRITES_LIMIT = 64
WATCHDOG_LOSS = 2  # steps that a watchdog reset may cost
_AHEAD_MAX_S = 2  # seconds by which rounding the operator's time may move pump time
_BEHIND_MAX_S = 2  # seconds by which the RTC may be behind the newest record
_FLOW_S = 60
_LOOK_BACK_US = 62 * S  # a reservation made under an earlier rate is given up within two frames


class Session:
    """One power-on. `points`: its page writes, if they are recorded."""

    def __init__(self, snapshot: Snapshot, expected: Expected, seed: int = 0, record: bool = False) -> None:
        """seed: decides what metastable pages read as."""
        self.board = Board(snapshot, Random(seed))
        self.expected = expected
        self.points: list[Point] = []
        self.loaded: Any = None
        self.loaded_steps = 0  # of the ledger
        self.twice = False  # whether to load a second time, right after the first
        self.excess = expected.excess  # steps that the ledger was ahead when the records had been loaded
        self.durable = expected.durable
        self._is_set_back = False
        self.active = expected.active
        self.began_us = self.board.now_us
        self.start_us = self.start_reads = self.start_writes = 0
        self._flows: list[tuple[int, int]] = []  # since when, pL a second, rounded up
        self._writing: list[tuple[Point, bool]] = []  # in this turn, and whether the records were still being read
        self._numbers = Numbers(self.board.eeprom)
        self._record = record
        self._is_unsure = bool(snapshot.metastable)
        self.board.eeprom.on_write = self._writes
        self.app: Any = None

    # -- running ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """From reset until the first frame is planned. Raises Violation; Cut if the supply fails."""
        self._guarded(self._start)
        self._is_unsure = False
        board = self.board
        self.start_us = board.now_us - self.began_us
        self.start_reads, self.start_writes = board.eeprom.reads, board.eeprom.writes
        if self.start_us + START_US > START_LIMIT_US:
            raise Violation(f"start-up takes {self.start_us / S:.3f} s")
        if board.eeprom.reads > READS_LIMIT or board.eeprom.writes > WRITES_LIMIT:
            raise Violation(f"start-up: {board.eeprom.reads} page reads, {board.eeprom.writes} page writes")

    def _start(self) -> None:
        self.app = module("app").App(self.board)
        # Twin and emulated board prove their watchdogs. Here it would be one more wait in which nothing is written.
        self.app.resets.prove_watchdog = lambda: True
        load = self.app.records.load

        def watched() -> Any:
            found = load()
            self._check_loaded()
            return found

        self.app.records.load = watched
        self.app.start()

    def run(self, seconds: float) -> None:
        """Turns of the executive until so many seconds have passed."""
        end = self.board.now_us + round(seconds * S)
        while self.board.now_us < end:
            self.turn()

    def turn(self) -> None:
        """One turn. Raises Violation; Cut if the supply fails in it."""
        self._guarded(self.app.turn)

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Cut:
            self._settle(ended=False)
            raise
        except Violation:
            raise
        except Bite:
            raise Violation("the watchdog bites") from None
        except (Exception, SystemExit) as error:
            raise Violation(f"{type(error).__name__}: {error}") from error
        self._settle(ended=True)
        self._check()

    # -- what must hold ---------------------------------------------------------------------------------------

    def _check_loaded(self) -> None:
        """The records have been read: by now everything that was durable is known."""
        records, expected = self.app.records, self.expected
        found = durable(self.app, started=False)
        self.loaded = records.state()
        steps = self.board.train.steps()
        excess = records.ledger.steps - steps
        if found not in expected.durable:
            wanted = min(expected.durable, key=lambda one: len(differences(found, one)))
            raise Violation("state is neither before nor after: " + "; ".join(differences(found, wanted)))
        if expected.loaded is not None and self.loaded not in expected.loaded:
            raise Violation(f"the records are neither those before nor those after: {self.loaded!r:.300}")
        if excess < 0:
            raise Violation(f"the ledger has {-excess} steps less than the motor made")
        if excess > expected.excess + expected.loss:
            raise Violation(f"{excess - expected.excess} steps assumed, at most {expected.loss}")
        left_pl = self.board.fluid_pl - steps * records.ledger.pl_per_step
        if records.calibration is not None and records.ledger.reservoir_nl * 1_000 > left_pl:
            raise Violation(f"reservoir: {records.ledger.reservoir_nl} nL in the ledger, {left_pl} pL in truth")
        self.excess = excess
        self.loaded_steps = records.ledger.steps
        self._is_set_back = self._rtc_is_behind(*records.ledger.recorded)
        self.durable = frozenset((found,))
        if self.twice:
            self._check_again()

    def _check_again(self) -> None:
        """Cut short right after loading, the next start must find the very same."""
        again = found_in(self.off(0), tuple(self.board.scratch))
        if again != self.loaded:
            raise Violation(f"loaded again: {again!r:.300} instead of {self.loaded!r:.300}")

    def _rtc_is_behind(self, day: int, second: int) -> bool:
        """Whether the operator's earlier time is in the RTC and not yet in the ledger. Then it must be set again."""
        seconds, since_us = self.board.rtc.setting
        return seconds + (self.board.now_us - since_us) // S < day * 86_400 + second - _BEHIND_MAX_S

    def _check(self) -> None:
        app, board = self.app, self.board
        if board.train.steps() > app.ledger.steps:
            raise Violation(f"the motor made {board.train.steps()} steps, the ledger has {app.ledger.steps}")
        ahead_s = app.ledger.pump_time(app.dosing.day, app.dosing.second) - board.now_us // S - self.expected.epoch_s
        if ahead_s > _AHEAD_MAX_S and app.records.recovered[0]:
            raise Violation(f"pump time is {ahead_s} s ahead of true time")
        table = module("alarms").TABLE
        new = app.alarms.active & ~self.active
        if board.reset_cause == WATCHDOG:
            new &= ~(1 << module("alarms").RESET_LOOP)  # what befalls a pump at random may be three bites
        if self._is_set_back:
            new &= ~(1 << module("alarms").RTC_LOST)
        new = sum(1 << alarm for alarm, row in enumerate(table) if new & 1 << alarm and row[1] != "low") if new else 0
        if new:  # one of priority low says nothing of the records: a refill is due, a bolus was denied
            raise Violation("alarm " + ", ".join(module("alarms").codes(new)))

    def _settle(self, ended: bool) -> None:
        """A turn is over: what is durable now, and what it may have been before each of its writes."""
        app = self.app
        if self.loaded is None:
            allowed = self.durable  # so far it has only looked
        else:
            flow = app.cascade.rate * 1_000 // 86_400 + 1 + app.cascade.bolus_pl
            if not self._flows or self._flows[-1][1] != flow:
                self._flows.append((self.board.now_us, flow))
            allowed = self.durable | {durable(app, started=True)}
        loading = self._still_loading()
        for written, was_loading in self._writing:
            expected = loading if was_loading else self._expect(allowed)
            self.points.append(replace(written, expected=expected))
        self._writing = []
        if ended and not app.must_record:
            allowed = frozenset((durable(app, started=True),))
        self.durable = allowed

    def _expect(self, allowed: frozenset[Durable]) -> Expected:
        if self.loaded is None:
            return self._still_loading()
        expected = Expected(allowed, self.excess, self.loss(), self.active, self.expected.epoch_s)
        return self._unsettled(expected) if self._is_unsure else expected

    def _unsettled(self, expected: Expected) -> Expected:
        """A metastable page may read otherwise at the next start, as long as this one has not written its own record
        over it: nobody was told anything, and nothing has flowed."""
        before = self._still_loading()
        loss = max(expected.excess + expected.loss, before.excess + before.loss) - before.excess
        return replace(before, durable=expected.durable | before.durable, loss=loss)

    def _still_loading(self) -> Expected:
        """Nothing was reserved yet: it is still about the last cut, or about a reset whose count this cut has lost."""
        loss = max(self.expected.loss, self.expected.carried)
        return replace(self.expected, loaded=None, loss=loss)

    def expect(self) -> Expected:
        """What must be found after a cut at this instant, between two turns."""
        return self._expect(self.durable)

    def highest_flow(self) -> int:
        """Of this power-on, pL a second."""
        return max((flow for _, flow in self._flows), default=0)

    def after_bite(self) -> Expected:
        """What must be found after a watchdog reset at this instant, between two turns."""
        expected = self.expect()
        return replace(expected, loss=WATCHDOG_LOSS, carried=expected.loss)

    def loss(self) -> int:
        """Steps that a cut now may add: 60 s of the highest recent flow, at least one step."""
        since = self.board.now_us - _LOOK_BACK_US
        highest = 0
        for index, (_, flow) in enumerate(self._flows):
            if index + 1 == len(self._flows) or self._flows[index + 1][0] >= since:
                highest = max(highest, flow)
        size = self.app.cascade.pl_per_step if self.app is not None else 1
        carried = self.expected.carried if self.board.now_us - self.began_us < _LOOK_BACK_US else 0
        return max(1, -(-_FLOW_S * highest // size), carried)

    def _writes(self, page: int, old: bytes, new: bytes) -> None:
        if self._record:
            self._keep(page, old, new)
        self._numbers.written(page, new)

    def _keep(self, page: int, old: bytes, new: bytes) -> None:
        board = self.board
        made, trains = board.train.under_way()
        metastable = {number: unsure.contents for number, unsure in board.eeprom.metastable.items()}
        pages, now = list(board.eeprom.pages), board.now_us
        snapshot = Snapshot(pages, now, board.rtc.setting, made, board.fluid_pl, metastable)
        point = Point(snapshot, page, old, new, now, made, trains, self.expected)
        self._writing.append((point, self.loaded is None))

    def off(self, seconds: int = 1) -> Snapshot:
        """The power is cut at this instant."""
        self.board.cut_us = NEVER_US
        return self.board.off(seconds)
