"""Battery and service life (F9; R36): voltage, charge, the elective replacement indicator (ERI) and, a set time later,
the end of service (EOS).

The voltage is the mean of ten readings, one every 30 s: neither a step of the motor nor a single wrong reading raises
an alarm. Charge is reckoned from what the pump does (consumption.py); a calibration of 0 mAh says that the supply does
not run down, and then only the voltage tells. ERI is reached when less than a tenth of the charge is left, or when the
battery alarm is raised; nothing but a new battery takes it back. Its time is pump time, which counts on whatever is
done to the clock and while the pump is off.
"""

from micropython import const

from firmware import alarms, civil, consumption

_DIVIDER = const(2)  # half the battery's voltage is at the pin
_READINGS = const(10)
_LOW_MV = const(3_300)
_DEPLETED_MV = const(3_000)
_HYSTERESIS_MV = const(100)  # so much above a threshold its cause is gone
_UAS_PER_MAH = const(3_600_000)
_ERI_SHARE = const(10)  # ERI with less than one part in so many left
_SAVE_EVERY_S = const(3_600)
_DAY_S = const(86_400)
_TASK = const(10)  # in resets.TASKS: returned by the task


class Battery:
    """Watches the battery of one pump."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._readings = []  # mV of the battery, newest last
        self._since = app.began  # ticks_ms up to which time is counted
        self._steps = 0  # what the ledger, the EEPROM and the buzzer had counted then
        self._writes = 0
        self._sounded = 0
        self._unsaved_s = 0
        self._seal = 0  # of these, and of the counters, which nobody else changes after the start

    @property
    def mean_mv(self):
        """Mean of the last readings, ten at most, mV; -1 before the first."""
        count = len(self._readings)
        return sum(self._readings) // count if count else -1

    def start(self):
        """The records are loaded: raise what follows from them, before anything can be cleared or resumed. What stopped
        the pump before counts as there until the mean, or a new battery, says otherwise: a restart has read nothing."""
        self._steps = self._app.ledger.steps
        found = self._app.alarms
        for alarm in (alarms.BATTERY_DEPLETED, alarms.END_OF_SERVICE, alarms.BATTERY_LOW):
            if found.active & 1 << alarm:
                found.raise_(alarm)
        self._watch_service()

    def seal(self):
        """The counters are as they should be."""
        self._seal = ~self._sum()

    def _sum(self):
        """A number that changes with every single bit of them, and of what they are reckoned from."""
        own = self._since + self._steps + self._writes + self._sounded + self._unsaved_s
        return own + sum(self._app.records.counters.values())

    def _is_whole(self):
        """Whether every bit of the counters is what it was; else it is told, and nothing of them is used or stored."""
        if self._sum() == ~self._seal:
            return True
        self._app.selftest.ram_changed()
        return False

    def sense(self, late):
        """Every 30 frames, in the middle of a second: one reading, and what has been consumed since the last."""
        app = self._app
        before = app.alarms.active
        if len(self._readings) == _READINGS:
            self._readings.pop(0)
        self._readings.append(app.board.millivolts(app.board.BATTERY) * _DIVIDER)
        if len(self._readings) == _READINGS:
            self._watch_voltage(self.mean_mv)
        if self._is_whole():
            self._consume()
            self._watch_service()
            if self._unsaved_s >= _SAVE_EVERY_S:
                self._save()
            self.seal()
        if app.alarms.active != before:
            app.apply()
        return _TASK

    # -- voltage ----------------------------------------------------------------------------------------------

    def _watch_voltage(self, mean_mv):
        self._threshold(alarms.BATTERY_LOW, mean_mv, _LOW_MV)
        self._threshold(alarms.BATTERY_DEPLETED, mean_mv, _DEPLETED_MV)

    def _threshold(self, alarm, mean_mv, limit_mv):
        if mean_mv < limit_mv:
            self._app.alarms.raise_(alarm)
        elif mean_mv >= limit_mv + _HYSTERESIS_MV:
            self._app.alarms.gone(alarm)

    # -- charge -----------------------------------------------------------------------------------------------

    def _consume(self):
        app = self._app
        now = app.board.ticks_ms()
        seconds = app.board.ticks_diff(now, self._since) // 1_000
        self._since = app.board.ticks_add(self._since, seconds * 1_000)
        steps, writes, sounded = app.ledger.steps, app.board.eeprom.page_writes, app.signals.sounded_s
        made = max(0, steps - self._steps)  # a ledger that began anew counts from 0
        sound = sounded - self._sounded
        written = writes - self._writes
        app.records.counters.count_work(seconds, written, sound, consumption.charge(seconds, made, sound, written))
        self._steps, self._writes, self._sounded = steps, writes, sounded
        self._unsaved_s += seconds

    def _capacity_uas(self):
        values = self._app.records.calibration
        return values.battery_mah * _UAS_PER_MAH if values is not None else 0

    @property
    def left_uas(self):
        """Charge that should be left, uA s; 0 also where no capacity is known."""
        return max(0, self._capacity_uas() - self._app.records.counters.charge_uas)

    def remaining_s(self):
        """Time with power that is left at the mean consumption since the battery was fitted, s; -1: unknown."""
        counters = self._app.records.counters
        seconds = counters.powered_s - counters.fitted_s
        if not self._capacity_uas() or seconds <= 0 or not counters.charge_uas:
            return -1
        return self.left_uas * seconds // counters.charge_uas

    # -- service life -----------------------------------------------------------------------------------------

    def _watch_service(self):
        app = self._app
        if app.records.calibration is None or not app.records.has_ledger:
            return
        counters = app.records.counters
        if not counters.eri_at and self._wants_replacement():
            counters.eri_at = max(1, app.therapy.now())
            self._save()
        if counters.eri_at:
            app.alarms.raise_(alarms.REPLACE_SOON)
            if app.therapy.now() - counters.eri_at >= app.records.calibration.eri_to_eos_s:
                app.alarms.raise_(alarms.END_OF_SERVICE)

    def _wants_replacement(self):
        capacity = self._capacity_uas()
        low = self._app.alarms.active & 1 << alarms.BATTERY_LOW
        return bool(low) or (capacity > 0 and self.left_uas * _ERI_SHARE < capacity)

    def _save(self):
        """Store the counters. What fails is tried again an hour later, and at the next start."""
        self._unsaved_s = 0
        records = self._app.records
        if not records.has_ledger:
            return  # never programmed, or unreadable: nothing is written
        try:
            records.counters.save()
        except OSError:
            self._app.log.log("write_failed", record=3)

    def service(self, words):
        """`service battery`: a new battery is fitted. Charge, ERI and EOS begin anew. Raises ValueError."""
        if words != ["battery"]:
            raise ValueError("service: `battery` after it, when a new one is fitted")
        app = self._app
        if app.records.calibration is None or not app.records.has_ledger:
            raise ValueError("service battery: the pump has no calibration")
        if not self._is_whole():
            raise ValueError("service battery: the self-test has failed; power-cycle the pump")
        counters = app.records.counters
        self._consume()
        self.seal()
        before = counters.charge_uas, counters.fitted_s, counters.eri_at
        counters.charge_uas, counters.fitted_s, counters.eri_at = 0, counters.powered_s, 0
        try:
            counters.save()
        except OSError as error:
            counters.charge_uas, counters.fitted_s, counters.eri_at = before
            app.log.log("write_failed", record=3)
            counters.refused()
            raise ValueError("service battery: the EEPROM refused it (%s)" % error)
        self._unsaved_s = 0
        self.seal()
        self._readings = []
        app.log.log("battery_fitted", used_uas=before[0])
        for alarm in (alarms.BATTERY_LOW, alarms.BATTERY_DEPLETED, alarms.REPLACE_SOON, alarms.END_OF_SERVICE):
            app.alarms.gone(alarm)
        app.apply()
        return ["battery: new; %d mAh were taken from the old one" % (before[0] // _UAS_PER_MAH)]

    # -- status -----------------------------------------------------------------------------------------------

    def status(self):
        """Lines of `key: value`."""
        app = self._app
        counters = app.records.counters
        mean_mv, capacity, left_s = self.mean_mv, self._capacity_uas(), self.remaining_s()
        found = [
            "battery_mv: " + ("%d" % mean_mv if mean_mv >= 0 else "unknown"),
            "battery_charge: " + ("%d %%" % (self.left_uas * 100 // capacity) if capacity else "unknown"),
            "battery_used_mah: %d" % (counters.charge_uas // _UAS_PER_MAH),
            "battery_left_days: " + ("%d" % (left_s // _DAY_S) if left_s >= 0 else "unknown"),
            "powered_s: %d" % counters.powered_s,
            "sounded_s: %d" % counters.sounded_s,
            "eeprom_writes: %d" % counters.eeprom_writes,
        ]
        eos_after = app.records.calibration.eri_to_eos_s if app.records.calibration is not None else 0
        if counters.eri_at:
            found.append("replace_soon_since: " + self._local(counters.eri_at))
            found.append("end_of_service: " + self._local(counters.eri_at + eos_after))
        return found

    def _local(self, pump_time):
        """Local time of a pump time."""
        app = self._app
        day, second = civil.shifted(app.dosing.day, app.dosing.second, pump_time - app.therapy.now())
        return civil.iso(day, second)
