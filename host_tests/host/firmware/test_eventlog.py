"""The event log: nothing it meets disturbs dosing, and what it gives is in order (F12, R24)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import UnreliableEeprom

from firmware import events
from firmware.eventlog import EventLog
from firmware.pages import EVENT, FAULT, PAGE
from firmware.rings import Ring
from thecal.programming import MemoryEeprom

FIRST, COUNT = 160, 40
FAULTS_FIRST, FAULTS = 220, 12
NOW = (9_557, 28_800, 7)


def log_on(eeprom: MemoryEeprom) -> EventLog:
    return EventLog(Ring(eeprom, FIRST, COUNT, EVENT), Ring(eeprom, FAULTS_FIRST, FAULTS, FAULT), lambda: NOW)


def settle(log: EventLog) -> int:
    turns = 0
    while not log.idle:
        log.work()
        turns += 1
    return turns


def sequences(lines: list[str]) -> list[int]:
    return [int(line.split()[0]) for line in lines]


def values(lines: list[str]) -> list[int]:
    return [int(line.split("by_s=")[1]) for line in lines]


def filled(eeprom: MemoryEeprom, count: int) -> EventLog:
    log = log_on(eeprom)
    for number in range(count):
        log.log("clock_step", by_s=number)
        settle(log)
    return log


@pytest.mark.requirement("F12", "R24")
@pytest.mark.parametrize("code", events.CODES)
def test_every_event_comes_back_as_it_was_logged(code: str):
    _, severity, names = events.TABLE[events.CODES[code]]
    fields = {name: index % 2 if name in events.NAMES else index * 100_003 for index, name in enumerate(names)}
    payload = events.pack(code, fields, *NOW)
    assert len(payload) <= 52
    line = events.text(12, payload.ljust(52, b"\0")).split()
    assert line[:2] == ["12", "2026-03-02T08:00:00.07"]
    assert line[2] in (severity, "high")
    assert line[3] == code
    assert [word.split("=")[0] for word in line[4:]] == list(names)


@pytest.mark.requirement("F12", "I12")
@given(st.binary(min_size=52, max_size=52), st.integers(0, 30))
def test_any_payload_is_an_event_or_refused(payload: bytes, code: int):
    for body in (payload, code.to_bytes(2, "little") + payload[2:]):
        if int.from_bytes(body[:2], "little") >= len(events.TABLE):
            with pytest.raises(ValueError, match=r"^event code [0-9]+: 0 to [0-9]+$"):
                events.text(1, body)
            continue
        line = events.text(1, body)
        assert line.isascii()
        assert "\n" not in line


@pytest.mark.requirement("F12")
@given(st.integers(0, 100), st.integers(1, 60))
def test_the_newest_events_are_given_oldest_first(logged: int, count: int):
    log = filled(MemoryEeprom(), logged)
    lines = list(log.newest(count))
    assert values(lines) == list(range(logged))[-min(count, COUNT) :]
    assert sequences(lines) == values(lines)


@pytest.mark.requirement("F12", "R24")
@given(st.integers(0, 1 << 32), st.integers(30, 100))
def test_pages_that_were_passed_over_hide_no_events(seed: int, logged: int):
    random = Random(seed)
    worn = set(random.sample(range(FIRST, FIRST + COUNT), 4))
    eeprom = UnreliableEeprom()
    log = filled(eeprom, 0 if random.random() < 0.5 else 25)
    eeprom.refuse = lambda page: "keep" if page in worn else ""
    first = log.sequence + 1
    for number in range(first, first + logged):
        log.log("clock_step", by_s=number)
        settle(log)
    given_ = sequences(list(log.newest(COUNT)))
    assert given_ == sorted(set(given_))
    if not log.failed:
        kept = list(range(first, first + logged))[-(COUNT - 5) :]
        assert set(kept) <= set(given_)


@pytest.mark.requirement("F12")
@pytest.mark.parametrize("meanwhile", [1, 5, 20])
def test_events_logged_while_the_log_is_read_do_not_end_the_listing(meanwhile: int):
    log = filled(MemoryEeprom(), 100)
    lines = []
    for number, line in enumerate(log.newest(COUNT)):
        lines.append(line)
        if number == 10:
            for _ in range(meanwhile):
                log.log("resume")
                settle(log)
    overwritten = range(71, 60 + meanwhile)  # before they were read
    assert sequences(lines) == [number for number in range(60, 100) if number not in overwritten]


@pytest.mark.requirement("F12", "R24")
def test_the_log_goes_on_where_it_was_after_a_start():
    eeprom = MemoryEeprom()
    filled(eeprom, 57)
    log = log_on(eeprom)
    log.log("clock_step", by_s=57)
    turns = settle(log)
    assert turns >= COUNT // 16  # looked through in pieces
    assert values(list(log.newest(5))) == [53, 54, 55, 56, 57]


@pytest.mark.requirement("F12", "I7")
def test_a_full_queue_drops_the_newest_and_counts_them():
    log = log_on(MemoryEeprom())
    for number in range(50):
        log.log("clock_step", by_s=number)
    settle(log)
    assert log.dropped == 18
    assert values(list(log.newest(COUNT))) == list(range(32))


@pytest.mark.requirement("F12", "I7", "R24")
@pytest.mark.parametrize("fate", ["keep", "take", "worn"])
def test_a_record_that_no_page_takes_is_kept_and_written_when_the_part_takes_it_again(fate: str):
    eeprom = UnreliableEeprom()
    log = filled(eeprom, 3)
    eeprom.refuse = lambda page: fate
    log.log("clock_step", by_s=100)
    assert settle(log) < 5  # it does not go on trying for ever
    assert log.failed == 1
    eeprom.refuse = lambda page: ""
    log.retry()
    settle(log)
    log.log("clock_step", by_s=101)
    settle(log)
    assert values(list(log.newest(COUNT))) == [0, 1, 2, 100, 101]
    again = log_on(eeprom)
    settle(again)
    lines = list(again.newest(COUNT))
    assert sequences(lines) == sorted(set(sequences(lines)))
    if fate != "take":  # what a page took and disowned is stored once more
        assert values(lines) == [0, 1, 2, 100, 101]


@pytest.mark.requirement("F12", "I7", "F11")
def test_a_part_that_fails_while_the_log_is_looked_through_does_not_end_the_application():
    class Failing(MemoryEeprom):
        failing = True

        def read_into(self, address: int, buffer: bytearray) -> None:
            if self.failing:
                raise OSError(5)
            super().read_into(address, buffer)

    eeprom = Failing(bytes(filled_image(30)))
    log = log_on(eeprom)
    log.log("resume")
    assert settle(log) < 5  # it does not go on trying for ever
    eeprom.failing = False
    log.log("clock_step", by_s=31)
    settle(log)
    assert sequences(list(log.newest(3))) == [29, 33, 34]  # a start leaves a gap of numbers


def filled_image(count: int) -> bytearray:
    eeprom = MemoryEeprom()
    filled(eeprom, count)
    return eeprom.memory


@pytest.mark.requirement("F12", "I12")
@given(st.integers(0, 1 << 32))
def test_reading_ends_for_any_content_and_gives_rising_numbers(seed: int):
    random = Random(seed)
    image = filled_image(random.randrange(90))
    for _ in range(random.choice((1, 30, 600))):
        image[random.randrange(FIRST * PAGE, (FIRST + COUNT) * PAGE)] = random.randrange(256)
    log = log_on(MemoryEeprom(bytes(image)))
    log.log("resume")
    settle(log)
    lines = [line for line in log.newest(COUNT) if "unreadable" not in line]
    assert sequences(lines) == sorted(set(sequences(lines)))
    assert [line.split()[3] for line in lines if "scrubbed" not in line][-1] == "resume"
    assert all(line.split()[4] == "region=event_log" for line in lines if "scrubbed" in line)


@pytest.mark.requirement("F12")
def test_a_page_that_cannot_be_read_is_named_and_the_rest_is_given():
    eeprom = MemoryEeprom()
    log = filled(eeprom, 10)
    plain = eeprom.read_into

    def read(address: int, buffer: bytearray) -> None:
        if address == (FIRST + 5) * PAGE:
            raise OSError(5, "no answer")
        plain(address, buffer)

    eeprom.read_into = read
    lines = list(log.newest(10))
    assert len(lines) == 10
    assert lines[5] == "event 5 unreadable: [Errno 5] no answer"


@pytest.mark.requirement("F12", "R24")
@pytest.mark.parametrize("again", [False, True])
def test_events_of_both_logs_are_given_in_the_order_in_which_they_happened(again: bool):
    eeprom = MemoryEeprom()
    log = log_on(eeprom)
    expected = []
    for number in range(30):
        code = "write_failed" if number % 3 == 0 else "clock_step"
        log.log(code, **({"record": 0} if number % 3 == 0 else {"by_s": number}))
        settle(log)
        expected.append((number, code))
    if again:
        log = log_on(eeprom)
        settle(log)
    lines = [line.split() for line in log.newest(60)]
    assert [(int(line[0]), line[3]) for line in lines] == expected
    assert [int(line.split()[0]) for line in log.newest(7)] == list(range(23, 30))


@pytest.mark.requirement("F12", "R24")
@pytest.mark.parametrize("code", events.CODES)
def test_what_is_of_medium_or_high_severity_goes_to_the_log_of_faults(code: str):
    eeprom = MemoryEeprom()
    log = log_on(eeprom)
    _, severity, names = events.TABLE[events.CODES[code]]
    log.log(code, **dict.fromkeys(names, 0))
    settle(log)
    pages = [page for page in range(512) if eeprom.memory[page * PAGE : page * PAGE + PAGE].strip(b"\xff")]
    assert pages == [FAULTS_FIRST if severity in ("medium", "high") else FIRST]


@pytest.mark.requirement("F12", "R24")
def test_ordinary_events_never_push_out_the_record_of_a_fault():
    eeprom = MemoryEeprom()
    log = filled(eeprom, 5)
    log.log("alarm", alarm=0)
    settle(log)
    for _ in range(10 * COUNT):
        log.log("resume")
        settle(log)
    for one in (log, log_on(eeprom)):
        settle(one)
        (line,) = [line for line in one.newest(COUNT + FAULTS) if " alarm " in line]
        assert sequences([line]) == [5]


@pytest.mark.requirement("F12", "R24", "I12")
def test_a_page_that_a_cut_tore_is_made_empty_and_said_so():
    image = filled_image(10)
    image[(FIRST + 10) * PAGE : (FIRST + 11) * PAGE] = b"\x55" * PAGE
    image[(FAULTS_FIRST + 2) * PAGE : (FAULTS_FIRST + 4) * PAGE] = b"\x55" * (2 * PAGE)
    eeprom = MemoryEeprom(bytes(image))
    log = log_on(eeprom)
    settle(log)
    assert [line.split()[3:] for line in log.newest(2)] == [
        ["scrubbed", "region=event_log", "pages=1"],
        ["scrubbed", "region=fault_log", "pages=2"],
    ]
    again = log_on(eeprom)
    settle(again)
    assert sequences(list(again.newest(COUNT))) == [*range(10), 13, 14]  # a start leaves a gap of numbers
