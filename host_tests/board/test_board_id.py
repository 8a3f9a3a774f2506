"""The id of the board, by which a pump knows its own EEPROM: the same on both targets, and another for another pump."""

from __future__ import annotations

from pathlib import Path

import pytest
from rig import START, S, littlefs

from thecal.emulated.board import EmulatedBoard
from thecal.models.bench import Bench, PumpConfig
from thecal.models.board_id import BYTES, board_id
from thecal.twin import machine
from thecal.twin.twin import Twin

pytestmark = pytest.mark.requirement("F10")

ASK = """
import time
time.sleep(1)
import machine
print("id", machine.reset_cause(), machine.unique_id().hex())
if machine.mem32[0x4005800C] == 0:
    machine.mem32[0x4005800C] = 1
    machine.reset()
"""


def ids(image: Path, serial: str) -> list[str]:
    """What the emulated board of this pump says after power-on, after a commanded reset, and after both again."""
    board = EmulatedBoard(Bench(PumpConfig(serial=serial), START, 1), image, littlefs({"main.py": ASK}))
    said = bytearray()
    board.on_console = said.extend
    board.at(4 * S, lambda: board.power_cut(S))
    board.run(9 * S)
    return [line.removeprefix(">>> ") for line in said.decode("ascii").split("\r\n") if "id " in line]


@pytest.mark.parametrize("serial", ["bench-01", "other"])
def test_the_emulated_board_answers_the_id_of_its_pump_after_every_start(image: Path, serial: str) -> None:
    expected = board_id(serial).hex()
    assert ids(image, serial) == [f"id {cause} {expected}" for cause in (1, 3, 1, 3)]


def test_two_pumps_have_two_ids_of_eight_bytes() -> None:
    assert len(board_id("bench-01")) == len(board_id("bench-02")) == BYTES
    assert board_id("bench-01") != board_id("bench-02")


def test_the_twin_answers_the_same_id() -> None:
    twin = Twin(Bench(PumpConfig(serial="other"), START, 1), seed=1)
    try:
        twin.run(S)
        assert machine.unique_id() == board_id("other")
    finally:
        twin.close()
