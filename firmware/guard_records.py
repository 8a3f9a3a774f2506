"""What the EEPROM has acknowledged, as the guard reads it: the very bytes that were written and read back (F11, R17).

The guard looks at the records themselves, once a frame, instead of being told by those who write them: nobody can
forget to tell it, and a variable that has changed since a record was written does not reach it.
"""

from struct import unpack_from

from micropython import const

from firmware import guard_demand

# Offsets in a ledger record
_VOLUME = const(8)
_ASIDE = const(28)  # left of a bolus that was set aside, nL, while delivery runs; when a timed stop ends, local s
_SHIFT = const(32)
_LEFT = const(40)  # left of the newest bolus, nL
_RESERVED = const(46)
_STATE = const(50)
_RUNNING = const(0)
_PAUSED = const(3)
_EARLY_S = const(5)  # a stop may end so much before its time: the RTC may have been followed meanwhile
_OVERDUE_S = const(60)
_MAX_RATE = const(32)  # offset in a calibration record

_DAY_S = const(86_400)
_U32 = 0xFFFFFFFF
_REM = const(432)

NEW_CALIBRATION = const(1)  # what poll() has found
NEW_PRESCRIPTION = const(2)
NEW_RECORD = const(4)  # of the ledger
CONTRADICTION = const(8)


class Evidence:
    """The newest records. `pl`, `step`: volume of a step in pL and in 1/432 pL, 0 while unknown. `allowed`: steps that
    may be made, in all. `counted`: steps in the newest ledger record. `runs`: whether delivery runs, as that record
    says. `permitted`: whether it may say so, as somebody has ordered it. `gives`: whether a bolus is left in it.
    `demand`: guard_demand.Demand."""

    def __init__(self, records):
        """records: records.Records, of which only bytes are read."""
        self._stores = records.calibrations, records.prescriptions
        self._mirror = records.ledger.mirror
        self.demand = guard_demand.Demand()
        self.pl = self.step = self.max_rate = 0
        self.permitted = False
        self.forget(0)

    def forget(self, steps):
        """Read everything anew at the next poll. steps: commanded so far; a count that a reset has kept may be beyond
        what was reserved."""
        self._calibration = self._prescription = self._record = None
        self.allowed = steps
        self.counted = self.volume_pl = 0
        self.runs = self.gives = False
        self.paused_until = -1  # local seconds since 2000, of a timed stop; -1: none

    def poll(self, steps, day, second):
        """Look for new records: a mask of what was found. steps: commanded so far. (day, second): local time."""
        calibrations, prescriptions = self._stores
        found = 0
        if calibrations.payload is not self._calibration:
            if calibrations.payload is None:
                return CONTRADICTION  # it is never taken back
            self.forget(steps)
            self._calibration = calibrations.payload
            self._scale()
            found = NEW_CALIBRATION
        if prescriptions.payload is not self._prescription:
            self._prescription = prescriptions.payload
            self.demand.take(self._prescription, self._calibration, self._pump_time(day, second))
            found |= NEW_PRESCRIPTION
        if self._mirror.payload is None:
            return found if self._record is None else CONTRADICTION
        if self._mirror.payload is not self._record:
            found |= NEW_RECORD if self._read() else CONTRADICTION
        return found

    def _scale(self):
        (self.pl,) = unpack_from("<I", self._calibration)
        (self.max_rate,) = unpack_from("<I", self._calibration, _MAX_RATE)
        self.step = self.pl * _REM

    def _pump_time(self, day, second):
        record = self._mirror.payload
        shift = unpack_from("<I", record, _SHIFT)[0] if record is not None else 0
        return (day * _DAY_S + second - shift) & _U32

    def _read(self):
        """The new ledger record. Returns whether it runs by order, if it does, and its volume goes on where the one
        before has ended; which nobody can say without a calibration."""
        first = self._record is None
        record = self._record = self._mirror.payload
        low, high = unpack_from("<IH", record)
        counted = high << 32 | low
        (volume_pl,) = unpack_from("<Q", record, _VOLUME)
        fits = first or not self.pl or volume_pl - self.volume_pl == (counted - self.counted) * self.pl
        allowed = counted + unpack_from("<H", record, _RESERVED)[0]
        self.allowed = max(self.allowed, allowed) if first else allowed
        self.counted, self.volume_pl = counted, volume_pl
        self.runs = record[_STATE] == _RUNNING
        if self.runs and not self.permitted:
            fits = False
        self.permitted = self.permitted and (self.runs or first)
        self.paused_until = unpack_from("<I", record, _ASIDE)[0] if record[_STATE] == _PAUSED else -1
        aside = unpack_from("<I", record, _ASIDE)[0] if self.runs else 0
        self.gives = bool(aside or unpack_from("<I", record, _LEFT)[0])
        return fits

    def pause_may_end(self, day, second):
        """Whether the newest record knows of a timed stop that ends about now, or of none, and delivery runs in it as
        the EEPROM has refused to store that it was stopped. (day, second): local time."""
        return self.runs or 0 <= self.paused_until <= day * _DAY_S + second + _EARLY_S

    def pause_is_overdue(self, day, second):
        """Whether a timed stop should have ended a minute ago."""
        return 0 <= self.paused_until < day * _DAY_S + second - _OVERDUE_S

    def volume_nl(self, steps):
        """What was delivered in all when so many steps were, nL."""
        return (self.volume_pl + (steps - self.counted) * self.pl) // 1_000

    def sum(self):
        """A number that changes with every single bit of it, but for what a frame changes in `demand`."""
        numbers = self.pl + self.step + self.max_rate + self.allowed + self.counted + self.volume_pl
        return numbers + self.paused_until + self.runs + self.permitted + self.gives + self.demand.still()
