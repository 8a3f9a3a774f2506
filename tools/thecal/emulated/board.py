"""An emulated pump: the bench's parts around an emulated RP2040, driven on true time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random

from thecal.emulated.chip import Chip
from thecal.emulated.console import Console
from thecal.emulated.devices import Wiring
from thecal.models.bench import Bench
from thecal.models.board_id import board_id

_Action = Callable[[], None]


class EmulatedBoard:
    """A pump that runs the real firmware on an emulated Pico (a thecal.target.Target).

    True time starts at 0 with the first run(), which switches the power on, and goes on while the pump is
    off; the emulator's own clock stands still then. Everything happens in the caller's thread, and actions
    run between two instructions of the processor, so equal calls give equal runs.
    """

    def __init__(
        self, bench: Bench, image_path: Path, flash: bytes | None, service: bool = False, seed: int = 1
    ) -> None:
        """image_path: MicroPython UF2. flash: littlefs image (chip.FS_BYTES), None for a board never flashed.
        service: the SERVICE strap is set (low). seed: of everything that is drawn (torn EEPROM bytes).
        Raises ValueError or OSError as Chip does.
        """
        self.bench = bench
        self.resets = {"power_on": 0, "watchdog": 0, "commanded": 0}
        self.powered = False
        self.chip = Chip(image_path, flash, board_id(bench.config.serial))
        self.console = Console(self.chip)
        self.on_console: Callable[[bytes], None] = lambda data: None
        self.console.on_data = self._received
        self.chip.on_watchdog = self._reset
        self._random = Random(seed)
        self._actions: list[tuple[int, int, _Action]] = []
        self._order = count()
        self._limit_ns: int | None = None  # the end of the stretch the chip is running, None outside of one
        self._off_ns = 0  # true time that the chip's clock does not know of
        self._off_since_ns: int | None = 0
        self._now_ns = 0  # valid while the power is off
        self._started = False
        self.wiring = Wiring(self.chip, bench, self.now_ns)
        self.wiring.set_service(service)

    def now_ns(self) -> int:
        """True time since the start of the scenario, in nanoseconds."""
        return self.chip.now_ns() + self._off_ns if self.powered else self._now_ns

    def off_ns(self) -> int:
        """True time spent without power so far, in nanoseconds."""
        if self.powered or not self._started:
            return self._off_ns
        return self._off_ns + self._now_ns - (self._off_since_ns or 0)

    def at(self, t_ns: int, action: _Action) -> None:
        """Run `action` at true time `t_ns`, or as soon as can be; equal times keep the order of the calls."""
        heapq.heappush(self._actions, (t_ns, next(self._order), action))
        if self._limit_ns is not None and t_ns < self._limit_ns:
            # Called by a part of the bench in the middle of a run: the stretch is cut short and planned anew.
            self.chip.stop()

    def run(self, until_ns: int) -> None:
        """Let true time pass until `until_ns`."""
        if not self._started:
            self._started = True
            self._power_on()
        while True:
            due = self._actions[0][0] if self._actions else until_ns
            if due > self.now_ns() and self.now_ns() < until_ns:
                self._pass(min(due, until_ns))
            elif self._actions and due <= until_ns:
                heapq.heappop(self._actions)[2]()
                self.wiring.refresh()
            else:
                return

    def send(self, data: bytes) -> None:
        """Bytes from the host to the pump's console; lost while the pump is off."""
        if self.powered:
            self.console.send(data)

    def waiting(self) -> int:
        """Console bytes that the pump has not taken yet."""
        return self.console.waiting

    def power_cut(self, for_ns: int, tear: str | None = None) -> None:
        """Cut the power now and switch it on again `for_ns` nanoseconds later; nothing if it is off.

        tear: how an EEPROM page under way is torn (AT24C256.power_cut).
        """
        if self._limit_ns is not None:
            self.at(self.now_ns(), lambda: self.power_cut(for_ns, tear))
            return
        if not self.powered:
            return
        now = self.now_ns()
        self._now_ns = self._off_since_ns = now
        self.powered = False
        self.chip.power_off()
        self.console.unplug()
        self.wiring.release()
        self.bench.eeprom.power_cut(now, self._random, tear)
        self.at(now + for_ns, self._power_on)

    def hang(self) -> None:
        """The processor spins without interrupts until its watchdog bites; nothing if the power is off."""
        if self._limit_ns is not None:
            self.at(self.now_ns(), self.hang)
        elif self.powered:
            self.chip.hang()

    def flash_image(self) -> bytes:
        """The littlefs region as it is now."""
        return self.chip.flash_image()

    def scratch(self) -> tuple[int, ...]:
        """The eight watchdog scratch registers; all 0 while the power is off."""
        return self.chip.scratch() if self.powered else (0,) * 8

    def _pass(self, until_ns: int) -> None:
        if not self.powered:
            self._now_ns = until_ns
            return
        self._limit_ns = until_ns
        try:
            self.chip.run_until(until_ns - self._off_ns)
        finally:
            self._limit_ns = None

    def _power_on(self) -> None:
        now = self._now_ns
        self._off_ns += now - (self._off_since_ns or 0)
        self._off_since_ns = None
        self.powered = True
        self.resets["power_on"] += 1
        self.bench.eeprom.power_on(now)
        self.chip.boot()

    def _received(self, data: bytes) -> None:
        self.on_console(data)

    def _reset(self, timed_out: bool) -> None:
        self.resets["watchdog" if timed_out else "commanded"] += 1
        self.console.unplug()
        self.wiring.release()
