"""The reference hardware: the only module of the application that knows pins, `machine` and the clock."""

import gc
import select
import sys
import time

import machine
import micropython
import watchdog
from at24c256 import AT24C256, recover_bus
from ds3231 import DS3231
from machine import ADC, I2C, PWM, Pin
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
_TONE_HZ = const(1_000)  # to see whether the buzzer's PWM takes a frequency
_HALF_DUTY = const(32_768)  # a square wave is the loudest
_STILL_MS = const(1_000)  # edges of the button within a second of each other belong to one press (R38)
_EDGES_MASK = const(0xFFFF)
_GC_WHEN_FULL = const(-1)
_ROOM = const(8_192)  # bytes; more than a second leaves behind, unless an operator has much to ask
_I2C_HZ = const(400_000)
_I2C_TIMEOUT_US = const(5_000)  # of a whole transfer; the longest, a page, takes 1.7 ms
_BITE_MS = const(6_000)  # within it the watchdog bites, if it works
_TASK = const(15)  # in resets.TASKS: returned by make_room
_PERIOD_MS = const(1_000)  # of control: steps that were commanded end within it
_STEP_MACHINE = const(0)
_COUNT_MACHINE = const(4)  # on the other PIO block
_ROTOR_MACHINE = const(5)  # the same program, on the same block

PRESSURE, BATTERY, LEVEL, DIE = range(len(_ADC) + 1)  # channels of Board.millivolts

ticks_ms = time.ticks_ms
ticks_us = time.ticks_us
ticks_add = time.ticks_add
ticks_diff = time.ticks_diff


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
        if watchdog.armed is None:
            raise RuntimeError("watchdog: not armed")
        gc.threshold(_GC_WHEN_FULL)
        self.watchdog, self.reset_cause, self.ended = watchdog.armed
        self._drive = Pin(_DRIVE, Pin.OUT, value=0)
        self._driven = 0  # what DRIVE was told
        self._cut = False
        self._dir = Pin(_DIR, Pin.OUT, value=0)  # forward, and never told anything else (R16)
        self._led = Pin(_LED, Pin.OUT, value=0)
        self._buzzer = None  # machine.PWM while it sounds
        Pin(_BUZZER, Pin.OUT, value=0)
        self._adc = tuple([ADC(Pin(number)) for number in _ADC] + [ADC(_DIE)])
        button = Button(Pin(_DOSE, Pin.IN, Pin.PULL_UP))
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
        self.scratch = watchdog.Scratch()
        if self.reset_cause == watchdog.POWER_ON:
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

    watchdog_armed = staticmethod(watchdog.is_armed)
    note = staticmethod(watchdog.note)
    mark = staticmethod(watchdog.mark)
    unbooked = staticmethod(watchdog.unbooked)
    booked = staticmethod(watchdog.booked)
    lived = staticmethod(watchdog.lived)

    def make_room(self, late):
        """A task: collect what the heap holds for nothing, before it is full. It would be collected where it gets full
        otherwise, for 30 ms: perhaps on the way to the tick."""
        if gc.mem_free() < _ROOM:
            self.collect()
        return _TASK

    def collect(self):
        """Collect now: what is to stay is about to be allocated, and must not lie among what is not."""
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
        watchdog.restart()

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

    def outputs_follow(self):
        """Whether the pads of DRIVE and DIR have the levels they were told (R16)."""
        return self._drive.value() == self._driven and self._dir.value() == 0

    def step_low(self):
        """Whether the STEP pad is low, as it is between trains."""
        return self._step.value() == 0

    def tone_works(self):
        """Whether the buzzer's PWM takes a frequency; nothing sounds. That the buzzer itself does cannot be told."""
        pwm = PWM(Pin(_BUZZER), freq=_TONE_HZ, duty_u16=0)
        works = _TONE_HZ * 99 // 100 <= pwm.freq() <= _TONE_HZ * 101 // 100
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
