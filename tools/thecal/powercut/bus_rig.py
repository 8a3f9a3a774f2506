"""The real EEPROM driver on the bus model, with a transaction that is not acknowledged; and a quick way around it."""

from __future__ import annotations

import importlib
from typing import Any

from thecal.models.at24c256 import AT24C256
from thecal.models.i2c import I2CBus, I2CDevice
from thecal.powercut.page_part import PAGE, PagePart
from thecal.twin.i2c import MachineI2C, ManualClock
from thecal.twin.install import install

install()
driver = importlib.import_module("at24c256")

MS = 1_000_000
ONCE, FOR_EVER = "once", "for ever"
ADDRESS = 0  # the first byte of a transaction; then come those that are written
_NEVER = 1 << 60


class RefusingBus(I2CBus):
    """Counts transactions (every START). From number `first` on, `lasting` of them are not acknowledged: at byte `at`,
    0 being the address; one with fewer bytes gets through.
    """

    def __init__(self, *devices: I2CDevice) -> None:
        super().__init__(*devices)
        self.count = 0
        self.first = _NEVER
        self.lasting = 1
        self.at = ADDRESS
        self.refused = 0
        self._bytes = 0

    def start(self, address: int, read: bool, now_ns: int) -> bool:
        """START and address byte."""
        self.count += 1
        self._bytes = 0
        if self.at == ADDRESS and self._refuses():
            return False
        return super().start(address, read, now_ns)

    def write_byte(self, value: int, now_ns: int) -> bool:
        """A byte to the addressed part."""
        self._bytes += 1
        if self._bytes == self.at and self._refuses():
            return False
        return super().write_byte(value, now_ns)

    def _refuses(self) -> bool:
        refuses = self.first < self.count <= self.first + self.lasting
        self.refused += refuses
        return refuses


class _Protect:
    """The WP pin."""

    def __init__(self, part: AT24C256) -> None:
        self._part = part

    def value(self, level: int) -> None:
        """Drive the pin."""
        self._part.write_protect = bool(level)


class BusRig:
    """An EEPROM that the firmware's records hold on to, either through driver and bus or, `quick`, straight to the
    content: what a case needs before and after its fault takes no bus time.
    """

    def __init__(self, image: bytes) -> None:
        """image: 32,768 bytes."""
        self.part = AT24C256()
        self.part.load(image)
        self.bus = RefusingBus(self.part)
        self.clock = ManualClock()
        self.quick = True
        self._page = PagePart()
        self._page.memory = self.part.memory
        self._driver: Any = driver.AT24C256(MachineI2C(self.bus, self.clock), _Protect(self.part), self.sleep_ms)

    def sleep_ms(self, ms: int) -> None:
        """Time passes."""
        self.clock.advance(ms * MS)

    def refuse(self, first: int, fate: str, at: int = ADDRESS) -> None:
        """Transaction number `first` from now on (0: the next) is not acknowledged, once or from there on."""
        self.bus.count = 0
        self.bus.refused = 0
        self.bus.first = first
        self.bus.lasting = 1 if fate == ONCE else _NEVER
        self.bus.at = at

    def heal(self) -> None:
        """The bus works again, and a write cycle under way is over."""
        self.bus.first = _NEVER
        self.clock.advance(6 * MS)

    # -- the driver's interface -------------------------------------------------------------------------------

    def read_into(self, address: int, buffer: bytearray | memoryview) -> None:
        """Fill buffer from address on."""
        (self._page if self.quick else self._driver).read_into(address, buffer)

    def write_page(self, page: int, data: bytes | bytearray) -> None:
        """Write one page and read it back."""
        (self._page if self.quick else self._driver).write_page(page, data)

    def image(self) -> bytes:
        """The content."""
        return self.part.image()


assert AT24C256.WRITE_CYCLE_NS < 6 * MS
assert driver.AT24C256.PAGE_SIZE == PAGE
