"""What docs/EEPROM.md says of starts: the worked pages are a pump, what damage of them leads to, what a start costs,
and how long the part lasts (F10)."""

from __future__ import annotations

from typing import Any

import pytest
from eeprom_document import EXAMPLES, PAGE, example, fields, rows, section, slot_record, worked_image

from thecal.programming import MemoryEeprom, firmware

pytestmark = pytest.mark.requirement("F10")

BOARD_ID = bytes.fromhex("E6 61 41 03 E7 2B 4A 2F")

layout = firmware("layout")
pages = firmware("pages")


class Counting(MemoryEeprom):
    """Counts what a start costs."""

    reads = writes = 0

    def read_into(self, address: int, buffer: bytearray) -> None:
        self.reads += 1
        super().read_into(address, buffer)

    def write_page(self, page: int, data: bytes) -> None:
        self.writes += 1
        super().write_page(page, data)


class Unsteady(Counting):
    """A part on which every page reads as a record of its ring, each time as a newer one: the dearest to search."""

    def read_into(self, address: int, buffer: bytearray) -> None:
        super().read_into(address, buffer)
        if address // PAGE in RING_KINDS:
            pages.seal(buffer, RING_KINDS[address // PAGE], self.reads)


RING_KINDS = {
    first + offset: getattr(pages, kind)
    for kind, firsts, count in (
        ("LEDGER", layout.LEDGER_FIRSTS, layout.LEDGER_PAGES),
        ("BOLUS", layout.BOLUS_FIRSTS, layout.BOLUS_PAGES),
        ("COUNTERS", layout.COUNTERS_FIRSTS, layout.COUNTERS_PAGES),
        ("RETIRED", layout.RETIRED_FIRSTS, layout.RETIRED_PAGES),
    )
    for first in firsts
    for offset in range(count)
}


def started(
    image: bytes | bytearray | None, board_id: bytes = BOARD_ID, made_as: type[Counting] = Counting
) -> tuple[Any, list[str], Counting]:
    """Records after a start with this content, the codes of its alarms, and the part."""
    part = made_as(bytes(image) if image is not None else None)
    records = firmware("records").Records(part, [0, 0, 0, 0], board_id)
    alarms = firmware("alarms").TABLE
    return records, [alarms[number][0] for number in records.load()], part


@pytest.mark.requirement("F4", "D12")
def test_the_worked_examples_are_a_pump_that_starts() -> None:
    image = worked_image()
    records, found, part = started(image)
    assert found == []
    assert part.memory[: 64 * PAGE] == image[: 64 * PAGE]
    assert records.prescription.pack() == slot_record(example("PRESCRIPTION"))
    assert records.prescriptions.sequence == 1
    assert records.calibration.serial == "bench-01"
    ledger = {label: shown for _, _, label, shown in fields("Ledger payload")}
    book = records.ledger
    assert records.recovered[:3] == (True, False, int(ledger["reserved"]))
    assert book.steps == int(ledger["counted"]) + int(ledger["reserved"])
    assert (book.state, book.alarms, book.bolus) == tuple(int(ledger[name]) for name in ("state", "alarms", "bolus"))
    bolus = {label: int(shown) for _, _, label, shown in fields("Bolus payload")}
    wanted = tuple(bolus[name] for name in ("start", "seconds", "dose_nl", "date", "kind", "index"))
    assert [entry.values() for entry in records.boluses.recent] == [wanted]
    assert records.counters.values() == tuple(int(shown) for _, _, _, shown in fields("Counters payload"))
    assert records.retired.pages == [int(page) for page in fields("Retired pages payload")[0][3].split()]


@pytest.mark.requirement("I4")
def test_another_format_or_another_board_does_not_dose() -> None:
    image = worked_image()
    image[68 * PAGE : 69 * PAGE] = example("FOREIGN")
    records, found, _ = started(image)
    assert found == ["eeprom_format"]
    assert records.prescription is None
    records, found, _ = started(worked_image(), bytes(8))
    assert found == ["other_pump"]
    assert records.prescription is None


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("name", ["CALIBRATION", "CALIBRATION part 1", "PRESCRIPTION"])
def test_a_damaged_slot_does_not_dose_and_no_old_record_comes_back(name: str) -> None:
    image = worked_image()
    (number,) = next(numbers for (key, _), (numbers, _) in EXAMPLES.items() if key == name)
    image[number * PAGE + 20] ^= 1
    records, found, part = started(image)
    assert found == [f"{name.split(maxsplit=1)[0].lower()}_damaged"]
    assert records.prescription is None
    assert part.memory[: 64 * PAGE] == image[: 64 * PAGE], "what is left is evidence"


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("name", ["LEDGER", "BOLUS", "COUNTERS", "RETIRED"])
def test_a_page_that_rots_is_had_from_the_other_copy(name: str) -> None:
    whole = started(worked_image())[0].state()
    for copy in (0, 1):
        image = worked_image()
        numbers, _ = next(entry for (key, _), entry in EXAMPLES.items() if key == name)
        image[numbers[copy] * PAGE + 30] ^= 0x10
        records, found, _ = started(image)
        assert found == []
        assert records.state() == whole


@pytest.mark.requirement("I2")
def test_the_newest_record_rotten_in_both_copies_is_noticed() -> None:
    # An older record stands before it: without the rule it would be taken for the newest.
    image = worked_image()
    older = bytearray(example("LEDGER"))
    pages.seal(older, pages.LEDGER, 2)
    for first in layout.LEDGER_FIRSTS:
        image[(first + 2) * PAGE : (first + 3) * PAGE] = older
        image[(first + 3) * PAGE + 30] ^= 0x10
    assert started(image)[1] == ["ledger_damaged"]


@pytest.mark.requirement("I12")
def test_what_a_start_costs() -> None:
    table = [row for row in rows(section("Recovery"), 3) if row[2].isdigit()]
    costs = {row[0]: (int(row[1].replace(",", "")), row[2]) for row in table}
    for name, image in (("blank part", None), ("the pump of the worked examples", worked_image())):
        _, _, part = started(image)
        assert (part.reads, str(part.writes)) == costs[name], name
    most_reads, most_writes = costs["any content, at most"]
    for seed in range(20):
        image = bytearray(worked_image())
        for number in range(seed, 512, 1 + seed % 3):  # what looks like records at first, and is damaged
            image[number * PAGE + 9] ^= 1 + seed
        _, _, part = started(image)
        assert part.reads <= most_reads
        assert part.writes <= int(most_writes)
    _, found, part = started(worked_image(), made_as=Unsteady)
    assert "ledger_damaged" in found
    assert most_reads // 2 < part.reads <= most_reads
    assert part.writes <= int(most_writes)


def test_the_years_follow_from_the_records_a_day() -> None:
    table = [row for row in rows(section("Worn pages and wear"), 4) if row[1].replace(",", "").isdigit()]
    assert len(table) == 6
    for flow, records, writes, years in table:
        a_day = int(records.replace(",", ""))
        assert float(writes) == pytest.approx(a_day / layout.LEDGER_PAGES, abs=0.05), flow
        assert int(years) == round(1_000_000 * layout.LEDGER_PAGES / (365.25 * a_day)), flow


@pytest.mark.requirement("R48")
def test_the_records_a_day_are_those_of_the_ledger() -> None:
    for flow, records, _, _ in rows(section("Worn pages and wear"), 4)[1:]:
        number, unit = flow.split(",")[0].split()
        rate = round(float(number) * {"uL/day": 1_000, "mL/day": 1_000_000}[unit])
        assert records_in_an_hour(rate) * 24 == pytest.approx(int(records.replace(",", "")), rel=0.03, abs=24), flow


def records_in_an_hour(rate: int) -> int:
    """Ledger records that an hour at this rate (nL/day) takes, on the reference hardware."""

    class Sink:
        count = 0

        def append(self, payload: bytes) -> None:
            assert len(payload) == 52
            self.count += 1

    sink = Sink()
    cascade = firmware("cascade").Cascade(25_000)
    cascade.set_rate(rate)
    book = firmware("ledger").Ledger(sink, [0, 0, 0, 0], 25_000)
    book.reservoir_pl = 20_000_000_000
    pending = 0
    for second in range(3_600):
        pending += cascade.second()
        pending -= book.take(pending)
        if book.wants_record(cascade, pending):
            book.reserve(cascade, pending, 9_557, second)
    return sink.count
