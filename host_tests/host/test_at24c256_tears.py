"""The EEPROM model when a cut tears a page by a stated model, metastable ones included (F10)."""

from __future__ import annotations

from datetime import datetime
from random import Random

import pytest

from thecal.models.at24c256 import AT24C256, METASTABLE, PAGE_SIZE, SIZE, WRITE_CYCLE_NS
from thecal.models.ds3231 import DS3231
from thecal.models.i2c import I2CBus
from thecal.models.tears import MODELS
from thecal.twin.i2c import MachineI2C, ManualClock

pytestmark = pytest.mark.requirement("F10")

PAGE = 7
BEGIN, END = PAGE * PAGE_SIZE, (PAGE + 1) * PAGE_SIZE
IMAGE = Random(2).randbytes(SIZE)
OLD, NEW = IMAGE[BEGIN:END], Random(3).randbytes(PAGE_SIZE)


class Rig:
    """An EEPROM on a bus."""

    def __init__(self) -> None:
        self.part = AT24C256()
        self.part.load(IMAGE)
        self.part.write_protect = False
        self.clock = ManualClock()
        self.i2c = MachineI2C(I2CBus(self.part, DS3231(datetime(2026, 3, 2))), self.clock)

    def write(self, data: bytes) -> None:
        """Write the page and let its cycle begin."""
        self.i2c.writeto_mem(0x50, BEGIN, data, addrsize=16)

    def read(self) -> bytes:
        """The page, in one transaction."""
        buffer = bytearray(PAGE_SIZE)
        self.i2c.readfrom_mem_into(0x50, BEGIN, buffer, addrsize=16)
        return bytes(buffer)

    def cut(self, model: str | None, seed: int = 1) -> None:
        """The power fails in the middle of the cycle and is back at once."""
        self.clock.advance(WRITE_CYCLE_NS // 2)
        self.part.power_cut(self.clock.now_ns(), Random(seed), model)
        self.part.power_on(self.clock.now_ns())


def cut_in_cycle(model: str | None, seed: int = 1) -> Rig:
    rig = Rig()
    rig.write(NEW)
    rig.cut(model, seed)
    return rig


@pytest.mark.parametrize("model", [*MODELS, METASTABLE, None])
def test_a_tear_harms_the_page_that_is_written_alone(model: str | None) -> None:
    image = cut_in_cycle(model).part.image()
    assert image[:BEGIN] + image[END:] == IMAGE[:BEGIN] + IMAGE[END:]


@pytest.mark.parametrize(("model", "page"), [("old", OLD), ("new", NEW), ("erased", b"\xff" * PAGE_SIZE)])
def test_the_model_decides_what_the_page_holds(model: str, page: bytes) -> None:
    assert cut_in_cycle(model).read() == page


def test_a_prefix_is_as_long_as_the_generator_says() -> None:
    found = {cut_in_cycle("prefix", seed).read() for seed in range(400)}
    assert found == {NEW[:at] + OLD[at:] for at in range(PAGE_SIZE + 1)}


@pytest.mark.parametrize("model", [*MODELS, METASTABLE])
def test_a_cut_after_the_cycle_tears_nothing(model: str) -> None:
    rig = Rig()
    rig.write(NEW)
    rig.clock.advance(WRITE_CYCLE_NS)
    rig.cut(model)
    assert {rig.read() for _ in range(20)} == {NEW}


def test_a_metastable_page_reads_one_way_or_the_other_until_it_is_written() -> None:
    rig = cut_in_cycle(METASTABLE)
    assert {rig.read() for _ in range(40)} == {OLD, NEW}
    images = rig.part.possible_images()
    assert {image[BEGIN:END] for image in images} == {OLD, NEW}
    assert {image[:BEGIN] + image[END:] for image in images} == {IMAGE[:BEGIN] + IMAGE[END:]}
    again = bytes(PAGE_SIZE)
    rig.write(again)
    rig.clock.advance(WRITE_CYCLE_NS)
    assert {rig.read() for _ in range(40)} == {again}
    assert rig.part.possible_images() == [rig.part.image()]


def test_a_metastable_page_that_is_torn_once_more_becomes_what_the_second_tear_says() -> None:
    rig = cut_in_cycle(METASTABLE)
    rig.write(bytes(PAGE_SIZE))
    rig.cut("erased")
    assert {rig.read() for _ in range(40)} == {b"\xff" * PAGE_SIZE}
