"""One emulated pump that lives from power cut to power cut, and what is seen of it on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from thecal.emulated.board import EmulatedBoard
from thecal.models import pins
from thecal.powercut.board_book import BITE_STEPS, Book, Found, Order, Seen, found, twice
from thecal.powercut.board_pages import Sequences
from thecal.powercut.board_plans import MS, STARTED_NS, Cut, Plan, S, Typed
from thecal.prescription import Prescription
from thecal.programming import firmware, pack
from thecal.sim import make_bench

_SLICE_NS = 100 * MS
_SETTLED_NS = 3 * S  # after a start or a change; then the steps of a second have been made
_BITE_MAX_S = 9
_POWER_ON = (0, 0, 0, 0)  # the scratch words
_BOLUS_RATE = 50_000 * 144  # nL/day: 50 uL over 10 min


class CutBoard:
    """A pump of a plan. `wrong`: what did not hold, each with the number of its cut and its time after power-on."""

    def __init__(self, plan: Plan, image: Path, flash: bytes, seed: int) -> None:
        """image: MicroPython UF2. flash: the compiled firmware's file system. seed: of torn bytes."""
        self.plan = plan
        self.book = Book(plan.scenario)
        self.seen = Seen()
        self.wrong: list[str] = []
        self.bench = make_bench(plan.scenario)
        self.board = EmulatedBoard(self.bench, image, flash, seed=seed)
        self._serial = plan.scenario.pump.serial
        self._calibration = found(self.bench.eeprom.image(), _POWER_ON, self._serial).calibration
        self._sequences = Sequences(self.bench.eeprom)
        self._output = bytearray()
        self._on_ns = 0
        self._drive_ns: int | None = None
        self._steps_at_start = 0
        self._writes = 0
        self._bites = 0
        self._extra_rate = 0
        self._armed: Cut | None = None
        self._skipped = 0
        self._cut_ns: int | None = None
        self._hung = False
        self._life = 0
        self._staged = b""
        self.board.on_console = self._output.extend
        self.bench.eeprom.on_page_written.append(self._written)
        self.board.chip.mcu.gpio[pins.DRIVE].add_listener(lambda new, old: self._driven(int(new) == 1))
        self._reset = self.board.chip.on_watchdog
        self.board.chip.on_watchdog = self._bitten

    # -- one life ---------------------------------------------------------------------------------------------

    def live(self, cut: Cut | None, typed: Typed, hangs: tuple[int, ...] = (), until_ns: int = STARTED_NS) -> None:
        """From power-on to this cut and until the power is back; without a cut until so long after power-on.

        typed: lines and their times after power-on. hangs: when the processor hangs, after power-on.
        """
        self._life += 1
        self._cut_ns = None
        self._armed = None
        board = self.board
        for at_ns, line in typed:
            self._at(at_ns, lambda line=line: self._type(line))
        for at_ns in hangs:
            self._at(at_ns, self._hang)
        self._at(STARTED_NS, self._check_start)
        if cut is None:
            board.run(self._on_ns + until_ns + 1)
            return
        self._at(cut.after_ns, lambda: self._aim(cut) if cut.aimed else self._cut(cut))
        self._at(cut.last_ns, lambda: self._cut(cut))
        while self._cut_ns is None:
            board.run(board.now_ns() + _SLICE_NS)
        self._begin(self._cut_ns + cut.off_ns)
        board.run(self._on_ns)

    def _begin(self, on_ns: int) -> None:
        self._on_ns = on_ns
        self._drive_ns = None
        self._steps_at_start = self.bench.motor.steps
        self._writes = self._bites = self._extra_rate = 0
        self._hung = False
        self._output.clear()

    def _at(self, after_ns: int, action: Callable[[], None]) -> None:
        """An action of this life: it does not happen when the power has been cut before."""
        life = self._life

        def run() -> None:
            if self._life == life and self._cut_ns is None:
                action()

        self.board.at(self._on_ns + after_ns, run)

    def _hang(self) -> None:
        self._hung = True
        self.board.hang()

    def _aim(self, cut: Cut) -> None:
        self._armed = cut
        self._skipped = 0

    def _written(self, page: int, now_ns: int) -> None:
        """A write cycle begins: perhaps the one that the cut waits for."""
        if self._drive_ns is None:
            self._writes += 1
        self._say(self._sequences.check(page))
        if self._armed is None:
            return
        self._skipped += 1
        if self._skipped > self._armed.skip:
            cut, self._armed = self._armed, None
            self._at(now_ns - self._on_ns + cut.delay_ns, lambda: self._cut(cut))

    def _driven(self, level: bool) -> None:
        if level and self._drive_ns is None and self.board.powered:
            self._drive_ns = self.board.now_ns()

    def _bitten(self, timed_out: bool) -> None:
        self._bites += 1
        self.seen.bites += 1
        scratch = self.board.scratch()
        behind = self.bench.motor.steps - min(one.steps for one in self._found(scratch))
        self._reset(timed_out)
        if behind > 0:
            self._say([f"bitten: ledger {behind} steps behind the motor"])
        if timed_out and not self._hung:
            self._say(["bitten, though nothing hung"])
        self._hung = False
        if not timed_out:
            self._say([f"restarted by itself: {bytes(self._output[-300:])!r}"])

    # -- the cut ----------------------------------------------------------------------------------------------

    def _cut(self, cut: Cut) -> None:
        now = self.board.now_ns()
        busy = self.bench.eeprom.busy(now)
        allowed = self.book.loss(now, self._extra_rate, self._bites)
        self._check_flow(now)
        # Before the first record of a power-on, and after a bite, the scratch words may tell nothing.
        if any(self.board.scratch()[:2]) and self._bites == 0:
            self._say(self._check_count(self._found(self.board.scratch())))
        self._cut_ns = now
        self.board.power_cut(cut.off_ns, cut.tear)
        seen = self.seen
        seen.cuts += 1
        seen.in_write += busy
        seen.in_start += now - self._on_ns < STARTED_NS
        if busy:
            name = cut.tear or "default"
            seen.torn[name] = seen.torn.get(name, 0) + 1
        self.book.settle(bytes(self._output))
        at = self._found(_POWER_ON)
        wrong = self.book.check_cut(at, self.bench.motor.steps, allowed) + self.book.check_state(at)
        wrong += [f"calibration {one.calibration.hex()}" for one in at if one.calibration != self._calibration]
        for image in self.bench.eeprom.possible_images():
            wrong += twice(image, self._serial)
        self._say(wrong, now)

    def _found(self, scratch: tuple[int, ...]) -> list[Found]:
        """What a start would find now, by every possible reading of the EEPROM."""
        return [found(image, scratch, self._serial) for image in self.bench.eeprom.possible_images()]

    def _check_flow(self, now_ns: int) -> None:
        """Not more steps in this life than were demanded, and not many fewer once it doses."""
        made = self.bench.motor.steps - self._steps_at_start
        lowest, highest = self.book.rates(self._on_ns, now_ns)
        most = self.book.steps_of(highest + self._extra_rate, now_ns - self._on_ns)
        if made > most:
            self._say([f"{made} steps since power-on, {most} demanded"])
        if self._drive_ns is None or self.plan.can_stop:
            return
        dosed_ns = now_ns - self._drive_ns - _SETTLED_NS - self._bites_ns()
        least = self.book.steps_of(lowest, max(0, dosed_ns)) - 1
        if made < least:
            self._say([f"{made} steps since power-on, at least {least} were to be given"])

    def _bites_ns(self) -> int:
        """Time that a hang may have taken, with the start that follows, one under way included."""
        return (_BITE_MAX_S * S + STARTED_NS) * self._bites if self._bites else (_BITE_MAX_S * S) * self.plan.hangs

    def _check_count(self, at: list[Found]) -> list[str]:
        """The ledger must be ahead of the motor by what the cuts cost, and at most two seconds of flow under way."""
        now = self.board.now_ns()
        highest = self.book.rates(self._on_ns, now)[1] + self._extra_rate
        under_way = self.book.steps_of(highest, 2 * S) + 1 + BITE_STEPS * self._bites
        least, most = self.book.gaps
        apart = [one.steps - self.bench.motor.steps for one in at]
        if least <= min(apart) and max(apart) <= most + under_way:
            return []
        return [f"ledger ahead of the motor by {apart} steps, at the last cut by {least} to {most}"]

    # -- the start --------------------------------------------------------------------------------------------

    def _check_start(self) -> None:
        """Three seconds after power-on: it doses, or stands as it was ordered to; and it knows all its steps."""
        self.seen.starts += 1
        at = self._found(self.board.scratch())
        running = at[0].standing.state == firmware("ledger").RUNNING
        wrong = self.book.check_state(at) if not self.book.orders else []
        if running and self._drive_ns is None:
            wrong.append(f"does not dose 3 s after power-on: {bytes(self._output[-300:])!r}")
        wrong += self._check_count(at)
        if self._drive_ns is not None:
            self.seen.slowest_start_ns = max(self.seen.slowest_start_ns, self._drive_ns - self._on_ns)
        self.seen.most_start_writes = max(self.seen.most_start_writes, self._writes)
        self._say(wrong)

    # -- the operator -----------------------------------------------------------------------------------------

    def _type(self, line: str) -> None:
        if not self.board.powered:
            return
        ledger = firmware("ledger")
        order = Order(line, len(self._output))
        if line == "stop":
            order.state = ledger.STOPPED
        elif line == "resume":
            order.state = ledger.RUNNING
        elif line.startswith("program commit"):
            order.prescription = self._staged
        elif line.startswith("bolus"):
            self._extra_rate = _BOLUS_RATE
            order.boluses = 1
        if order != Order(line, order.typed_at):
            self.book.orders.append(order)
        self.board.send(b"\x15" + line.encode("ascii") + b"\r")

    def stage(self) -> Prescription:
        """Which prescription is to be programmed in this life: the one that is not in force."""
        other = self.plan.other
        assert other is not None
        in_force = next(iter(self.book.possible)).prescription
        rx = self.plan.scenario.prescription if in_force == pack(other) else other
        self._staged = pack(rx)
        self.book.prescriptions[self._staged] = rx
        return rx

    def _say(self, wrong: list[str], now_ns: int | None = None) -> None:
        now = self.board.now_ns() if now_ns is None else now_ns
        where = f"cut {self.seen.cuts}, {(now - self._on_ns) / S:.6f} s after power-on"
        self.wrong += [f"{where}: {what}" for what in wrong]
