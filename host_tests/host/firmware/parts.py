"""Stand-ins for the parts that the firmware's modules are given: step train, board, ledger ring, EEPROM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from at24c256 import VerifyError

from firmware import ledger
from firmware.cascade import Cascade
from firmware.dosing import Dosing
from firmware.layout import LEDGER_FIRSTS, LEDGER_PAGES
from firmware.ledger import Ledger
from firmware.mirror import Mirror
from firmware.pages import LEDGER
from thecal.models.tears import Metastable
from thecal.programming import MemoryEeprom

PAGE = 64


class Train:
    """The step train's interface. Keeps the words it was given; time is told by `now_us`.

    One train is under way, one waits; a train begins when the one before it has ended.
    """

    MAX_STEPS = 1023

    def __init__(self) -> None:
        self.now_us = 0
        self.free_us = 0
        self.trains: list[tuple[int, int, int]] = []  # begin, interval, steps
        self.commanded = 0
        self.before: Callable[[], None] = lambda: None

    def idle(self) -> bool:
        return not self.trains or self.trains[-1][0] <= self.now_us

    def start(self, steps: int, interval_us: int) -> bool:
        assert self.idle()
        assert 0 < steps <= self.MAX_STEPS
        assert interval_us >= 60
        self.before()
        begin = max(self.now_us, self.free_us)
        self.trains.append((begin, interval_us, steps))
        self.free_us = begin + interval_us * steps
        self.commanded += steps
        return True

    def steps_by(self, t_us: int) -> int:
        """Steps made up to and including t_us."""
        return sum(
            min(steps, (t_us - begin) // interval + 1) for begin, interval, steps in self.trains if begin <= t_us
        )


class Cut(BaseException):
    """The supply or the processor fails at this very point."""


class CuttingEeprom(MemoryEeprom):
    """Fails in the n-th write: the page then is torn as `tear(old, new, n)` says, and nothing more can be written."""

    def __init__(self, image: bytes | None = None) -> None:
        super().__init__(image)
        self.writes = 0
        self.cut_at = -1
        self.page = -1  # the page that was being written at the cut
        self.tear: Callable[[bytes, bytes], bytes] = lambda old, new: old
        self.dead = False

    def write_page(self, page: int, data: bytes) -> None:
        if self.dead:
            raise Cut
        if self.writes == self.cut_at:
            self.page = page
            old = bytes(self.memory[page * 64 : page * 64 + 64])
            self.memory[page * 64 : page * 64 + 64] = self.tear(old, bytes(data))
            self.dead = True
            raise Cut
        self.writes += 1
        super().write_page(page, data)


class UnreliableEeprom(MemoryEeprom):
    """`refuse(page)` says what a page does with a write: "" takes it, "keep" refuses, "take" takes it and fails, "worn"
    acknowledges and keeps its old content, which the driver finds at its read-back, "dull" has bits that stay 0."""

    def __init__(self, image: bytes | None = None) -> None:
        super().__init__(image)
        self.refuse: Callable[[int], str] = lambda page: ""

    def write_page(self, page: int, data: bytes) -> None:
        fate = self.refuse(page)
        if fate in ("", "take"):
            super().write_page(page, data)
        if fate == "dull":
            super().write_page(page, bytes(byte & 0xEF for byte in data))
        if fate in ("worn", "dull"):
            if self.memory[page * PAGE : page * PAGE + PAGE] != data:
                raise VerifyError(f"page {page}: read back differs")
        elif fate:
            raise OSError(5, f"page {page}: {fate}")


class UnsteadyEeprom(MemoryEeprom):
    """`unsteady[page]` reads otherwise from one time to the next, until the page is written. Counts its accesses."""

    def __init__(self, image: bytes | None = None) -> None:
        super().__init__(image)
        self.unsteady: dict[int, Metastable] = {}
        self.reads = self.writes = 0

    def read_into(self, address: int, buffer: bytearray) -> None:
        self.reads += 1
        page = self.unsteady.get(address // PAGE)
        if page is None:
            super().read_into(address, buffer)
        else:
            buffer[:] = page.read()

    def write_page(self, page: int, data: bytes) -> None:
        self.writes += 1
        self.unsteady.pop(page, None)
        super().write_page(page, data)


class Scratch:
    """Four words of 30 bits. `after_write` is called after each store: where a reset may come."""

    def __init__(self) -> None:
        self.words = [0, 0, 0, 0]
        self.after_write: Callable[[], None] = lambda: None

    def __getitem__(self, index: int) -> int:
        return self.words[index]

    def __setitem__(self, index: int, value: int) -> None:
        assert 0 <= value < 1 << 30
        self.words[index] = value
        self.after_write()


class Board:
    """Time and console of a board; `now_ms` is what its clock says."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.waited: list[int] = []
        self.fed = 0
        self.marks: list[int] = []  # what was noted as running
        self.input = bytearray()
        self.output = bytearray()
        self.takes = 1 << 30  # bytes that the host still takes

    def ticks_ms(self) -> int:
        return self.now_ms & 0x3FFFFFFF

    @staticmethod
    def ticks_add(ticks: int, delta: int) -> int:
        return (ticks + delta) & 0x3FFFFFFF

    @staticmethod
    def ticks_diff(end: int, start: int) -> int:
        return ((end - start + 0x20000000) & 0x3FFFFFFF) - 0x20000000

    def wait(self, ms: int) -> None:
        assert ms > 0
        self.waited.append(ms)
        self.now_ms += ms

    def feed(self) -> None:
        self.fed += 1

    def mark(self, task: int) -> None:
        self.marks.append(task)

    def read_byte(self) -> int:
        return self.input.pop(0) if self.input else -1

    def can_write(self) -> bool:
        return self.takes > 0

    def write(self, data: Any) -> int:
        count = min(len(data), self.takes)
        self.output += bytes(data[:count])
        self.takes -= count
        return count


def ledger_mirror(eeprom: Any) -> Mirror:
    """The rings of the ledger, where they lie in the part."""
    return Mirror(eeprom, LEDGER_FIRSTS, LEDGER_PAGES, LEDGER)


def new_ledger(eeprom: Any, scratch: Any, pl_per_step: int) -> Ledger:
    """A ledger that has begun, running, with nothing reserved; its rings are empty."""
    book = Ledger(ledger_mirror(eeprom), scratch, pl_per_step)
    book.reservoir_pl = 20_000_000_000
    book.state = ledger.RUNNING
    book.close(Cascade(pl_per_step), 9_000, 0)
    return book


def new_dosing(pl_per_step: int) -> tuple[Dosing, Ledger, Train]:
    """The tick's parts, wired together."""
    train = Train()
    book = new_ledger(MemoryEeprom(), Scratch(), pl_per_step)
    return Dosing(Cascade(pl_per_step), book, train), book, train
