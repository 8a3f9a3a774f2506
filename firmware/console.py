"""Bytes to lines and lines to bytes on the USB console, without ever waiting for either (F12; invariant 7).

At most 512 bytes and one command are taken a turn, and one line of an answer is given (a line of the log is an EEPROM
page: drawing many at once would delay the tick). Output waits in RAM until the
host takes it; when the host does not, it is dropped, newest first, and dosing never notices. Control characters, Ctrl-C
among them, are just bytes that no line may hold.
"""

from micropython import const

MAX_LINE = const(120)
_BYTES_PER_TURN = const(512)
_OUTPUT_MAX = const(2_048)
_OUTPUT_PER_TURN = const(256)
_RETRY_MS = const(20)  # how soon to try again when the host does not take what waits
_NEVER_MS = const(1_000)
_BACKSPACE = (8, 127)
_LINE_ENDS = (13, 10)
_KILL_LINE = const(21)  # Ctrl-U: forget what was typed, as terminals do; tools begin with it


class Console:
    """A line-oriented console."""

    def __init__(self, board):
        """board: read_byte() -> int or -1; write(memoryview) -> count taken."""
        self._board = board
        self.commands = None  # commands.Commands; work() needs it
        self._line = bytearray(MAX_LINE)
        self._length = 0
        self._sum = 0  # of its bytes, as they came: a wrong bit in RAM is not to be obeyed
        self._bad = None  # why the line being read will be refused
        self._output = bytearray(_OUTPUT_MAX)
        self._view = memoryview(self._output)
        self._begin = self._used = 0  # of what waits in it
        self._command = None  # a line, until what it needs is loaded
        self._command_sum = 0  # of its bytes
        self._lines = None  # generator of further lines of a long answer
        self._after_cr = False
        self.refused = 0
        self.dropped = 0

    @property
    def idle(self):
        """Whether nothing is to be done, as long as nothing comes in."""
        return not self._used and self._lines is None and self._command is None

    @property
    def typed(self):
        """How much there is of a line that has no end yet: 0 if nothing was typed."""
        return self._length + (self._bad is not None)

    def work(self, console_input):
        """Handle a bounded amount of input, if any waits, and of output. Returns the longest time (ms) until it must
        run again. Without memory it forgets what it was about: the pump goes on."""
        try:
            return self._work(console_input)
        except MemoryError:
            self._begin = self._used = 0
            self._lines = self._command = None
            self.dropped += 1
            return _RETRY_MS

    def _work(self, console_input):
        if not console_input and self.idle:
            return _NEVER_MS
        if self._command is not None:
            self._run(self._command)
            return 0
        read = self._board.read_byte
        more = True
        for _ in range(_BYTES_PER_TURN):
            byte = read()
            if byte < 0:
                more = False
                break
            if self._take(byte):
                self._run(self._command)  # from here, as every call on the way to it takes from a small stack
                break
        if self._flush() or more:
            return 0
        return _RETRY_MS if self._used or self._lines is not None else _NEVER_MS

    def _take(self, byte):
        """Returns whether a command is to be run by this byte."""
        if byte in _LINE_ENDS:
            ends = not (byte == 10 and self._after_cr)
            self._after_cr = byte == 13
            return ends and self._end_line()
        self._after_cr = False
        if byte == _KILL_LINE:
            self.forget_line()
        elif byte in _BACKSPACE:
            if self._length and self._bad is None:
                self._length = min(self._length, MAX_LINE) - 1
                self._sum -= self._line[self._length]
                self._put(b"\b \b")
        elif self._bad is not None:
            return False  # the rest of a line that will be refused is part of it
        elif not 32 <= byte <= 126:
            self._bad = "byte %d: printable ASCII only" % byte
        elif self._length >= MAX_LINE:
            self._bad = "line too long: at most %d characters" % MAX_LINE
        else:
            self._line[self._length] = byte
            self._length += 1
            self._sum += byte
            self._put(self._line[self._length - 1 : self._length])
        return False

    def forget_line(self):
        """Forget the line that has no end yet."""
        self._length = self._sum = 0
        self._bad = None
        self._put(b"\r\n")

    def _end_line(self):
        self._put(b"\r\n")
        bad = self._bad
        self._command = bytes(self._line[: self._length]) if bad is None else None
        self._command_sum = self._sum
        self._length = self._sum = 0
        self._bad = None
        self._lines = None  # a new line ends a long answer that is still under way
        if bad is not None:
            self._refuse(bad)
        return bad is None

    def _run(self, line):
        """Run a command; or load one module that it needs, and go on in the next turn."""
        try:
            if sum(line) != self._command_sum:
                raise ValueError("a bit of the line has changed in RAM: type it again")
            words = line.decode().split()
            if words and self.commands.prepare(" ".join(words[:3])):  # pyright: ignore[reportAttributeAccessIssue]
                return
            self._command = None
            if words:
                self._lines = iter(self.commands.run(words))  # pyright: ignore[reportAttributeAccessIssue]
        except Exception as error:  # noqa: BLE001 - see _fail
            self._command = None
            self._fail(error)

    def _refuse(self, reason):
        self.refused += 1
        self._put(("error: %s\r\n" % reason).encode())

    def _put(self, data):
        room = _OUTPUT_MAX - self._used
        if len(data) > room:
            self.dropped += 1
            return False
        self._view[self._used : self._used + len(data)] = data
        self._used += len(data)
        return True

    def _flush(self):
        """Returns whether there is more to give to a host that takes it."""
        if self._lines is not None and self._used < _OUTPUT_MAX // 2:
            self._next_line(self._lines)
        if self._used:
            wanted = min(self._used - self._begin, _OUTPUT_PER_TURN)
            count = self._board.write(self._view[self._begin : self._begin + wanted])
            self._sent(count)
            if count < wanted:
                return False
        return bool(self._used) or self._lines is not None

    def _sent(self, count):
        """So much of the output is gone. The rest moves seldom, onto other bytes than its own, and nothing is copied in
        between: a heap in pieces may not have its length in one."""
        self._begin += count
        if self._begin == self._used:
            self._begin = self._used = 0
        elif self._begin >= _OUTPUT_MAX // 2:
            self._view[: self._used - self._begin] = self._view[self._begin : self._used]
            self._used -= self._begin
            self._begin = 0

    def _next_line(self, lines):
        """None is a line that has still to be worked for."""
        try:
            line = next(lines)
            if line is not None:
                self._put((line + "\r\n").encode())
        except StopIteration:
            self._lines = None
            self._put(b"ok\r\n")
        except Exception as error:  # noqa: BLE001 - see _fail
            self._fail(error)

    def _fail(self, error):
        """A command failed: refused with its reason, or by an error that nobody foresaw. No such error may restart a
        pump that doses: the console is not on the way from prescription to motor."""
        self._lines = None
        self._refuse(str(error) if isinstance(error, ValueError) else "internal: %s %s" % (type(error).__name__, error))
