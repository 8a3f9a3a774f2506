"""The twin: boot.py, main.py and the firmware on CPython, on the models' bench, in virtual time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType

from greenlet import GreenletExit, getcurrent, greenlet

from thecal.models.bench import Bench
from thecal.paths import ROOT
from thecal.twin import world as worlds
from thecal.twin.install import install
from thecal.twin.machine import TIMED_OUT
from thecal.twin.world import MS, NEVER, ProcessorStop, World

# What the processor of the emulated board takes from reset until it looks for the RTC's edge, beyond bus time:
# MicroPython's start, the image check, the imports, the decoding of the records. CPython is done in no time.
# The watchdog is armed early in it. host_tests/board/test_targets_agree.py holds both figures to the emulated board.
BOOT_NS = 1_486 * MS
ARMED_NS = 156 * MS
_WATCHDOG_NS = 5_000 * MS


class Twin:
    """One pump on CPython. Implements thecal.target.Target."""

    def __init__(self, bench: Bench, seed: int = 1) -> None:
        """bench: the physical pump. seed: of everything that is drawn (torn EEPROM bytes)."""
        install()
        self.bench = bench
        self.resets = {"power_on": 0, "watchdog": 0, "commanded": 0}
        self.powered = False
        self.world = World(bench, seed)
        self._off_until = 0
        self._code = [_compiled("boot.py"), _compiled("main.py")]
        self._processor = greenlet(self._live)

    @property
    def on_console(self) -> Callable[[bytes], None]:
        """Called with what the pump writes to its console."""
        return self.world.on_console

    @on_console.setter
    def on_console(self, receiver: Callable[[bytes], None]) -> None:
        self.world.on_console = receiver

    def at(self, t_ns: int, action: Callable[[], None]) -> None:
        """Run action at true time t_ns."""
        self.world.at(t_ns, action)

    def now_ns(self) -> int:
        """True time."""
        return self.world.now_ns

    def send(self, data: bytes) -> None:
        """Bytes to the console; lost while the pump is off."""
        if self.powered:
            self.world.send(data)

    def run(self, until_ns: int) -> None:
        """Let time pass until until_ns."""
        worlds.enter(self.world)
        self.world.host = getcurrent()
        self.world.until_ns = until_ns
        self.world.look_ahead()
        self._processor.switch()
        if self.world.trains is not None:
            self.world.trains.flush(until_ns)

    def waiting(self) -> int:
        """Console bytes that the pump has not taken yet."""
        return self.world.waiting()

    def scratch(self) -> tuple[int, ...]:
        """The watchdog's scratch registers; all 0 while the pump is off."""
        return tuple(self.world.scratch) if self.powered else (0,) * 8

    def power_cut(self, for_ns: int) -> None:
        """Power off now, for for_ns. Within a power cut it changes nothing."""
        if self.powered:
            self.world.stop_processor("power_on", for_ns)

    def hang(self) -> None:
        """The processor spins until the watchdog bites. While the pump is off there is nothing to hang."""
        if self.powered:
            self.world.hung = True

    def close(self) -> None:
        """End the firmware's run."""
        if not self._processor.dead:
            worlds.enter(self.world)
            self.world.dead = GreenletExit()
            self._processor.throw(GreenletExit)

    # -- the processor ----------------------------------------------------------------------------------------

    def _live(self) -> None:
        cause, off_ns = "power_on", 0
        while True:
            self._start(cause, off_ns)
            try:
                self._boot()
            except ProcessorStop as stop:
                cause, off_ns = stop.cause, stop.off_ns
            else:
                raise RuntimeError("main.py came to its end: the pump would be in the REPL")
            self._end(cause)

    def _start(self, cause: str, off_ns: int) -> None:
        """The state of a chip that leaves reset."""
        world = self.world
        if cause == "power_on":
            self.powered = False
            if off_ns:
                world.advance(off_ns)
                self.bench.eeprom.power_on(world.now_ns)
            world.scratch = [0] * 8
        elif cause == "watchdog":
            world.scratch[4] = TIMED_OUT  # as the SDK leaves it at arming: so also for a bite before boot.py
        world.forget_input()  # what was sent before USB came up again
        world.cause = cause
        world.booted_ns = world.now_ns
        self.resets[cause] += 1
        self.powered = True

    def _end(self, cause: str) -> None:
        """The processor has stopped: pins float, PIO stands still, the watchdog is off."""
        world = self.world
        world.dead = None
        world.hung = False
        world.watchdog_ns = NEVER
        world.watchdog_on = False
        world.look_ahead()
        if world.trains is not None:
            world.trains.flush(world.now_ns)
            world.trains = None
        self.bench.motor.drive = False
        self.bench.signals.off(world.now_ns)
        world.on_button = None
        if cause == "power_on":
            self.bench.eeprom.power_cut(world.now_ns, world.rng)
        self.bench.eeprom.write_protect = True

    def _boot(self) -> None:
        world = self.world
        world.advance(ARMED_NS)
        world.watchdog_ns = NEVER if self.bench.broken.watchdog else world.now_ns + _WATCHDOG_NS
        world.look_ahead()
        world.advance(BOOT_NS - ARMED_NS)
        sys.modules.pop("firmware.pump", None)
        _forget("firmware", "pump")
        space: dict[str, object] = {"__name__": "__main__"}
        for code in self._code:
            exec(code, space)  # noqa: S102 - this is what MicroPython does with the two files


def _compiled(name: str) -> CodeType:
    path = ROOT / name
    return compile(path.read_text(), str(path), "exec")


def _forget(package: str, name: str) -> None:
    """`from package import name` finds an attribute before it imports; a reboot has neither."""
    module = sys.modules.get(package)
    if module is not None and hasattr(module, name):
        delattr(module, name)
