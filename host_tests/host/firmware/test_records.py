"""What the pump makes of its EEPROM at a start, whatever stands there (invariants 4 and 12)."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import UnreliableEeprom

from firmware import alarms, layout, ledger
from firmware.calibration import Calibration
from firmware.records import Records
from thecal.models.bench import PumpConfig
from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription
from thecal.programming import MemoryEeprom, programmed_image

RX = parse_prescription(
    {"patient": "bench-07", "drug": "saline", "mode": "continuous", "basal": "1 mL/day"},
    RateRange(6_000, 28_800_000),
)
IMAGE = programmed_image(PumpConfig(), RX, datetime(2026, 3, 2))
PAGE = 64
SLOT = slice(layout.PRESCRIPTION_FIRST * PAGE, (layout.PRESCRIPTION_FIRST + 2 * layout.PRESCRIPTION_PAGES) * PAGE)
CALIBRATION = slice(layout.CALIBRATION_FIRST * PAGE, (layout.CALIBRATION_FIRST + 2 * layout.CALIBRATION_PAGES) * PAGE)
LEDGER = slice(layout.LEDGER_FIRST * PAGE, (layout.LEDGER_FIRST + layout.LEDGER_PAGES) * PAGE)


def start(image: bytes) -> tuple[Any, list[int]]:
    records = Records(MemoryEeprom(image), [0, 0, 0, 0])
    return records, records.load()


def erased(*areas: slice) -> bytes:
    image = bytearray(IMAGE)
    for area in areas:
        image[area] = b"\xff" * (area.stop - area.start)
    return bytes(image)


@pytest.mark.requirement("F4")
def test_a_programmed_pump_finds_all_its_records():
    records, found = start(IMAGE)
    assert found == []
    assert records.prescription.basal == 1_000_000
    assert records.ledger.state == ledger.RUNNING
    assert records.ledger.reservoir_nl == 20_000_000


@pytest.mark.requirement("F4")
def test_a_pump_from_the_factory_has_nothing_and_no_alarm():
    records, found = start(b"\xff" * 32_768)
    assert found == []
    assert (records.prescription, records.calibration, records.recovered[0]) == (None, None, False)


@pytest.mark.requirement("I4")
@pytest.mark.parametrize(
    ("areas", "alarm"),
    [
        ((SLOT,), alarms.PRESCRIPTION_DAMAGED),
        ((CALIBRATION,), alarms.CALIBRATION_DAMAGED),
        ((SLOT, CALIBRATION), alarms.CALIBRATION_DAMAGED),
        ((LEDGER,), alarms.LEDGER_DAMAGED),
    ],
)
def test_what_was_erased_is_missed_by_the_records_that_are_left(areas: tuple[slice, ...], alarm: int):
    records, found = start(erased(*areas))
    assert alarm in found
    assert LEDGER in areas or records.prescription is None


@pytest.mark.requirement("I4", "I12")
@given(st.integers(0, 1 << 32))
def test_a_damaged_prescription_never_doses_and_is_never_silent(seed: int):
    random = Random(seed)
    image = bytearray(IMAGE)
    for _ in range(random.choice((1, 3, 30))):
        image[random.randrange(SLOT.start, SLOT.start + 48)] ^= 1 << random.randrange(8)
    records, found = start(bytes(image))
    if records.prescription is None:
        assert found == [alarms.PRESCRIPTION_DAMAGED]
    else:
        assert bytes(image[:48]) == IMAGE[:48]


@pytest.mark.requirement("I12")
@given(st.integers(0, 1 << 32), st.sampled_from((1, 100, 5_000, 40_000)))
def test_a_start_ends_for_any_content(seed: int, damage: int):
    random = Random(seed)
    image = bytearray(random.randbytes(32_768) if damage == 40_000 else IMAGE)
    for _ in range(min(damage, 5_000)):
        image[random.randrange(161 * PAGE)] = random.randrange(256)
    records, found = start(bytes(image))
    assert records.prescription is None or records.calibration is not None
    assert all(0 <= alarm < len(alarms.TABLE) for alarm in found)


@pytest.mark.requirement("F11")
def test_a_part_that_cannot_be_read_is_an_alarm_and_no_exception():
    class Dead(MemoryEeprom):
        def read_into(self, address: int, buffer: bytearray) -> None:
            raise OSError(5)

    records = Records(Dead(IMAGE), [0, 0, 0, 0])
    assert records.load() == [alarms.EEPROM_DEAD]
    assert records.prescription is None


@pytest.mark.requirement("F4", "I5")
def test_a_prescription_that_the_part_refuses_is_not_in_force():
    eeprom = UnreliableEeprom(IMAGE)
    records = Records(eeprom, [0, 0, 0, 0])
    records.load()
    old = records.prescription
    eeprom.refuse = lambda page: "keep"
    with pytest.raises(OSError, match="page"):
        records.commit_prescription(old)
    assert records.prescription is old


@pytest.mark.requirement("F7", "F10")
def test_a_new_calibration_keeps_the_volume_that_was_delivered_with_the_old_one():
    records, _ = start(IMAGE)
    book = records.ledger
    records.cascade.set_rate(28_800_000)
    book.reserve(records.cascade, 0, 9_557, 1)
    assert book.take(100) == 100
    records.commit_calibration(Calibration(pl_per_step=50_000), 9_557, 2)
    assert (book.steps, book.volume_nl, book.reservoir_nl) == (100, 2_500, 19_997_500)
    assert book.take(1) == 0
    records.cascade.set_rate(28_800_000)
    book.reserve(records.cascade, 0, 9_557, 3)
    assert book.take(10) == 10
    assert book.volume_nl == 3_000
