"""docs/EEPROM.md says what the firmware does: its tables, vectors and worked pages are read and held against the code
(F10). An implementer who has only the document must be right."""

from __future__ import annotations

import re
from binascii import crc32

import pytest
from eeprom_document import (
    DOCUMENT,
    EXAMPLES,
    PAGE,
    PAYLOAD,
    example,
    field,
    fields,
    rows,
    section,
    size,
    slot_record,
    walked,
)

from thecal.paths import ROOT
from thecal.programming import MemoryEeprom, firmware

pytestmark = pytest.mark.requirement("F10")

layout = firmware("layout")
pages = firmware("pages")
events = firmware("events")

LEDGER_VOLUMES = ("volume_pl", "reservoir_nl")
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
    "diary: scores and refills": (layout.DIARY_FIRST, layout.DIARY_PAGES),
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
    assert len(named) == 13


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
    assert {data[3] for _, data in EXAMPLES.values()} == {*range(8), 16, 17, 16 | 0x40, 16 | 0x80}
    assert all(len(data) == PAGE for _, data in EXAMPLES.values())


@pytest.mark.parametrize(("name", "sequence"), EXAMPLES, ids=[f"{name} {number}" for name, number in EXAMPLES])
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
    ("title", "name", "sequence"),
    [
        ("Ledger payload", "LEDGER", 3),
        ("Bolus payload", "BOLUS", 0),
        ("Counters payload", "COUNTERS", 1),
        ("Retired pages payload", "RETIRED", 0),
        ("Diary payload", "DIARY", 0),
        ("Event payload", "EVENT", 0),
    ],
)
def test_the_tables_of_ring_payloads_read_the_examples(title: str, name: str, sequence: int) -> None:
    data = example(name, sequence)
    follows = 8
    for at, kind, label, shown in fields(title):
        assert at == follows, f"{label}: a gap or an overlap"
        follows = at + size(kind)
        assert field(kind, data[at:follows]) == shown, label
    assert data[follows:60] == bytes(60 - follows)


@pytest.mark.requirement("F3", "F4", "F5", "F7")
def test_the_tables_of_slot_payloads_read_the_examples() -> None:
    data = slot_record(example("PRESCRIPTION"), example("PRESCRIPTION part 1"))
    for label, (found, shown) in walked("Prescription payload", data).items():
        assert found == shown, label
    calibration = slot_record(example("CALIBRATION"), example("CALIBRATION part 1"))
    for label, (found, shown) in walked("Calibration payload", calibration).items():
        assert found == shown, label


@pytest.mark.requirement("F3", "F4")
def test_lengths_and_digest_of_a_prescription() -> None:
    text = " ".join(section("Prescription payload").split())
    found = re.search(r"MUST be (\d+) \+ (\d+) x periods \+ (\d+) x scheduled, at most (\d+) bytes", text)
    assert found
    base, period, scheduled, most = (int(number) for number in found.groups())
    module = firmware("prescription")
    for periods in (0, 1, 24):
        for boluses in (0, 1, 24):
            rx = module.Prescription()
            rx.periods = [(1, 0, 1, 0)] * periods
            rx.scheduled = [(1, 0, 1, 1)] * boluses
            assert len(rx.record()) == base + period * periods + scheduled * boluses <= most
    assert most == base + 24 * (period + scheduled)
    data = slot_record(example("PRESCRIPTION"), example("PRESCRIPTION part 1"))
    course = firmware("course")
    assert f"of the example: 0x{crc32(data[: -course.SIZE]):08X}" in text
    assert int(walked("Prescription payload", data)["periods"][0]) == 1
    # By that digest a scheduled bolus is known.
    assert example("BOLUS", 0)[24:28] == crc32(data[: -course.SIZE]).to_bytes(4, "little")


@pytest.mark.requirement("F3")
def test_the_ranges_of_boluses_and_courses_are_the_firmwares() -> None:
    text = section("Prescription payload")
    validation, course = firmware("validation"), firmware("course")
    for number in (validation.MAX_LIMIT, validation.DAY_S, course.TRIAL_MIN_S, course.TRIAL_MAX_S, 604_800):
        assert f"{number:,}" in text
    sane = course.Course()
    sane.bridge_nl, sane.bridge_rate, sane.bridge_end = 30_000_000, 28_800_000, 5
    sane.trial_s, sane.afterwards, sane.trial_over = course.TRIAL_MAX_S, 1, True
    assert course.unpack(sane.pack()).pack()[20] == 0x81
    for name, value in (
        ("bridge_nl", 30_000_001),
        ("bridge_nl", 0),
        ("bridge_rate", 28_800_001),
        ("trial_s", 3_599),
        ("trial_s", 0),
        ("afterwards", 2),
    ):
        wrong = sane.copy()
        setattr(wrong, name, value)
        with pytest.raises(ValueError, match="course"):
            course.unpack(wrong.pack())


def test_numbers_that_keep_their_meaning() -> None:
    """Drugs, modes, kinds of bolus, names in events, effects, bits of alarms."""
    boluses, library, trials = firmware("boluses"), firmware("library"), firmware("trial_orders")
    for title, words in (
        ("Prescription payload", library.DRUGS),
        ("Prescription payload", firmware("prescription").MODES),
        ("Bolus payload", boluses.KINDS),
        ("Diary payload", trials.EFFECTS),
    ):
        assert ", ".join(f"{number} {word}" for number, word in enumerate(words)) in section(title).replace("\n", " ")
    names = {row[0].strip("`"): row[1].split(", ") for row in rows(section("Event payload"), 2)}
    assert names.pop("alarm")
    assert names == {name: list(words) for name, words in events.NAMES.items() if name != "alarm"}
    table = [row for row in rows(section("Ledger payload"), 3) if row[0].isdigit()]
    alarms = [(row[0], row[3]) for row in firmware("alarms").TABLE]
    assert [(row[1].strip("`"), row[2] == "yes") for row in table] == alarms
    assert [int(row[0]) for row in table] == list(range(len(table)))
    assert {row[2] for row in table} == {"yes", "never"}


def test_the_most_fields_that_an_event_has() -> None:
    found = re.search(r"at most (\d) fit, at most (\d) are used", section("Event payload"))
    assert found
    assert int(found[2]) == max(len(row[2]) for row in events.TABLE) <= int(found[1])
    fields = {f"f{number}": number for number in range(int(found[1]))}
    assert len(fields) * 8 + 9 <= PAYLOAD.stop - PAYLOAD.start < (len(fields) + 1) * 8 + 9


@pytest.mark.requirement("F5", "F6")
def test_the_diary_examples_read_as_the_document_says() -> None:
    refilling, trials, diary = firmware("refilling"), firmware("trial_orders"), firmware("diary")
    values = [int(row[4]) for row in rows(section("Diary payload"), 5)]
    assert values[:2] == [diary.REFILL, diary.VALUES_MAX]
    refill = refilling.Refill(values[2:])
    assert (refill.after_nl, refill.explanation, refill.pl_per_step) == (20_000_000, 0, 25_000)
    assert refill.values() == tuple(values[2:])
    payload = example("LEDGER")
    volume_nl, left_nl = (int(shown) for _, _, name, shown in fields("Ledger payload") if name in LEDGER_VOLUMES)
    assert int.from_bytes(payload[16:24], "little") == volume_nl
    assert refilling.newest_in_force([refill], left_nl, volume_nl // 1_000) == 0
    assert refilling.newest_in_force([refill], left_nl + 3, volume_nl // 1_000) is None
    score = example("DIARY", 4)[PAYLOAD]
    assert (score[0], score[1]) == (diary.SCORE, 5)
    pain, spasticity, effects = (int.from_bytes(score[at : at + 8], "little") for at in (10, 18, 26))
    seen = " and ".join(name for bit, name in enumerate(trials.EFFECTS) if effects >> bit & 1)
    assert f"Pain {pain}, spasticity {spasticity}, {seen}." in section("Worked examples")


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
