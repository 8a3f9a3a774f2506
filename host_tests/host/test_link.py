"""A pump at the end of a serial port, played by a pseudo-terminal: replies, refusals, silence and noise."""

from __future__ import annotations

import contextlib
import os
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thecal.link import LINE_LENGTH, MAX_REPLY_S, NoPump, PumpLink, Reply, ReplyError, parse_log, parse_status

pytestmark = pytest.mark.requirement("T4")

TIMEOUT = 0.3


class FakePump:
    """Answers each line that is not empty with what `answer` makes of it. As on the console, Ctrl-U kills a line."""

    def __init__(self, answer: Callable[[str], bytes], *, echo: bool = True) -> None:
        self.lines: list[str] = []
        self._answer = answer
        self._echo = echo
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        self._slave = slave
        self._typed = ""
        self.closed = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def type(self, text: str) -> None:
        """What somebody left on the line before we came."""
        self._typed = text

    def write(self, data: bytes) -> None:
        """Bytes to the host."""
        while data and not self.closed:
            data = data[os.write(self._master, data) :]

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the terminal is closed at the end of the test
            while not self.closed:
                for character in os.read(self._master, 4096).decode("ascii"):
                    self._take(character)

    def _take(self, character: str) -> None:
        if character == "\x15":
            self._typed = ""
            self.write(b"\r\n")
        elif character == "\r":
            line, self._typed = self._typed, ""
            self.write(b"\r\n" if self._echo else b"")
            if line:
                self.lines.append(line)
                self.write(self._answer(line))
        else:
            self._typed += character
            self.write(character.encode() if self._echo else b"")

    def close(self) -> None:
        """Hang up. The thread ends first, lest it write to whatever gets the number of its terminal next."""
        self.closed = True
        while self._thread.is_alive():
            termios.tcflush(self._slave, termios.TCIOFLUSH)  # a write that waits for a reader ends
            os.write(self._slave, b"\x04")  # and so does the read that waits for a byte
            self._thread.join(0.01)
        os.close(self._slave)
        os.close(self._master)


@contextlib.contextmanager
def pump(
    answer: Callable[[str], bytes] | bytes, *, echo: bool = True, typed: str = ""
) -> Iterator[tuple[FakePump, PumpLink]]:
    fake = FakePump(answer if callable(answer) else lambda _: answer, echo=echo)
    fake.type(typed)
    try:
        with PumpLink(fake.port, TIMEOUT) as link:
            yield fake, link
    finally:
        fake.close()


@pytest.mark.requirement("F12")
@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_a_reply_is_the_lines_before_ok_without_the_echo(echo: bool, ending: bytes):
    answer = ending.join([b"state: dosing", b"", b"okay: ok ", b"ok", b""])
    with pump(answer, echo=echo) as (fake, link):
        for _ in range(3):
            assert link.command("status") == Reply(("state: dosing", "", "okay: ok "), ok=True)
        assert fake.lines == ["status"] * 3


@pytest.mark.requirement("F12")
def test_a_refusal_carries_the_reason_of_the_pump():
    with pump(b"first\r\nerror: basal = 300: missing unit\r\n") as (_, link):
        assert link.command("program") == Reply(("first",), ok=False, reason="basal = 300: missing unit")


@pytest.mark.requirement("F12")
def test_only_the_first_line_is_taken_for_the_echo():
    with pump(b"status\r\nstatus\r\nok\r\n", echo=True) as (_, link):
        assert link.command("status").lines == ("status", "status")


@pytest.mark.requirement("F12")
def test_what_somebody_left_half_typed_is_killed_and_not_run():
    with pump(b"ok\r\n", typed="stop for 30 ") as (fake, link):
        assert link.command("status") == Reply((), ok=True)
        assert fake.lines == ["status"]


@pytest.mark.requirement("F12")
def test_the_end_of_another_answer_is_not_taken_for_ours():
    def someone_elses_log() -> None:
        for _ in range(50):
            fake.write(b"1 t info boot\r\nok\r\n")
            time.sleep(0.005)

    with pump(b"error: refused\r\n") as (fake, link):
        stream = threading.Thread(target=someone_elses_log)
        stream.start()
        assert link.command("resume") == Reply((), ok=False, reason="refused")
        stream.join()


def test_what_comes_after_a_reply_is_no_part_of_the_next_one():
    answers = {"a": b"late\r\nok\r\nsurplus\r\nok\r\n", "c": b"b\r\nok\r\n"}
    with pump(lambda line: answers[line], echo=False) as (_, link):
        assert link.command("a").lines == ("late",)
        time.sleep(0.05)
        assert link.command("c").lines == ("b",)


def test_a_late_reply_is_not_taken_for_that_of_the_next_command():
    def answer(line: str) -> bytes:
        if line == "late":
            time.sleep(TIMEOUT * 1.2)
            return b"too late\r\nok\r\n"
        return b"error: refused\r\n"

    with pump(answer) as (_, link):
        with pytest.raises(NoPump, match="no answer to 'late'"):
            link.command("late")
        assert link.command("resume") == Reply((), ok=False, reason="refused")


def test_a_long_reply_arrives_whole():
    lines = [f"{n} 2026-03-02T00:00:00 info boot n={n}" for n in range(1000)]
    with pump("\r\n".join([*lines, "ok", ""]).encode()) as (_, link):
        assert link.command("log 1000").lines == tuple(lines)


def test_a_slow_reply_is_waited_for_as_long_as_it_comes():
    def slow(_: str) -> bytes:
        time.sleep(TIMEOUT * 0.6)
        return b"ok\r\n"

    with pump(slow) as (_, link):
        assert link.command("log").ok


@pytest.mark.requirement("F12")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "no answer to 'status'"),
        (b"noise without an end", "no answer to 'status'"),
        (b"state: dosing\r\nvolume: 12\r\n", "stopped after 2 lines of the answer to 'status'"),
        (b"ok", "no answer to 'status'"),
    ],
)
def test_silence_is_no_pump_within_the_time_out(answer: bytes, reason: str):
    with pump(answer) as (fake, link):
        before = time.monotonic()
        with pytest.raises(NoPump) as refused:
            link.command("status")
        assert str(refused.value) == f"{fake.port}: {reason} within 0.3 s"
        assert time.monotonic() - before < 2 * TIMEOUT + 1


@pytest.mark.parametrize("noise", [b"x" * 320_000, b"line\r\n" * 70_000])
def test_an_answer_without_an_end_is_no_pump(noise: bytes):
    with pump(noise, echo=False) as (_, link), pytest.raises(NoPump, match="has no end"):
        link.command("status")


@pytest.mark.parametrize("drop", [b"x", b"line\r\n"])
def test_an_answer_that_drips_on_is_no_pump_after_two_minutes(drop: bytes):
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += TIMEOUT / 3  # a fast clock, but never one time-out from drop to drop
        return now

    def drip(_line: str) -> bytes:
        for _ in range(5_000):
            if fake.closed:
                break
            fake.write(drop)
            time.sleep(0.0005)
        return b""

    fake = FakePump(drip, echo=False)
    with contextlib.closing(fake), PumpLink(fake.port, TIMEOUT, clock=clock) as link:
        with pytest.raises(NoPump, match="has no end"):
            link.command("status")
        assert MAX_REPLY_S <= now <= MAX_REPLY_S + 10 * TIMEOUT


def test_a_port_that_is_not_there_is_no_pump(tmp_path: Path):
    for name in (tmp_path / "ttyACM0", tmp_path):
        with pytest.raises(NoPump, match=f"^{name}: cannot be opened: "):
            PumpLink(str(name), TIMEOUT)


@pytest.mark.requirement("F12")
def test_a_port_on_which_nothing_answers_is_no_pump():
    master, slave = os.openpty()
    tty.setraw(slave)
    with PumpLink(os.ttyname(slave), TIMEOUT) as link, pytest.raises(NoPump, match=r"nothing answers within 0\.3 s"):
        link.command("status")
    os.close(master)
    os.close(slave)


def test_a_port_that_never_falls_silent_is_no_pump():
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += TIMEOUT / 6
        return now

    def drip() -> None:
        for _ in range(2_000):
            fake.write(b"x")
            time.sleep(0.0005)

    fake = FakePump(lambda _: b"")
    stream = threading.Thread(target=drip)
    stream.start()
    with PumpLink(fake.port, TIMEOUT, clock=clock) as link, pytest.raises(NoPump, match="does not fall silent"):
        link.command("status")
    stream.join()
    fake.close()


def test_a_port_that_goes_away_is_no_pump():
    fake = FakePump(lambda _: b"ok\r\n")
    with PumpLink(fake.port, TIMEOUT) as link:
        assert link.command("status").ok
        fake.close()
        with pytest.raises(NoPump):
            link.command("status")
    link.close()


@pytest.mark.parametrize("line", ["", "x" * (LINE_LENGTH + 1), "a\r", "a\nb", "\x03", "ä"])
def test_a_line_that_the_console_does_not_take_is_never_sent(line: str):
    with pump(b"ok\r\n") as (fake, link):
        with pytest.raises(ValueError, match="1 to 120 printable ASCII characters"):
            link.command(line)
        for good in ("x" * LINE_LENGTH, "~", " ", "!"):
            assert link.command(good).ok
            assert fake.lines.pop() == good
        assert fake.lines == []


@pytest.mark.requirement("F12")
def test_status_lines_become_a_dictionary_in_their_order():
    assert list(parse_status(["state: dosing", "rate: 150 uL/day", "note: a: b"]).items()) == [
        ("state", "dosing"),
        ("rate", "150 uL/day"),
        ("note", "a: b"),
    ]
    for bad in (["state"], [": x"], ["state:x"], ["a: 1", "a: 2"], [""]):
        with pytest.raises(ReplyError, match="status line"):
            parse_status(bad)


@pytest.mark.requirement("F12", "R24")
def test_log_lines_become_events():
    line = "12 2026-03-02T08:00:00.25 medium missed why=hang volume_nl=12 seconds=-3"
    assert parse_log([line, "13 t info committed digest=00012345"]) == [
        {
            "seq": 12,
            "rtc": "2026-03-02T08:00:00.25",
            "severity": "medium",
            "code": "missed",
            "why": "hang",
            "volume_nl": 12,
            "seconds": -3,
        },
        {"seq": 13, "rtc": "t", "severity": "info", "code": "committed", "digest": "00012345"},
    ]
    assert parse_log(["1 t info resume"]) == [{"seq": 1, "rtc": "t", "severity": "info", "code": "resume"}]
    unreadable = "page 12 unreadable: crc"
    assert parse_log([unreadable]) == [{"unreadable": unreadable}]
    for bad in (
        "",
        "12 t info",
        "x t info boot",
        "1 t info boot a",
        "1 t info boot =1",
        "1 t info boot a=1 a=2",
    ):
        with pytest.raises(ReplyError, match="log line"):
            parse_log([bad])
    with pytest.raises(ReplyError, match="new key"):
        parse_log(["1 t info boot code=2"])


@given(st.one_of(st.text(max_size=40), st.text("0123456789 =-abpge:", max_size=40)))
def test_no_line_is_anything_but_an_event_or_refused(line: str):
    try:
        (event,) = parse_log([line])
    except ReplyError:
        return
    if "unreadable" not in event:
        assert list(event)[:4] == ["seq", "rtc", "severity", "code"]
        assert line.startswith(line.split(" ", maxsplit=1)[0] + f" {event['rtc']} {event['severity']} {event['code']}")
