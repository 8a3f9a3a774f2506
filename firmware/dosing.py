"""The control tick: one second of demand becomes steps (F1, F2; invariants 1 and 2).

The tick runs once a second with the heap locked: no allocation, no bus, no console. What it commands was reserved in
the EEPROM before, by the ledger's own task.

A second is dosed after it has passed, so delivered volume never runs ahead of demanded volume; its steps are spread
evenly over the second that follows; a single step is made at once.
"""

from micropython import const

from firmware import civil
from firmware.civil import SECONDS_PER_DAY
from firmware.schedule import Schedule

_TRAIN_US = const(990_000)  # a second's steps end within it, with 1 % to spare, so that trains never pile up
_CAPPED_MASK = const(7)  # the watchdog bites before more seconds than that have passed
_MAX_LATE_S = const(2)  # seconds that are still dosed when the tick was late; what is beyond them is missed

OFF = const(0)  # no prescription, or stopped by the operator: nothing is demanded
HELD = const(1)  # a stop alarm: the prescription demands, and all of it is missed
ON = const(2)


class Dosing:
    """Local time, demand and steps. `day`, `second`: local time at the start of the current second."""

    def __init__(self, cascade, ledger, train):
        """cascade: cascade.Cascade. ledger: ledger.Ledger. train: StepTrain."""
        self._cascade = cascade
        self._ledger = ledger
        self._train = train
        self.schedule = Schedule(0, ())  # of a pump without a prescription
        self.mode = OFF
        self.lowest = 0  # nL/day; above 0: give this rate instead of the schedule's (RTC lost)
        self.day = 0
        self.second = 0
        self._week_second = 0
        self.pending = 0  # steps due and not yet commanded
        self.missed_steps = 0  # due and given up since the last time someone took the count
        self.missed_seconds = 0  # seconds of demand that no tick saw
        self.held_seconds = 0  # seconds that an alarm held, likewise
        self.bolus = None  # bolus_flow.BolusFlow that flows now
        self.next_bolus = None  # the one that begins with the next second
        self.aside = None  # the one that flows on when that one has ended
        self.missed_bolus_pl = 0  # demanded by a bolus in seconds that no tick saw
        self.bolus_pl = 0  # demanded by boluses since the last time someone took the count
        self._seal = ~0  # of day and second
        self._ceiling = 0  # nL/day: the most that the next _capped seconds may have
        self._capped = 0

    def set_time(self, day, second):
        """Local time of the current second."""
        self.day = day
        self.second = second
        self._seal = ~(day + second)
        self._week_second = civil.weekday(day) * SECONDS_PER_DAY + second

    def check_time(self):
        """Raise RuntimeError if local time has changed by itself: pump time, and with it lockouts, would go on wrong. A
        restart finds the time of the last tick in the scratch registers, and the RTC."""
        if self.day + self.second != ~self._seal:
            raise RuntimeError("dosing: local time has changed in RAM")

    def begin_second(self):
        """The current second begins now: its rate is the schedule's."""
        rate = self._wanted()
        if self._capped:
            self._capped = max(0, (self._capped & _CAPPED_MASK) - 1)  # by a wrong bit for seconds only
            rate = min(rate, self._ceiling)
        if rate != self._cascade.rate:
            self._cascade.set_rate(rate)
        if self.next_bolus is not None:
            self.bolus = self.next_bolus
            self.next_bolus = None
        self._bound_bolus()  # anew in every second: by a wrong bit in it, hours would be reserved

    def give_bolus(self, flow, aside=None):
        """From the next second on, this bolus. aside: the one that flows now, and again when this one has ended (R05).
        The first seconds must be reserved before they begin."""
        self.next_bolus = flow
        self.aside = aside
        self._bound_bolus()

    def end_bolus(self):
        """Boluses are cancelled: nothing more of them is demanded."""
        self.bolus = self.next_bolus = self.aside = None
        self._cascade.bolus_pl = 0

    def _bound_bolus(self):
        bound = 0
        if self.bolus is not None:
            bound = self.bolus.bound_pl
        if self.next_bolus is not None:
            bound = max(bound, self.next_bolus.bound_pl)
        if self.aside is not None:
            bound = max(bound, self.aside.bound_pl)
        self._cascade.bolus_pl = bound

    def _bolus_ended(self, flow):
        aside = self.aside
        self.aside = None
        self.bolus = None if aside is flow else aside  # it may end in the very second before it is set aside

    def changed(self, passed=0):
        """Mode, time or schedule changed within the current second: the whole second gets the lower of the two rates,
        as nothing may be delivered that was not demanded (invariant 1). passed: seconds that have ended since and that
        no tick has seen yet; as many more get no more than that."""
        rate = self._wanted()
        if rate < self._cascade.rate:
            self._cascade.set_rate(rate)
        self._ceiling = self._cascade.rate
        self._capped = max(self._capped, passed)

    def _wanted(self):
        if self.mode == OFF:
            return 0
        return self.lowest if self.lowest else self.schedule.rate_at(self._week_second)

    def tick(self, late_ms):
        """The second that began at the last tick has passed. late_ms: how late this tick runs."""
        nominal = (
            self._cascade.steps_a_second()
        )  # of the second that has passed: the one that begins may have another rate
        seconds = 1 + late_ms // 1_000
        if seconds > _MAX_LATE_S:
            self.missed_seconds += seconds - _MAX_LATE_S
        while seconds > 0:
            self._second(seconds <= _MAX_LATE_S)
            seconds -= 1
        self._ledger.note(self.day, self.second, self._cascade)
        if self.pending and self.mode == ON:
            self._command(late_ms, max(nominal, self._cascade.steps_a_second()))

    def _second(self, dosed):
        flow = self.bolus
        bolus_pl = 0
        if flow is not None:
            bolus_pl = flow.second()
            self.bolus_pl += bolus_pl
            if not flow.left_s:
                self._bolus_ended(flow)
            if not dosed:
                self.missed_bolus_pl += bolus_pl
        if self.mode == HELD and dosed:
            self.held_seconds += 1
        due = self._cascade.second(bolus_pl) if dosed else 0
        if due:
            if self.mode == ON:
                self.pending += due
            elif self.mode == HELD:
                self.missed_steps += due
        week_second = self._week_second + 1
        self._week_second = 0 if week_second == 604_800 else week_second
        second = self.second + 1
        if second == SECONDS_PER_DAY:
            second = 0
            self.day += 1
        self.second = second
        self._seal = ~(self.day + second)
        self.begin_second()

    def _command(self, late_ms, nominal):
        if self._train.idle():  # otherwise the last word still waits: these steps come with the next one
            steps = self._ledger.take(min(self.pending, 2 * nominal, self._train.MAX_STEPS))
            if steps:
                # A late tick's train ends with its second all the same, so that lateness is not handed on; but the
                # motor is never asked for more than twice the speed of its rate. A single step, too, is followed by
                # the gap of its second: should the generator count wrong, it goes on at that pace and no faster.
                train_us = max(_TRAIN_US - late_ms % 1_000 * 1_000, _TRAIN_US * steps // (2 * nominal))
                self._train.start(steps, train_us // steps)
                self.pending -= steps
        if self.pending > 2 * nominal:
            # More than two seconds of flow could not be reserved: never caught up later.
            self.missed_steps += self.pending
            self.pending = 0

    def drop_pending(self):
        """Give up what is due and not commanded: it is missed. Called when delivery stops."""
        self.missed_steps += max(0, self.pending)  # below 0 by a wrong bit, which the guard has found
        self.pending = 0
