"""docs/EEPROM.md says what the firmware does: its tables, vectors and worked pages are read and held against the code
(F10). An implementer who has only the document must be right."""

from __future__ import annotations

import re
from binascii import crc32

import pytest
from eeprom_document import DOCUMENT, EXAMPLES, PAGE, PAYLOAD, example, field, fields, rows, section, size, slot_record

from thecal.paths import ROOT
from thecal.programming import MemoryEeprom, firmware

pytestmark = pytest.mark.requirement("F10")

layout = firmware("layout")
pages = firmware("pages")
events = firmware("events")

# What the layout table calls a region: (first page, pages) in the firmware.
REGIONS = {
    "prescription, 4 slots of 12 pages": (
        layout.PRESCRIPTION_FIRST,
        layout.PRESCRIPTION_SLOTS * layout.PRESCRIPTION_PAGES,
    ),
    "calibration, 4 slots of 2 pages": (layout.CALIBRATION_FIRST, layout.CALIBRATION_SLOTS * layout.CALIBRATION_PAGES),
    "keys, 4 slots of 2 pages, reserved": (layout.KEYS_FIRST, 8),
    "ledger, copy A": (layout.LEDGER_FIRSTS[0], layout.LEDGER_PAGES),
    "bolus history, copy A": (layout.BOLUS_FIRSTS[0], layout.BOLUS_PAGES),
    "counters, copy A": (layout.COUNTERS_FIRSTS[0], layout.COUNTERS_PAGES),
    "retired pages, copy A": (layout.RETIRED_FIRSTS[0], layout.RETIRED_PAGES),
    "fault log: events of severity medium and high": (layout.FAULTS_FIRST, layout.FAULTS_PAGES),
    "ledger, copy B": (layout.LEDGER_FIRSTS[1], layout.LEDGER_PAGES),
    "bolus history, copy B": (layout.BOLUS_FIRSTS[1], layout.BOLUS_PAGES),
    "counters, copy B": (layout.COUNTERS_FIRSTS[1], layout.COUNTERS_PAGES),
    "retired pages, copy B": (layout.RETIRED_FIRSTS[1], layout.RETIRED_PAGES),
    "event log: all other events": (layout.EVENTS_FIRST, layout.EVENTS_PAGES),
}


def test_the_layout_table_is_the_firmwares_layout() -> None:
    table = rows(section("Layout"), 3)
    assert [row[2] for row in table] == list(REGIONS)
    follows = 0
    for where, addresses, name in table:
        first, last = (int(page) for page in where.split("-"))
        assert (first, last - first + 1) == REGIONS[name], name
        assert addresses == f"0x{first * PAGE:04X}-0x{(last + 1) * PAGE - 1:04X}", name
        assert first == follows, f"{name}: a gap or an overlap"
        follows = last + 1
    assert follows == 512


def test_the_table_of_kinds_is_the_firmwares() -> None:
    named = {row[1]: int(row[0], 0) for row in rows(section("Page record"), 4) if row[1].isupper()}
    assert named == {name: getattr(pages, name) for name in named}
    assert len(named) == 12


def test_the_document_is_about_the_format_that_is_written() -> None:
    version = firmware("version").EEPROM_FORMAT
    assert DOCUMENT.startswith(f"# EEPROM format {version}\n")
    head = {row[2]: row[3] for row in rows(section("Page record"), 4) if row[1] == "u8"}
    assert head["format"] == str(version)


def test_the_vectors_of_the_crc() -> None:
    inputs = (b"123456789", bytes(60), b"\xff" * 60, bytes(range(60)))
    table = rows(section("Terms"), 3)
    assert len(table) == len(inputs)
    for data, (_, value, stored) in zip(inputs, table, strict=True):
        assert int(value, 16) == crc32(data)
        assert bytes.fromhex(stored) == crc32(data).to_bytes(4, "little")


def test_there_is_an_example_of_every_kind_that_is_in_use() -> None:
    assert {data[3] for _, data in EXAMPLES.values()} == {0, 1, 2, 3, 4, 5, 6, 16, 17, 16 | 0x40, 16 | 0x80}
    assert all(len(data) == PAGE for _, data in EXAMPLES.values())


@pytest.mark.parametrize(("name", "sequence"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_the_firmware_reads_and_makes_each_example(name: str, sequence: int) -> None:
    _, data = EXAMPLES[name, sequence]
    condition, kind, number = pages.examine(data)
    assert (kind, number) == (data[3], sequence)
    if name == "FOREIGN":
        assert condition == pages.FOREIGN
        return
    assert condition == pages.WHOLE
    made = bytearray(PAGE)
    made[PAYLOAD] = data[PAYLOAD]
    pages.seal(made, kind, sequence)
    assert bytes(made) == data


@pytest.mark.requirement("I12")
def test_the_conditions_of_a_page() -> None:
    assert pages.examine(b"\xff" * PAGE)[0] == pages.BLANK
    assert pages.examine(bytes(PAGE))[0] == pages.GARBAGE
    for name in ("LEDGER", "FOREIGN"):
        for bit in range(8 * PAGE):
            torn = bytearray(example(name))
            torn[bit >> 3] ^= 1 << (bit & 7)
            assert pages.examine(torn)[0] == pages.GARBAGE, f"{name}, bit {bit}"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Ledger payload", "LEDGER"),
        ("Bolus payload", "BOLUS"),
        ("Counters payload", "COUNTERS"),
        ("Retired pages payload", "RETIRED"),
        ("Event payload", "EVENT"),
    ],
)
def test_the_tables_of_ring_payloads_read_the_examples(title: str, name: str) -> None:
    data = example(name)
    follows = 8
    for at, kind, label, shown in fields(title):
        assert at == follows, f"{label}: a gap or an overlap"
        follows = at + size(kind)
        assert field(kind, data[at:follows]) == shown, label
    assert data[follows:60] == bytes(60 - follows)


@pytest.mark.requirement("F4")
def test_the_tables_of_slot_payloads_read_the_examples() -> None:
    prescription = slot_record(example("PRESCRIPTION"))
    table = fields("Prescription payload")
    split = [at for at, _, _, _ in table].index(0, 1)  # the table of a period begins at 0 again
    for base, part in ((0, table[:split]), (35, table[split:])):
        follows = 0
        for at, kind, label, shown in part:
            assert at == follows, label
            follows = at + size(kind)
            assert field(kind, prescription[base + at : base + follows]) == shown, label
    assert len(prescription) == 35 + 9
    assert f"of the example: 0x{crc32(prescription):08X}" in " ".join(DOCUMENT.split())
    calibration = slot_record(example("CALIBRATION"), example("CALIBRATION part 1"))
    follows = 0
    for at, kind, label, shown in fields("Calibration payload"):
        assert at == follows, label
        follows = at + size(kind)
        assert field(kind, calibration[at:follows]) == shown, label
    assert follows == len(calibration)


def test_the_most_that_a_slot_holds() -> None:
    records = firmware("records").Records(MemoryEeprom(), [0, 0, 0, 0], bytes(8))
    text = " ".join(section("Slot records").split())
    found = re.search(r"at most (\d+) bytes \(prescription\) or (\d+) \(calibration\)", text)
    assert found
    assert [int(text) for text in found.groups()] == [
        records.prescriptions.capacity,
        records.calibrations.capacity,
    ]


def test_the_examples_of_events_read_as_the_document_says() -> None:
    for name in ("EVENT", "FAULT"):
        code, severity, _, values = events.unpack(example(name)[PAYLOAD])
        text = " ".join([code, *(f"{key}={value}" for key, value in values.items())])
        assert f"`{text}`" in section("Worked examples")
        assert (severity in {"medium", "high"}) == (name == "FAULT")


def test_every_link_leads_to_a_heading() -> None:
    titles = re.findall(r"^#+ (.*)$", DOCUMENT, re.MULTILINE)
    headings = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    links = re.findall(r"\]\(#([^)]*)\)", DOCUMENT)
    assert links
    assert [link for link in links if link not in headings] == []
    others = (ROOT / "docs").glob("*.md")
    inward = [link for path in others for link in re.findall(r"\(EEPROM\.md#([^)]*)\)", path.read_text("utf-8"))]
    assert [link for link in inward if link not in headings] == []
