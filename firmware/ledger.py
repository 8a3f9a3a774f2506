"""The ledger: volume is reserved in the EEPROM before its first step is made (F10; invariants 2 and 3).

A record says: so many steps were counted when it was written, and so many more may have been made since. It stands
in two copies before the first of those steps. After a power cut all that was reserved counts as delivered. Across a
watchdog reset the exact count survives in the scratch registers of the watchdog. Physical steps never exceed ledger
steps, at any instant: a step is counted in the scratch register before it is commanded, and reserved in the EEPROM
before it is counted.
"""

import struct

from micropython import const

from firmware.civil import SECONDS_PER_DAY
from firmware.mirror import GOOD
from firmware.scratch import TOTAL_MASK, ScratchCount

# counted steps (32 bits and 16 above them), minutes from the time to the newest turn of a scheduled bolus, volume pL,
# reservoir nL, missed nL, time, stop time (while RUNNING or SAFE: bolus set aside, nL), clock shift modulo 2**32,
# alarms, bolus left nL, reservoir's rest pL, reserved steps, bolus number, state, flags
_FORMAT = "<IHhQIIIIIIIHHHBB"
_TIME_MAX = 3_155_759_999  # the last second of 2099, counted from 2000-01-01
_RESERVED_MAX = 0xFFFF
_U32 = 0xFFFFFFFF
_U16 = const(0xFFFF)
_LONG_AGO = const(-0x8000)
_RESERVE_S = const(55)  # one reservation: with the second in progress and the two looked ahead, below 60 s
_AHEAD_S = const(2)  # this second's steps and the next's are always reserved

RUNNING = const(0)
STOPPED = const(1)  # by the operator, since stop_day, stop_second
SAFE = const(2)  # by a stop alarm
PAUSED = const(3)  # by the operator, until stop_day, stop_second

# What has been committed and acknowledged: without it, a damaged or missing record is a first commit that was cut.
CALIBRATED = const(1)
PROGRAMMED = const(2)
_FLAGS = const(3)


def _seconds(day, second):
    """Local time as seconds since 2000-01-01; at the end of the century it stands still."""
    return min(day * SECONDS_PER_DAY + second, _TIME_MAX)


def _date(seconds):
    """(day, second) of seconds since 2000-01-01, in small integers, as the tick counts on with them. Not by divmod():
    of a number beyond 2**30, from 2034 on, its results are none in MicroPython."""
    return seconds // SECONDS_PER_DAY, seconds % SECONDS_PER_DAY


def _kept(name):
    """A property that is kept three times, and what two of them say is right: no single wrong bit in RAM changes it,
    recorded or not (R18)."""

    def read(book):
        value, other, inverse = getattr(book, name)
        return value if value == other else ~inverse

    def write(book, value):
        setattr(book, name, (value, value, ~value))

    return property(read, write)


class Ledger:
    """Counts every step. `counted` and `volume_pl` are totals at the last record; `used` steps came after it."""

    state = _kept("_state")
    stop_day = _kept("_stop_day")  # when the stop began (STOPPED) or will end (PAUSED)
    stop_second = _kept("_stop_second")
    # Seconds by which operators have set the clock forward, in all: local time less pump time. Lockouts and the end of
    # service hang on it.
    shift = _kept("_shift")
    # Local time, minutes since 2000, of the newest scheduled bolus that was given or skipped.
    decided_min = _kept("_decided_min")
    flags = _kept("_flags")
    bolus = _kept("_bolus")  # number of the newest bolus that has begun to flow, low 16 bits
    low = _kept("_low")  # low bits of `counted`: all that the scratch registers keep of it

    def __init__(self, mirror, scratch, pl_per_step):
        """mirror: mirror.Mirror of ledger records. scratch: 4 words of 30 bits that survive a watchdog reset."""
        self.mirror = mirror
        self._scratch = ScratchCount(scratch)
        self.pl_per_step = pl_per_step
        self.counted = 0
        self.volume_pl = 0
        self.reservoir_pl = 0
        self.reserved = 0
        self.used = 0
        self.missed_nl = 0
        self.state = STOPPED
        self.stop_day = self.stop_second = 0
        self.alarms = 0  # alarms that a reset must not end, as a mask of 32
        self.flags = 0
        self.shift = 0
        self.bolus = 0
        self.bolus_left_nl = 0  # above 0 while it flows: what it still has to give
        self.aside_nl = 0  # above 0 while a bolus waits for that one to end, or flows on after it: what is left of it
        self.decided_min = 0
        self.low = 0
        self._time = 0  # of the record that was taken up

    # -- the tick ---------------------------------------------------------------------------------------------

    def take(self, steps):
        """Count up to `steps` of the reserved steps as made, and say how many. Allocates nothing.

        The caller commands exactly that many, after this returns.
        """
        room = self.reserved - self.used
        steps = max(0, min(steps, room))
        if steps:
            used = self.used + steps
            self.used = used
            self._scratch.keep_total(self.low + used)
        return steps

    def note(self, day, second, cascade):
        """Keep local time and the cascade's remainder in scratch registers. Before take(): a reset between the two
        then loses steps that were not made, and never gives them twice. Allocates nothing."""
        self._scratch.keep_time(day, second, cascade)

    # -- records ----------------------------------------------------------------------------------------------

    def wants_record(self, cascade, pending):
        """Whether the reservation must be extended, or gives away more than 60 s of flow."""
        room = self.reserved - self.used
        need = pending + cascade.due_within(_AHEAD_S)
        return room < need or room > max(need, cascade.steps_in(60))

    def reserve(self, cascade, pending, day, second):
        """Write a record that reserves what the next seconds need. Raises rings.WriteError; then what was reserved
        before still holds, as far as the refused record would have reserved it too."""
        need = pending + cascade.due_within(_AHEAD_S)
        self._write(max(need, min(cascade.steps_in(_RESERVE_S), TOTAL_MASK)), cascade, day, second)

    def close(self, cascade, day, second):
        """Write a record that reserves nothing: before a stop, and whenever state or totals must be kept."""
        self._write(0, cascade, day, second)

    def _write(self, reserve, cascade, day, second):
        used_pl = self.used * self.pl_per_step
        counted = self.counted + self.used
        volume_pl = self.volume_pl + used_pl
        reservoir_pl = max(0, self.reservoir_pl - used_pl)
        reserve = min(reserve, _RESERVED_MAX)
        time = _seconds(day, second)
        record = struct.pack(
            _FORMAT,
            counted & _U32,
            counted >> 32 & _U16,
            max(_LONG_AGO, min(self.decided_min - time // 60, -_LONG_AGO - 1)),
            volume_pl,
            reservoir_pl // 1_000,
            min(self.missed_nl, _U32),
            time,
            _seconds(self.stop_day, self.stop_second) if self.state in (STOPPED, PAUSED) else self.aside_nl,
            self.shift & _U32,
            self.alarms,
            self.bolus_left_nl,
            reservoir_pl % 1_000,
            reserve,
            self.bolus,
            self.state,
            self.flags & _FLAGS,
        )
        try:
            self.mirror.append(record)
        except OSError:
            # A page may have taken the record all the same; after a cut only its reservation would then count.
            self.reserved = min(self.reserved, self.used + reserve)
            raise
        self.counted = counted
        self.volume_pl = volume_pl
        self.reservoir_pl = reservoir_pl
        self.reserved = reserve
        self.used = 0
        self.low = counted & TOTAL_MASK
        self._scratch.keep_total(self.low)

    # -- recovery ---------------------------------------------------------------------------------------------

    def begin(self, reservoir_nl, cascade, day, second):
        """Begin to count at 0, with a full reservoir. Bolus numbers and pump time go on. Raises WriteError."""
        self.counted = self.volume_pl = self.missed_nl = self.reserved = self.used = 0
        self.reservoir_pl = reservoir_nl * 1_000
        self.state = STOPPED
        self.stop_day, self.stop_second = day, second
        self.flags = 0
        self.bolus_left_nl = self.aside_nl = 0
        self.close(cascade, day, second)

    def recover(self, cascade):
        """Take up the newest record. Returns (found, exact, assumed steps, day, second of the last sign of life).

        exact: the scratch registers told the count. Otherwise all that was reserved counts as delivered, and the
        remainder of the cascade is given up: less than one step, against dosing. Raises EepromError if the part fails.
        """
        self.mirror.recover()
        if self.mirror.condition != GOOD or not self._take_up(self.mirror.payload):
            self.alarms = self.flags = 0
            self.state = STOPPED
            return False, False, 0, 0, 0
        day, second = self.recorded
        self.low = self.counted & TOTAL_MASK
        used = self._scratch.steps_since(self.counted, self.reserved)
        if used < 0:
            self.used = self.reserved
            cascade.clear()
            return True, False, self.reserved, day, second
        self.used = used
        self._scratch.restore_remainder(cascade)
        day, second = self._scratch.time_near(day)
        return True, True, 0, day, second

    def _take_up(self, payload):
        """The fields of a record. Returns whether they make sense; a CRC says only that nobody changed them."""
        (
            low,
            high,
            ahead,
            self.volume_pl,
            reservoir_nl,
            self.missed_nl,
            self._time,
            stop_or_aside,
            self.shift,
            self.alarms,
            self.bolus_left_nl,
            reservoir_rest,
            self.reserved,
            self.bolus,
            self.state,
            self.flags,
        ) = struct.unpack(_FORMAT, payload)
        self.reservoir_pl = reservoir_nl * 1_000 + reservoir_rest
        self.counted = high << 32 | low
        self.decided_min = self._time // 60 + ahead if ahead != _LONG_AGO else 0
        halted = self.state in (STOPPED, PAUSED)
        self.stop_day, self.stop_second = _date(stop_or_aside if halted else 0)
        self.aside_nl = 0 if halted else stop_or_aside
        sane = self.state <= PAUSED and self.flags <= _FLAGS and reservoir_rest < 1_000
        return sane and self._time <= _TIME_MAX and (not halted or stop_or_aside <= _TIME_MAX)

    def pump_time(self, day, second):
        """Seconds that count on whatever operators do to the clock; lockouts and limits are reckoned in them."""
        elapsed = (_seconds(day, second) - self.shift) & _U32
        return elapsed if elapsed <= _TIME_MAX else 0  # an RTC that went back: nothing in the history expires

    def set_pump_time(self, pump_time, day, second):
        """Count pump time on from here: at this local time it is so many seconds."""
        self.shift = _seconds(day, second) - pump_time

    def refill(self, volume_nl):
        """The reservoir now holds so much; the next record says so."""
        self.reservoir_pl = volume_nl * 1_000 + self.used * self.pl_per_step

    # -- what others read -------------------------------------------------------------------------------------

    @property
    def recorded(self):
        """(day, second) of the record that was taken up."""
        return _date(self._time)

    @property
    def steps(self):
        """Steps counted as made, in all."""
        return self.counted + self.used

    @property
    def volume_nl(self):
        """Volume counted as delivered, in all, nL, floored."""
        return (self.volume_pl + self.used * self.pl_per_step) // 1_000

    @property
    def reservoir_nl(self):
        """Volume that the reservoir should still hold, nL, floored."""
        return max(0, self.reservoir_pl - self.used * self.pl_per_step) // 1_000
