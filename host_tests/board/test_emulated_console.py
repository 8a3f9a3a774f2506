"""The console of the emulated board."""

from __future__ import annotations

import pytest
from rig import S, Script

pytestmark = pytest.mark.requirement("T3")

ECHO = """
import sys, select, micropython, time
micropython.kbd_intr(-1)
poll = select.poll()
poll.register(sys.stdin, select.POLLIN)
total = value = 0
while True:
    for _ in poll.ipoll(500):
        byte = sys.stdin.buffer.read(1)[0]
        total += 1
        value = (value * 31 + byte) & 0xffff
        if byte == 10:
            print("got", total, value)
"""


@pytest.mark.requirement("F12")
def test_console_carries_bytes_both_ways_and_nothing_by_itself(script: Script) -> None:
    run = script(ECHO)
    board = run.board
    run.until(2)
    assert run.output == b""
    board.at(2 * S, lambda: board.send(b"\x01\x03ab\n"))
    assert run.facts(2.1)["got"].startswith("5 ")


@pytest.mark.requirement("F12")
def test_20_kb_of_console_input_arrive_whole_and_in_order(script: Script) -> None:
    flood = bytes((7 * i + i // 256) % 256 for i in range(20_000)).replace(b"\n", b"\r") + b"\n"
    value = 0
    for byte in flood:
        value = (value * 31 + byte) & 0xFFFF
    run = script(ECHO)
    run.board.at(2 * S, lambda: run.board.send(flood))
    assert run.facts(6)["got"] == f"{len(flood)} {value}"


def test_input_is_dropped_with_the_power_and_taken_again_after_it(script: Script) -> None:
    run = script(ECHO)
    board = run.board
    board.at(2 * S, lambda: board.send(b"x" * 5_000))
    board.at(2 * S + 1_000_000, lambda: board.power_cut(1 * S))
    board.at(5 * S, lambda: board.send(b"abc\n"))
    assert run.facts(6)["got"].startswith("4 ")
