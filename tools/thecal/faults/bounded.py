"""What holds while a life is led: no code of the firmware runs for ever, and no trace outlives it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from thecal.powercut.snapshot import Bite

SPIN_S = 2.0  # of the host's processor: code that takes no simulated time and does not end is a hang


@contextmanager
def untraced() -> Iterator[None]:
    """After this nothing is traced that was not before."""
    before = sys.gettrace()
    try:
        yield
    finally:
        sys.settrace(before)


def bound_spin() -> None:
    """Within bounded(): the time begins anew."""
    signal.setitimer(signal.ITIMER_VIRTUAL, SPIN_S)


@contextmanager
def bounded() -> Iterator[None]:
    """While this lasts, code that never ends is bitten by the watchdog."""

    def bite(number: int, frame: FrameType | None) -> None:
        raise Bite

    before = signal.signal(signal.SIGVTALRM, bite)
    bound_spin()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
