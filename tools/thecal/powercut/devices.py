"""EEPROM and clock of the fast pump: the drivers' interfaces, on whole pages and on true time."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from thecal.models.tears import Metastable
from thecal.powercut.snapshot import CYCLE_US, PAGE, PAGES, POLL_US, READ_US, SEND_US, WRITE_US, S, Snapshot, module


class _Clock(Protocol):
    """Who keeps the time: `advance` raises Cut when the supply fails."""

    now_us: int
    cut_us: int

    def advance(self, us: int) -> None: ...


class Eeprom:
    """The driver's interface (lib/at24c256.py) on whole pages.

    reads, writes: calls so far. cut_at: number of the write in which the supply fails, after `cut_byte` bytes, leaving
    what `tear(old, new)` says. on_write: called with (page, old, new) before a page is written.
    """

    SIZE = PAGE * PAGES
    PAGE_SIZE = PAGE
    PAGES = PAGES

    def __init__(self, board: _Clock, snapshot: Snapshot, rng: Random) -> None:
        self._board = board
        self.pages = list(snapshot.pages)
        self.metastable = {page: Metastable(*pair, rng) for page, pair in snapshot.metastable.items()}
        self.reads = 0
        self.writes = 0
        self.cut_at = -1
        self.cut_byte = 0
        self.tear: Callable[[bytes, bytes], bytes | tuple[bytes, bytes]] = lambda old, new: old
        self.on_write: Callable[[int, bytes, bytes], None] | None = None

    @property
    def page_writes(self) -> int:
        """As the driver counts them."""
        return self.writes

    def read_into(self, address: int, buffer: bytearray | memoryview) -> None:
        """Fill buffer from address on."""
        self.reads += 1
        size = len(buffer)
        page, offset = divmod(address, PAGE)
        if size == PAGE and not offset and page not in self.metastable:
            self._board.advance(READ_US)
            buffer[:] = self.pages[page]
            return
        self._board.advance(READ_US * size // PAGE)
        content = b"".join(self._read(number) for number in range(page, (address + size - 1) // PAGE + 1))
        buffer[:] = content[offset : offset + size]

    def _read(self, page: int) -> bytes:
        unsure = self.metastable.get(page)
        return self.pages[page] if unsure is None else unsure.read()

    def write_page(self, page: int, data: bytes | bytearray | memoryview) -> None:
        """Write one page; it always takes it, unless the supply fails."""
        board = self._board
        old, new = self.pages[page], bytes(data)
        if len(new) != PAGE or not 0 <= page < PAGES:
            raise ValueError(f"page {page}, {len(new)} bytes")
        begin = board.now_us
        if self.writes == self.cut_at:
            board.cut_us = begin + SEND_US + CYCLE_US * self.cut_byte // PAGE
        if begin + WRITE_US >= board.cut_us:
            self._leave(page, self.tear(old, new))
        else:
            if self.on_write is not None:
                self.on_write(page, old, new)
            self.writes += 1
            self.pages[page] = new
            self.metastable.pop(page, None)
        board.advance(WRITE_US)

    def _leave(self, page: int, content: bytes | tuple[bytes, bytes]) -> None:
        self.metastable.pop(page, None)
        if isinstance(content, tuple):
            self.metastable[page] = Metastable(*content, Random(0))
            content = content[0]
        self.pages[page] = content


class Rtc:
    """The clock's driver (lib/ds3231.py) on true time; it runs on its own battery."""

    def __init__(self, board: _Clock, setting: tuple[int, int]) -> None:
        self._board = board
        self.setting = setting
        self._date = module("civil").date
        self._number = module("civil").day_number
        self._last = -1

    def _now(self) -> int:
        seconds, since_us = self.setting
        return seconds + (self._board.now_us - since_us) // S

    def stopped(self) -> bool:
        """It never is."""
        self._board.advance(120)
        return False

    def seconds(self) -> int:
        """The second, 0..59. Who asks for it again and again waits for its edge: those polls are made at once."""
        board = self._board
        board.advance(120)
        now = self._now()
        if now == self._last:
            left = self.setting[1] + (now + 1 - self.setting[0]) * S - board.now_us
            board.advance(left // POLL_US * POLL_US)
        self._last = now
        return now % 60

    def read(self) -> tuple[int, ...]:
        """Year, month, day, hour, minute, second."""
        self._board.advance(400)
        day, second = divmod(self._now(), 86_400)
        return (*self._date(day), second // 3_600, second // 60 % 60, second % 60)

    def temperature(self) -> int:
        """25 degrees, in quarters of one."""
        self._board.advance(250)
        return 100

    def set(self, *time: int) -> None:
        """Set it: the second begins now."""
        year, month, day, hour, minute, second = time
        self._board.advance(800)
        self.setting = (
            self._number(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second,
            self._board.now_us,
        )
