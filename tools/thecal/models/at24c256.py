"""The EEPROM: 512 pages of 64 bytes (Atmel AT24C256B data sheet, rev. 5080B; AT24C256C, rev. 8568).

From the data sheets: a write wraps within its page; a STOP after data starts a write cycle of at most 5 ms,
during which the part acknowledges nothing; reading wraps at the end of the memory; a START in the middle of a
write drops it. With WP high nothing is written: the pin counts at the STOP, data are acknowledged all the
same, and no write cycle follows (as said for the family in the AT24C16D data sheet, section 5.5).

Worse than the data sheet, to be on the safe side: a cycle always takes the full 5 ms, and a power cut may
tear the page even if its STOP has not come yet, since what falling lines do is anybody's guess. What it then holds is
drawn, or follows one of the models of thecal.models.tears.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from thecal.models.tears import Metastable, torn

SIZE = 32_768
PAGE_SIZE = 64
PAGES = SIZE // PAGE_SIZE
WRITE_CYCLE_NS = 5_000_000
_POINTER_MASK = SIZE - 1  # bit 15 of the address is ignored
_OFFSET_MASK = PAGE_SIZE - 1
_ERASED = 0xFF
# Beside the models of thecal.models.tears: the page reads as it was or as it should become, now so, now so.
METASTABLE = "metastable"

_IDLE, _HIGH, _LOW, _DATA, _READ = range(5)


class AT24C256:
    """One part. `memory` has the new content from the STOP on; on the bus nobody can see it before the cycle
    is over.

    write_protect: level of the WP pin. wear: write cycles of each page. on_page_written: called with (page,
    now_ns) when a write cycle begins. Faults, for scenarios: `dead` acknowledges nothing; a page in `worn`
    keeps its content when it is written.
    """

    WRITE_CYCLE_NS = WRITE_CYCLE_NS

    def __init__(self, address: int = 0x50) -> None:
        self.address = address
        self.memory = bytearray([_ERASED]) * SIZE
        self.wear = [0] * PAGES
        self.write_protect = True
        self.dead = False
        self.worn: set[int] = set()
        self.on_page_written: list[Callable[[int, int], None]] = []
        self._powered = True
        self._pointer = 0
        self._state = _IDLE
        self._latch: dict[int, int] = {}  # offset in the page: byte received for it
        self._cycle_page = 0
        self._cycle_old = b""
        self._cycle_end_ns = 0
        self._unstable: dict[int, Metastable] = {}  # pages that a cut left between two contents

    def load(self, image: bytes) -> None:
        """Make `image` the content. Raises ValueError unless it has 32,768 bytes."""
        if len(image) != SIZE:
            raise ValueError(f"EEPROM image: {len(image)} bytes, expected {SIZE}")
        self.memory[:] = image
        self._unstable.clear()

    def overwrite(self, address: int, data: bytes) -> None:
        """Change bytes behind everybody's back. Raises ValueError beyond the end of the memory."""
        if not 0 <= address <= SIZE - len(data):
            raise ValueError(f"address = {address}: 0 to {SIZE - len(data)}")
        self.memory[address : address + len(data)] = data

    def die(self) -> None:
        """From now on it acknowledges nothing."""
        self.dead = True

    def image(self) -> bytes:
        """The content."""
        return bytes(self.memory)

    def possible_images(self) -> list[bytes]:
        """Every content that may be read: more than one while there are metastable pages (2 for each)."""
        images = [self.image()]
        for page, between in self._unstable.items():
            end = (page + 1) * PAGE_SIZE
            images = [
                image[: end - PAGE_SIZE] + content + image[end:] for image in images for content in between.contents
            ]
        return images

    def busy(self, now_ns: int) -> bool:
        """Whether a write cycle is under way."""
        return now_ns < self._cycle_end_ns

    # -- bus -------------------------------------------------------------------------------------------------

    def start(self, read: bool, now_ns: int) -> bool:
        """Addressed; no acknowledge while a write cycle is under way."""
        self._state = _IDLE
        if now_ns < self._cycle_end_ns or self.dead or not self._powered:
            return False
        if self._latch:
            self._latch = {}
        self._state = _READ if read else _HIGH
        if read:
            for page, between in self._unstable.items():
                self.memory[page * PAGE_SIZE : (page + 1) * PAGE_SIZE] = between.read()
        return True

    def write_byte(self, value: int, now_ns: int) -> bool:
        """Two address bytes, then data."""
        if self.dead:
            return False
        state = self._state
        pointer = self._pointer
        if state == _DATA:
            self._latch[pointer & _OFFSET_MASK] = value
            self._pointer = pointer & ~_OFFSET_MASK | (pointer + 1) & _OFFSET_MASK
        elif state == _HIGH:
            self._pointer = (value << 8 | pointer & 0xFF) & _POINTER_MASK
            self._state = _LOW
        elif state == _LOW:
            self._pointer = pointer & 0xFF00 | value
            self._state = _DATA
        else:
            return False
        return True

    def read_byte(self, now_ns: int) -> int:
        """The byte at the pointer, which moves on."""
        if self._state != _READ or self.dead:
            return 0xFF
        value = self.memory[self._pointer]
        self._pointer = (self._pointer + 1) & _POINTER_MASK
        return value

    def stop(self, now_ns: int) -> None:
        """Starts a write cycle if data have come and WP is low."""
        self._state = _IDLE
        if not self._latch:
            return
        latch, self._latch = self._latch, {}
        if not self.write_protect and not self.dead:
            self._write(latch, now_ns)

    def deselect(self, now_ns: int) -> None:
        """A START for another part: a write without its STOP is dropped."""
        self._state = _IDLE
        self._latch = {}

    def _write(self, latch: dict[int, int], now_ns: int) -> None:
        page = self._pointer // PAGE_SIZE
        base = page * PAGE_SIZE
        self._cycle_page = page
        self._cycle_old = bytes(self.memory[base : base + PAGE_SIZE])
        self._cycle_end_ns = now_ns + WRITE_CYCLE_NS
        self.wear[page] += 1
        self._unstable.pop(page, None)
        if page not in self.worn:
            for offset, value in latch.items():
                self.memory[base + offset] = value
        for watch in tuple(self.on_page_written):
            watch(page, now_ns)

    # -- supply ----------------------------------------------------------------------------------------------

    def power_cut(self, now_ns: int, rng: Random, model: str | None = None) -> None:
        """The supply fails. Of a page that is being written or received each byte is old, new or random, by rng;
        or it is torn as the tear model says (thecal.models.tears.MODELS, or METASTABLE), at a byte drawn from rng.
        """
        if not self._powered:
            return
        if now_ns < self._cycle_end_ns:
            self._tear(self._cycle_page, self._cycle_old, rng, model)
        elif self._latch and not self.write_protect and not self.dead:
            page = self._pointer // PAGE_SIZE
            base = page * PAGE_SIZE
            old = bytes(self.memory[base : base + PAGE_SIZE])
            for offset, value in self._latch.items():
                self.memory[base + offset] = value
            self._tear(page, old, rng, model)
        self._powered = False
        self._state = _IDLE
        self._latch = {}
        self._cycle_end_ns = 0

    def power_on(self, now_ns: int) -> None:
        """The supply is back."""
        self._powered = True

    def _tear(self, page: int, old: bytes, rng: Random, model: str | None) -> None:
        base = page * PAGE_SIZE
        new = bytes(self.memory[base : base + PAGE_SIZE])
        if model == METASTABLE:
            self._unstable[page] = Metastable(old, new, rng)
            return
        if model is not None:
            self.memory[base : base + PAGE_SIZE] = torn(model, old, new, rng.randrange(PAGE_SIZE + 1), rng)
            return
        for offset in range(PAGE_SIZE):
            fate = rng.randrange(3)
            if fate == 0:
                self.memory[base + offset] = old[offset]
            elif fate == 1:
                self.memory[base + offset] = rng.randrange(256)
