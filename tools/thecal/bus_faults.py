"""Faults of clock and bus that a scenario asks for, on the models of either target."""

from __future__ import annotations

from datetime import datetime, timedelta

from thecal.models.bench import Bench
from thecal.scenario_event_types import I2cFault
from thecal.target import Target

BUS = "bus"
DEVICES = ("eeprom", "rtc", BUS)
_CENTURY_S = 36_525 * 86_400  # the years 2000 to 2099, after which the clock's two digits begin anew
_FIRST = datetime(2000, 1, 1)


def jump(bench: Bench, by_s: int, now_ns: int) -> None:
    """The RTC moves by itself. Beyond 2099, or before 2000, its two digits of the year come round."""
    try:
        reading = bench.rtc.local_time(now_ns)
    except ValueError:
        return  # its registers hold no time: there is nothing to move
    since = (reading.replace(microsecond=0) - _FIRST) // timedelta(seconds=1)
    bench.rtc.jump((since + by_s) % _CENTURY_S - since, now_ns)


class BusFaults:
    """Parts of one target's bus that do not answer for a while. Faults of one part that overlap last until the later
    end."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._bench = target.bench
        self._until_ns: dict[str, int] = {}

    def begin(self, event: I2cFault) -> None:
        """The fault of an event begins now."""
        end_ns = self._target.now_ns() + event.for_ns
        self._until_ns[event.device] = max(end_ns, self._until_ns.get(event.device, 0))
        self._set(event.device, True)
        self._target.at(end_ns, lambda: self._end(event.device))

    def _end(self, device: str) -> None:
        if self._target.now_ns() >= self._until_ns[device]:
            self._set(device, False)

    def _set(self, device: str, on: bool) -> None:
        bus = self._bench.i2c
        if device == BUS:
            bus.held = on
            return
        address = (self._bench.eeprom if device == "eeprom" else self._bench.rtc).address
        if on:
            bus.silent.add(address)
        else:
            bus.silent.discard(address)
