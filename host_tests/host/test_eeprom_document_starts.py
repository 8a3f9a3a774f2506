"""What docs/EEPROM.md says of starts: the worked pages are a pump, what damage of them leads to, what a start costs,
and how long the part lasts (F10)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from eeprom_document import PAGE, example, fields, rows, section, slot_record, walked, where, worked_image

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
    prescription = slot_record(example("PRESCRIPTION"), example("PRESCRIPTION part 1"))
    assert records.prescription.record() == prescription
    assert records.prescription.course.trial_s == int(walked("Prescription payload", prescription)["trial_s"][0])
    assert records.prescriptions.sequence == 1
    assert records.calibration.serial == "bench-01"
    ledger = {label: shown for _, _, label, shown in fields("Ledger payload")}
    book = records.ledger
    assert records.recovered[:3] == (True, False, int(ledger["reserved"]))
    assert book.steps == int(ledger["counted"]) + int(ledger["reserved"])
    assert (book.state, book.alarms, book.bolus) == tuple(int(ledger[name]) for name in ("state", "alarms", "bolus"))
    assert (book.bolus_left_nl, book.aside_nl) == (int(ledger["bolus_left_nl"]), int(ledger["stop_time or aside_nl"]))
    bolus = {label: int(shown) for _, _, label, shown in fields("Bolus payload")}
    scheduled, patient = records.boluses.recent
    names = ("start", "dose_nl", "date", "kind", "index", "therapy", "suspends")
    assert [getattr(scheduled, name) for name in names] == [bolus[name] for name in names]
    assert (scheduled.patient, patient.patient) == (bolus["patient"], patient.start)
    assert scheduled.ng_per_ml == patient.ng_per_ml == bolus["concentration"]
    assert book.decided_min == int(ledger["time"]) // 60 + int(ledger["turn"])
    assert (patient.kind, patient.suspends) == (0, 1)
    assert scheduled.end == bolus["start"] + bolus["seconds"] + patient.seconds
    assert records.counters.values() == tuple(int(shown) for _, _, _, shown in fields("Counters payload"))
    diary = firmware("diary").Diary(
        firmware("rings").Ring(part, layout.DIARY_FIRST, layout.DIARY_PAGES, pages.DIARY, records.retired)
    )
    assert diary.newest(1, 9) == [tuple(int(shown) for _, kind, _, shown in fields("Diary payload") if kind == "i64")]
    assert len(diary.newest(0, 9)) == 1
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
@pytest.mark.parametrize("name", ["CALIBRATION", "CALIBRATION part 1", "PRESCRIPTION", "PRESCRIPTION part 1"])
def test_a_damaged_slot_does_not_dose_and_no_old_record_comes_back(name: str) -> None:
    image = worked_image()
    (number,) = where(name)
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
        image[where(name)[copy] * PAGE + 30] ^= 0x10
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


def costs_of_a_start() -> dict[str, list[str]]:
    """The table: start -> pages read, pages written."""
    table = [row for row in rows(section("Recovery"), 3) if re.search(r"\d$|more$", row[2])]
    return {row[0]: row[1:] for row in table}


def largest_prescription() -> Any:
    """One that fills all the parts of a slot."""
    rx = firmware("prescription").Prescription()
    rx.patient, rx.mode, rx.basal = "bench-07", 2, 480_000
    rx.periods = [(127, 60 * hour, 60 * hour + 30, 720_000) for hour in range(24)]
    rx.scheduled = [(127, 60 * hour, 1_000, 600) for hour in range(24)]
    return rx


def begun() -> Any:
    """Records of a blank part that has just been calibrated and started once more."""
    records = started(None)[0]
    records.commit_calibration(firmware("calibration").Calibration("bench-01"), 9_557, 0)
    records.ledger.close(records.cascade, 9_557, 0)
    return records


def memory(records: Any) -> bytes:
    """The part's content."""
    part: Counting = records.prescriptions._eeprom
    return bytes(part.memory)


@pytest.mark.requirement("I12")
def test_what_a_start_costs() -> None:
    costs = costs_of_a_start()
    for name, image in (("blank part", None), ("the pump of the worked examples", worked_image())):
        _, _, part = started(image)
        assert [str(part.reads), str(part.writes)] == costs[name], name
    usual = part.reads
    records = started(worked_image())[0]
    for number in range(30):
        records.boluses.begin(1, (825_760_000 + number, 1), (1, 0))
    _, _, part = started(memory(records))
    assert [str(part.reads), str(part.writes)] == costs["the same with 32 boluses or more"]
    records = started(worked_image())[0]
    records.commit_prescription(largest_prescription())
    _, _, part = started(memory(records))
    assert [f"{part.reads - usual} more", str(part.writes)] == costs["the same with a prescription of 12 parts"]


@pytest.mark.requirement("I12", "I5")
def test_what_the_first_starts_cost() -> None:
    costs = costs_of_a_start()
    records = begun()
    calibrated = memory(records)
    _, _, part = started(calibrated)
    again, _, second = started(bytes(part.memory))
    usual_reads, usual = second.reads, second.writes
    assert [part.reads, f"{part.writes - usual} more"] == [
        usual_reads,
        costs["the first start after the first calibration"][1],
    ]
    # Cut before the ledger record that acknowledges it: a calibration, then a prescription.
    records = started(None)[0]
    values = firmware("calibration").Calibration("bench-01")
    records._begin(values, 9_557, 0)
    records.calibrations.commit(values.pack(BOARD_ID))
    _, found, part = started(memory(records))
    assert found == []
    assert (
        costs["after a commit of that calibration that was cut before its ledger record"][1]
        == f"{part.writes - usual} more"
    )
    rx = largest_prescription()
    again.commit_prescription(rx)
    parts = -(-(len(rx.record()) + 6) // 50)
    assert costs["after a commit of the first prescription that was cut before its ledger record"][1] == (
        "its parts and 2 more"
    )
    assert started(memory(again))[2].writes == usual + parts + 2


@pytest.mark.requirement("I12")
def test_what_a_start_costs_at_most() -> None:
    most_reads, most_writes = (int(text.replace(",", "")) for text in costs_of_a_start()["any content, at most"])
    for seed in range(20):
        image = bytearray(worked_image())
        for number in range(seed, 512, 1 + seed % 3):  # what looks like records at first, and is damaged
            image[number * PAGE + 9] ^= 1 + seed
        _, _, part = started(image)
        assert part.reads <= most_reads
        assert part.writes <= most_writes
    _, found, part = started(worked_image(), made_as=Unsteady)
    assert "ledger_damaged" in found
    assert most_reads // 2 < part.reads <= most_reads
    assert part.writes <= most_writes


def test_the_regions_last_as_long_as_their_pages() -> None:
    table = {row[0]: row[1:] for row in rows(section("Worn pages and wear"), 3)}
    assert table["bolus history"][0].startswith(f"{layout.BOLUS_PAGES} ")
    assert table["diary"][0].startswith(f"{layout.DIARY_PAGES} ")
    assert table["diary"][1].startswith(f"{layout.DIARY_PAGES} million")
    assert table["retired pages"][0].startswith(f"{layout.RETIRED_PAGES} ")
    faults, others = layout.FAULTS_PAGES, layout.EVENTS_PAGES
    assert table["fault log, event log"] == [
        f"{faults} faults, {others} other events",
        f"{faults} and {others} million events",
    ]
    years = round(1_000_000 * layout.COUNTERS_PAGES / (24 * 365.25))  # a record an hour
    assert table["counters"] == [
        (
            f"{layout.COUNTERS_PAGES} hours with power; {layout.COUNTERS_PAGES} starts, in copy B "
            f"{layout.COUNTERS_PAGES // 2}, as each start renews a record"
        ),
        f"{years} years of hours; {layout.COUNTERS_PAGES // 2} million starts",
    ]


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
