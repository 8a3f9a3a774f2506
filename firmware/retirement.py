"""Pages that are worn: found by read-back, remembered, and passed over for ever (F10)."""

import struct

from micropython import const

from firmware.layout import RETIRED_FIRSTS, RETIRED_PAGES
from firmware.mirror import DAMAGED, GOOD, Mirror
from firmware.pages import RETIRED

_FORMAT = "<26H"
_LIST_MAX = const(26)
_NONE = const(0)  # page 0 belongs to no ring
_SHARE = const(10)  # of a ring, at most a tenth of its pages, or one: histories count on the others


class Retired:
    """The list of worn pages; `in` tells whether a page is one. It has a mirrored record of its own."""

    def __init__(self, eeprom):
        """eeprom: lib AT24C256, or a like."""
        self._mirror = Mirror(eeprom, RETIRED_FIRSTS, RETIRED_PAGES, RETIRED)
        self.pages = []
        self.unsaved = False

    def __contains__(self, page):
        return page in self.pages

    def load(self):
        """Read the list. Returns whether it could be trusted; if not, it is empty: worn pages will be found again.
        Raises EepromError if the part fails."""
        self._mirror.recover()
        if self._mirror.condition == GOOD:
            known = self.pages
            self.pages = [page for page in struct.unpack(_FORMAT, self._mirror.payload) if page != _NONE]
            for page in known:
                if page not in self.pages:
                    self.pages.append(page)
        return self._mirror.condition != DAMAGED

    def begin_anew(self):
        """Both copies hold the same again, for a pump whose records were damaged. Raises WriteError."""
        if self._mirror.condition == DAMAGED:
            self.unsaved = True
            self.save()

    @property
    def mirror(self):
        """The rings of the list."""
        return self._mirror

    def retire(self, page, first, count):
        """A page of the ring at `first` is worn. Not taken note of when the list is full, or when a tenth of that
        ring is retired already: then the fault is not in single pages."""
        share = len([known for known in self.pages if first <= known < first + count])
        if page not in self.pages and len(self.pages) < _LIST_MAX and share < max(1, count // _SHARE):
            self.pages.append(page)
            self.unsaved = True

    def save(self):
        """Store the list, if it has changed. Raises WriteError."""
        if self.unsaved:
            self._mirror.append(struct.pack(_FORMAT, *(self.pages + [_NONE] * (_LIST_MAX - len(self.pages)))))
            self.unsaved = False
