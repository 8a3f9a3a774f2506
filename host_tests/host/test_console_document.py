"""docs/CONSOLE.md says what the pump says: commands, help, events, alarms, status, refusals, a session (F12).
Whoever has only the document must be right."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import datetime
from functools import partial
from types import SimpleNamespace

import pytest
from eeprom_document import example, slot_record

from thecal.models.bench import Bench, PumpConfig
from thecal.paths import ROOT
from thecal.prescription import PatientBolus, Period, Prescription, ScheduledBolus
from thecal.programming import firmware, programmed_image
from thecal.twin.twin import Twin

pytestmark = pytest.mark.requirement("F12")

DOCUMENT = (ROOT / "docs" / "CONSOLE.md").read_text("utf-8")
HELP: tuple[str, ...] = firmware("guide").LINES
events = firmware("events")
DELIVERY = ("unchanged", "no new bolus", "lowest rate above 0 of the schedule in force, no bolus", "stops")
START = datetime(2026, 3, 2)
S = 1_000_000_000
_BEHIND_S = 0.056  # so that no stamp lies where a start that is 1 ms longer gives it another hundredth
Exchange = tuple[str, list[str]]  # a line that is typed, and the lines of its answer


def section(title: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^##? |^### |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title}"
    return found.group(2)


def table(title: str) -> list[list[str]]:
    """The cells of the rows of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines[2:]]


def verbs() -> set[str]:
    """The verbs that the firmware knows."""

    class Anything(SimpleNamespace):
        def __getattr__(self, name: str) -> Anything:
            return Anything()

    return set(firmware("commands").Commands(Anything())._verbs)


def test_help_names_every_verb_in_lines_that_a_terminal_shows() -> None:
    words = {word for line in HELP for word in line.split(" ")}
    assert {verb for verb in verbs() if verb not in words} == set()
    assert [line for line in HELP if len(line) > 78 or not line.isascii()] == []
    keys = firmware("staging")._KEYS.split(", ")
    text = " ".join(" ".join(HELP).split())
    assert "KEY WORDS` with " + ", ".join(keys) in text


def test_the_table_of_commands_names_every_verb() -> None:
    lines = [row[0].strip("`") for row in table("Commands")]
    assert {line.split(" ", 1)[0] for line in lines} == verbs()
    assert len(lines) == len(set(lines))


def test_the_table_of_keys_is_that_of_the_firmware() -> None:
    named = {key for row in table("A prescription, line by line") for key in re.findall(r"`(\w+)`", row[0])}
    assert named == set(firmware("staging")._KEYS.split(", "))


def test_the_table_of_events_is_the_firmwares() -> None:
    found = [(int(row[0]), row[1].strip("`"), row[2], re.findall(r"`(\w+)`", row[3])) for row in table("Events")]
    wanted = [
        (number, code, "that of the alarm" if code == "alarm" else severity, list(fields))
        for number, (code, severity, fields) in enumerate(events.TABLE)
    ]
    assert found == wanted


def test_every_name_in_an_event_is_told() -> None:
    text = section("Events")
    for field, words in events.NAMES.items():
        if field in ("alarm", "reason"):
            continue
        first = next(line for line in text.splitlines() if f"`{field}`" in line)
        lines = [line for line in text.splitlines() if f"`{field}`" in line]
        for word in words:
            assert any(re.search(rf"\b{word}\b", line) for line in lines), f"{field}: {word}; {first}"
    reasons = [name for row in table("Boluses") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(reasons) == sorted(events.NAMES["reason"])


def test_the_table_of_alarms_is_the_firmwares() -> None:
    found = [tuple(row[:3]) for row in table("Alarms")]
    assert [row[0].strip("`") for row in found] == [row[0] for row in firmware("alarms").TABLE]
    for (code, priority, delivery), row in zip(found, firmware("alarms").TABLE, strict=True):
        assert priority == row[1], code
        assert delivery.removesuffix(", survives resets").removesuffix(" (stopped)") == DELIVERY[row[2]], code
        assert delivery.endswith(", survives resets") == row[3], code


def test_every_status_key_is_in_the_table_and_in_the_firmware() -> None:
    named = [key for row in table("Status") for key in re.findall(r"`(\w+)`", row[0])]
    assert len(named) == len(set(named))
    sources = "".join(path.read_text("utf-8") for path in sorted((ROOT / "firmware").glob("*.py")))
    assert [key for key in named if f'"{key}: ' not in sources] == []
    shown = re.findall(r"^status\n(.*?)^ok$", section("A worked example"), re.MULTILINE | re.DOTALL)
    assert len(shown) == 2
    for answer in shown:
        keys = [line.partition(": ")[0] for line in answer.splitlines()]
        assert [key for key in keys if key not in named] == []
        assert keys == sorted(keys, key=named.index), "in the order of the table"


def exchanges(block: str) -> list[Exchange]:
    """What a block of the worked example shows: an answer ends with `ok` or an error, and a line is typed next."""
    found: list[Exchange] = []
    answered = True
    for line in block.splitlines():
        if answered:
            found.append((line, []))
            answered = False
        else:
            found[-1][1].append(line)
            answered = line == "ok" or line.startswith("error: ")
    assert answered, f"no end of the answer to {found[-1][0]}"
    return found


def worked_example() -> list[tuple[float, Exchange]]:
    """The whole session: when each line is typed, in s of true time, and the exchange."""
    text = section("A worked example")
    assert "a line a second" in text
    blocks = re.findall(r"(.*?)^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert 2 * len(blocks) == text.count("```") > 0, "every block is read"
    found: list[tuple[float, Exchange]] = []
    before: list[Exchange] = []
    at = 0.0
    for prose, block in blocks:
        said = exchanges(block)
        pause = re.search(r"\b([\d.]+) s (?:after power-on|later)\b", prose)
        again = before[:-1] if "The same lines again" in prose else []
        for number, exchange in enumerate((*again, *said)):
            at += float(pause.group(1)) if pause and not number else 1
            found.append((at, exchange))
        before = said
    return found


def prescription_of_the_worked_pages() -> Prescription:
    """That of docs/EEPROM.md, without its course: not on trial."""
    module = firmware("prescription")
    rx = module.parse(slot_record(example("PRESCRIPTION"), example("PRESCRIPTION part 1")))
    return Prescription(
        patient=rx.patient,
        drug=rx.drug,
        concentration_ng_per_ml=rx.concentration,
        mode=module.MODES[rx.mode],
        basal_nl_day=rx.basal,
        periods=tuple(Period(*period) for period in rx.periods),
        scheduled=tuple(ScheduledBolus(*bolus) for bolus in rx.scheduled),
        patient_bolus=PatientBolus(*rx.patient_bolus),
        max_per_hour_nl=None if rx.max_per_hour == module.NO_LIMIT else rx.max_per_hour,
        max_per_day_nl=None if rx.max_per_day == module.NO_LIMIT else rx.max_per_day,
    )


def typed_at_the_twin(lines: list[tuple[float, str]]) -> list[list[str]]:
    """What the pump answers to each of these lines, within a second of when it is typed."""
    bench = Bench(PumpConfig(), START, seed=1)
    bench.eeprom.load(programmed_image(bench.config, prescription_of_the_worked_pages(), START))
    answers: list[list[str]] = []
    output = bytearray()
    with closing(Twin(bench)) as twin:
        twin.on_console = output.extend
        for at, line in lines:
            now = round((at + _BEHIND_S) * S)
            twin.run(now)
            output.clear()
            twin.at(now, partial(twin.send, line.encode() + b"\r"))
            twin.run(now + S)
            echo, *answer, rest = output.decode("ascii").split("\r\n")
            assert (echo, rest) == (line, "")
            answers.append(answer)
    return answers


def test_the_worked_example_is_what_the_twin_answers() -> None:
    session = worked_example()
    answers = typed_at_the_twin([(at, line) for at, (line, _) in session])
    for (at, (line, answer)), answered in zip(session, answers, strict=True):
        assert answered == answer, f"{line}, typed at {at} s"


def test_the_console_takes_what_the_document_says() -> None:
    console = firmware("console")
    for number in (console.MAX_LINE, console._BYTES_PER_TURN, console._OUTPUT_PER_TURN):
        assert f"{number} " in section("Line discipline")
    layout = firmware("layout")
    assert f"({layout.EVENTS_PAGES} events, {layout.FAULTS_PAGES} faults)" in section("Events")


@pytest.mark.requirement("F6", "F9")
def test_the_thresholds_of_the_alarms_are_the_firmwares() -> None:
    rows = {row[0].strip("`"): row[3] for row in table("Alarms")}
    reservoir, battery = firmware("reservoir"), firmware("battery")
    assert f"{reservoir.EMPTY_BELOW_MV} mV or less" in rows["reservoir_empty"]
    assert f"below {battery._DEPLETED_MV:,} mV" in rows["battery_depleted"]
    assert f"of {battery._DEPLETED_MV + battery._HYSTERESIS_MV:,} mV or more" in rows["battery_depleted"]
    assert f"below {battery._LOW_MV:,} mV" in rows["battery_low"]
    assert f"of {battery._LOW_MV + battery._HYSTERESIS_MV:,} mV or more" in rows["battery_low"]
    assert f"{reservoir.REFILL_DUE_S // 3_600} h ahead" in rows["refill_due"]
    assert f"{firmware('therapy')._DENIED_S} s" in rows["bolus_denied"]
    assert (reservoir.APART_SHARE, reservoir.TOGETHER_SHARE) == (20, 40)  # a twentieth, a fortieth
    assert (reservoir.DWELL, reservoir.APART_READINGS * 4) == (2, 60)


def test_every_link_leads_to_a_heading() -> None:
    for path in sorted((ROOT / "docs").glob("*.md")):
        for name, link in re.findall(r"\]\(([A-Z]*(?:\.md)?)#([^)]*)\)", path.read_text("utf-8")):
            target = ROOT / "docs" / name if name else path
            titles = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
            headings = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert link in headings, f"{path.name}: {name}#{link}"


def test_the_architecture_names_every_module() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    for folder, prefix in (("firmware", "firmware/"), ("lib", "lib/"), ("tools/thecal", "")):
        names = [path.name for path in sorted((ROOT / folder).glob("*.py")) if path.name != "__init__.py"]
        assert [name for name in names if f"`{prefix}{name}`" not in text] == []
