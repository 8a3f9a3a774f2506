"""The EEPROM driver on a bus that can fail and a clock that can end: what its tests share."""

from __future__ import annotations

import importlib
from random import Random
from typing import Any

from thecal.models.at24c256 import AT24C256, PAGE_SIZE, SIZE
from thecal.models.i2c import I2CBus
from thecal.twin.i2c import MachineI2C, ManualClock
from thecal.twin.install import install

install()
driver = importlib.import_module("at24c256")

MS = 1_000_000
BYTE = 22_500
OLD = bytes(Random(1).randbytes(SIZE))
NEW = bytes(range(100, 100 + PAGE_SIZE))
PAGE = 300
OLD_PAGE = OLD[PAGE * PAGE_SIZE : (PAGE + 1) * PAGE_SIZE]
WRITE_BYTES = 67  # device address, two bytes of memory address, 64 of data
LONGEST_NS = 40 * MS  # a bound on any call; the driver's own waits add up to at most 20 ms


class PowerCut(BaseException):
    """The supply fails: no code runs on."""


class CutClock(ManualClock):
    """Time that ends at cut_ns."""

    cut_ns = 1 << 62

    def advance(self, ns: int) -> None:
        if self.time_ns + ns >= self.cut_ns:
            self.time_ns = self.cut_ns
            raise PowerCut
        super().advance(ns)


class FaultyBus(I2CBus):
    """Does not acknowledge byte `first` of those sent to it (addresses count), or any from it on."""

    def __init__(self, *devices: Any) -> None:
        super().__init__(*devices)
        self.first = -1
        self.for_ever = False
        self.count = 0

    def _lost(self) -> bool:
        self.count += 1
        number = self.count - 1
        return self.first >= 0 and (number == self.first or (self.for_ever and number > self.first))

    def start(self, address: int, read: bool, now_ns: int) -> bool:
        return not self._lost() and super().start(address, read, now_ns)

    def write_byte(self, value: int, now_ns: int) -> bool:
        return not self._lost() and super().write_byte(value, now_ns)


class WritePin:
    """The WP pin, with the level at each moment it changed."""

    def __init__(self, part: AT24C256) -> None:
        self.part = part
        self.levels: list[int] = []

    def value(self, level: int) -> None:
        self.levels.append(level)
        self.part.write_protect = bool(level)


class Rig:
    """Driver, bus and part."""

    def __init__(self, content: bytes = OLD) -> None:
        self.part = AT24C256()
        self.part.load(content)
        self.part.write_protect = False  # until somebody drives the pin
        self.clock = CutClock()
        self.bus = FaultyBus(self.part)
        self.pin = WritePin(self.part)
        self.restart()

    def restart(self) -> None:
        """Boot: a new driver on the same hardware."""
        self.eeprom = driver.AT24C256(MachineI2C(self.bus, self.clock), self.pin, self.sleep_ms)

    def sleep_ms(self, ms: int) -> None:
        self.clock.advance(ms * MS)

    def others_untouched(self, page: int, before: bytes = OLD) -> bool:
        image = self.part.image()
        end = (page + 1) * PAGE_SIZE
        return image[: page * PAGE_SIZE] == before[: page * PAGE_SIZE] and image[end:] == before[end:]

    def content(self, page: int) -> bytes:
        return self.part.image()[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
