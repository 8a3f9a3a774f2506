"""machine.I2C on a bus of models: the same calls, the same errors, and the bus time that each byte takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from thecal.models.i2c import BYTE_NS, START_NS, I2CBus

EIO = 5  # what MicroPython raises on the RP2040 for a missing acknowledge
ETIMEDOUT = 110
_TIMEOUT_NS = 5_000_000


class Clock(Protocol):
    """True time, and letting it pass. advance may raise whatever ends the processor's run."""

    @property
    def now_ns(self) -> Callable[[], int]:
        """Gives true time, ns."""
        ...

    @property
    def advance(self) -> Callable[[int], None]:
        """Lets so many ns pass."""
        ...


class ManualClock:
    """The clock of a bus outside of a running twin: time is what its users make of it."""

    def __init__(self) -> None:
        self.time_ns = 0

    def now_ns(self) -> int:
        """True time."""
        return self.time_ns

    def advance(self, ns: int) -> None:
        """Let ns pass."""
        self.time_ns += ns


class MachineI2C:
    """A controller with MicroPython's I2C methods, 400 kHz.

    Raises OSError(5) when an address or a written byte is not acknowledged, and OSError(110), after
    timeout_ns, when SDA is held low. Both end the transaction with a STOP, as the RP2040 does. If the clock
    ends the processor's run, the parts see no STOP.
    """

    def __init__(self, bus: I2CBus, clock: Clock, timeout_ns: int = _TIMEOUT_NS) -> None:
        self._bus = bus
        self._now = clock.now_ns
        self._pass = clock.advance
        self._timeout_ns = timeout_ns

    def writeto(self, addr: int, buf: bytes | bytearray | memoryview, stop: bool = True, /) -> int:
        """Write buf. Returns the number of bytes that were acknowledged: all of them."""
        if not buf:
            raise ValueError("buf: empty; MicroPython bit-bangs such a write, and no model sees it")
        self._send(addr, buf)
        if stop:
            self._bus.stop(self._now())
        return len(buf)

    def readfrom_into(self, addr: int, buf: bytearray | memoryview, stop: bool = True, /) -> None:
        """Fill buf."""
        self._start(addr, True)
        wait, now, read = self._pass, self._now, self._bus.read_byte
        for index in range(len(buf)):
            wait(BYTE_NS)
            buf[index] = read(now())
        if stop:
            self._bus.stop(now())

    def writeto_mem(self, addr: int, memaddr: int, buf: bytes | bytearray, /, *, addrsize: int = 8) -> None:
        """Write the register or memory address, addrsize bits, and then buf."""
        self.writeto(addr, memaddr.to_bytes(addrsize // 8, "big") + bytes(buf))

    def readfrom_mem_into(self, addr: int, memaddr: int, buf: bytearray, /, *, addrsize: int = 8) -> None:
        """Write the register or memory address, then fill buf after a repeated START."""
        self.writeto(addr, memaddr.to_bytes(addrsize // 8, "big"), False)
        self.readfrom_into(addr, buf)

    def _start(self, addr: int, read: bool) -> None:
        if self._bus.held:
            self._pass(self._timeout_ns)
            raise OSError(ETIMEDOUT)
        self._pass(START_NS + BYTE_NS)
        if not self._bus.start(addr, read, self._now()):
            self._fail()

    def _send(self, addr: int, buf: bytes | bytearray | memoryview) -> None:
        self._start(addr, False)
        wait, now, write = self._pass, self._now, self._bus.write_byte
        for value in buf:
            wait(BYTE_NS)
            if not write(value, now()):
                self._fail()

    def _fail(self) -> None:
        self._bus.stop(self._now())
        raise OSError(EIO)
