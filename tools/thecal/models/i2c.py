"""An I2C bus, byte by byte, and what a part on it must be able to do."""

from __future__ import annotations

from typing import Protocol

BYTE_NS = 22_500  # eight bits and the acknowledge at 400 kHz
START_NS = 2_500  # START with its STOP, counted with the address byte


class I2CDevice(Protocol):
    """A part on the bus. `address` has seven bits; True is an acknowledge."""

    address: int

    def start(self, read: bool, now_ns: int) -> bool:
        """START (or a repeated one) and the part's own address."""
        ...

    def write_byte(self, value: int, now_ns: int) -> bool:
        """The controller has sent a byte, 0..255."""
        ...

    def read_byte(self, now_ns: int) -> int:
        """The controller clocks a byte out of the part."""
        ...

    def stop(self, now_ns: int) -> None:
        """STOP ends the transaction."""
        ...

    def deselect(self, now_ns: int) -> None:
        """A START for another address ends the transaction without a STOP."""
        ...


class I2CBus:
    """Routes a transaction to the part it addresses.

    Faults, for scenarios: `silent` holds the addresses that do not answer; while `held` is true something
    holds SDA low, and the controller gets no START onto the bus at all.
    """

    def __init__(self, *devices: I2CDevice) -> None:
        self.devices = {device.address: device for device in devices}
        if len(self.devices) != len(devices):
            raise ValueError(f"I2C addresses: two parts share one, in {[d.address for d in devices]}")
        self.silent: set[int] = set()
        self.held = False
        self._selected: I2CDevice | None = None

    def start(self, address: int, read: bool, now_ns: int) -> bool:
        """START and address byte. Returns whether a part acknowledged."""
        device = self.devices.get(address)
        before, self._selected = self._selected, None
        if before is not None and before is not device:
            before.deselect(now_ns)
        if device is None or self.held or address in self.silent or not device.start(read, now_ns):
            return False
        self._selected = device
        return True

    def write_byte(self, value: int, now_ns: int) -> bool:
        """A byte to the addressed part. Returns its acknowledge."""
        device = self._selected
        if device is None or self.held or device.address in self.silent:
            return False
        return device.write_byte(value, now_ns)

    def read_byte(self, now_ns: int) -> int:
        """A byte from the addressed part; 0xFF, the released bus, if none answers."""
        device = self._selected
        if device is None or self.held or device.address in self.silent:
            return 0xFF
        return device.read_byte(now_ns)

    def stop(self, now_ns: int) -> None:
        """STOP."""
        device, self._selected = self._selected, None
        if device is not None:
            device.stop(now_ns)
