"""The console: any bytes, at any speed, to a host that reads or does not (F12, invariant 7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import Board

from firmware.console import MAX_LINE, Console

CTRL_U = 21


class Verbs:
    """Keeps what was asked. `no` refuses, `long` gives many lines, `breaks` refuses in the middle of its answer."""

    def __init__(self) -> None:
        self.ran: list[list[str]] = []
        self.drawn = 0

    @staticmethod
    def prepare(verb: str) -> bool:
        """All is loaded."""
        return False

    def run(self, words: list[str]) -> Iterable[str]:
        self.ran.append(words)
        if words[0] == "no":
            raise ValueError("no: just not")
        if words[0] == "long":
            return self.lines(1_000)
        if words[0] == "breaks":
            return self.breaks()
        return ("answer",)

    def lines(self, count: int) -> Iterator[str]:
        for number in range(count):
            self.drawn += 1
            yield f"line {number} of a long answer"

    def breaks(self) -> Iterator[str]:
        yield "begins"
        raise ValueError("breaks: in the middle")


class Rig:
    def __init__(self) -> None:
        self.board = Board()
        self.verbs = Verbs()
        self.console = Console(self.board)
        self.console.commands = self.verbs  # pyright: ignore[reportAttributeAccessIssue]

    def type(self, data: bytes) -> bytes:
        """What the pump answers to these bytes, all of them worked off."""
        self.board.input += data
        before = len(self.board.output)
        for _ in range(10_000):
            left = len(self.board.input)
            patience = self.console.work(True)
            assert left - len(self.board.input) <= 512
            if not self.board.input and patience:
                break
        else:
            raise AssertionError("the console never comes to rest")
        return bytes(self.board.output[before:])


def clean_lines(data: bytes) -> list[list[str]]:
    """The command lines in a stream, by a reading of its own: whole, printable, not too long, not empty."""
    found = []
    for raw in data.replace(b"\n", b"\r").split(b"\r")[:-1]:
        line = raw[raw.rfind(bytes([CTRL_U])) + 1 :]
        typed: list[int] = []
        clean = True
        for byte in line:
            if byte in (8, 127):
                if typed and clean:
                    typed.pop()
            elif not 32 <= byte <= 126 or len(typed) == MAX_LINE:
                clean = False
            elif clean:
                typed.append(byte)
        words = bytes(typed).decode().split()
        if clean and words:
            found.append(words)
    return found


noise = st.one_of(
    st.binary(max_size=400),
    st.lists(
        st.sampled_from(
            [b"\r", b"\n", b"\r\n", b"\x15", b"\b", b"\x7f", b"\x03", b"\x00", b"\xff", b"status", b"no", b" "]
        )
        | st.sampled_from([b"x" * 119, b"y" * 121, b"long\r", b"breaks\r"]),
        max_size=60,
    ).map(b"".join),
)


@pytest.mark.requirement("F12", "I7")
@given(noise)
def test_only_whole_clean_lines_run_and_nothing_is_raised(data: bytes):
    rig = Rig()
    rig.type(data)
    assert rig.verbs.ran == clean_lines(data)


@pytest.mark.requirement("F12", "I7")
def test_a_megabyte_of_noise_runs_only_what_was_a_clean_line():
    random = Random(20_260_302)
    data = bytearray(random.randbytes(1_000_000))
    for _ in range(2_000):
        at = random.randrange(len(data) - 12)
        data[at : at + 12] = b"\x15status now\r"
    rig = Rig()
    rig.board.takes = 1 << 40
    for first in range(0, len(data), 20_000):
        rig.board.input = bytearray()
        rig.type(bytes(data[first : first + 20_000]))
    assert rig.verbs.ran == clean_lines(bytes(data))
    assert len(rig.verbs.ran) > 1_500


@pytest.mark.requirement("F12", "I7")
@given(noise, st.integers(0, 3_000))
def test_output_to_a_host_that_does_not_read_is_bounded_and_commands_still_run(data: bytes, takes: int):
    rig = Rig()
    rig.board.takes = takes
    rig.type(b"long\rlong\r" + data + b"\x15stop\r")
    assert rig.verbs.ran[-1] == ["stop"]
    assert rig.console._used <= 2_048
    assert rig.verbs.drawn <= 2_100
    assert len(rig.board.output) <= takes
    assert rig.console.work(False) <= 20 or not rig.console._used


@pytest.mark.requirement("F12", "I7")
def test_a_turn_takes_at_most_512_bytes_and_one_command_and_draws_few_lines():
    rig = Rig()
    rig.board.input += b"status\r" * 100
    before = len(rig.board.input)
    assert rig.console.work(True) == 0
    assert before - len(rig.board.input) == 7
    rig = Rig()
    rig.board.input += b"x" * 2_000
    assert rig.console.work(True) == 0
    assert len(rig.board.input) == 2_000 - 512
    rig = Rig()
    rig.board.input += b"long\r"
    for turn in range(1, 20):
        rig.console.work(True)
        assert rig.verbs.drawn <= 8 * turn


@pytest.mark.requirement("F12")
def test_an_answer_comes_whole_and_ends_with_ok():
    rig = Rig()
    lines = rig.type(b"long\r").split(b"\r\n")
    assert lines[0] == b"long"
    assert lines[1:-2] == [b"line %d of a long answer" % number for number in range(1_000)]
    assert lines[-2:] == [b"ok", b""]


@pytest.mark.requirement("F12")
def test_a_new_line_ends_a_long_answer():
    rig = Rig()
    rig.board.input += b"long\r"
    rig.console.work(True)
    answer = rig.type(b"status\r")
    assert answer.endswith(b"status\r\nanswer\r\nok\r\n")
    assert rig.verbs.drawn < 100


@pytest.mark.requirement("F12", "R50")
@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (b"no\r", b"error: no: just not\r\n"),
        (b"breaks\r", b"begins\r\nerror: breaks: in the middle\r\n"),
        (b"sta\x03tus\r", b"error: byte 3: printable ASCII only\r\n"),
        (b"st\xc3\xa4tus\r", b"error: byte 195: printable ASCII only\r\n"),
        (b"\ttab\r", b"error: byte 9: printable ASCII only\r\n"),
        (b"x" * 121 + b"\r", b"error: line too long: at most 120 characters\r\n"),
        (b"x" * 121 + b"\b" * 50 + b"\r", b"error: line too long: at most 120 characters\r\n"),
    ],
)
def test_every_refusal_says_why(typed: bytes, why: bytes):
    rig = Rig()
    assert rig.type(typed).endswith(why)
    assert rig.console.refused == 1
    assert rig.type(b"status\r").endswith(b"answer\r\nok\r\n")


@pytest.mark.requirement("F12")
@pytest.mark.parametrize(
    ("typed", "ran"),
    [
        (b"halt\x15status\r", [["status"]]),
        (b"\x00\xff\x15status\r", [["status"]]),
        (b"x" * 300 + b"\x15status\r", [["status"]]),
        (b"statis\b\bus\r", [["status"]]),
        (b"\b\x7f\bstatus\r", [["status"]]),
        (b"\r\n \r\n\n\r", []),
        (b"status\r\nstatus\nstatus\r", [["status"]] * 3),
        (b"status", []),
        (b"  program   show  \r", [["program", "show"]]),
        (b"x" * 120 + b"\r", [["x" * 120]]),
    ],
)
def test_lines_are_edited_and_ended_as_on_a_terminal(typed: bytes, ran: list[list[str]]):
    rig = Rig()
    rig.type(typed)
    assert rig.verbs.ran == ran


@pytest.mark.requirement("F12")
def test_what_is_typed_is_echoed():
    assert Rig().type(b"stat\bt") == b"stat\b \bt"
    assert Rig().type(b"ab\x15") == b"ab\r\n"


@pytest.mark.requirement("F12", "I7")
def test_a_line_that_comes_byte_by_byte_is_one_line():
    rig = Rig()
    for byte in b"status\r":
        rig.type(bytes([byte]))
    assert rig.verbs.ran == [["status"]]


@pytest.mark.requirement("F12", "R18")
def test_a_line_of_which_a_bit_changes_in_ram_before_its_end_is_not_run():
    """`bolus 1 uL` would be 9 uL by one bit."""
    typed = b"bolux\b 1 uL over 10 min"
    line = b"bolu 1 uL over 10 min"
    for place in range(len(line)):
        for bit in range(8):
            rig = Rig()
            rig.type(typed)
            rig.console._line[place] ^= 1 << bit
            assert b"error: a bit of the line has changed" in rig.type(b"\r")
            assert rig.verbs.ran == []
            rig.type(b"status\r")
            assert rig.verbs.ran == [["status"]]


@pytest.mark.requirement("F12", "R18")
def test_nor_one_of_which_a_bit_changes_while_what_it_needs_is_loaded():
    line = b"calibrate set pl_per_step 25000"
    for place in range(len(line)):
        for bit in range(8):
            rig = Rig()
            loading = [True, True]
            rig.verbs.prepare = lambda verb, left=loading: bool(left) and left.pop()  # pyright: ignore
            rig.board.input += line + b"\r"
            rig.console.work(True)
            waiting = rig.console._command
            assert waiting == line
            rig.console._command = waiting[:place] + bytes([waiting[place] ^ 1 << bit]) + waiting[place + 1 :]
            assert b"error: a bit of the line has changed" in rig.type(b"")
            assert rig.verbs.ran == []
            rig.type(b"status\r")
            assert rig.verbs.ran == [["status"]]


@pytest.mark.requirement("F12", "R18")
@pytest.mark.parametrize("bit", range(16))
def test_no_bit_of_the_length_of_a_line_ends_a_run(bit: int):
    for typed in (0, 3, 60, MAX_LINE):
        rig = Rig()
        rig.type(b"x" * typed)
        rig.console._length ^= 1 << bit
        rig.type(b"\b" * (typed % 4) + b"status\r\r")
        rig.verbs.ran.clear()
        rig.type(b"status\r")
        assert rig.verbs.ran == [["status"]]
