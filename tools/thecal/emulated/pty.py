"""An emulated pump on a pseudo-terminal, for people with a terminal program and for mpremote."""

from __future__ import annotations

import os
import pty
import select
import signal
import threading
import time
import tty
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from thecal.emulated.board import EmulatedBoard

SLICE_NS = 2_000_000
_QUEUE_LIMIT = 65_536
_MAX_BEHIND_S = 0.1
_MAX_AHEAD_S = 0.02
_POWER_CYCLE_NS = 1_000_000_000


class PtyBoard:
    """Runs a board in the calling thread, paced to real time, with its console on a pseudo-terminal.

    Clients come and go; what nobody reads is kept up to 64 KiB, then the oldest is dropped. A client has to
    be another process or thread than the one that runs the board.
    """

    def __init__(self, board: EmulatedBoard, speed: float | None = 1.0) -> None:
        """speed: simulated seconds a real second (above 0), None for as many as there can be.

        Raises ValueError for another speed, OSError when there is no pseudo-terminal to be had.
        """
        if speed is not None and speed <= 0:
            raise ValueError(f"speed: {speed}, must be above 0, or None")
        self.board = board
        self._speed = speed
        self._stop = threading.Event()
        self._posted: deque[Callable[[], None]] = deque()
        self._output = bytearray()
        self._service = board.wiring.service
        self._master, self._slave = pty.openpty()  # the slave stays open, so that a client's close is no hang-up
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        board.on_console = self._from_pump

    def run(self) -> None:
        """Run until stop() or an exception (KeyboardInterrupt, say), then close the pseudo-terminal."""
        origin_ns, origin_s = self.board.now_ns(), time.monotonic()
        try:
            while not self._stop.is_set():
                while self._posted:
                    self._posted.popleft()()
                self.board.run(self.board.now_ns() + SLICE_NS)
                ahead = self._ahead_s(origin_ns, origin_s)
                if ahead < -_MAX_BEHIND_S:  # slower than real time: go on from here instead of rushing later
                    origin_ns, origin_s = self.board.now_ns(), time.monotonic()
                self._exchange(max(ahead, 0.0))
        finally:
            os.close(self._master)
            os.close(self._slave)

    def stop(self) -> None:
        """End run() after the current slice. From any thread or signal handler."""
        self._stop.set()

    def power_cycle(self, off_ns: int = _POWER_CYCLE_NS) -> None:
        """Cut the power for `off_ns` nanoseconds. From any thread or signal handler."""
        self._posted.append(lambda: self.board.power_cut(off_ns))

    def set_service(self, on: bool) -> None:
        """Set or remove the SERVICE strap; it counts at the next start. From any thread or signal handler."""
        self._service = on
        self._posted.append(lambda: self.board.wiring.set_service(on))

    def toggle_service(self) -> None:
        """Turn the SERVICE strap over and cycle the power. From any thread or signal handler."""
        self.set_service(not self._service)
        self.power_cycle()

    def _ahead_s(self, origin_ns: int, origin_s: float) -> float:
        if self._speed is None:
            return 0.0
        return (self.board.now_ns() - origin_ns) / 1e9 / self._speed - (time.monotonic() - origin_s)

    def _exchange(self, wait_s: float) -> None:
        """Move bytes both ways; wait up to `wait_s` for the host, or until it says something."""
        with suppress(BlockingIOError):  # nobody reads, or slowly: the rest goes after the next slice
            del self._output[: os.write(self._master, self._output)]
        # Whoever types without a pause must not drive the clock either.
        time.sleep(max(wait_s - _MAX_AHEAD_S, 0.0))
        readable, _, _ = select.select([self._master], [], [], min(wait_s, _MAX_AHEAD_S))
        if readable:
            self.board.send(os.read(self._master, 4096))

    def _from_pump(self, data: bytes) -> None:
        self._output += data
        del self._output[:-_QUEUE_LIMIT]


def serve(board: EmulatedBoard, speed: float | None, announce: Callable[[str], None]) -> None:
    """Run a board on a pseudo-terminal until SIGINT or SIGTERM; `announce` gets the path of the terminal.

    Call it in the main thread. SIGUSR1 cycles the power, SIGUSR2 turns the SERVICE strap over and cycles the
    power.
    """
    served = PtyBoard(board, speed)
    handlers: dict[int, Callable[[], None]] = {
        signal.SIGINT: served.stop,
        signal.SIGTERM: served.stop,
        signal.SIGUSR1: served.power_cycle,
        signal.SIGUSR2: served.toggle_service,
    }

    def handle(number: int, frame: FrameType | None) -> None:
        handlers[number]()

    previous = {number: signal.signal(number, handle) for number in handlers}
    try:
        announce(served.path)
        served.run()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
