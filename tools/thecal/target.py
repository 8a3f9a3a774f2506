"""What a simulation talks to: one pump on its bench, whoever runs its firmware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from thecal.models.bench import Bench


class Target(Protocol):
    """A pump under simulation. All times are true time in ns since the start; power-on happens at 0."""

    bench: Bench
    resets: dict[str, int]  # {"power_on": n, "watchdog": n, "commanded": n}, the first power-on included
    powered: bool

    @property
    def on_console(self) -> Callable[[bytes], None]:
        """Called with what the pump writes to its console."""
        ...

    @on_console.setter
    def on_console(self, receiver: Callable[[bytes], None]) -> None: ...

    def at(self, t_ns: int, action: Callable[[], None]) -> None:
        """Run action at t_ns; actions at equal times keep the order of the calls."""
        ...

    def run(self, until_ns: int) -> None:
        """Let time pass until until_ns. May be called again with a later time."""
        ...

    def now_ns(self) -> int:
        """True time."""
        ...

    def send(self, data: bytes) -> None:
        """Host -> console; taken as fast as the pump takes it, lost while the pump is off."""
        ...

    def waiting(self) -> int:
        """Console bytes that the pump has not taken yet."""
        ...

    def scratch(self) -> tuple[int, ...]:
        """The watchdog's scratch registers; all 0 while the pump is off."""
        ...

    def power_cut(self, for_ns: int) -> None:
        """From inside an action: power off now, on again after for_ns."""
        ...

    def hang(self) -> None:
        """From inside an action: the processor spins until the watchdog bites."""
        ...
