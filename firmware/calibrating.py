"""What an operator can order about calibration: show, stage, commit. Nothing of a pump is ever assumed."""

from binascii import crc32

from firmware import alarms, calibration, interrupted, ledger, units


class Calibrating:
    """The calibration orders of one pump. A refusal is a ValueError that names field, value and what is allowed."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self.staged = {}
        self._crc = 0  # of the calibration that is staged

    def show(self):
        """Every calibration value with its unit, and what is staged."""
        return self._app.records.calibration_lines() + [
            "staged %s: %s" % (name, value) for name, value in sorted(self.staged.items())
        ]

    def stage(self, name, text):
        """Stage one value: a whole number in the unit that `calibrate show` names."""
        value = text
        if name != "serial" and name not in [field[0] for field in calibration.FIELDS]:
            raise ValueError("calibration.%s: no such value; `calibrate show` lists them" % name)
        if name != "serial":
            value, decimals = units.number("calibration." + name, text)
            if decimals:
                raise ValueError("calibration.%s = %s: a whole number" % (name, text))
        self._need_hold("calibrate set")
        staged = dict(self.staged)
        staged[name] = value
        self._crc = self._crc_of(self._with(staged))
        self.staged = staged

    def _crc_of(self, values):
        return crc32(values.pack(self._app.records.board_id))

    def _need_hold(self, name):
        """Raise ValueError unless what is staged, and what is in force beside it, is as it was: a wrong calibration
        that has been stored is seen by nobody any more."""
        self._app.courses.need_hold(name)
        if self.staged and self._crc_of(self._with(self.staged)) != self._crc:
            self._app.selftest.ram_changed()
            self.staged = {}
            raise ValueError(name + ": alarm self_test_failed; what was staged is given up")

    def discard(self):
        """Forget what is staged."""
        self.staged = {}

    def _with(self, staged):
        values = self._app.records.calibration
        known = {"serial": values.serial} if values is not None else {}
        if values is not None:
            for field in calibration.FIELDS:
                known[field[0]] = getattr(values, field[0])
        known.update(staged)
        return calibration.Calibration(**known)

    def _ready(self):
        """The Calibration that a commit would put in force. Raises ValueError if it is not to be."""
        app = self._app
        app.records.need_loaded("calibrate commit")
        if app.records.calibration is None:
            names = ["serial"] + [field[0] for field in calibration.FIELDS]
            missing = [name for name in names if name not in self.staged]
            if missing:  # no value of a pump is ever assumed
                raise ValueError("calibrate commit: %s missing, and no calibration is in force" % ", ".join(missing))
        self._need_hold("calibrate commit")
        values = self._with(self.staged)
        if app.records.prescription is not None:
            if app.ledger.state in (ledger.RUNNING, ledger.PAUSED):  # a timed stop ends by itself
                raise ValueError("calibrate commit: `stop` comes first")
            if app.courses.unsaved is app.records.prescription:  # a start would still judge what its record says
                raise ValueError("calibrate commit: the end of a bridge or trial is stored first, within 2 min")
            app.records.prescription.validate(values)
        return values

    def commit(self):
        """Put the staged calibration in force. Refused while the pump delivers, or when the prescription forbids it."""
        app = self._app
        values = self._ready()
        app.ledger.alarms = app.alarms.latched()
        before = app.records.prescription
        try:
            found = app.records.commit_calibration(values, app.dosing.day, app.dosing.second)
        except OSError as error:
            app.log.log("write_failed", record=2)
            raise ValueError("calibrate commit: the EEPROM refused it (%s)" % error)
        self.staged = {}
        app.alarms.gone(alarms.CALIBRATION_DAMAGED)
        app.alarms.gone(alarms.LEDGER_DAMAGED)  # if there was none, a new one has begun
        app.alarms.gone(alarms.EEPROM_FORMAT)
        app.alarms.gone(alarms.OTHER_PUMP)
        if app.records.prescription is not None:  # by another calibration it was none
            app.alarms.gone(alarms.PRESCRIPTION_DAMAGED)
        for alarm in found:
            app.alarms.raise_(alarm)
        app.must_record = True
        app.record_state()
        app.take_up_schedule()
        if app.records.prescription is not before:  # it could not be read without a calibration, or is void now
            interrupted.take_up(app, None)
            app.therapy.scheduled.begin(app.dosing.day, app.dosing.second, False)
        app.log.log("calibrated", sequence=app.records.calibrations.sequence)
