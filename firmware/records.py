"""The records of one pump in its EEPROM: calibration, prescription, ledger; loaded at start, committed on order."""

from firmware import alarms, calibration, layout, prescription
from firmware.cascade import Cascade
from firmware.ledger import PAUSED, RUNNING, Ledger
from firmware.pages import LEDGER, Ring
from firmware.store import BLANK, CALIBRATION, GOOD, PRESCRIPTION, Store


class Records:
    """What the EEPROM says. `calibration`, `prescription`: None while there is none that may be used."""

    def __init__(self, eeprom, scratch):
        """eeprom: lib AT24C256 (or a like). scratch: the words that survive a watchdog reset."""
        self.prescriptions = Store(eeprom, layout.PRESCRIPTION_FIRST, layout.PRESCRIPTION_PAGES, PRESCRIPTION)
        self.calibrations = Store(eeprom, layout.CALIBRATION_FIRST, layout.CALIBRATION_PAGES, CALIBRATION)
        self._ring = Ring(eeprom, layout.LEDGER_FIRST, layout.LEDGER_PAGES, LEDGER)
        reference = calibration.Calibration()
        self.calibration = None
        self.prescription = None
        self.cascade = Cascade(reference.pl_per_step)
        self.ledger = Ledger(self._ring, scratch, reference.pl_per_step)
        self.recovered = (False, False, 0, 0, 0)
        self.loaded = False  # whether everything could be read; before that nothing may be committed

    def load(self):
        """Read everything. Returns the alarms (indices into alarms.TABLE) that what was found calls for."""
        found = []
        try:
            self._load_calibration(found)
            self._load_prescription(found)
            self._load_ledger(found)
        except OSError:
            self.prescription = None
            return [alarms.EEPROM_DEAD]
        self.loaded = True
        return found

    def _load_calibration(self, found):
        self.calibrations.load()
        if self.calibrations.condition == GOOD:
            try:
                self.use_calibration(calibration.unpack(self.calibrations.payload))
                return
            except ValueError:
                self.calibration = None
        if self.calibrations.condition != BLANK:
            found.append(alarms.CALIBRATION_DAMAGED)

    def use_calibration(self, values):
        """Dose with this calibration. Only while nothing is delivered: a remainder below a step is given up."""
        self.calibration = values
        self.cascade.pl_per_step = values.pl_per_step
        self.cascade.clear()
        self.ledger.pl_per_step = values.pl_per_step

    def _load_prescription(self, found):
        self.prescriptions.load()
        if self.prescriptions.condition == BLANK or self.calibration is None:
            return
        if self.prescriptions.condition == GOOD:
            try:
                self.prescription = prescription.unpack(self.prescriptions.payload, self.calibration)
                return
            except ValueError:
                self.prescription = None
        found.append(alarms.PRESCRIPTION_DAMAGED)

    def _load_ledger(self, found):
        self.recovered = self.ledger.recover(self.cascade)
        if not self.recovered[0]:
            if self.calibration is not None or found:
                found.append(alarms.LEDGER_DAMAGED)
            return
        # A ledger begins after a calibration, and runs after a prescription: one that is blank now was erased.
        if self.calibration is None and not found:
            found.append(alarms.CALIBRATION_DAMAGED)
        elif self.prescription is None and not found and self.ledger.state in (RUNNING, PAUSED):
            found.append(alarms.PRESCRIPTION_DAMAGED)

    def need_loaded(self, command):
        """Raise ValueError unless everything was read: what lies in an EEPROM that did not answer must not be taken for
        nothing, and overwritten."""
        if not self.loaded:
            raise ValueError("%s: the EEPROM could not be read at the start; power-cycle the pump" % command)

    def commit_prescription(self, rx):
        """Put a validated prescription in force, as one record. Raises OSError; the old one then stays."""
        self.prescriptions.commit(rx.pack())
        self.prescription = rx

    def commit_calibration(self, values, day, second):
        """Put a calibration in force. With the first one the ledger begins, with a full reservoir. Raises OSError."""
        if self.recovered[0]:  # steps so far are volume by the calibration they were made with
            self.ledger.close(self.cascade, day, second)
        self.calibrations.commit(values.pack())
        self.use_calibration(values)
        if not self.recovered[0]:
            self.ledger.reservoir_pl = values.reservoir_nl * 1_000
            self.ledger.close(self.cascade, day, second)
            self.recovered = (True, True, 0, day, second)
