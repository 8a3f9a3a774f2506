"""The reference hardware: the only module of the application that knows pins, `machine`, `rp2` and the clock."""

import gc
import select
import sys
import time

import machine
import micropython
from at24c256 import AT24C256, recover_bus
from ds3231 import DS3231
from machine import ADC, I2C, PWM, WDT, Pin
from micropython import const
from pulse_counter import PulseCounter
from step_train import StepTrain

_STEP = const(2)
_DIR = const(3)
_SDA = const(4)
_SCL = const(5)
_DRIVE = const(6)
_DIAG = const(7)
_ROTOR = const(8)
_WP = const(9)
_DOSE = const(13)
_BUZZER = const(15)
_LED = const(25)
_ADC = (26, 27, 28)  # the pin of each channel
_DIE = const(4)  # the ADC channel of the processor's own temperature
_FULL_SCALE_MV = const(3_300)  # ADC reference; 12 bits
_HALF_DUTY = const(32_768)  # a square wave is the loudest
_STILL_MS = const(1_000)  # edges of the button within a second of each other belong to one press (R38)
_EDGES_MASK = const(0xFFFF)
_GC_IMPORTING = const(65_536)
_GC_WHEN_FULL = const(-1)
_ROOM = const(8_192)  # bytes; more than a second leaves behind, unless an operator has much to ask
_I2C_HZ = const(400_000)
_I2C_TIMEOUT_US = const(5_000)  # of a whole transfer; the longest, a page, takes 1.7 ms
_WATCHDOG_MS = const(5_000)  # a start takes up to 2.7 s, with a bus that fails 4.3 s; RP2040's limit is 8,388 ms
_BITE_MS = const(6_000)  # within it the watchdog bites, if it works
_PERIOD_MS = const(1_000)  # of control: steps that were commanded end within it
_WATCHDOG_CTRL = 0x40058000
_WATCHDOG_ENABLE = 0x40000000
# Watchdog scratch registers 0-3 survive every reset but power-on (RP2040 data sheet 4.7). Their addresses are no small
# integers, so they stand here ready made: computing one in the tick would allocate.
_SCRATCH = (0x4005800C, 0x40058010, 0x40058014, 0x40058018)
_SCRATCH_4 = 0x4005801C
_TIMED_OUT = 0x6AB73121  # what the SDK leaves in scratch 4 while the watchdog is armed; a commanded reset leaves 0
# Scratch 5-7 are the application's: the boot ROM reads them only if 4 holds its own mark (data sheet 2.8.1.1), and the
# SDK writes them only beside that mark. How the last run ended, starts that are not in the EEPROM yet, what runs now.
_ENDING = 0x40058020
_UNBOOKED = 0x40058024
_RUNNING = 0x40058028
_VALID = const(0x2A500000)  # whatever else these words hold was not written by us
_VALID_MASK = 0x3FF00000
_LOOP = const(3)  # so many starts in a row that came to nothing can be heard
_LOOP_HZ = const(1_000)
_STEP_MACHINE = const(0)
_COUNT_MACHINE = const(4)  # on the other PIO block
_ROTOR_MACHINE = const(5)  # the same program, on the same block

IMAGE_ROOT = "/"  # where the flashed files lie

POWER_ON, WATCHDOG, COMMANDED, EXCEPTION, RESET_LOOP, WATCHDOG_TEST = range(6)  # as resets.CAUSES
HANG, LATE, TOO_FAST, TOO_SLOW, BY_EXCEPTION, BY_TEST, ORDERED = range(7)  # as resets.ENDINGS
_ERRORS = (MemoryError, OSError, ValueError, TypeError, IndexError, KeyError, AttributeError, NameError, RuntimeError)
_ERRORS += (OverflowError, ZeroDivisionError, ImportError, SystemExit, KeyboardInterrupt)  # as resets.ERRORS, from 1
PRESSURE, BATTERY, LEVEL, DIE = range(len(_ADC) + 1)  # channels of Board.millivolts

ticks_ms = time.ticks_ms
ticks_us = time.ticks_us
ticks_add = time.ticks_add
ticks_diff = time.ticks_diff


_armed = None  # the watchdog, the cause of the last reset and how the run before it ended, once arm() has run


def arm():
    """Arm the watchdog, first of all: nothing after this can hang for ever. The cause of the last reset is read before,
    as arming rewrites the evidence."""
    global _armed
    # What importing the application leaves behind is collected while it is imported. Otherwise its code would lie all
    # over the heap: of 78 kB that are free then, no 2 kB in one piece.
    gc.threshold(_GC_IMPORTING)
    cause = _reset_cause()
    if cause == POWER_ON:
        _write(_UNBOOKED, 0)
        _write(_RUNNING, 0)
        _write(_ENDING, 0)
    word = _read(_ENDING)
    ended = (word & 0xF, word >> 4 & 0xFF, word >> 12 & 0xFF)
    if not word:  # nothing was noted: all that is known is what was running
        ended = (HANG if cause == WATCHDOG else ORDERED, _read(_RUNNING), 0)
    if cause == COMMANDED and ended[0] == BY_EXCEPTION:
        cause = EXCEPTION
    elif cause == WATCHDOG and ended[0] == BY_TEST:
        cause = WATCHDOG_TEST
    if cause in (WATCHDOG, EXCEPTION):
        _write(_UNBOOKED, min(unbooked() + 1, 0xFF))
    _write(_ENDING, 0)
    _armed = (WDT(timeout=_WATCHDOG_MS), cause, ended)
    if unbooked() >= _LOOP:  # none of these starts may have come to where an alarm can be raised
        PWM(Pin(_BUZZER), freq=_LOOP_HZ, duty_u16=_HALF_DUTY)
        Pin(_LED, Pin.OUT, value=1)


def _read(address):
    word = machine.mem32[address] & 0x3FFFFFFF
    return word & 0xFFFFF if word & _VALID_MASK == _VALID else 0


def _write(address, value):
    machine.mem32[address] = _VALID | value


def note(ending, task=None, error=0):
    """Note why this run ends, for the next start. ending: HANG..ORDERED; task: of resets.TASKS, None: the one that
    runs; error: of resets.ERRORS. Allocates nothing."""
    _write(_ENDING, ending | (_read(_RUNNING) if task is None else task) << 4 | error << 12)


def note_error(error):
    """Note that this run ends by an exception."""
    number = 0
    for index, kind in enumerate(_ERRORS):
        if isinstance(error, kind):
            number = index + 1
            break
    note(BY_EXCEPTION, None, number)


def mark(task):
    """Note what runs now (of resets.TASKS): after a hang nothing else tells. Allocates nothing."""
    machine.mem32[_RUNNING] = _VALID | task


def unbooked():
    """Starts after a bite or an exception that are not in the EEPROM yet, this one included; 0..255."""
    return _read(_UNBOOKED)


def booked():
    """They are now."""
    _write(_UNBOOKED, 0)


def disarm():
    """Stop the watchdog (register access; there is no other way): for a board that does not start and waits at the
    REPL to be flashed, its outputs safe."""
    machine.mem32[_WATCHDOG_CTRL] = machine.mem32[_WATCHDOG_CTRL] & ~_WATCHDOG_ENABLE


def safe_outputs():
    """Motor unpowered, STEP low, EEPROM protected."""
    Pin(_DRIVE, Pin.OUT, value=0)
    Pin(_STEP, Pin.OUT, value=0)
    Pin(_WP, Pin.OUT, value=1)


def restart():
    """Reset the processor. Never returns."""
    machine.reset()


class Scratch:
    """Four words of 30 bits that survive a watchdog reset. Reading and writing them allocates nothing."""

    def __getitem__(self, index):
        return machine.mem32[_SCRATCH[index]] & 0x3FFFFFFF

    def __setitem__(self, index, value):
        machine.mem32[_SCRATCH[index]] = value


class Button:
    """The DOSE button, low while it is pressed. An interrupt sees a press however short; a press counts once the button
    has been up and still for a second, so that neither bounces nor the bounces of a release are a press (R38). Held at
    the start, it is none."""

    def __init__(self, pin):
        """pin: input with a pull-up."""
        self._pin = pin
        self._pressed = False
        self._edges = 0
        self._still = 0  # the value of _edges after which there was a second without any
        self._edge_at = ticks_ms()
        self._down = not pin.value()
        pin.irq(self._edge, Pin.IRQ_FALLING | Pin.IRQ_RISING, hard=True)

    def _edge(self, pin):
        """Interrupt; allocates nothing. The first edge of a button that was up and still is a press, whatever the pin
        reads by now."""
        now = ticks_ms()
        edges = self._edges
        if not self._down and (edges == self._still or ticks_diff(now, self._edge_at) >= _STILL_MS):
            self._pressed = True
        self._down = not pin.value()
        self._edge_at = now
        self._edges = (edges + 1) & _EDGES_MASK

    def down(self):
        """Whether it is down now."""
        return not self._pin.value()

    def take(self):
        """Whether it was pressed since the last call. To be called at least once in six days: ticks wrap."""
        edges = self._edges  # before the time is looked at: an edge in between leaves the two different
        if ticks_diff(ticks_ms(), self._edge_at) >= _STILL_MS:
            self._still = edges
        if not self._pressed:
            return False
        self._pressed = False
        return True


class Board:
    """All parts of the bench. The watchdog must be armed; dosing starts only when drive(True) is called.

    take_press(): True once for every press of the DOSE button; button_down(): whether it is down now; see Button.
    """

    def __init__(self):
        if _armed is None:
            raise RuntimeError("watchdog: not armed")
        gc.collect()
        gc.threshold(_GC_WHEN_FULL)
        self.watchdog, self.reset_cause, self.ended = _armed
        self._drive = Pin(_DRIVE, Pin.OUT, value=0)
        self._driven = 0  # what DRIVE was told
        self._cut = False
        Pin(_DIR, Pin.OUT, value=0)
        self._led = Pin(_LED, Pin.OUT, value=0)
        self._buzzer = None  # machine.PWM while it sounds
        Pin(_BUZZER, Pin.OUT, value=0)
        self._adc = tuple([ADC(Pin(number)) for number in _ADC] + [ADC(_DIE)])
        self._dose = Pin(_DOSE, Pin.IN, Pin.PULL_UP)
        button = Button(self._dose)
        self.take_press = button.take
        self.button_down = button.down
        write_protect = Pin(_WP, Pin.OUT, value=1)
        scl = Pin(_SCL, Pin.OPEN_DRAIN, Pin.PULL_UP, value=1)
        sda = Pin(_SDA, Pin.OPEN_DRAIN, Pin.PULL_UP, value=1)
        recover_bus(scl, sda, time.sleep_us)
        # The stubs do not know the time-out that the RP2040 port takes.
        i2c = I2C(0, scl=Pin(_SCL), sda=Pin(_SDA), freq=_I2C_HZ, timeout=_I2C_TIMEOUT_US)  # pyright: ignore[reportCallIssue]
        self.eeprom = AT24C256(i2c, write_protect, time.sleep_ms)
        self.rtc = DS3231(i2c)
        self._step = step = Pin(_STEP, Pin.OUT, value=0)
        self.train = StepTrain(_STEP_MACHINE, step)
        self.counter = PulseCounter(_COUNT_MACHINE, step)
        self.rotor = PulseCounter(_ROTOR_MACHINE, Pin(_ROTOR, Pin.IN, Pin.PULL_DOWN))
        self._diag = Pin(_DIAG, Pin.IN, Pin.PULL_DOWN)
        self.scratch = Scratch()
        if self.reset_cause == POWER_ON:
            for index in range(4):
                self.scratch[index] = 0
        self._input = select.poll()
        self._input.register(sys.stdin, select.POLLIN)
        self._output = select.poll()
        self._output.register(sys.stdout, select.POLLOUT)

    ticks_ms = staticmethod(ticks_ms)
    ticks_add = staticmethod(ticks_add)
    ticks_diff = staticmethod(ticks_diff)
    PRESSURE = PRESSURE
    BATTERY = BATTERY
    LEVEL = LEVEL
    DIE = DIE
    heap_lock = staticmethod(micropython.heap_lock)
    heap_unlock = staticmethod(micropython.heap_unlock)

    def board_id(self):
        """8 bytes that no other board has: the unique number of its flash chip."""
        return machine.unique_id()

    note = staticmethod(note)
    mark = staticmethod(mark)
    unbooked = staticmethod(unbooked)
    booked = staticmethod(booked)

    def make_room(self, late):
        """A task: collect what the heap holds for nothing, before it is full. It would be collected where it gets full
        otherwise, for 30 ms: perhaps on the way to the tick."""
        if gc.mem_free() < _ROOM:
            gc.collect()

    def feed(self):
        """Feed the watchdog. Called by the supervisor only."""
        self.watchdog.feed()

    def starve(self):
        """Wait for the bite, the motor unpowered as soon as the steps under way are made. Should none come, restart.
        Never returns."""
        time.sleep_ms(_PERIOD_MS)
        self.drive(False)
        time.sleep_ms(_BITE_MS)
        restart()

    def drive(self, on):
        """Power the motor driver, or cut it. While the guard cuts it, nobody can power it."""
        self._driven = 1 if on and not self._cut else 0
        self._drive.value(self._driven)

    def cut(self, on):
        """The guard cuts the motor's power, or no longer does."""
        self._cut = on
        if on:
            self.drive(False)

    def at_rest(self):
        """Whether DRIVE and STEP are low, read back from their pins."""
        return not (self._drive.value() or self._step.value())

    # -- what the self-test reads back ------------------------------------------------------------------------

    def drive_follows(self):
        """Whether the DRIVE pad has the level it was told."""
        return self._drive.value() == self._driven

    def step_low(self):
        """Whether the STEP pad is low, as it is between trains."""
        return self._step.value() == 0

    def watchdog_armed(self):
        """Whether the watchdog's timer is enabled."""
        return bool(machine.mem32[_WATCHDOG_CTRL] & _WATCHDOG_ENABLE)

    def dose_pressed(self):
        """Whether the DOSE button is pressed now."""
        return not self._dose.value()

    def tone_works(self):
        """Whether the buzzer's PWM takes a frequency; nothing sounds. That the buzzer itself does cannot be told."""
        pwm = PWM(Pin(_BUZZER), freq=_LOOP_HZ, duty_u16=0)
        works = _LOOP_HZ * 99 // 100 <= pwm.freq() <= _LOOP_HZ * 101 // 100
        pwm.deinit()
        Pin(_BUZZER, Pin.OUT, value=0)
        return works

    def driver_fault(self):
        """Whether the motor driver reports a fault (DIAG high)."""
        return self._diag.value() == 1

    def millivolts(self, channel):
        """Voltage of PRESSURE, BATTERY, LEVEL (at their pins) or DIE, in mV, 0..3,299, floored: one count is 0.8 mV."""
        return (self._adc[channel].read_u16() >> 4) * _FULL_SCALE_MV >> 12

    def sound(self, hz):
        """Let the buzzer sound at hz (20..20,000), or be silent with 0."""
        if self._buzzer is not None:
            self._buzzer.deinit()
            self._buzzer = None
        if hz:
            self._buzzer = PWM(Pin(_BUZZER), freq=hz, duty_u16=_HALF_DUTY)
        else:
            Pin(_BUZZER, Pin.OUT, value=0)  # a stopped PWM leaves its pin at any level

    def led(self, on):
        """Light the LED, or put it out."""
        self._led.value(1 if on else 0)

    def wait(self, ms):
        """Sleep for up to ms (1..1000), or until the console has a byte. Returns whether it has."""
        for _ in self._input.ipoll(ms):
            return True
        return False

    def sleep_ms(self, ms):
        """Sleep, whatever the console does."""
        time.sleep_ms(ms)

    def read_byte(self):
        """The next console byte, or -1 if there is none. Never waits."""
        for _ in self._input.ipoll(0):
            return sys.stdin.buffer.read(1)[0]
        return -1

    def write(self, data):
        """Write to the console what it takes at once; the count taken. Never waits for the host.

        Ready to write means that there is room for one byte. MicroPython would wait for the host to make room for a
        second one, for half a second each time, and the watchdog would bite.
        """
        for index in range(len(data)):
            if not self._can_write():
                return index
            sys.stdout.buffer.write(data[index : index + 1])
        return len(data)

    def _can_write(self):
        for _ in self._output.ipoll(0):
            return True
        return False

    def note_exception(self, error):
        """Print an exception for whoever reads the console. A host that does not read cannot hold up the restart that
        follows for longer than the watchdog allows."""
        sys.print_exception(error)


def _reset_cause():
    if machine.reset_cause() != machine.WDT_RESET:
        return POWER_ON
    return WATCHDOG if machine.mem32[_SCRATCH_4] & 0xFFFFFFFF == _TIMED_OUT else COMMANDED
