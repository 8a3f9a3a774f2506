"""The board on a pseudo-terminal: for people, and for tools that want a serial port."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from rig import Run, S, Script

from thecal.emulated.pty import PtyBoard

pytestmark = pytest.mark.requirement("T3")

ECHO = """
import sys
while True:
    line = sys.stdin.readline()
    print("heard", line.strip())
"""
_PATIENCE_S = 120  # of a busy machine


@contextmanager
def on_terminal(run: Run, speed: float | None = None) -> Iterator[PtyBoard]:
    """The board running on a pseudo-terminal in another thread."""
    served = PtyBoard(run.board, speed)
    thread = threading.Thread(target=served.run)
    thread.start()
    try:
        yield served
    finally:
        served.stop()
        thread.join(_PATIENCE_S)
    assert not thread.is_alive()


@contextmanager
def client(path: str) -> Iterator[int]:
    """A program that has the terminal open."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_until(descriptor: int, wanted: bytes) -> bytes:
    """What comes, up to and with `wanted`."""
    got = b""
    end = time.monotonic() + _PATIENCE_S
    while wanted not in got and time.monotonic() < end:
        if select.select([descriptor], [], [], 0.1)[0]:
            got += os.read(descriptor, 4096)
    assert wanted in got
    return got


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the other thread has got there."""
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.requirement("F12")
def test_clients_come_and_go(script: Script) -> None:
    with on_terminal(script(ECHO)) as served:
        for name in (b"first", b"second"):
            with client(served.path) as descriptor:
                os.write(descriptor, name + b"\r")
                read_until(descriptor, b"heard " + name)


@pytest.mark.requirement("F12")
def test_output_that_nobody_reads_is_bounded_and_its_end_is_kept(script: Script) -> None:
    run = script("import time\ntime.sleep(1)\nfor i in range(10000): print('line', i, 'x' * 20)\nprint('the end')\n")
    with on_terminal(run) as served:
        wait_for(lambda: run.board.now_ns() > 20 * S)
        with client(served.path) as descriptor:
            got = read_until(descriptor, b"the end")
    assert b"line 9999 " in got
    # 64 KiB here and what the kernel keeps for a terminal, of the 320 kB that were printed.
    assert 60_000 < len(got) < 100_000


@pytest.mark.parametrize("speed", [1.0, 5.0])
def test_simulated_time_keeps_to_real_time(script: Script, speed: float) -> None:
    run = script("import time\nwhile True: time.sleep(1)\n")
    begin = time.monotonic()
    with on_terminal(run, speed):
        wait_for(lambda: run.board.now_ns() >= S)
        took = time.monotonic() - begin
    assert took >= 0.95 / speed


def test_a_speed_of_nothing_is_refused(script: Script) -> None:
    with pytest.raises(ValueError, match="speed"):
        PtyBoard(script("").board, 0)


@pytest.mark.requirement("F13")
def test_service_strap_and_power_can_be_operated(script: Script) -> None:
    run = script(
        "import time\nfrom machine import Pin\nstrap = Pin(14, Pin.IN, Pin.PULL_UP).value()\n"
        "while True:\n    time.sleep_ms(500)\n    print('strap', strap)\n"
    )
    with on_terminal(run) as served, client(served.path) as descriptor:
        read_until(descriptor, b"strap 1")
        served.toggle_service()
        read_until(descriptor, b"strap 0")
    assert run.board.resets["power_on"] == 2
