"""A pump at the other end of a serial port: one line out, one reply back, never waiting without end."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import serial

try:
    from termios import error as _TerminalError  # no OSError, and pyserial lets it through
except ModuleNotFoundError:  # Windows
    _TerminalError = OSError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

BAUD_RATE = 115_200  # USB takes any; a real UART adapter needs one
LINE_LENGTH = 120  # what the pump's console takes
MAX_REPLY_BYTES = 300_000  # more than twice the longest log: what goes on beyond is no pump
MAX_REPLY_S = 120.0  # a reply that drips on for longer has no end either
_POLL_S = 0.05
_CANCEL = b"\x15\r"  # Ctrl-U and an empty line: end what somebody half typed, and any long answer under way
_QUIET_S = 0.2  # ten times as long as the pump pauses within an answer
_MAX_UNREST_S = 10.0
_EVENT_FIELDS = ("seq", "rtc", "severity", "code")
_UNREADABLE = re.compile(r"page [0-9]+ unreadable: ")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_HEX_FIELDS = ("digest",)  # stay text even where all their digits are decimal


class NoPump(Exception):
    """There is no pump: no such port, nothing that answers, or an answer that never ends."""


class ReplyError(ValueError):
    """A pump answered something that is not what the command promises."""


@dataclass(frozen=True)
class Reply:
    """What the pump answered.

    lines: without the closing line; reason: why it refused, empty if it did not.
    """

    lines: tuple[str, ...]
    ok: bool
    reason: str = ""


class PumpLink:
    """An open link to a pump. A context manager; nobody else can open the port meanwhile."""

    def __init__(self, port: str, timeout: float = 6.0, *, clock: Callable[[], float] = time.monotonic) -> None:
        """port: name or path of the serial port.

        timeout: longest silence within a reply, and longest time to take a command, in seconds. Raises NoPump
        if the port cannot be opened.
        """
        self.port = port
        self.timeout = timeout
        self._clock = clock
        self._pending = b""
        self._synchronised = False
        try:
            self._serial = serial.Serial(
                port, BAUD_RATE, timeout=min(_POLL_S, timeout), write_timeout=timeout, exclusive=True
            )
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise NoPump(f"{port}: cannot be opened: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the port back. May be called twice."""
        with contextlib.suppress(OSError, _TerminalError):  # an unplugged port is closed already
            self._serial.close()

    def command(self, line: str) -> Reply:
        """Send one console line (1 to 120 printable ASCII characters) and wait for the reply.

        Raises ValueError for a line that the console does not take, and NoPump if nothing answers, the reply
        stays incomplete for the time-out, or the port goes away.
        """
        if not 1 <= len(line) <= LINE_LENGTH or not all(" " <= c <= "~" for c in line):
            raise ValueError(f"command = {line!r}: 1 to {LINE_LENGTH} printable ASCII characters")
        try:
            if not self._synchronised:
                self._synchronise()
            self._synchronised = False  # until this command has its reply
            self._serial.reset_input_buffer()
            self._pending = b""
            self._serial.write(line.encode("ascii") + b"\r")
            reply = self._reply(line)
        except (OSError, _TerminalError) as error:
            raise NoPump(f"{self.port}: {error}") from error
        self._synchronised = True
        return reply

    def _synchronise(self) -> None:
        """Wait for silence, so that no `ok` of somebody else's command can be taken for that of ours."""
        self._serial.write(_CANCEL)
        heard = False
        start = last = now = self._clock()
        while not heard or now - last < _QUIET_S:
            data = self._serial.read(max(1, self._serial.in_waiting))
            now = self._clock()
            if data:
                heard = True
                last = now
            if not heard and now - start >= self.timeout:
                raise NoPump(f"{self.port}: nothing answers within {self.timeout:g} s")
            if now - start >= _MAX_UNREST_S:
                raise NoPump(f"{self.port}: does not fall silent within {_MAX_UNREST_S:g} s")

    def _reply(self, command: str) -> Reply:
        end = self._clock() + MAX_REPLY_S
        lines: list[str] = []
        size = 0
        echo_due = True
        while True:
            text = self._line(command, len(lines), end)
            size += len(text) + 1
            if size > MAX_REPLY_BYTES or self._clock() >= end:
                raise NoPump(f"{self.port}: the answer to {command!r} has no end")
            if echo_due and text == command:
                echo_due = False  # a console may echo, once and before it answers
            elif text == "ok":
                return Reply(tuple(lines), ok=True)
            elif text.startswith("error: "):
                return Reply(tuple(lines), ok=False, reason=text.removeprefix("error: "))
            elif text or lines:
                echo_due = False
                lines.append(text)

    def _line(self, command: str, received: int, end: float) -> str:
        """The next line without its ending. Raises NoPump after the time-out without a byte, and at `end`."""
        deadline = self._clock() + self.timeout
        while b"\n" not in self._pending:
            data = self._serial.read(max(1, self._serial.in_waiting))
            if data:
                deadline = self._clock() + self.timeout
                self._pending += data
            elif self._clock() >= deadline:
                what = f"stopped after {received} lines of the answer to" if received else "no answer to"
                raise NoPump(f"{self.port}: {what} {command!r} within {self.timeout:g} s")
            if len(self._pending) > MAX_REPLY_BYTES or self._clock() >= end:
                raise NoPump(f"{self.port}: the answer to {command!r} has no end")
        line, _, self._pending = self._pending.partition(b"\n")
        return line.strip(b"\r").decode("ascii", "backslashreplace")


def parse_status(lines: tuple[str, ...] | list[str]) -> dict[str, str]:
    """The `key: value` lines of `status`, in their order.

    Raises ReplyError for a line of another form, or a key twice.
    """
    status: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(": ")
        if not colon or not key or key in status:
            raise ReplyError(f"status line {line!r}: a new key, a colon, a space and a value expected")
        status[key] = value
    return status


def parse_log(lines: tuple[str, ...] | list[str]) -> list[dict[str, str | int]]:
    """The events of `log`, one per line: `seq rtc severity code key=value ...`; whole numbers become int.

    A page of the log that the pump could not read becomes {"unreadable": line}: one bad page must not hide
    the others. Raises ReplyError for a line of any other form.
    """
    return [{"unreadable": line} if _UNREADABLE.match(line) else _event(line) for line in lines]


def _event(line: str) -> dict[str, str | int]:
    words = line.split(" ")
    if len(words) < len(_EVENT_FIELDS) or not _WHOLE.fullmatch(words[0]) or "" in words:
        raise ReplyError(f"log line {line!r}: `seq rtc severity code key=value ...` expected")
    event: dict[str, str | int] = {"seq": int(words[0])}
    event.update(zip(_EVENT_FIELDS[1:], words[1:4], strict=True))
    for word in words[4:]:
        key, equals, value = word.partition("=")
        if not equals or not key or key in event:
            raise ReplyError(f"log line {line!r}: {word!r} is no key=value with a new key")
        event[key] = int(value) if key not in _HEX_FIELDS and _WHOLE.fullmatch(value) else value
    return event
