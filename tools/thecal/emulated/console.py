"""The pump's USB console: a queue towards the chip that never overruns it, and what the chip sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thecal.emulated.chip import Chip

_PUMP_NS = 1_000_000  # one USB frame


class Console:
    """Host end of the CDC console of a chip. Nothing is sent by itself, no newline, no Ctrl-C."""

    def __init__(self, chip: Chip) -> None:
        self._cdc = chip.cdc
        self._queue = bytearray()
        self._enumerated = False
        self._alarm = chip.alarm(self._pump)
        self.on_data: Callable[[bytes], None] = lambda data: None
        self._cdc.on_serial_data = lambda data: self.on_data(bytes(data))
        self._cdc.on_device_connected = self._connected

    @property
    def queued(self) -> int:
        """Bytes that are not yet on their way to the chip."""
        return len(self._queue)

    @property
    def waiting(self) -> int:
        """Bytes that the chip has not taken yet."""
        return len(self._queue) + self._cdc.tx_fifo.item_count

    def send(self, data: bytes) -> None:
        """Queue bytes; they go out as the chip takes them, once it is on the bus."""
        if data and not self._queue:
            self._alarm.schedule(0)
        self._queue += data

    def unplug(self) -> None:
        """The chip left the bus (reset or power cut): what is queued is lost, as with a port that is gone."""
        self._queue.clear()
        self._enumerated = False
        self._alarm.cancel()

    def _connected(self) -> None:
        self._enumerated = True

    def _pump(self) -> None:
        if self._enumerated:
            fifo = self._cdc.tx_fifo
            chunk = self._queue[: max(fifo.size - fifo.item_count, 0)]
            del self._queue[: len(chunk)]
            for byte in chunk:
                self._cdc.send_serial_byte(byte)
        if self._queue:
            self._alarm.schedule(_PUMP_NS)
