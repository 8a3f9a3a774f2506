"""Virtual time of one twin: what passes, what happens at which instant, and how the processor's run can end.

Time only passes where firmware waits or talks over a bus. `advance_to` is on the path of every tick, so it compares
with one number, the horizon: the next instant at which anything but the firmware has a say.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random
from typing import Protocol

from greenlet import getcurrent, greenlet

from thecal.models.bench import Bench

NEVER = 1 << 62
MS = 1_000_000
TICKS_MASK = (1 << 30) - 1
# ticks_ms starts 30 s before its wrap at each power-on, so that every simulation crosses it (MicroPython wraps after
# 12.4 days, where no test would see it).
TICKS_START = TICKS_MASK - 30_000


class Trains(Protocol):
    """Pulse trains under way."""

    def flush(self, now_ns: int) -> None:
        """Make the pulses due up to now_ns."""
        ...


class ProcessorStop(BaseException):
    """The processor stops executing: a reset or a power cut. No firmware may survive it."""

    def __init__(self, cause: str, off_ns: int = 0) -> None:
        super().__init__(cause)
        self.cause = cause
        self.off_ns = off_ns


class World:
    """True time and the state of the chip that outlives the firmware's own run."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.now_ns = 0
        self.rng = Random(seed)
        self.scratch = [0] * 8
        self.cause = "power_on"
        self.booted_ns = 0
        self.watchdog_ns = NEVER
        self.watchdog_on = False  # its timer is enabled
        self.until_ns = 0
        self.dead: BaseException | None = None
        self.hung = False
        self.spinning = False  # the processor hangs, its interrupts off
        self.host: greenlet | None = None
        self.on_console: Callable[[bytes], None] = lambda data: None
        self._input: list[bytes] = []
        self._position = 0
        self._actions: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._horizon = 0
        self.trains: Trains | None = None  # the step generator, while there is one
        self.on_button: Callable[[bool], None] | None = None  # the firmware's interrupt handler, while there is one
        bench.sensors.on_button = self._button

    # -- host side --------------------------------------------------------------------------------------------

    def at(self, t_ns: int, action: Callable[[], None]) -> None:
        """Run action when time reaches t_ns."""
        self._order += 1
        heapq.heappush(self._actions, (max(t_ns, self.now_ns), self._order, action))
        self.look_ahead()

    def look_ahead(self) -> None:
        """Recompute the horizon; called whenever one of its terms changes."""
        due = self._actions[0][0] if self._actions else NEVER
        self._horizon = min(due, self.watchdog_ns, self.until_ns)

    def _button(self, pressed: bool) -> None:
        if self.on_button is not None and self.dead is None and not self.spinning:
            self.on_button(pressed)

    def send(self, data: bytes) -> None:
        """Queue console bytes for the pump."""
        if data:
            self._input.append(data)

    def forget_input(self) -> None:
        """The pump is off: what was sent is lost."""
        self._input.clear()
        self._position = 0

    def stop_processor(self, cause: str, off_ns: int = 0) -> None:
        """End the firmware's run as soon as the action that calls this returns."""
        self.dead = ProcessorStop(cause, off_ns)

    # -- processor side ---------------------------------------------------------------------------------------

    def ticks_ms(self) -> int:
        """MicroPython's ticks_ms: wraps at 2**30, restarts with the processor."""
        return ((self.now_ns - self.booted_ns) // MS + TICKS_START) & TICKS_MASK

    def advance(self, ns: int) -> None:
        """Let ns pass for the firmware. Raises ProcessorStop if the processor stops within it."""
        self.advance_to(self.now_ns + ns)

    def advance_to(self, t_ns: int) -> None:
        """Let time pass until t_ns. Raises ProcessorStop if the processor stops before."""
        if t_ns < self._horizon:
            self.now_ns = t_ns
            return
        while self._cross(t_ns):
            pass
        self.now_ns = max(self.now_ns, t_ns)

    def wait_input(self, ms: int) -> bool:
        """Let time pass until ticks_ms has gone on by ms, or a console byte is there. Returns whether one is.

        As MicroPython's poll does, it ends when a millisecond begins: whatever woke the pump in between, the next
        frame starts at the same instant.
        """
        if self._input:
            return True
        since_boot = self.now_ns - self.booted_ns
        end = self.booted_ns + (since_boot // MS + ms) * MS
        while end >= self._horizon and self._cross(end):
            if self._input:
                return True
        self.now_ns = max(self.now_ns, end)
        return bool(self._input)

    def _cross(self, t_ns: int) -> bool:
        """Go to the horizon and do what is due there, one thing. Returns False if nothing is due up to t_ns."""
        due = self._actions[0][0] if self._actions else NEVER
        first = min(due, self.watchdog_ns, self.until_ns)
        if first > t_ns:
            return False
        self.now_ns = max(self.now_ns, first)
        if due == first:
            if self.trains is not None:
                self.trains.flush(self.now_ns)  # what happens to the bench finds the steps made so far
            heapq.heappop(self._actions)[2]()
        elif self.watchdog_ns == first:
            self.stop_processor("watchdog")
        else:
            self._pause()
        self.look_ahead()
        if self.hung and self.dead is None:
            self._spin()
        self.alive()
        return True

    def _pause(self) -> None:
        """until_ns is reached: the host goes on, and the firmware when the host calls run() again."""
        if self.host is None or getcurrent() is self.host:
            raise RuntimeError("time passes without a run()")
        self.host.switch()

    def _spin(self) -> None:
        """A hung processor: time passes, actions run, nothing else, until something stops the processor. In the first
        moments of a start, before the watchdog is armed, that is the next power cut."""
        self.hung = False
        self.spinning = True
        try:
            while self.dead is None:
                self._cross(NEVER - 1)
        finally:
            self.spinning = False

    def alive(self) -> None:
        """Raise what stopped the processor, as often as the firmware tries to go on."""
        if self.dead is not None:
            raise self.dead

    def read_byte(self) -> int:
        """The next console byte, -1 if none."""
        if not self._input:
            return -1
        chunk = self._input[0]
        byte = chunk[self._position]
        self._position += 1
        if self._position == len(chunk):
            self._input.pop(0)
            self._position = 0
        return byte

    def waiting(self) -> int:
        """Console bytes not yet read."""
        return sum(map(len, self._input)) - self._position

    @property
    def has_input(self) -> bool:
        """Whether a console byte waits."""
        return bool(self._input)


current: World | None = None


def world() -> World:
    """The world of the twin that is running."""
    if current is None:
        raise RuntimeError("no twin is running")
    return current


def enter(new: World) -> None:
    """Make new the world that the mocked modules act on."""
    global current  # noqa: PLW0603 - the mocked modules are singletons, as the real ones are
    current = new
