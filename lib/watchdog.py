"""The watchdog, and what its registers tell the next start: armed first of all, and the last to act (F11; R26).

What runs now, and why a run ends, is noted in registers that outlive every reset but power-on.
"""

import machine
from machine import PWM, WDT, Pin
from micropython import const

_STEP = const(2)
_DRIVE = const(6)
_WP = const(9)
_BUZZER = const(15)
_LED = const(25)
_HALF_DUTY = const(32_768)  # a square wave is the loudest
_WATCHDOG_MS = const(5_000)  # a start takes up to 2.7 s, with a bus that fails 4.3 s; RP2040's limit is 8,388 ms
_CTRL = 0x40058000
_ENABLE = 0x40000000
# Watchdog scratch registers 0-3 survive every reset but power-on (RP2040 data sheet 4.7). Their addresses are no small
# integers, so they stand here ready made: computing one in the tick would allocate.
_SCRATCH = (0x4005800C, 0x40058010, 0x40058014, 0x40058018)
_SCRATCH_4 = 0x4005801C
_TIMED_OUT = 0x6AB73121  # what the SDK leaves in scratch 4 while the watchdog is armed; a commanded reset leaves 0
# Scratch 5-7 are the application's: the boot ROM reads them only if 4 holds its own mark (data sheet 2.8.1.1), and the
# SDK writes them only beside that mark. How the last run ended; starts that nobody ordered; what runs now.
_ENDING = 0x40058020
_STARTS = 0x40058024  # bits 0-7: those that are not in the EEPROM yet; 8-15: those in a row that came to nothing
_RUNNING = 0x40058028
_VALID = const(0x2A500000)  # whatever else these words hold was not written by us
_VALID_MASK = 0x3FF00000
_UNBOOKED = const(0xFF)
_FRUITLESS = const(0xFF00)
_LOOP = const(3)  # so many of either can be heard
_LOOP_HZ = const(1_000)

POWER_ON, WATCHDOG, COMMANDED, EXCEPTION, RESET_LOOP, WATCHDOG_TEST = range(6)  # as resets.CAUSES
HANG, LATE, TOO_FAST, TOO_SLOW, BY_EXCEPTION, BY_TEST, ORDERED = range(7)  # as resets.ENDINGS
_ERRORS = (MemoryError, OSError, ValueError, TypeError, IndexError, KeyError, AttributeError, NameError, RuntimeError)
_ERRORS += (OverflowError, ZeroDivisionError, ImportError, SystemExit, KeyboardInterrupt)  # as resets.ERRORS, from 1

armed = None  # the watchdog, the cause of the last reset and how the run before it ended, once arm() has run


def arm():
    """Arm the watchdog, first of all: nothing after this can hang for ever. The cause of the last reset is read before,
    as arming rewrites the evidence."""
    global armed
    cause = _reset_cause()
    if cause == POWER_ON:
        _write(_STARTS, 0)
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
    starved = cause == COMMANDED and ended[0] in (LATE, TOO_FAST, TOO_SLOW)  # a bite was due, and did not come
    if starved or cause in (WATCHDOG, EXCEPTION):
        _write(_STARTS, min(unbooked() + 1, 0xFF) | min(_fruitless() + 1, 0xFF) << 8)
    _write(_ENDING, 0)
    armed = (WDT(timeout=_WATCHDOG_MS), cause, ended)
    if max(unbooked(), _fruitless()) >= _LOOP:  # none of these starts may have come to where an alarm can be heard
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
    return _read(_STARTS) & _UNBOOKED


def booked():
    """They are now."""
    _write(_STARTS, _read(_STARTS) & _FRUITLESS)


def _fruitless():
    return _read(_STARTS) >> 8 & 0xFF


def lived():
    """This start has come to where an alarm is heard: the row of those that came to nothing is over."""
    _write(_STARTS, _read(_STARTS) & _UNBOOKED)


def is_armed():
    """Whether its timer is enabled."""
    return bool(machine.mem32[_CTRL] & _ENABLE)


def disarm():
    """Stop the watchdog (register access; there is no other way): for a board that does not start and waits at the
    REPL to be flashed, its outputs safe."""
    machine.mem32[_CTRL] = machine.mem32[_CTRL] & ~_ENABLE


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


def _reset_cause():
    if machine.reset_cause() != machine.WDT_RESET:
        return POWER_ON
    return WATCHDOG if machine.mem32[_SCRATCH_4] & 0xFFFFFFFF == _TIMED_OUT else COMMANDED
