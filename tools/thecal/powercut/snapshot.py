"""A pump that is off: from it any number of new pumps can be started; and what the fast pump's time is made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from types import ModuleType

from thecal.programming import firmware

PAGE = 64
PAGES = 512
NEVER_US = 1 << 62
READ_US = 1_740  # a page
SEND_US = 1_500  # address and 64 bytes on the bus
CYCLE_US = 5_000
WRITE_US = 9_000  # with polling and reading back
POLL_US = 2_100  # between two looks at the clock's second
WATCHDOG_US = 5_000_000
START_US = 824_000  # from reset to the first line of App; the board measures it
POWER_ON, WATCHDOG = 0, 1
S = 1_000_000


@cache
def module(name: str) -> ModuleType:
    """A module of the firmware. Looking it up anew for each of millions of starts would take its time."""
    return firmware(name)


class Cut(BaseException):
    """The supply fails. No code of the firmware may survive it, so it is no Exception."""


class Bite(BaseException):
    """The watchdog has not been fed in time."""


@dataclass(frozen=True)
class Snapshot:
    """A pump that is off, or has just been reset.

    pages: 512 contents of 64 bytes. metastable: the two contents of each page that a cut left between them. now_us:
    true time. rtc: (seconds since 2000-01-01, true time at which that second began). steps: physical steps so far.
    fluid_pl: what was ever filled in. scratch: the four words, cleared at a power-on. cause: POWER_ON or WATCHDOG.
    """

    pages: list[bytes]
    now_us: int
    rtc: tuple[int, int]
    steps: int
    fluid_pl: int
    metastable: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    scratch: tuple[int, ...] = (0, 0, 0, 0)
    cause: int = POWER_ON

    def with_page(self, page: int, content: bytes | tuple[bytes, bytes]) -> Snapshot:
        """The same with another content of one page; a pair of contents is a metastable page."""
        pages = list(self.pages)
        metastable = {number: pair for number, pair in self.metastable.items() if number != page}
        if isinstance(content, tuple):
            metastable[page] = content
            pages[page] = content[0]
        else:
            pages[page] = content
        return replace(self, pages=pages, metastable=metastable)


def blank(start_s: int, fluid_pl: int) -> Snapshot:
    """A pump as it left the factory; its clock says start_s seconds since 2000-01-01."""
    return Snapshot([b"\xff" * PAGE] * PAGES, 0, (start_s, 0), 0, fluid_pl)
