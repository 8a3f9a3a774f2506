"""The EEPROM as the firmware's records see it: the driver's interface on 512 pages, without bus and time, with faults.

A write is read back as the real driver does, so a page that does not take it raises the same VerifyError.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from random import Random

from thecal.models.tears import Metastable, torn
from thecal.twin.install import install

install()
driver = importlib.import_module("at24c256")  # its errors: the firmware tells them apart

PAGE = 64
PAGES = 512
SIZE = PAGE * PAGES
NEVER = -1


class PowerCut(BaseException):
    """The supply fails: no code runs on."""


class PagePart:
    """One part. `wear`: write cycles of each page; `reads`, `writes`: page transfers since the last
    count(). `cuts`: pages torn so far.

    Faults: `worn` maps a page to (and-mask, or-mask) of 64 bytes each, its stuck bits; a page in `refusing` keeps its
    content. `unsteady` holds pages that a cut left metastable. `refuse_reads`, `refuse_writes`: so many of the next
    transfers are not acknowledged. `misread_in`: in the read after so many more one bit comes wrong (-1: in none).
    """

    def __init__(self, image: bytes | None = None) -> None:
        """image: 32,768 bytes; None: erased."""
        self.memory = bytearray(image if image is not None else b"\xff" * SIZE)
        self.wear = [0] * PAGES
        self.worn: dict[int, tuple[bytes, bytes]] = {}
        self.refusing: set[int] = set()
        self.unsteady: dict[int, Metastable] = {}
        self.refuse_reads = self.refuse_writes = 0
        self.misread_in = NEVER
        self.reads = self.writes = self.cuts = 0
        self.rng = Random(0)
        self.undo: dict[int, bytes] | None = None  # first contents of written pages, once keep() was called
        self.on_written: Callable[[int, bytes], None] | None = None
        self._cut_in = NEVER
        self._tear: tuple[str, int, bool] = ("old", 0, False)
        self._off = False

    # -- supply -----------------------------------------------------------------------------------------------

    def cut_in(self, writes: int, model: str = "old", at: int = 0, metastable: bool = False) -> None:
        """The supply fails in the write after so many more (0: the next), which tears its page as tears.torn() says."""
        self._cut_in = writes
        self._tear = (model, at, metastable)

    def power_on(self) -> None:
        """The supply is back, and no cut is coming."""
        self._off = False
        self._cut_in = NEVER
        self.refuse_reads = self.refuse_writes = 0

    # -- the driver's interface -------------------------------------------------------------------------------

    def read_into(self, address: int, buffer: bytearray | memoryview) -> None:
        """Fill buffer from address on. Raises OSError if the part does not answer."""
        self.reads += 1
        if self._off:
            raise PowerCut
        if self.refuse_reads:
            self.refuse_reads -= 1
            raise driver.EepromError(f"page {address // PAGE}: cannot be read")
        if self.unsteady:
            self._settle(address, len(buffer))
        buffer[:] = self.memory[address : address + len(buffer)]
        if self.misread_in >= 0:
            self.misread_in -= 1
            if self.misread_in < 0:
                buffer[self.rng.randrange(len(buffer))] ^= 1 << self.rng.randrange(8)

    def write_page(self, page: int, data: bytes | bytearray) -> None:
        """Write one page of 64 bytes and read it back. Raises OSError if it did not take them."""
        if self._off:
            raise PowerCut
        if len(data) != PAGE or not 0 <= page < PAGES:
            raise ValueError(f"EEPROM page {page}: {len(data)} bytes")
        if self.refuse_writes:
            self.refuse_writes -= 1
            raise driver.EepromError(f"page {page}: not acknowledged")
        base = page * PAGE
        old = bytes(self.memory[base : base + PAGE])
        if self.undo is not None:
            self.undo.setdefault(page, old)
        self.writes += 1
        self.wear[page] += 1
        new = self._takes(page, old, data) if self.worn or self.refusing else bytes(data)
        if self._cut_in >= 0:
            self._cut_in -= 1
            if self._cut_in < 0:
                self._cut(page, old, new)
        self.unsteady.pop(page, None)
        self.memory[base : base + PAGE] = new
        if new != data:
            raise driver.VerifyError(f"page {page}: read back differs")
        if self.on_written is not None:
            self.on_written(page, new)

    # -- bookkeeping ------------------------------------------------------------------------------------------

    def count(self) -> tuple[int, int]:
        """(reads, writes) of pages since the last call."""
        counts = self.reads, self.writes
        self.reads = self.writes = 0
        return counts

    def keep(self) -> None:
        """From now on remember what is written over, for put_back()."""
        self.undo = {}

    def put_back(self) -> int:
        """The content is again what it was at keep(). Returns how many pages had been written."""
        kept = self.undo or {}
        for page, content in kept.items():
            self.memory[page * PAGE : page * PAGE + PAGE] = content
        self.undo = {}
        return len(kept)

    def page(self, page: int) -> bytes:
        """The content of a page."""
        return bytes(self.memory[page * PAGE : page * PAGE + PAGE])

    # -- faults -----------------------------------------------------------------------------------------------

    def _takes(self, page: int, old: bytes, data: bytes | bytearray) -> bytes:
        if page in self.refusing:
            return old
        if page not in self.worn:
            return bytes(data)
        zeros, ones = self.worn[page]
        return bytes(value & low | high for value, low, high in zip(data, zeros, ones, strict=True))

    def _cut(self, page: int, old: bytes, new: bytes) -> None:
        model, at, metastable = self._tear
        found = torn(model, old, new, at, self.rng)
        if metastable:
            other = torn("new" if self.rng.getrandbits(1) else "mix", old, new, at, self.rng)
            self.unsteady[page] = Metastable(found, other, self.rng)
        else:
            self.unsteady.pop(page, None)
        self.memory[page * PAGE : page * PAGE + PAGE] = found
        self._off = True
        self.cuts += 1
        raise PowerCut

    def _settle(self, address: int, size: int) -> None:
        """What metastable pages hold for this one read."""
        for page in range(address // PAGE, (address + size - 1) // PAGE + 1):
            if page in self.unsteady:
                self.memory[page * PAGE : page * PAGE + PAGE] = self.unsteady[page].read()
