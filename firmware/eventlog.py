"""The event log (F12, R24): queued in RAM at once, written to its own EEPROM ring one record at a time.

Logging never waits for the EEPROM and never disturbs dosing: a full queue drops its newest entry and counts the loss.
"""

from micropython import const

from firmware import events
from firmware.pages import newer

_QUEUE = const(32)
_SCAN_PAGES = const(16)  # about 30 ms at 400 kHz; dosing does not wait for the log to be found


class EventLog:
    """Queue and ring of events."""

    def __init__(self, ring, now):
        """ring: pages.Ring of event records. now: function giving (day, second, hundredth) of local time."""
        self._ring = ring
        self._now = now
        self._queue = []
        self._scanned = False
        self.idle = False  # nothing to do
        self.dropped = 0
        self.failed = 0

    def log(self, code, **fields):
        """Queue an event; fields are integers, named as in events.TABLE."""
        if len(self._queue) >= _QUEUE:
            self.dropped += 1
            return
        self._queue.append(events.pack(code, fields, *self._now()))
        self.idle = False

    def work(self):
        """A bounded piece of work: look through some pages of the ring until its newest record is found, then write
        the oldest queued event. What the EEPROM does not take stays queued for retry()."""
        if not self._scanned:
            try:
                self._scanned = self._ring.scan_part(_SCAN_PAGES)
            except OSError:
                self.failed += 1
                self.idle = True
            return
        if not self._queue:
            self.idle = True
            return
        try:
            self._ring.append(self._queue[0])
        except OSError:
            self.failed += 1
            self.idle = True
            return
        self._queue.pop(0)

    def retry(self):
        """Try again what the EEPROM did not take. Called now and then: the log must not load a bus that fails."""
        self.idle = False

    def newest(self, count):
        """A generator of up to `count` newest events, oldest first, as log lines; one EEPROM page at a time."""
        ring = self._ring
        if ring.page < 0:
            return
        newest, last = ring.page, ring.sequence  # what is logged meanwhile does not shift the listing
        before = (last - ring.count) & 0xFFFFFFFF  # pages passed over hold records of an earlier round
        for back in range(min(count, ring.count) - 1, -1, -1):
            page = ring.first + (newest - ring.first - back) % ring.count
            try:
                sequence, payload = ring.read(page)
                if sequence >= 0 and newer(sequence, before) and not newer(sequence, last):
                    before = sequence
                    yield events.text(sequence, payload)
            except (OSError, ValueError) as error:
                yield "page %d unreadable: %s" % (page, error)
