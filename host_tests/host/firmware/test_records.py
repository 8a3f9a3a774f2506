"""What the pump makes of its EEPROM at a start, whatever stands there (invariants 4 and 12)."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import Cut, CuttingEeprom, UnreliableEeprom, UnsteadyEeprom

from firmware import alarms, layout, ledger, pages
from firmware.boluses import CLINICIAN
from firmware.calibration import Calibration
from firmware.records import Records
from thecal.models.bench import PumpConfig
from thecal.models.board_id import board_id
from thecal.models.tears import MODELS, torn
from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription
from thecal.programming import MemoryEeprom, device_prescription, programmed_image

RX = parse_prescription(
    {"patient": "bench-07", "drug": "saline", "mode": "continuous", "basal": "1 mL/day"},
    RateRange(6_000, 28_800_000),
)
NEW_RX = parse_prescription(
    {"patient": "bench-07", "drug": "saline", "mode": "continuous", "basal": "3 mL/day"},
    RateRange(6_000, 28_800_000),
)
IMAGE = programmed_image(PumpConfig(), RX, datetime(2026, 3, 2))
PAGE = 64
BOARD = board_id(PumpConfig().serial)
OTHER_BOARD = board_id("another")
DAY = 9_557


def area(first: int, count: int) -> slice:
    return slice(first * PAGE, (first + count) * PAGE)


SLOTS = area(layout.PRESCRIPTION_FIRST, layout.PRESCRIPTION_SLOTS * layout.PRESCRIPTION_PAGES)
CALIBRATION = area(layout.CALIBRATION_FIRST, layout.CALIBRATION_SLOTS * layout.CALIBRATION_PAGES)
LEDGERS = [area(first, layout.LEDGER_PAGES) for first in layout.LEDGER_FIRSTS]
COUNTERS = [area(first, layout.COUNTERS_PAGES) for first in layout.COUNTERS_FIRSTS]
BOLUSES = [area(first, layout.BOLUS_PAGES) for first in layout.BOLUS_FIRSTS]
RETIRED = [area(first, layout.RETIRED_PAGES) for first in layout.RETIRED_FIRSTS]


def records_on(eeprom: MemoryEeprom, board: bytes = BOARD) -> Records:
    return Records(eeprom, [0, 0, 0, 0], board)


def calibrate(records: Any, second: int) -> None:
    """A first calibration, acknowledged as the pump does it."""
    records.commit_calibration(Calibration(), DAY, second)
    records.ledger.close(records.cascade, DAY, second)


def start(image: bytes, board: bytes = BOARD) -> tuple[Any, list[int]]:
    records = records_on(MemoryEeprom(image), board)
    return records, records.load()


def lived() -> bytes:
    """A pump that has given boluses and has a worn page."""
    eeprom = MemoryEeprom(IMAGE)
    records = records_on(eeprom)
    assert records.load() == []
    for number in range(5):
        records.boluses.begin(CLINICIAN, (1_000 * number, 60), (5_000, 0))
        records.ledger.bolus = records.boluses.number
        records.ledger.close(records.cascade, DAY, number)
    records.retired.retire(layout.LEDGER_FIRSTS[0] + 40, layout.LEDGER_FIRSTS[0], layout.LEDGER_PAGES)
    records.retired.save()
    records.counters.count_start(0, 12)
    records.counters.save()
    return bytes(eeprom.memory)


LIVED = lived()


def erased(*areas: slice, image: bytes = IMAGE) -> bytes:
    spoilt = bytearray(image)
    for one in areas:
        spoilt[one] = b"\xff" * (one.stop - one.start)
    return bytes(spoilt)


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


@pytest.mark.requirement("I4", "I6")
@pytest.mark.parametrize(
    ("areas", "alarm"),
    [
        ((SLOTS,), alarms.PRESCRIPTION_DAMAGED),
        ((CALIBRATION,), alarms.CALIBRATION_DAMAGED),
        ((SLOTS, CALIBRATION), alarms.CALIBRATION_DAMAGED),
        (LEDGERS, alarms.LEDGER_DAMAGED),
        (LEDGERS[:1], alarms.LEDGER_DAMAGED),
        (LEDGERS[1:], alarms.LEDGER_DAMAGED),
        (COUNTERS, alarms.LEDGER_DAMAGED),
        (COUNTERS[:1], alarms.LEDGER_DAMAGED),
        (BOLUSES, alarms.LEDGER_DAMAGED),
        (BOLUSES[:1], alarms.LEDGER_DAMAGED),
        (BOLUSES[1:], alarms.LEDGER_DAMAGED),
    ],
)
def test_what_was_erased_is_missed_by_the_records_that_are_left(areas: tuple[slice, ...], alarm: int):
    records, found = start(erased(*areas, image=LIVED))
    assert alarm in found
    assert records.prescription is None or alarm == alarms.LEDGER_DAMAGED
    assert records.recovered[0] == (alarm != alarms.LEDGER_DAMAGED)


@pytest.mark.requirement("I4", "I12")
@given(st.integers(0, 1 << 32))
def test_a_damaged_prescription_never_doses_and_is_never_silent(seed: int):
    random = Random(seed)
    image = bytearray(IMAGE)
    for _ in range(random.choice((1, 3, 30))):
        image[random.randrange(SLOTS.start, SLOTS.start + PAGE)] ^= 1 << random.randrange(8)
    records, found = start(bytes(image))
    if records.prescription is None:
        assert found == [alarms.PRESCRIPTION_DAMAGED]
    else:
        assert image[SLOTS.start : SLOTS.start + PAGE] == IMAGE[SLOTS.start : SLOTS.start + PAGE]  # flipped back


@pytest.mark.requirement("I12")
@given(st.integers(0, 1 << 32), st.sampled_from((1, 100, 5_000, 40_000)))
def test_a_start_ends_for_any_content_and_a_second_one_finds_no_more(seed: int, damage: int):
    random = Random(seed)
    image = bytearray(random.randbytes(32_768) if damage == 40_000 else LIVED)
    for _ in range(min(damage, 5_000)):
        image[random.randrange(layout.EVENTS_FIRST * PAGE)] = random.randrange(256)
    eeprom = UnsteadyEeprom(bytes(image))
    records = records_on(eeprom)
    found = records.load()
    assert eeprom.reads < 700
    assert eeprom.writes < 80
    assert records.prescription is None or records.calibration is not None
    assert all(0 <= alarm < len(alarms.TABLE) for alarm in found)
    again = records_on(eeprom)
    assert set(again.load()) >= set(found)
    assert again.state() == records.state()


@pytest.mark.requirement("F10", "I12")
def test_a_start_writes_nothing_but_fences_and_a_second_one_finds_the_same():
    image = LIVED
    first, found = start(image)
    assert found == []
    assert len(first.boluses.recent) == 5
    assert first.retired.pages == [layout.LEDGER_FIRSTS[0] + 40]
    assert first.counters.values()[:4] == (1, 0, 0, 12)
    eeprom = MemoryEeprom(image)
    for _ in range(3):
        again = records_on(eeprom)
        assert again.load() == []
        assert again.state() == first.state()
    changed = [page for page in range(512) if image[page * PAGE :][:PAGE] != eeprom.memory[page * PAGE :][:PAGE]]
    assert len(changed) <= 4  # behind the newest bolus and the list of worn pages, in either copy


@pytest.mark.requirement("F10", "I4")
def test_the_eeprom_of_another_pump_is_told_and_doses_nothing():
    eeprom = MemoryEeprom(LIVED)
    records = records_on(eeprom, OTHER_BOARD)
    assert records.load() == [alarms.OTHER_PUMP]
    assert (records.calibration, records.prescription) == (None, None)
    calibrate(records, 50)
    again = records_on(eeprom, OTHER_BOARD)
    assert again.load() == []
    assert again.calibration is not None
    assert again.prescription is None  # that of the other pump is not taken over
    assert again.ledger.steps == 0
    assert records_on(eeprom).load() == [alarms.OTHER_PUMP]


@pytest.mark.requirement("F10", "I4", "I12")
@pytest.mark.parametrize("version", [1, 3, 255])
@pytest.mark.parametrize("where", [SLOTS, CALIBRATION, *LEDGERS, *COUNTERS, *BOLUSES, *RETIRED])
def test_one_record_of_another_format_anywhere_stops_the_pump(
    version: int, where: slice, monkeypatch: pytest.MonkeyPatch
):
    page = bytearray(PAGE)
    with monkeypatch.context() as other:
        other.setattr(pages, "EEPROM_FORMAT", version)
        pages.seal(page, pages.LEDGER, 5)
    image = bytearray(LIVED)
    image[where.start : where.start + PAGE] = page
    records, found = start(bytes(image))
    assert found == [alarms.EEPROM_FORMAT]
    assert (records.prescription, records.recovered[0]) == (None, False)


@pytest.mark.requirement("F4", "F10", "I5")
@given(st.integers(0, 1 << 32), st.sampled_from(MODELS))
def test_a_first_calibration_that_is_cut_leaves_a_pump_without_one_and_without_an_alarm(seed: int, model: str):
    """Nobody was told that it has one. The order, given again, does it."""
    random = Random(seed)
    whole = CuttingEeprom()
    calibrate(records_on(whole), 1)
    eeprom = CuttingEeprom()
    records = records_on(eeprom)
    assert records.load() == []
    eeprom.cut_at = eeprom.writes + random.randrange(whole.writes)
    eeprom.tear = lambda old, new: torn(model, old, new, random.randrange(PAGE + 1), random)
    with pytest.raises(Cut):
        calibrate(records, 1)
    after = MemoryEeprom(bytes(eeprom.memory))
    again = records_on(after)
    assert again.load() == []
    assert again.prescription is None
    third = records_on(after)
    assert third.load() == []
    assert third.state() == again.state()
    calibrate(third, 2)
    last = records_on(after)
    assert last.load() == []
    assert last.calibration is not None
    assert (last.ledger.steps, last.ledger.reservoir_nl) == (0, 20_000_000)


def commit_as_the_app_does(records: Records, rx: Any) -> None:
    """The ledger's record acknowledges the prescription; later ones follow."""
    records.commit_prescription(rx)
    for second in range(7, 10):
        records.ledger.close(records.cascade, DAY, second)


@pytest.mark.requirement("F4", "F10", "I5")
@given(st.integers(0, 1 << 32), st.sampled_from(MODELS), st.booleans())
def test_a_prescription_that_is_cut_is_the_old_or_the_new_one(seed: int, model: str, first: bool):
    """first: there was none, and none may be missed. The caller's ledger record, which acknowledges it, is cut too."""
    random = Random(seed)
    image = programmed_image(PumpConfig(), None, datetime(2026, 3, 2)) if first else IMAGE
    eeprom = CuttingEeprom(image)
    records = records_on(eeprom)
    assert records.load() == []
    before = records.prescriptions.payload
    new = device_prescription(NEW_RX)
    eeprom.cut_at = eeprom.writes + random.randrange(6)
    eeprom.tear = lambda old, new: torn(model, old, new, random.randrange(PAGE + 1), random)
    with pytest.raises(Cut):
        commit_as_the_app_does(records, new)
    after = MemoryEeprom(bytes(eeprom.memory))
    again = records_on(after)
    assert again.load() == []
    packed = None if again.prescription is None else again.prescription.record()
    assert packed in (before if not first else None, new.record())
    third = records_on(after)
    assert third.load() == []
    assert third.state() == again.state()


@pytest.mark.requirement("F11")
def test_a_part_that_cannot_be_read_is_an_alarm_and_no_exception():
    class Dead(MemoryEeprom):
        def read_into(self, address: int, buffer: bytearray) -> None:
            raise OSError(5)

    records = records_on(Dead(IMAGE))
    assert records.load() == [alarms.EEPROM_DEAD]
    assert records.prescription is None


@pytest.mark.requirement("F4", "I5")
def test_a_prescription_that_the_part_refuses_is_not_in_force():
    eeprom = UnreliableEeprom(IMAGE)
    records = records_on(eeprom)
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
