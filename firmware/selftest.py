"""The self-test (F11; R25, R26, R38; invariant 8): at every start, before DRIVE may go high, and in small pieces after.

A test that fails raises the alarm `self_test_failed`, and an event names it; nothing is infused. At the start it is the
last one, but for the button and the battery. The cause is there until a start has passed the test; if only the button
or the battery has failed, until both are found well. Meanwhile everything else is tested on, and may fail for good.

Not tested, as MicroPython gives no way to it: the processor's registers and instructions, the interrupts, the stack and
all RAM but the buffer here. What dosing rests on in RAM is compared with its record instead: prescription and
calibration with what the EEPROM gave, the weekly course and the bolus history with checksums of their own; and the
active alarms with a copy. That the buzzer sounds, nobody hears.
"""

from binascii import crc32

from micropython import const

from firmware import alarms, layout

# Numbers are part of the EEPROM format: new ones are added at the end.
TESTS = (
    "ram",
    "eeprom",
    "watchdog",
    "outputs",
    "buzzer",
    "button",
    "battery",
    "prescription",
    "calibration",
    "schedule",
    "image",
)
RAM, EEPROM, WATCHDOG, OUTPUTS, BUZZER, BUTTON, BATTERY, PRESCRIPTION, CALIBRATION, SCHEDULE, IMAGE = range(len(TESTS))
_PASSING = (BUTTON, BATTERY)  # what may get well by itself
_PASSED = const(-1)
_BUFFER = const(256)
_SLICE = const(16)  # bytes of the buffer that a later piece tests
_READINGS = const(4)
_DEPLETED_MV = const(3_000)
_DIVIDER = const(2)
_TRIES = const(3)
_PAGE = const(64)
_TASK = const(11)  # in resets.TASKS: returned by the task
_REGIONS = (
    layout.PRESCRIPTION_FIRST,
    layout.CALIBRATION_FIRST,
    layout.LEDGER_FIRSTS[0],
    layout.LEDGER_FIRSTS[1],
    layout.COUNTERS_FIRSTS[0],
    layout.COUNTERS_FIRSTS[1],
    layout.FAULTS_FIRST,
    layout.DIARY_FIRST,
    layout.EVENTS_FIRST,
    layout.EVENTS_FIRST + layout.EVENTS_PAGES - 1,
)


def march(buffer, first, end):
    """March C- over buffer[first:end], with two patterns: whether every byte keeps what is written to it, also while
    its neighbours change. Leaves zeros."""
    for low in (0x00, 0x55):
        high = low ^ 0xFF
        for index in range(first, end):
            buffer[index] = low
        for step, wanted, new in ((1, low, high), (1, high, low), (-1, low, high), (-1, high, low)):
            for index in range(first, end) if step > 0 else range(end - 1, first - 1, -1):
                if buffer[index] != wanted:
                    return False
                buffer[index] = new
        for index in range(first, end):
            if buffer[index] != low:
                return False
            buffer[index] = 0
    return True


class SelfTest:
    """The self-test of one pump. `failed`: index into TESTS, the last that has failed; -1 while all have passed."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self.failed = _PASSED
        self.buffer = bytearray(_BUFFER)
        self._page = bytearray(_PAGE)
        self._held = app.board.button_down()
        self._schedule_crc = 0
        self._turn = 0
        self._at = 0  # in the buffer
        self.image = None  # rehash.Rehash, once it is loaded and if the firmware was flashed
        self.tables = None  # tables.py, once it is loaded

    # -- at the start -----------------------------------------------------------------------------------------

    def start(self, watchdog_bites):
        """Run every test until one fails that cannot get well. watchdog_bites: what its proof has shown. DRIVE and
        STEP are low."""
        board = self._app.board
        for test, passes in (
            (RAM, lambda: march(self.buffer, 0, _BUFFER)),
            (EEPROM, self._eeprom),
            (WATCHDOG, lambda: watchdog_bites and board.watchdog_armed()),
            (OUTPUTS, lambda: board.outputs_follow() and board.step_low()),
            (BUZZER, board.tone_works),
            (BUTTON, lambda: not (self._held and board.button_down())),
            (BATTERY, self._battery),
            (PRESCRIPTION, self._prescription),
            (CALIBRATION, self._calibration),
        ):
            if not passes():
                self._fail(test)
                if test not in _PASSING:
                    return

    def _fail(self, test):
        if self.failed != test:
            self.failed = test
            self._app.log.log("self_test", test=test)
        self._app.alarms.raise_(alarms.SELF_TEST_FAILED)

    def _eeprom(self):
        """Whether a page of every region can be read, but for the bolus history and the list of worn pages, of which
        the start has just read every page. A part that gave no records has its own alarm."""
        return not self._app.records.loaded or all(self._readable(page) for page in _REGIONS)

    def _readable(self, page):
        for _ in range(_TRIES):
            try:
                self._app.board.eeprom.read_into(page * _PAGE, self._page)
                return True
            except OSError:
                self._app.board.sleep_ms(1)
        return False

    def _battery(self):
        board = self._app.board
        total = sum([board.millivolts(board.BATTERY) for _ in range(_READINGS)])
        return total * _DIVIDER // _READINGS >= _DEPLETED_MV

    # -- what is dosed by -------------------------------------------------------------------------------------

    def records_hold(self):
        """Whether prescription and calibration, which are about to be used, are those of the records."""
        if not self._prescription():
            self._fail(PRESCRIPTION)
        elif not self._calibration():
            self._fail(CALIBRATION)
        else:
            return True
        return False

    def boluses_hold(self):
        """Whether the history in RAM, which lockout, limits and schedule are about to ask, is what was stored."""
        if self._app.records.boluses.hold():
            return True
        self.ram_changed()
        return False

    def limits_hold(self):
        """Whether what the limits are reckoned with is right: history, weekly course, prescription and calibration."""
        if self._course_crc() == self._schedule_crc:
            return self.records_hold() and self.boluses_hold()
        self._fail(SCHEDULE)
        return False

    def schedule_laid(self):
        """The weekly course of the dosing is a new one."""
        self._schedule_crc = self._course_crc()

    def ram_changed(self):
        """A number in RAM is not what was written to it: of alarms, battery, boluses, a stop, a staged
        calibration or an ordered time."""
        self._fail(RAM)

    def check_tables(self):
        """Raises RuntimeError if a table of the source has changed in RAM (tables.py): in the task, a restart."""
        if self.tables is not None:
            self.tables.check()

    def status(self):
        """Lines of `key: value`."""
        return ["self_test: " + ("passed" if self.failed < 0 else TESTS[self.failed])]

    def _prescription(self):
        records = self._app.records
        rx = records.prescription
        courses = self._app.courses
        if rx is None:
            return True
        try:
            if courses.unsaved is rx:  # the course in RAM is ahead of its record
                return rx.record_crc() == courses.unsaved_crc
            return rx.record_crc() == crc32(records.prescriptions.payload)
        except Exception:  # noqa: BLE001 - a value that cannot even be packed
            return False

    def _calibration(self):
        records = self._app.records
        values = records.calibration
        if values is None:
            return True
        try:
            same = crc32(values.pack(records.board_id)) == crc32(records.calibrations.payload)
        except Exception:  # noqa: BLE001 - a value that cannot even be packed
            return False
        size = values.pl_per_step
        return same and records.cascade.pl_per_step == size and records.ledger.pl_per_step == size

    def _course_crc(self):
        schedule = self._app.dosing.schedule
        days, rates = schedule.tables()
        crc = crc32(rates)
        for day in days:
            crc = crc32(day, crc)
        return crc ^ schedule.base

    # -- later ------------------------------------------------------------------------------------------------

    def work(self, late):
        """In the middle of a second: outputs and watchdog, and one piece of the rest. 5 ms at most; but 14 ms where the
        manifest is read, before the image is hashed anew."""
        app = self._app
        test = self._read_back()
        if test == _PASSED:
            test = self._piece()
        if test != _PASSED:
            self._fail(test)
            app.apply()
        elif self.failed in _PASSING and self._battery() and not app.board.button_down():
            self.failed = _PASSED
            app.alarms.gone(alarms.SELF_TEST_FAILED)
        return _TASK

    def _read_back(self):
        """The test that fails, or -1."""
        board = self._app.board
        if not board.outputs_follow():
            return OUTPUTS
        return _PASSED if board.watchdog_armed() else WATCHDOG

    def _piece(self):
        """The test that fails, or -1."""
        turn = self._turn = (self._turn + 1) & 3
        if turn == 1:
            self.check_tables()
            return _PASSED if self._prescription() else PRESCRIPTION
        if turn != 3:
            return _PASSED if self.image is None or self.image.work() else IMAGE
        if self._course_crc() != self._schedule_crc:
            return SCHEDULE
        if not self._calibration():
            return CALIBRATION
        at = self._at
        self._at = (at + _SLICE) % _BUFFER
        return _PASSED if march(self.buffer, at, at + _SLICE) else RAM
