"""Device code: work that gets in the way of whoever makes steps in software."""

import gc
import json
import time

# No multiples of each other nor of a step interval: the load shall meet the steps at every phase.
_EVERY_US = 19_370
_COLLECT_EVERY_US = 487_110
_RECORD = {"t": 123456, "rate": 50000, "steps": [1, 2, 3, 4, 5], "state": "dosing", "alarms": []}


class Load:
    """Every 19 ms one EEPROM page is written and a record is turned into JSON; every 487 ms garbage is collected."""

    def __init__(self, write_page, live_bytes=0):
        """write_page: function that writes 64 bytes, or None for no load at all. live_bytes: heap that stays in use and
        has to be gone through by every collection."""
        self._write_page = write_page
        self._live = [bytearray(84) for _ in range(live_bytes // 100)]
        self._due = time.ticks_us()
        self._collect = self._due
        self.page = bytearray(64)
        self.writes = 0

    def work(self):
        """Do what is due."""
        now = time.ticks_us()
        if self._write_page is None or time.ticks_diff(now, self._due) < 0:
            return
        self._due = time.ticks_add(now, _EVERY_US)
        json.dumps(_RECORD)
        self.page[0] = self.writes & 255
        self._write_page(self.page)
        self.writes += 1
        if time.ticks_diff(now, self._collect) >= 0:
            self._collect = time.ticks_add(now, _COLLECT_EVERY_US)
            gc.collect()

    def go_round(self):
        """One round of a main loop that makes no steps itself: an idle one sleeps, a loaded one has always something
        to look after."""
        if self._write_page is None:
            time.sleep_ms(1)
        else:
            self.work()
