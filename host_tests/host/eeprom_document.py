"""docs/EEPROM.md as tests read it: its tables, its worked pages, and the part that these make up."""

from __future__ import annotations

import re
from binascii import crc32

from thecal.paths import ROOT

DOCUMENT = (ROOT / "docs" / "EEPROM.md").read_text("utf-8")
PAGE = 64
PAYLOAD = slice(8, 60)
FIRST_SLOT_KIND = 16
HEADS = (
    "pages",
    "bytes",
    "at",
    "kind",
    "start",
    "field",
    "value",
    "region",
    "bit of `alarms`",
)  # first cells of the heads of tables


def section(title: str) -> str:
    """The text below a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title}"
    return found.group(1)


def rows(text: str, columns: int) -> list[list[str]]:
    """The cells of every table row with so many columns, heads and rules left out."""
    found = [
        [cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if re.match(r"\|.*\|$", line)
    ]
    return [row for row in found if len(row) == columns and not row[0].startswith("---") and row[0] not in HEADS]


def examples() -> dict[tuple[str, int], tuple[list[int], bytes]]:
    """(NAME, sequence) or, for a further part, (NAME partN, sequence) -> (pages where it lies, the 64 bytes)."""
    pattern = r"^([A-Z]+), kind (\d+), sequence (\d+), (?:pages?|no page)([^:.]*)[:.].*?```hex\n(.*?)```"
    found: dict[tuple[str, int], tuple[list[int], bytes]] = {}
    for name, kind, sequence, where, dump in re.findall(pattern, DOCUMENT, re.MULTILINE | re.DOTALL):
        data = bytearray()
        for line in dump.splitlines():
            at, _, text = line.partition("  ")
            assert int(at, 16) == len(data), f"{name}: offset {at}"
            data += bytes.fromhex(text)
        assert data[3] == int(kind), name
        assert int.from_bytes(data[4:8], "little") == int(sequence), name
        is_slot = int(kind) & 0x3F >= FIRST_SLOT_KIND
        key = f"{name} part {data[8]}" if is_slot and data[8] else name
        assert (key, int(sequence)) not in found, key
        found[key, int(sequence)] = ([int(page) for page in re.findall(r"\d+", where)], bytes(data))
    return found


EXAMPLES = examples()


def example(name: str, sequence: int | None = None) -> bytes:
    """The worked page of this name; of several, the newest, or that with the sequence."""
    found = {number: data for (key, number), (_, data) in EXAMPLES.items() if key == name}
    return found[max(found) if sequence is None else sequence]


def where(name: str) -> list[int]:
    """The pages in which the worked page of this name lies; of several, the newest."""
    found = {number: numbers for (key, number), (numbers, _) in EXAMPLES.items() if key == name}
    return found[max(found)]


def worked_image() -> bytearray:
    """The whole part that the worked examples make up."""
    image = bytearray(b"\xff" * 32_768)
    for numbers, data in EXAMPLES.values():
        for number in numbers:
            image[number * PAGE : (number + 1) * PAGE] = data
    return image


def slot_record(*parts: bytes) -> bytes:
    """The payload of a slot record, put together as the document says."""
    joined = b"".join(part[10:60] for part in parts)
    length = int.from_bytes(joined[:2], "little")
    assert int.from_bytes(joined[2 + length : 6 + length], "little") == crc32(joined[: 2 + length])
    assert joined[6 + length :] == bytes(len(joined) - 6 - length)
    assert [(part[8], part[9]) for part in parts] == [(index, len(parts)) for index in range(len(parts))]
    return joined[2 : 2 + length]


def field(kind: str, data: bytes) -> str:
    """A field as the example column shows it."""
    if kind == "8 bytes":
        return data.hex(" ").upper()
    if kind == "16 bytes":
        return data.rstrip(b"\0").decode()
    if kind == "26 x u16":
        values = [int.from_bytes(data[at : at + 2], "little") for at in range(0, 52, 2)]
        return " ".join(str(value) for value in values if value)
    return str(int.from_bytes(data, "little", signed=kind.startswith("i")))


def size(kind: str) -> int:
    """Bytes of a field's type."""
    sizes = {
        "8 bytes": 8,
        "16 bytes": 16,
        "26 x u16": 52,
        "u8": 1,
        "u16": 2,
        "i16": 2,
        "u32": 4,
        "u48": 6,
        "u64": 8,
        "i64": 8,
    }
    return sizes[kind]


def walked(title: str, data: bytes) -> dict[str, tuple[str, str]]:
    """A slot record, walked through by the tables of a section, one after the other from offset 0 each: field -> what
    stands there, and what the document says. A field that comes again, in a further table, has the table's number
    behind it."""
    found: dict[str, tuple[str, str]] = {}
    base = follows = number = 0
    for at, kind, label, shown in fields(title):
        if at == 0 and found:
            base, follows, number = base + follows, 0, number + 1
        assert at == follows, f"{label}: a gap or an overlap"
        follows = at + size(kind)
        key = label if label not in found else f"{label} {number}"
        found[key] = field(kind, data[base + at : base + follows]), shown
    assert base + follows == len(data)
    return found


def fields(title: str) -> list[tuple[int, str, str, str]]:
    """(offset, type, name, example) of the payload tables of a section."""
    return [(int(row[0]), row[1], row[2], row[4]) for row in rows(section(title), 5)]
