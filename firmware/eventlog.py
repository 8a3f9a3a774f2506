"""The event log: what happened, in two rings of the EEPROM under one numbering (F12, R24): faults, and everything else.
So ordinary events never push out the record of a fault.

Whoever has something to say queues it at once; the log is searched and written between the tasks, one page at a time.
So it never waits for the EEPROM and never disturbs dosing: a full queue drops its newest entry and counts the loss.
"""

from micropython import const

from firmware import events
from firmware.pages import GAP, following, newer
from firmware.rings import newest_numbers

_QUEUE = const(32)
_SCAN_PAGES = const(16)  # about 30 ms at 400 kHz; dosing does not wait for the log to be found
_REGIONS = ("event_log", "fault_log")


class EventLog:
    """Queue and rings of events."""

    def __init__(self, event_ring, fault_ring, now):
        """event_ring, fault_ring: rings.Ring of their kinds. now: function giving (day, second, hundredth) of local
        time."""
        self._rings = (event_ring, fault_ring)
        for ring in self._rings:
            ring.keep_index()
        self._now = now
        self._queue: list = []
        self._scanning = 0  # index of the ring that is being searched; behind the last: all are
        self.sequence = -1  # number of the newest event
        self.idle = False  # nothing to do
        self.dropped = 0
        self.failed = 0

    def log(self, code, **fields):
        """Queue an event; fields are integers, named as in events.TABLE."""
        if len(self._queue) >= _QUEUE:
            self.dropped += 1
            return
        ring = self._rings[1] if events.is_fault(code, fields) else self._rings[0]
        self._queue.append((ring, events.pack(code, fields, *self._now())))
        self.idle = False

    def work(self):
        """A bounded piece of work: look through some pages until the newest events are found, then write the oldest
        queued event. What the EEPROM does not take stays queued for retry()."""
        if self._scanning < len(self._rings):
            try:
                self._scan()
            except OSError:
                self.failed += 1
                self.idle = True
            return
        if not self._queue:
            self.idle = True
            return
        ring, payload = self._queue[0]
        self.sequence = following(self.sequence)
        try:
            ring.append(payload, self.sequence)
        except OSError:
            self.failed += 1
            self.idle = True
            return
        self._queue.pop(0)

    def _scan(self):
        ring = self._rings[self._scanning]
        if not ring.scan_part(_SCAN_PAGES):
            return
        pages = len(ring.garbage)
        ring.scrub()
        if pages:
            self.log("scrubbed", region=events.NAMES["region"].index(_REGIONS[self._scanning]), pages=pages)
        if ring.page >= 0 and (self.sequence < 0 or newer(ring.sequence, self.sequence)):
            self.sequence = ring.sequence
        self._scanning += 1
        if self._scanning == len(self._rings) and self.sequence >= 0:
            # What a cut left unreadable may have the next few numbers: every later event is newer than it.
            for _ in range(GAP - 1):
                self.sequence = following(self.sequence)

    def retry(self):
        """Try again what the EEPROM did not take. Called now and then: the log must not load a bus that fails."""
        self.idle = False

    def newest(self, count):
        """A generator of up to `count` newest events, oldest first, as log lines; one EEPROM page at a time."""
        last = self.sequence  # what is logged meanwhile does not shift the listing
        if last < 0:
            return
        for number in newest_numbers(self._rings, last, count):
            try:
                line = self._line(number)
            except (OSError, ValueError) as error:
                line = "event %d unreadable: %s" % (number, error)
            if line:
                yield line

    def _line(self, number):
        """One log line; empty if the event has been overwritten since the listing began, or its page has rotted."""
        for ring in self._rings:
            payload = ring.find(number)
            if payload is not None:
                return events.text(number, payload)
        return ""
