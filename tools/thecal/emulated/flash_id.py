"""The unique id of the flash chip, which rp2040py does not have: it answers 0xFF to a command that it does not know.

MicroPython asks for it once, before main: command 0x4B, four dummy bytes, then 8 bytes of id (Winbond W25Q16JV data
sheet, "Read Unique ID"), through the data register of the SSI with the chip selected by the processor.
"""

from __future__ import annotations

from typing import Any

from rp2040py.peripherals.ssi import SSI_DR0

_WINDOW = 0x18000  # the SSI in rp2040py's table of peripherals: its address, 0x1800_0000, without the low 12 bits
_READ_UNIQUE_ID = 0x4B
_AHEAD = 5  # the command itself and its dummy bytes


class FlashId:
    """Stands before the SSI of a chip and puts the id into the answers to 0x4B; all else passes unchanged."""

    def __init__(self, mcu: Any, unique_id: bytes) -> None:
        """mcu: the emulated RP2040, whose SSI this covers from now on. unique_id: 8 bytes."""
        self._ssi = mcu.ssi
        self._answer = b"\xff" * _AHEAD + unique_id
        self._read: int | None = None  # bytes of the answer that were read so far; None: no 0x4B is under way
        mcu.peripherals[_WINDOW] = self

    def read_uint32(self, offset: int) -> int:
        """The bus reads a register."""
        value = self._ssi.read_uint32(offset)
        if offset != SSI_DR0 or self._read is None:
            return value
        index = self._read
        self._read += 1
        return self._answer[index] if index < len(self._answer) else value

    def write_uint32(self, offset: int, value: int) -> None:
        """The bus writes a register."""
        self.write_uint32_atomic(offset, value, 0)

    def write_uint32_atomic(self, offset: int, value: int, atomic_type: int) -> None:
        """The bus writes a register, or sets, clears or turns over bits of it."""
        self._ssi.write_uint32_atomic(offset, value, atomic_type)
        if offset == SSI_DR0 and len(self._ssi._tx_buffer) == 1:  # chip select begins a command, and nothing else does
            self._read = 0 if self._ssi._tx_buffer[0] == _READ_UNIQUE_ID else None

    def reset(self) -> None:
        """The SSI was reset."""
        self._read = None
        self._ssi.reset()
