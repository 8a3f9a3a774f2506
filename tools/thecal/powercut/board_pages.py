"""The numbers of the records in the EEPROM must rise, whatever was cut (I5)."""

from __future__ import annotations

from itertools import chain

from thecal.models.at24c256 import AT24C256, PAGE_SIZE
from thecal.programming import firmware

_WRAP = 1 << 32


class Sequences:
    """Watches what is written to the rings of one EEPROM."""

    def __init__(self, eeprom: AT24C256) -> None:
        self._eeprom = eeprom
        self._pages = firmware("pages")
        layout = firmware("layout")
        counts = {"LEDGER": layout.LEDGER_PAGES, "BOLUS": layout.BOLUS_PAGES, "COUNTERS": layout.COUNTERS_PAGES}
        rings = [(first, count) for name, count in counts.items() for first in getattr(layout, f"{name}_FIRSTS")]
        rings += [(layout.EVENTS_FIRST, layout.EVENTS_PAGES), (layout.FAULTS_FIRST, layout.FAULTS_PAGES)]
        self._regions = [range(first, first + count) for first, count in rings]

    def check(self, page: int) -> list[str]:
        """What is wrong with the number of the record that is being written into this page.

        The same record may stand in a ring twice, where a cut may have harmed the first writing of it.
        """
        region = next((region for region in self._regions if page in region), None)
        if region is None:
            return []
        content = self._content(page)
        new = self._sequence(content)
        if new is None:
            return []
        # Not the page itself: what stood there is being replaced.
        for other in chain(range(region.start, page), range(page + 1, region.stop)):
            before = self._content(other)
            old = self._sequence(before)
            if old is not None and before != content and not 0 < (new - old) % _WRAP < _WRAP // 2:
                return [f"record {new} is written to page {page}, though page {other} has {old}"]
        return []

    def _content(self, page: int) -> bytearray:
        return self._eeprom.memory[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]

    def _sequence(self, content: bytearray) -> int | None:
        """The number of a page's record; None for a page that holds none."""
        condition, kind, sequence = self._pages.examine(content)
        return sequence if condition == self._pages.WHOLE and kind != self._pages.VOID else None
