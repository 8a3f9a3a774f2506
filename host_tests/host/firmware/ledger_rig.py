"""A running tick and ledger, and what another processor would find if this one ended right now."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random

from parts import Scratch, Train, UnreliableEeprom, ledger_mirror

from firmware import ledger
from firmware.cascade import Cascade
from firmware.dosing import OFF, ON, Dosing
from firmware.layout import LEDGER_FIRSTS, LEDGER_PAGES
from firmware.ledger import Ledger
from firmware.pages import PAGE
from firmware.rings import WriteError
from firmware.schedule import Schedule
from thecal.models import tears

DAY = 9_557
FIRST_BYTE = LEDGER_FIRSTS[0] * PAGE
LAST_BYTE = (LEDGER_FIRSTS[1] + LEDGER_PAGES) * PAGE


class Eeprom(UnreliableEeprom):
    """Calls `around(page, old, new)` before a page is written and `after()` when it is."""

    def __init__(self) -> None:
        super().__init__()
        self.around: Callable[[int, bytes, bytes], None] = lambda page, old, new: None
        self.after: Callable[[], None] = lambda: None

    def write_page(self, page: int, data: bytes) -> None:
        self.around(page, bytes(self.memory[page * PAGE : page * PAGE + PAGE]), bytes(data))
        try:
            super().write_page(page, data)
        finally:
            self.after()


class Running:
    """The pump's counting half: `frame()` is one second of it. `book.steps`: all steps commanded or about to be."""

    def __init__(self, size: int, rate: int) -> None:
        self.eeprom = Eeprom()
        self.scratch = Scratch()
        self.train = Train()
        self.cascade = Cascade(size)
        self.book = Ledger(ledger_mirror(self.eeprom), self.scratch, size)
        self.book.state = ledger.RUNNING
        self.book.reservoir_pl = 20_000_000_000
        self.book.close(self.cascade, DAY, 0)
        self.dosing = Dosing(self.cascade, self.book, self.train)
        self.dosing.set_time(DAY, 0)
        self.size = size
        self.demanded = Fraction(0)
        self.failed_writes = 0
        self.give(rate)

    def give(self, rate: int) -> None:
        """From the next second on, this rate; 0 is a stop, which closes the ledger."""
        self.dosing.schedule = Schedule(rate, ())
        self.dosing.mode = ON if rate else OFF
        self.dosing.begin_second()
        self.record(force=True)

    def record(self, force: bool = False) -> None:
        """The task `reserve` of the executive."""
        on = self.dosing.mode == ON
        if not (force or (on and self.book.wants_record(self.cascade, self.dosing.pending))):
            return
        try:
            if on:
                self.book.reserve(self.cascade, self.dosing.pending, self.dosing.day, self.dosing.second)
            else:
                self.book.close(self.cascade, self.dosing.day, self.dosing.second)
        except WriteError:
            self.failed_writes += 1

    def frame(self) -> None:
        """A second passes, and the tasks of the frame run."""
        self.train.now_us += 1_000_000
        self.demanded += Fraction(self.cascade.rate * 1_000, 86_400)
        self.dosing.tick(0)
        self.record()

    def ring_image(self) -> bytes:
        """What the pages of the ledger hold, both copies and what lies between them."""
        return bytes(self.eeprom.memory[FIRST_BYTE:LAST_BYTE])


class Found:
    """What the next start makes of the pages and of the scratch words (None: the power was cut)."""

    def __init__(self, size: int, ring: bytes, words: list[int] | None) -> None:
        eeprom = self.eeprom = Eeprom()
        eeprom.memory[FIRST_BYTE:LAST_BYTE] = ring
        scratch = Scratch()
        scratch.words = [0, 0, 0, 0] if words is None else list(words)
        self.cascade = Cascade(size)
        self.book = Ledger(ledger_mirror(eeprom), scratch, size)
        self.found, self.exact, self.assumed, self.day, self.second = self.book.recover(self.cascade)
        self.steps = self.book.steps


def after_reset(run: Running) -> Found:
    """A watchdog reset, now."""
    return Found(run.size, run.ring_image(), run.scratch.words)


def after_power_cut(run: Running) -> Found:
    """A power cut, now, while no page is being written."""
    return Found(run.size, run.ring_image(), None)


def torn(random: Random, old: bytes, new: bytes, cut: int) -> list[bytes]:
    """What a page may hold when the power fails after `cut` of its bytes."""
    return [tears.torn(model, old, new, cut, random) for model in tears.MODELS]


def with_page(image: bytes, page: int, content: bytes) -> bytes:
    """An image of the ledger's pages with one of them replaced."""
    first = page * PAGE - FIRST_BYTE
    return image[:first] + content + image[first + PAGE :]
