"""The emulated RP2040: image, flash, clock, resets. It knows nothing about pumps.

The simulator is driven synchronously, one batch after the other, by whoever calls `run_until`: no thread, no
event loop, so the same inputs at the same simulated times give the same run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, cast

from rp2040py.boards import BoardSpec, FlashLayout
from rp2040py.clock.simulation_clock import SimulationClock
from rp2040py.device import MicroPythonDevice
from rp2040py.execute_batch import execute_batch
from rp2040py.reset_cause import ResetCause

from thecal.emulated.flash_id import FlashId

FS_START = 0xA0000
FS_BLOCKS = 352
FS_BLOCK_BYTES = 4096
FS_BYTES = FS_BLOCKS * FS_BLOCK_BYTES

WATCHDOG_REASON = 0x08
REASON_TIMER = 1 << 0
_TICKS_PER_NS = 16
_NVIC_ICER = 0xE000_E180
# The far end of the stack's RAM bank: what is destroyed there dies in the reset anyway.
_HANG_ADDRESS = 0x2004_1000
_HANG_LOOP = (
    0xBF30,
    0xE7FD,
)  # wfi; b to it: a loop that nothing leaves costs the emulator nothing when it sleeps
_MEMORY = (0x00, 0x10, 0x20)  # ROM, flash, RAM: bits 24 to 31 of their addresses
_NOWHERE = ("Read from invalid memory address", "Write to undefined address", "read from address")


class BusFault(Exception):
    """An access to where there is nothing, or to half of a word: the processor ends in a hard fault."""


class _Bus:
    """In the place of the emulator's logger, which is all that is told of such an access: the emulator reads zeros, and
    goes on."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def warning(self, component_name: str, message: str) -> None:
        """Raises BusFault, which ends the instruction under way."""
        if message.startswith(_NOWHERE):
            raise BusFault(message)
        self._logger.warning(component_name, message)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logger, name)


class Alarm(Protocol):
    """A one-shot alarm on the simulated clock; scheduling it again moves it."""

    def schedule(self, delta_nanos: float) -> None: ...

    def cancel(self) -> None: ...


class Chip:
    """One RP2040 with its flash. Times are nanoseconds of the simulated clock, stopped while it is off."""

    def __init__(self, image: Path, flash: bytes | None, unique_id: bytes) -> None:
        """image: MicroPython UF2. flash: content of the littlefs region (FS_BYTES), None for an erased one.
        unique_id: the 8 bytes that the flash chip answers.

        Raises ValueError when `flash` has another size, OSError when the image cannot be read.
        """
        if flash is not None and len(flash) != FS_BYTES:
            raise ValueError(f"flash: {len(flash)} bytes, expected the littlefs region of {FS_BYTES}")
        _ignore_wall_clock()
        layout = FlashLayout(fs_start=FS_START, fs_blockcount=FS_BLOCKS, fs_blocksize=FS_BLOCK_BYTES)
        self._device = MicroPythonDevice(board=BoardSpec(image=image, layout=layout))
        self._simulator = self._device.simulator
        self.mcu = self._device.mcu
        self.cdc = self._device.cdc
        self._clock = cast("SimulationClock", self.mcu.clock)
        if flash is not None:
            self.mcu.flash[FS_START : FS_START + FS_BYTES] = flash
        FlashId(self.mcu, unique_id)
        self.mcu.logger = cast("Any", _Bus(self.mcu.logger))
        self._limit = self.alarm(self.stop)
        self.on_watchdog: Callable[[bool], None] = lambda timed_out: None
        self.mcu.watchdog.on_watchdog_trigger = self._watchdog

    def now_ns(self) -> int:
        """Simulated time since the chip was made."""
        return int(self._clock.ticks + self._clock.rebased_ticks) // _TICKS_PER_NS

    def alarm(self, action: Callable[[], None]) -> Alarm:
        """A new alarm that calls `action` in the middle of a run, between two instructions."""
        return self._clock.create_alarm(action)

    def run_until(self, clock_ns: int) -> None:
        """Execute until the clock reads `clock_ns` (or up to one instruction more) or until stop(). A bus fault is a
        hang: MicroPython's handler of hard faults is an endless loop."""
        self._limit.schedule(max(clock_ns - self.now_ns(), 0))
        self._simulator.stopped = False
        while not self._simulator.stopped:
            try:
                execute_batch(self._simulator, 1)
                if self.mcu.core.pc >> 24 not in _MEMORY:
                    raise BusFault(f"program counter {self.mcu.core.pc:#x}")
            except BusFault:
                self.hang()
        self._limit.cancel()

    def stop(self) -> None:
        """End the run under way before the next instruction."""
        self._simulator.stopped = True

    def boot(self) -> None:
        """Let the processor start from flash, as after power-on."""
        self.mcu.leave_reset()

    def power_off(self) -> None:
        """Put everything to its power-on state; flash stays. The chip does not run until boot()."""
        self.mcu.enter_reset(cause=ResetCause.POWER_ON)

    def hang(self) -> None:
        """Send the processor into an endless loop without interrupts; only the watchdog ends it."""
        for offset, instruction in enumerate(_HANG_LOOP):
            self.mcu.write_uint16(_HANG_ADDRESS + 2 * offset, instruction)
        self.mcu.write_uint32(_NVIC_ICER, 0xFFFF_FFFF)
        self.mcu.core.pc = _HANG_ADDRESS
        self.mcu.core.pm = True
        self.mcu.core.waiting = False

    def flash_image(self) -> bytes:
        """The littlefs region as it is now."""
        return bytes(self.mcu.flash[FS_START : FS_START + FS_BYTES])

    def scratch(self) -> tuple[int, ...]:
        """The eight watchdog scratch registers."""
        return tuple(self.mcu.watchdog.scratch_data)

    def _watchdog(self) -> None:
        timed_out = bool(self.mcu.watchdog.read_uint32(WATCHDOG_REASON) & REASON_TIMER)
        self._device.hard_reset(cause=ResetCause.WATCHDOG)
        self.on_watchdog(timed_out)


def _ignore_wall_clock() -> None:
    """Make rp2040py's batches end for simulated reasons only.

    It ends a batch after 5 ms of wall time to let an event loop breathe; there is none here, and a batch end
    rounds the PIO clock to whole cycles, so a run would depend on how busy the machine is.
    """
    vars(sys.modules[execute_batch.__module__])["time"] = SimpleNamespace(monotonic=lambda: 0.0)
