"""Mocked `rp2`: what the two PIO programs of the firmware do, without interpreting them.

The programs themselves run on the emulated board; that both targets give the same steps is what tests this mock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thecal.models import pins
from thecal.twin import world as worlds
from thecal.twin.machine import Pin

_PIO_NS = 10_000  # one instruction of the step train at 100 kHz
_FIRST_NS = 4 * _PIO_NS  # from the command word to the first rising edge
_OVERHEAD = 6  # instructions of one pulse beside its gap


class PIO:
    """Constants that the programs name."""

    OUT_LOW = 0
    SHIFT_LEFT = 0
    SHIFT_RIGHT = 1


class Program:
    """A PIO program, known by the name of its function."""

    def __init__(self, name: str) -> None:
        self.name = name


def asm_pio(**options: Any) -> Callable[[Callable[..., Any]], Program]:
    """Decorator of a PIO program."""
    return lambda function: Program(function.__name__)


def asm_pio_encode(instruction: str, sideset_count: int) -> str:
    """An encoded instruction; here just its text."""
    return instruction


class _Trains:
    """The step generator: trains of pulses under way and waiting, made as time passes them."""

    def __init__(self, world: worlds.World) -> None:
        self._world = world
        self._trains: list[list[int]] = []  # [first ns, interval ns, count] of what is not yet made
        self._free_ns = 0  # when the generator has ended all its trains
        world.trains = self

    def put(self, word: int) -> None:
        world = self._world
        self.flush(world.now_ns)
        count = word & 0x3FF
        interval = ((word >> 10) + _OVERHEAD) * _PIO_NS
        first = max(world.now_ns, self._free_ns) + _FIRST_NS
        if count:
            self._trains.append([first, interval, count])
            self._free_ns = first + count * interval

    def waiting(self) -> int:
        """Words in the FIFO: trains that have not begun."""
        now = self._world.now_ns
        return sum(1 for first, _, _ in self._trains if first - _FIRST_NS > now)

    def flush(self, now_ns: int) -> None:
        """Make the pulses due up to now_ns."""
        motor = self._world.bench.motor
        while self._trains:
            first, interval, count = self._trains[0]
            if first > now_ns:
                return
            made = min(count, (now_ns - first) // interval + 1)
            motor.steps_at(first, interval, made)
            if made == count:
                self._trains.pop(0)
                continue
            self._trains[0] = [first + made * interval, interval, count - made]
            return


class StateMachine:
    """One state machine, running one of the firmware's two programs."""

    def __init__(
        self, number: int, program: Program, *, freq: int, set_base: Pin | None = None, in_base: Pin | None = None
    ) -> None:
        self._world = worlds.world()
        self._trains = _Trains(self._world) if set_base is not None else None
        self._rotor = in_base is not None and in_base.number == pins.ROTOR
        self._zero = self._edges()
        self.number = number

    def active(self, on: int) -> None:
        """The firmware starts its machines once and never stops them."""

    def put(self, word: int) -> None:
        """A command word for the step train."""
        if self._trains is not None:
            self._trains.put(word)

    def tx_fifo(self) -> int:
        """Words that wait."""
        return self._trains.waiting() if self._trains is not None else 0

    def rx_fifo(self) -> int:
        """The pulse counter has an answer after every exec of its push."""
        return 1

    def exec(self, instruction: str) -> None:
        """The counter's two instructions: what they bring is read by get()."""

    def get(self) -> int:
        """Pulses on the pin, STEP or ROTOR, since this machine was made."""
        world = self._world
        if world.trains is not None:
            world.trains.flush(world.now_ns)
        return self._edges() - self._zero

    def _edges(self) -> int:
        motor = self._world.bench.motor
        return motor.indices if self._rotor else motor.pulses
