"""Alarms: the table, and which of them are active (F11; docs/CONSOLE.md lists them).

Priority and delivery reaction are data; the rules that use them are few: an alarm that stops delivery stays until
`clear`, nothing resumes by itself, and latches survive power cuts. What sounds and shines: signals.py.

The same stop alarm raised three times within 600 s raises `alarm_repeated`, which only `clear repeated` ends (R33).
Raised means newly active: a cause that comes and goes before `clear` is one raising. The seconds are those that the
pump has run since its start, as its frames count them, whatever happens to the RTC or the operator's clock. A reset
forgets the earlier raisings; an alarm that it finds active counts as raised at the start. `alarm_repeated` survives.

Which alarms are active, and which causes are there, is kept twice, the second time inverted. Once a second the two are
compared; when they differ, what either has is there, and the self-test fails (R26, R28). Which alarms are new is known
twice too: as noted when they were raised, and as active now and not when someone asked last.
"""

from micropython import const

HIGH = "high"
MEDIUM = "medium"
LOW = "low"

UNCHANGED = const(0)
NO_BOLUS = const(1)  # a running bolus ends as planned, none begins
LOWEST = const(2)  # lowest programmed rate, no boluses
STOP = const(3)

# code, priority, delivery, whether it survives a reset
TABLE = (
    ("prescription_damaged", HIGH, STOP, True),
    ("calibration_damaged", HIGH, STOP, True),
    ("ledger_damaged", HIGH, STOP, True),
    ("eeprom_dead", HIGH, STOP, False),  # it cannot be written down; a part that is still dead is found again
    ("rtc_lost", HIGH, LOWEST, True),  # a reset must not make the pump believe the clock again: only the operator may
    ("stopped_48h", HIGH, UNCHANGED, False),  # follows from the time of the stop
    ("eeprom_format", HIGH, STOP, True),  # records of another format: of an older or newer firmware
    ("other_pump", HIGH, STOP, True),  # the calibration is another board's
    ("reservoir_empty", HIGH, STOP, True),
    ("low_reservoir", MEDIUM, NO_BOLUS, True),  # a drifted sensor may say so alone: only a refill ends it
    ("level_disagrees", MEDIUM, UNCHANGED, False),  # ledger and level sensor; follows from both
    ("end_of_service", HIGH, STOP, True),
    ("battery_depleted", HIGH, STOP, True),
    ("replace_soon", MEDIUM, UNCHANGED, False),  # ERI; follows from the counters
    ("battery_low", MEDIUM, UNCHANGED, False),  # found again by the next samples
    ("bolus_denied", LOW, UNCHANGED, False),  # ends by itself
    ("refill_due", LOW, UNCHANGED, False),  # follows from the ledger
    ("stall", HIGH, STOP, True),  # the rotor does not follow the steps
    ("driver_fault", HIGH, STOP, True),  # DIAG
    ("guard", HIGH, STOP, True),  # more steps than reserved, or flow above a limit
    ("occlusion", HIGH, STOP, True),
    ("reset_loop", HIGH, STOP, True),
    ("over_temperature", HIGH, STOP, True),
    ("self_test_failed", HIGH, STOP, True),
    ("alarm_repeated", HIGH, STOP, True),  # the same stop alarm three times in ten minutes
    ("under_delivery", MEDIUM, UNCHANGED, False),
    ("button_held", LOW, UNCHANGED, False),  # ends by itself
    ("input_pending", MEDIUM, UNCHANGED, False),  # a reset forgets the input
)
(
    PRESCRIPTION_DAMAGED,
    CALIBRATION_DAMAGED,
    LEDGER_DAMAGED,
    EEPROM_DEAD,
    RTC_LOST,
    STOPPED_48H,
    EEPROM_FORMAT,
    OTHER_PUMP,
    RESERVOIR_EMPTY,
    LOW_RESERVOIR,
    LEVEL_DISAGREES,
    END_OF_SERVICE,
    BATTERY_DEPLETED,
    REPLACE_SOON,
    BATTERY_LOW,
    BOLUS_DENIED,
    REFILL_DUE,
    STALL,
    DRIVER_FAULT,
    GUARD,
    OCCLUSION,
    RESET_LOOP,
    OVER_TEMPERATURE,
    SELF_TEST_FAILED,
    ALARM_REPEATED,
    UNDER_DELIVERY,
    BUTTON_HELD,
    INPUT_PENDING,
) = range(len(TABLE))
# What is stored is not what was counted, or cannot be read; `calibrate commit` is the way out of each.
RECORDS_IN_DOUBT = 1 << CALIBRATION_DAMAGED | 1 << LEDGER_DAMAGED | 1 << EEPROM_FORMAT | 1 << OTHER_PUMP
MASKS = tuple(
    [(name, sum([1 << alarm for alarm, row in enumerate(TABLE) if row[1] == name])) for name in (HIGH, MEDIUM, LOW)]
)
_ALL = (1 << len(TABLE)) - 1
_REPEATS = const(3)  # so many raisings of the same stop alarm
_REPEATED_WITHIN_S = const(600)  # from the first to the last of them


def codes(mask):
    """The codes in a mask of alarms."""
    return [row[0] for alarm, row in enumerate(TABLE) if mask & 1 << alarm]


class Alarms:
    """Active alarms as a mask; `present` are those whose cause is still there."""

    def __init__(self, log, now):
        """log: function(code, **fields), called at every change. now: function, seconds that only count on."""
        self._log = log
        self._now = now
        self.active = 0
        self.present = 0
        self._ended = ~0  # `active` inverted: every change is made to both
        self._absent = ~0  # and `present`
        self.history = 0
        self.changed = False  # since the ledger was told last
        self._fresh = 0  # raised since someone asked
        self._heard = 0  # active when someone asked last
        self._raised = {}  # alarm that stops delivery: when it was raised, newest last

    def raise_(self, alarm):
        """The cause of an alarm is there. Logged when the alarm is new."""
        bit = 1 << alarm
        self.present |= bit
        self._absent &= ~bit
        if not self.active & bit:
            self.active |= bit
            self._ended &= ~bit
            self.history |= bit
            self._fresh |= bit
            self.changed = True
            self._log("alarm", alarm=alarm)
            if TABLE[alarm][2] == STOP and alarm != ALARM_REPEATED:
                self._count(alarm)

    def _count(self, alarm):
        now = self._now()
        raised = [at for at in self._raised.get(alarm, ()) if now - at <= _REPEATED_WITHIN_S]
        raised.append(now)
        self._raised[alarm] = raised
        if len(raised) >= _REPEATS:
            self.raise_(ALARM_REPEATED)
            self.gone(ALARM_REPEATED)  # nothing that passes: it is there for the operator to end

    def gone(self, alarm):
        """The cause of an alarm is gone. One that stops delivery stays active until clear()."""
        bit = 1 << alarm
        self.present &= ~bit
        self._absent |= bit
        if self.active & bit and TABLE[alarm][2] != STOP:
            self._end(alarm)

    def clear(self, repeated=False):
        """End every active alarm whose cause is gone, but ALARM_REPEATED only if `repeated`: then counting begins anew.
        Returns the codes of those that stay."""
        kept = self.present
        if repeated:
            self._raised = {}
        else:
            kept |= 1 << ALARM_REPEATED
        for alarm in range(len(TABLE)):
            if self.active & ~kept & 1 << alarm:
                self._end(alarm)
        return codes(self.active)

    def _end(self, alarm):
        bit = 1 << alarm
        self.active &= ~bit
        self._ended |= bit
        self.changed = True
        self._log("alarm_end", alarm=alarm)

    def restore(self, mask):
        """Take up latched alarms after a reset. The causes of those that stop delivery count as gone until found again,
        so that `clear` can end them; the others stay until their cause is known to be gone."""
        self.active |= mask
        self._ended &= ~mask
        self.history |= mask
        self._fresh |= mask
        for alarm, row in enumerate(TABLE):
            if not mask & 1 << alarm:
                continue
            if row[2] != STOP:
                self.present |= 1 << alarm
                self._absent &= ~(1 << alarm)
            elif alarm != ALARM_REPEATED:
                self._raised[alarm] = [self._now()]

    def hold(self):
        """Once a second: whether `active` and `present` are what was written to them. If not, what either copy has is
        active or present from now on, and an alarm that only one of them has is new: it sounds."""
        active, present = ~self._ended, ~self._absent
        if self.active == active and self.present == present:
            return True
        self._fresh |= self.active ^ active
        self.active = (self.active | active) & _ALL
        self.present = (self.present | present) & _ALL
        self._ended = ~self.active
        self._absent = ~self.present
        self.history |= self.active
        self.changed = True
        return False

    def latched(self):
        """The mask of active alarms that a reset must not end, by either copy."""
        active = self.active | ~self._ended
        mask = 0
        for alarm, row in enumerate(TABLE):
            if active & 1 << alarm and row[3]:
                mask |= 1 << alarm
        return mask

    def reaction(self):
        """What delivery must do: the strictest reaction of all active alarms."""
        worst = UNCHANGED
        for alarm, row in enumerate(TABLE):
            if self.active & 1 << alarm:
                worst = max(worst, row[2])
        return worst

    def priority(self):
        """The highest priority of all active alarms, or None."""
        for name, mask in MASKS:
            if self.active & mask:
                return name
        return None

    def take_fresh(self):
        """Whether an alarm that sounds (of high or medium priority) is active that was raised since the last call."""
        fresh = (self._fresh | ~self._heard) & self.active & ~MASKS[-1][1]
        self._fresh = 0
        self._heard = self.active
        return fresh != 0

    def foremost(self):
        """The active alarm of the highest priority, the first of the table; there must be one."""
        for _, mask in MASKS:
            for alarm in range(len(TABLE)):
                if self.active & mask & 1 << alarm:
                    return alarm
        raise ValueError("no alarm is active")
