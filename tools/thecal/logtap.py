"""Reads the pump's log off the EEPROM as it is being written, so that each event gets its true time.

It works on both targets alike and sees what really was stored: an event whose page a power cut tore is not in the log.
"""

from __future__ import annotations

from thecal.models.at24c256 import AT24C256
from thecal.outputs import LoggedEvent
from thecal.programming import firmware

_PAGE = 64


class LogTap:
    """Collects the events that reach the EEPROM."""

    def __init__(self, eeprom: AT24C256) -> None:
        self._eeprom = eeprom
        self._pages = firmware("pages")
        self._events = firmware("events")
        layout = firmware("layout")
        events = range(layout.EVENTS_FIRST, layout.EVENTS_FIRST + layout.EVENTS_PAGES)
        faults = range(layout.FAULTS_FIRST, layout.FAULTS_FIRST + layout.FAULTS_PAGES)
        self._region = {*events, *faults}
        self._written: tuple[int, int] | None = None
        self.events: list[LoggedEvent] = []
        eeprom.on_page_written.append(self._on_page_written)

    def _on_page_written(self, page: int, now_ns: int) -> None:
        self.settle()
        if page in self._region:
            self._written = page, now_ns

    def settle(self) -> None:
        """Decode the page whose write cycle began last; it has ended by the time anything else is written."""
        if self._written is None:
            return
        page, t_ns = self._written
        self._written = None
        content = bytearray(self._eeprom.memory[page * _PAGE : (page + 1) * _PAGE])
        condition, kind, sequence = self._pages.examine(content)
        if condition != self._pages.WHOLE or kind not in (self._pages.EVENT, self._pages.FAULT):
            return
        code, severity, rtc, details = self._events.unpack(bytes(content[8 : 8 + self._pages.PAYLOAD]))
        self.events.append(LoggedEvent(sequence, t_ns, rtc, code, severity, details))
