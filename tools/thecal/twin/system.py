"""Mocked `time`, `select`, `sys` and `gc`, as firmware/board.py sees them: virtual time and the virtual console."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from thecal.twin import world as worlds
from thecal.twin.world import MS, TICKS_MASK

_HEAP_FREE = 1 << 20  # bytes: CPython's heap never gets full
_HALF = (TICKS_MASK + 1) // 2


def ticks_ms() -> int:
    """Milliseconds, wrapping at 2**30."""
    return worlds.current.ticks_ms()  # type: ignore[union-attr]


def ticks_us() -> int:
    """Microseconds, wrapping at 2**30."""
    return (worlds.world().now_ns // 1_000) & TICKS_MASK


def ticks_add(ticks: int, delta: int) -> int:
    """Ticks `delta` later, as MicroPython's."""
    return (ticks + delta) & TICKS_MASK


def ticks_diff(end: int, start: int) -> int:
    """Signed difference of two ticks, as MicroPython's."""
    return ((end - start + _HALF) & TICKS_MASK) - _HALF


def sleep_ms(ms: int) -> None:
    """Let virtual time pass."""
    worlds.world().advance(ms * MS)


def sleep_us(us: int) -> None:
    """Let virtual time pass."""
    worlds.world().advance(us * 1_000)


_READY = (1,)
_NOT_READY: tuple[int, ...] = ()


class _Poll:
    """select.poll for the console: waiting for input lets virtual time pass; output is always taken."""

    def __init__(self) -> None:
        self._output = False

    def register(self, stream: Any, events: int) -> None:
        """Wait for the console's input or output."""
        self._output = events == select.POLLOUT

    def ipoll(self, timeout_ms: int) -> tuple[int, ...]:
        """A tuple with one element if the stream is ready, an empty one if not."""
        if self._output:
            return (1,)
        world: worlds.World = worlds.current  # type: ignore[assignment] # once a tick: no detour
        ready = world.wait_input(timeout_ms) if timeout_ms else world.has_input
        return _READY if ready else _NOT_READY


class _Input:
    def read(self, count: int) -> bytes:
        """The next byte. The firmware asks only after poll said that there is one."""
        return bytes((worlds.world().read_byte(),))


class _Output:
    def write(self, data: bytes | memoryview) -> int:
        """Hand bytes to the host."""
        worlds.world().on_console(bytes(data))
        return len(data)


def _print_exception(error: BaseException) -> None:
    worlds.world().on_console(f"{type(error).__name__}: {error}\r\n".encode())


time = SimpleNamespace(
    ticks_ms=ticks_ms,
    ticks_us=ticks_us,
    ticks_add=ticks_add,
    ticks_diff=ticks_diff,
    sleep_ms=sleep_ms,
    sleep_us=sleep_us,
)
select = SimpleNamespace(poll=_Poll, POLLIN=1, POLLOUT=4)
sys = SimpleNamespace(
    stdin=SimpleNamespace(buffer=_Input()), stdout=SimpleNamespace(buffer=_Output()), print_exception=_print_exception
)
gc = SimpleNamespace(collect=lambda: None, threshold=lambda allocated: None, mem_free=lambda: _HEAP_FREE)
