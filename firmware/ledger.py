"""The ledger: volume is reserved in the EEPROM before its first step is made (F10; invariants 2 and 3).

A record says: so many steps were counted when it was written, and so many more may have been made since. After a power
cut all that was reserved counts as delivered. Across a watchdog reset the exact count survives in the scratch registers
of the watchdog. Physical steps never exceed ledger steps, at any instant: a step is counted in the scratch register
before it is commanded, and reserved in the EEPROM before it is counted.
"""

import struct

from micropython import const

# counted steps, volume pL, reservoir pL, reserved steps, remainder pL, missed nL, day, second, stop day, stop second,
# remainder 1/432 pL, state, flags
_FORMAT = "<QQQIIIHIHIHBB"
_TOTAL_BITS = const(15)
_TOTAL_MASK = const(0x7FFF)  # more steps than any reservation has: 60 s at 333 steps/s are 20,000
_LOST_RECORD_MAX = const(0x3FFF)  # a total that is further ahead lies behind
_WORD_MASK = const(0x3FFFFFFF)
_DAY_MASK = const(0xFFF)
_RESERVE_S = const(55)  # one reservation: with the second in progress and the two looked ahead, below 60 s
_AHEAD_S = const(2)  # this second's steps and the next's are always reserved

RUNNING = const(0)
STOPPED = const(1)  # by the operator, since stop_day, stop_second
SAFE = const(2)  # by a stop alarm
PAUSED = const(3)  # by the operator, until stop_day, stop_second


def _word(total):
    """The low bits of the total of steps, and their complement as a check, in 30 bits."""
    return total | (total ^ _TOTAL_MASK) << _TOTAL_BITS


def _used_of(word, counted):
    """Steps made since a record that counted so many, as a scratch word tells it, or -1 if it tells nothing."""
    total = word & _TOTAL_MASK
    return (total - counted) & _TOTAL_MASK if word == _word(total) else -1


class Ledger:
    """Counts every step. `counted` and `volume_pl` are totals at the last record; `used` steps came after it."""

    def __init__(self, ring, scratch, pl_per_step):
        """ring: pages.Ring of ledger records. scratch: 4 words of at most 30 bits that survive a watchdog reset."""
        self._ring = ring
        self._scratch = scratch
        self.pl_per_step = pl_per_step
        self.counted = 0
        self.volume_pl = 0
        self.reservoir_pl = 0
        self.reserved = 0
        self.used = 0
        self.missed_nl = 0
        self.state = STOPPED
        self.stop_day = self.stop_second = 0  # when the stop began (STOPPED) or will end (PAUSED)
        self.alarms = 0  # alarms that a reset must not end, as a mask
        self._low = 0  # low bits of `counted`

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
            # The total, not what came after the record: whichever record is found after a reset, it tells the count.
            word = _word((self._low + used) & _TOTAL_MASK)
            self._scratch[0] = word
            self._scratch[1] = word ^ _WORD_MASK
        return steps

    def note(self, day, second, cascade):
        """Keep local time and the cascade's remainder in scratch registers. Before take(): a reset between the two
        then loses steps that were not made, and never gives them twice. Allocates nothing."""
        self._scratch[2] = (day & _DAY_MASK) << 17 | second
        self._scratch[3] = cascade.acc_pl << 9 | cascade.rem

    # -- records ----------------------------------------------------------------------------------------------

    def wants_record(self, cascade, pending):
        """Whether the reservation must be extended, or gives away more than 60 s of flow."""
        room = self.reserved - self.used
        need = pending + cascade.due_within(_AHEAD_S)
        return room < need or room > max(need, cascade.steps_in(60))

    def reserve(self, cascade, pending, day, second):
        """Write a record that reserves what the next seconds need. Raises pages.WriteError; then what was reserved
        before still holds, as far as the refused record would have reserved it too."""
        need = pending + cascade.due_within(_AHEAD_S)
        self._write(max(need, min(cascade.steps_in(_RESERVE_S), _TOTAL_MASK)), cascade, day, second)

    def close(self, cascade, day, second):
        """Write a record that reserves nothing: before a stop, and whenever state or totals must be kept."""
        self._write(0, cascade, day, second)

    def _write(self, reserve, cascade, day, second):
        used_pl = self.used * self.pl_per_step
        counted = self.counted + self.used
        volume_pl = self.volume_pl + used_pl
        reservoir_pl = max(0, self.reservoir_pl - used_pl)
        record = struct.pack(
            _FORMAT,
            counted,
            volume_pl,
            reservoir_pl,
            reserve,
            cascade.acc_pl,
            min(self.missed_nl, 0xFFFFFFFF),
            day,
            second,
            self.stop_day,
            self.stop_second,
            cascade.rem,
            self.state,
            self.alarms,
        )
        try:
            self._ring.append(record)
        except OSError:
            # A page may have taken the record all the same; after a cut only its reservation would then count.
            self.reserved = min(self.reserved, self.used + reserve)
            raise
        self.counted = counted
        self.volume_pl = volume_pl
        self.reservoir_pl = reservoir_pl
        self.reserved = reserve
        self.used = 0
        self._low = counted & _TOTAL_MASK
        self._scratch[0] = _word(self._low)
        self._scratch[1] = _word(self._low) ^ _WORD_MASK

    # -- recovery ---------------------------------------------------------------------------------------------

    def recover(self, cascade):
        """Take up the newest record. Returns (found, exact, assumed steps, day, second of the last sign of life).

        exact: the scratch registers told the count. Otherwise all that was reserved counts as delivered, and the
        remainder of the cascade is given up: less than one step, against dosing.
        """
        self._ring.scan()
        if self._ring.page < 0:
            return False, False, 0, 0, 0
        _, payload = self._ring.read(self._ring.page)
        (
            self.counted,
            self.volume_pl,
            self.reservoir_pl,
            self.reserved,
            _,
            self.missed_nl,
            day,
            second,
            self.stop_day,
            self.stop_second,
            _,
            self.state,
            self.alarms,
        ) = struct.unpack(_FORMAT, payload)
        self._low = self.counted & _TOTAL_MASK
        used = self._used_from_scratch()
        if used < 0:
            self.used = self.reserved
            cascade.clear()
            return True, False, self.reserved, day, second
        self.used = used
        self._restore_remainder(cascade)
        mark = self._scratch[2]
        ahead = ((mark >> 17) - day) & _DAY_MASK  # the mark has the low bits of a day near the record's
        day += ahead if ahead <= _DAY_MASK // 2 else ahead - _DAY_MASK - 1
        return True, True, 0, max(0, day), min(mark & 0x1FFFF, 86_399)

    def _used_from_scratch(self):
        """The larger of the two copies: a reset may have come between them, and the count rounds against dosing.

        Two copies that agree are believed beyond the reservation too: then the newest record was lost, and they are the
        only evidence of the steps that it had reserved.
        """
        one = _used_of(self._scratch[0], self.counted)
        other = _used_of(self._scratch[1] ^ _WORD_MASK, self.counted)
        used = max(one, other)
        if used <= self.reserved:
            return used
        return used if one == other and used <= _LOST_RECORD_MAX else -1

    def _restore_remainder(self, cascade):
        acc, rem = self._scratch[3] >> 9, self._scratch[3] & 0x1FF
        if acc < cascade.pl_per_step and rem < 432:
            cascade.acc_pl, cascade.rem = acc, rem
        else:
            cascade.clear()

    # -- what others read -------------------------------------------------------------------------------------

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
