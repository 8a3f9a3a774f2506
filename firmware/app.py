"""The application: wires the modules together, starts the pump and runs the task table."""

from micropython import const

# prescription comes before those that need it by way of others: imports nested less deep leave more of the stack.
from firmware import alarms, layout, ledger, missed, prescription  # noqa: F401
from firmware.alarms import Alarms
from firmware.battery import Battery
from firmware.console import Console
from firmware.courses import Courses
from firmware.diary import Diary
from firmware.dosing import HELD, OFF, ON, Dosing
from firmware.eventlog import EventLog
from firmware.executive import FRAME_MS, Executive, Task
from firmware.guard import Guard
from firmware.image import forget
from firmware.later import Later, load
from firmware.motion import Motion
from firmware.operations import Operations
from firmware.pages import DIARY, EVENT, FAULT
from firmware.pressure import Pressure
from firmware.records import Records
from firmware.reservoir import Reservoir
from firmware.resets import Resets
from firmware.rings import Ring
from firmware.selftest import SelfTest
from firmware.signals import Signals
from firmware.supervisor import Supervisor
from firmware.temperature import EVERY_FRAMES, Temperature
from firmware.therapy import Therapy
from firmware.wallclock import Timekeeping, WallClock
from firmware.watch import Watch

_CLOCK_FRAMES = 20  # seconds between two looks at the RTC; a lost one must be noticed within 60 s
_EEPROM_DEAD_MS = 5_000
_LEVEL_FRAMES = 4  # an empty reservoir is to be noticed within 10 s
_BATTERY_FRAMES = 30  # a mean of ten samples within 15 min
_CHECK_FRAMES = 5
# What a task returns when it has come to its end: its number in resets.TASKS.
_DOSE = const(5)
_KEEP = const(6)
_RESERVE = const(7)
_ONCE = ("startup", "interrupted")  # modules that nobody needs once the first frame is planned


class App:
    """One pump."""

    def __init__(self, board):
        """board: firmware.board.Board."""
        self.began = board.ticks_ms()
        self.board = board
        self.resets = Resets(self)
        self.records = Records(board.eeprom, board.scratch, board.board_id())
        self.ledger = self.records.ledger
        self.cascade = self.records.cascade
        retired = self.records.retired
        self.log = EventLog(
            Ring(board.eeprom, layout.EVENTS_FIRST, layout.EVENTS_PAGES, EVENT, retired),
            Ring(board.eeprom, layout.FAULTS_FIRST, layout.FAULTS_PAGES, FAULT, retired),
            self._stamp,
        )
        self.alarms = Alarms(self.log.log, self.seconds)
        self.missed = missed.Missed(self.ledger, self.log.log)
        self.dosing = Dosing(self.cascade, self.ledger, board.train)
        watched = self.alarms, alarms.GUARD, alarms.RTC_LOST
        self.guard = Guard(board, self.records, self.dosing, watched, self._guard_tripped)
        self.wallclock = WallClock(board.rtc, board)
        self.diary = Diary(Ring(board.eeprom, layout.DIARY_FIRST, layout.DIARY_PAGES, DIARY, retired))
        self.signals = Signals(board)
        self.watch = Watch(self)
        self.courses = Courses(self)
        self.therapy = Therapy(self)
        self.reservoir = Reservoir(self)
        self.battery = Battery(self)
        self.motion = Motion(self)
        self.pressure = Pressure(self)
        self.temperature = Temperature(self)
        self.timekeeping = Timekeeping(self)
        self.operations = Operations(self)
        self.selftest = SelfTest(self)
        self.console = Console(board)
        self.later = Later(self)
        self.parts = None  # console_parts.Parts, once it is loaded
        self.frame = 0  # ticks_ms of the start of the current frame
        self.stop_left = 0  # seconds that a timed stop still lasts
        self.must_record = False  # state changed: the ledger must say so
        self._write_failing_since = None
        self._executive = Executive(
            board,
            (
                Task("pulses", self.guard.look),
                Task("dose", self._dose),
                Task("guard", self.guard.run),
                Task("keep", self._keep),
                Task("reserve", self._reserve),
                Task("room", board.make_room),
            ),
            (
                Task("clock", self.timekeeping.check, every=_CLOCK_FRAMES, deadline=_CLOCK_FRAMES + 3),
                Task("level", self.reservoir.sense, every=_LEVEL_FRAMES, deadline=_LEVEL_FRAMES + 3),
                Task("battery", self.battery.sense, every=_BATTERY_FRAMES, deadline=_BATTERY_FRAMES + 3),
                Task("temperature", self.temperature.sense, every=EVERY_FRAMES, deadline=EVERY_FRAMES + 3),
                Task("check", self.selftest.work, every=_CHECK_FRAMES, deadline=_CHECK_FRAMES + 3),
            ),
            Supervisor(board.feed, board, self._starve),
            self._background,
        )
        self.turn = self._executive.turn  # runs what is due, then sleeps until the next due time or a console byte

    def run(self):
        """Start the pump and run it for ever."""
        self.start()
        turn = self.turn
        while True:
            turn()

    def start(self):
        """Bring the pump up; its first frame is planned."""
        load("startup").start(self)
        forget(_ONCE)
        self._executive.start(self.board.ticks_add(self.frame, FRAME_MS))

    # -- state ------------------------------------------------------------------------------------------------

    def schedule(self):
        """Lay out the prescription in force over the week."""
        if self.records.prescription is not None and self.selftest.records_hold():
            self.dosing.schedule = self.courses.schedule()
        self.selftest.schedule_laid()

    def take_up_schedule(self):
        """Prescription or calibration has changed: dose by it from now on."""
        self.schedule()
        self.changed()
        self.apply()

    def record_state(self):
        """Tell the EEPROM of a new state now, not with the next frame. What fails is tried again every frame."""
        self._reserve(0)

    def mode(self):
        """What dosing is to do: OFF, HELD or ON."""
        if self.records.prescription is None or self.ledger.state in (ledger.STOPPED, ledger.PAUSED):
            return OFF
        if self.ledger.state == ledger.SAFE or self.alarms.reaction() == alarms.STOP:
            return HELD
        return ON

    def changed(self):
        """Mode, time or schedule has changed just now, which may be later than the tick that is due."""
        late = self.board.ticks_diff(self.board.ticks_ms(), self.frame)
        self.dosing.changed(max(0, late // FRAME_MS))

    def apply(self):
        """Make delivery follow state and alarms. Called at every change, and once a frame."""
        if self.alarms.reaction() == alarms.STOP and self.ledger.state in (ledger.RUNNING, ledger.PAUSED):
            self.ledger.state = ledger.SAFE  # a timed stop too: after an alarm nothing resumes by itself
            self.operations.count_stop(0)
            self.must_record = True
        mode = self.mode()
        dosing = self.dosing
        lowest = 0
        if mode == ON and self.alarms.reaction() == alarms.LOWEST:
            lowest = dosing.schedule.lowest()
        if mode != ON or self.alarms.reaction() >= alarms.LOWEST:
            self.therapy.cancel()
        if mode == dosing.mode and lowest == dosing.lowest:
            return
        dosing.mode = mode
        dosing.lowest = lowest
        if mode != ON:
            dosing.drop_pending()
        if mode != HELD:
            self.missed.report()
        if mode == ON:
            self.board.drive(True)
            self.motion.powered()
        elif mode == HELD:
            self.board.drive(False)  # a fault stops the motor in the middle of its stroke (R15)
        self.changed()

    def _starve(self, ending, task):
        """The watchdog is fed no more. Nothing runs until it bites, so that what is missed is known."""
        self.board.note(ending, task)
        self.board.starve()

    def _guard_tripped(self, check, pulses, allowed):
        """The guard has cut DRIVE."""
        self.log.log("guard", check=check, pulses=pulses, allowed=allowed)
        self.alarms.raise_(alarms.GUARD)
        self.apply()

    # -- tasks ------------------------------------------------------------------------------------------------

    def _dose(self, late):
        board = self.board
        self.dosing.check_time()
        board.heap_lock()
        try:
            self.dosing.tick(late)
        finally:
            board.heap_unlock()
        self.frame = board.ticks_add(self.frame, FRAME_MS * (1 + late // FRAME_MS))
        return _DOSE

    def _keep(self, late):
        """Once a frame: the operator's clock, the end of a timed stop, missed volume, alarms and their reactions."""
        dosing = self.dosing
        if self.wallclock.is_wanted:
            self.timekeeping.finish()
        if self.missed.take(dosing, self.cascade):
            self.must_record = True
        self.courses.keep()
        self.reservoir.watch()
        self.therapy.keep()
        if self.board.take_press():
            self.therapy.press()
        seconds = 1 + late // FRAME_MS
        self.watch.keep(seconds)
        if not self.alarms.hold():
            self.selftest.ram_changed()
        self.signals.frame(self.alarms.priority(), self.alarms.take_fresh(), seconds)
        if dosing.mode == OFF:
            self.board.drive(False)  # the operator's stop has let the second's steps end (R15)
        self.motion.watch()  # from here on DRIVE is what the mode wants
        self.pressure.watch()
        state = self.ledger.state
        if state == ledger.PAUSED:
            self.stop_left = max(0, self.stop_left - 1)
            if not self.stop_left:
                self.operations.end_pause()
        elif state != ledger.RUNNING:
            self.operations.watch_stop()
        if self.alarms.active:
            self.apply()
        if self.alarms.changed:
            self.must_record = True
        self.resets.frame()
        return _KEEP

    def _reserve(self, late):
        """Keep the reservation ahead of the steps; tell the EEPROM when state changed."""
        dosing = self.dosing
        if self.records.is_doubtful:
            self._withdraw()
        on = dosing.mode == ON
        if not (self.must_record or (on and self.ledger.wants_record(self.cascade, dosing.pending))):
            return _RESERVE
        if not self.records.has_ledger or self.records.calibration is None:
            return _RESERVE  # there is no ledger yet, or its steps cannot be booked as volume
        self.ledger.alarms = self.alarms.latched()
        try:
            if on:
                self.ledger.reserve(self.cascade, dosing.pending, dosing.day, dosing.second)
            else:
                self.ledger.close(self.cascade, dosing.day, dosing.second)
        except OSError:
            self._write_failed()
            return _RESERVE
        self.must_record = self.alarms.changed = False
        self.save_retired()
        if not self.records.is_doubtful:
            self._written()
        return _RESERVE

    def _withdraw(self):
        """What a refused commit may have left must not come into force at the next start."""
        self.must_record = True  # which also tells that the EEPROM answers again
        try:
            self.records.withdraw()
        except (OSError, MemoryError):
            self._write_failed()
            return
        self._written()

    def _written(self):
        """The EEPROM has taken what it was given."""
        self._write_failing_since = None
        if self.alarms.present & 1 << alarms.EEPROM_DEAD:
            self.alarms.gone(alarms.EEPROM_DEAD)

    def _write_failed(self):
        now = self.board.ticks_ms()
        if self._write_failing_since is None:
            self._write_failing_since = now
            self.log.log("write_failed", record=0)
        elif not 0 <= self.board.ticks_diff(now, self._write_failing_since) < _EEPROM_DEAD_MS:  # nor a wrong bit
            self.alarms.raise_(alarms.EEPROM_DEAD)
            self.apply()

    def save_retired(self):
        """Tell the EEPROM of pages that were found worn. What fails is tried again with the next record."""
        retired = self.records.retired
        if not retired.unsaved:
            return
        try:
            retired.save()
        except OSError:
            return
        self.log.log("page_retired", page=retired.pages[-1])

    def _background(self, console_input):
        """LED, console and log, between the tasks; instead of the console, what only that needs as long as it is not
        loaded. Returns the longest time (ms) until the next turn."""
        if self.console.commands is None:
            patience = self.later.work(self._executive.left_ms())
        else:
            patience = self.console.work(console_input)
            self.parts.tidy()  # pyright: ignore[reportAttributeAccessIssue]
        patience = min(patience, self.signals.blink())
        if self.log.idle:
            return patience
        self.log.work()
        return 0

    def seconds(self):
        """Seconds since the start, by frames."""
        return self._executive.number

    def _stamp(self):
        """(day, second, hundredth) of now, for the log."""
        late = self.board.ticks_diff(self.board.ticks_ms(), self.frame)
        return self.dosing.day, self.dosing.second, max(0, min(late // 10, 99))
