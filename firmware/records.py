"""The records of one pump in its EEPROM, loaded at start and committed on order: calibration, prescription, ledger,
bolus history, counters."""

from firmware import alarms, calibration, layout, prescription
from firmware.boluses import Boluses
from firmware.cascade import Cascade
from firmware.counters import Counters
from firmware.ledger import CALIBRATED, PROGRAMMED, Ledger
from firmware.mirror import DAMAGED as COPIES_DAMAGED
from firmware.mirror import EMPTY, Mirror
from firmware.mirror import GOOD as COPIES_GOOD
from firmware.pages import CALIBRATION, LEDGER, PAGE, PRESCRIPTION, VOID, seal
from firmware.retirement import Retired
from firmware.store import GOOD, NONE, OTHER_FORMAT, Store

_NOTHING = (False, False, 0, 0, 0)  # no ledger was found


class _Behind:
    """What follows from a prescription's record is done in it, to the end or not at all: whatever fails there ends in a
    restart, which takes all from the record. The console would tell it and go on, with new boluses at old times."""

    def __enter__(self):
        """Nothing is prepared: behind a record there may be no memory."""

    def __exit__(self, kind, error, trace):
        """Raises SystemExit, for the same reason without a text."""
        if kind is not None and issubclass(kind, Exception):
            raise SystemExit


BEHIND_A_RECORD = _Behind()


class Records:
    """What the EEPROM says. `calibration`, `prescription`: None while there is none that may be used."""

    def __init__(self, eeprom, scratch, board_id):
        """eeprom: lib AT24C256 (or a like). scratch: the words that survive a watchdog reset. board_id: 8 bytes that no
        other board has."""
        self.board_id = board_id
        self._eeprom = eeprom
        self.retired = retired = Retired(eeprom)
        self.prescriptions = Store(
            eeprom, layout.PRESCRIPTION_FIRST, layout.PRESCRIPTION_SLOTS, layout.PRESCRIPTION_PAGES, PRESCRIPTION
        )
        self.calibrations = Store(
            eeprom, layout.CALIBRATION_FIRST, layout.CALIBRATION_SLOTS, layout.CALIBRATION_PAGES, CALIBRATION
        )
        reference = calibration.Calibration()
        self.calibration = None
        self.prescription = None
        self.cascade = Cascade(reference.pl_per_step)
        mirror = Mirror(eeprom, layout.LEDGER_FIRSTS, layout.LEDGER_PAGES, LEDGER, retired)
        self.ledger = Ledger(mirror, scratch, reference.pl_per_step)
        self.boluses = Boluses(eeprom, retired)
        self.counters = Counters(eeprom, retired)
        self.recovered = _NOTHING
        self._is_other = False  # the calibration found is another board's
        self.loaded = False  # whether everything could be read; before that nothing may be committed
        self._is_blank = False  # nothing but ones was read

    # -- loading ----------------------------------------------------------------------------------------------

    def load(self):
        """Read everything and finish what a cut may have interrupted. Returns the alarms (indices into alarms.TABLE)
        that what was found calls for. Ends without exception for any content, and can be repeated."""
        self.calibration = self.prescription = None
        try:
            if self._is_blank:
                self._prove()
            found = self._load()
            if self._is_unused() and not self._is_blank:
                self._is_blank = True
                self._prove()
                found = self._load()
        except OSError:
            self.calibration = self.prescription = None
            self.recovered = _NOTHING  # the part that was read is not to be written back
            return [alarms.EEPROM_DEAD]
        self.loaded = True
        return found

    @property
    def has_ledger(self):
        """Whether there is a ledger, found or begun. No single wrong bit says that there is none."""
        return self.recovered is not _NOTHING

    def _load(self):
        self.retired.load()
        self.calibrations.load()
        self.prescriptions.load()
        values = self._read_calibration()
        if values is not None:  # the ledger needs the volume of a step
            self._scale(values[0])
        self.recovered = self.ledger.recover(self.cascade)
        self.counters.load()
        self.boluses.load()
        if self._is_foreign():
            self.recovered = _NOTHING
            return [alarms.EEPROM_FORMAT]
        if not self.recovered[0]:
            self.recovered = _NOTHING
            return [] if self._is_unused() else [alarms.LEDGER_DAMAGED]
        found = []
        if self._is_complete():
            self.boluses.mirror.fence()
            self.retired.mirror.fence()
        else:
            self.recovered = _NOTHING
            found.append(alarms.LEDGER_DAMAGED)
        self._load_calibration(values, found)
        self._load_prescription(found)
        return found

    def _read_calibration(self):
        """(values, board id) of a calibration that is whole and valid, or None."""
        if self.calibrations.condition != GOOD:
            return None
        try:
            return calibration.unpack(self.calibrations.payload)
        except ValueError:
            return None

    def _mirrors(self):
        return self.ledger.mirror, self.counters.mirror, self.boluses.mirror, self.retired.mirror

    def _is_foreign(self):
        """Whether a record of another format stands anywhere: what this firmware can read may then be out of date."""
        slots = OTHER_FORMAT in (self.calibrations.condition, self.prescriptions.condition)
        return slots or any(mirror.foreign for mirror in self._mirrors())

    def _is_unused(self):
        """Whether nothing has ever been acknowledged: all is blank, but for one page of a first write that was cut."""
        slots = self.calibrations.condition == NONE and self.prescriptions.condition == NONE
        return slots and all(mirror.condition == EMPTY for mirror in self._mirrors())

    def _prove(self):
        """Raise OSError unless the part keeps what is written to it: one that reads as ones whatever is in it is not
        blank, and its pump not new. The page belongs to nothing yet, so nothing is lost if it was not blank."""
        page = bytearray(PAGE)
        seal(page, VOID, 0)
        self._eeprom.write_page(layout.PROOF, page)

    def _is_complete(self):
        """Whether the histories hold what the ledger knows of."""
        mirrors = self._mirrors()
        if any(mirror.condition == COPIES_DAMAGED for mirror in mirrors):
            return False
        if self.ledger.flags & CALIBRATED and self.counters.mirror.condition != COPIES_GOOD:
            return False
        # The history is written first: a cut or a refused record leaves it ahead of the ledger, never behind.
        return (self.boluses.number - self.ledger.bolus) & 0xFFFF < 0x8000

    def _load_calibration(self, values, found):
        records = self.calibrations
        acknowledged = bool(self.ledger.flags & CALIBRATED)
        if records.condition == GOOD or not acknowledged:
            records.settle(acknowledged)
        if values is None:
            if acknowledged or records.condition == GOOD:
                found.append(alarms.CALIBRATION_DAMAGED)
        elif values[1] != self.board_id:
            self._is_other = True
            found.append(alarms.OTHER_PUMP)
        else:
            self.calibration = values[0]
            self.ledger.flags |= CALIBRATED

    def _load_prescription(self, found):
        records = self.prescriptions
        acknowledged = bool(self.ledger.flags & PROGRAMMED)
        if self.calibration is None:
            return
        if records.condition == GOOD or not acknowledged:
            records.settle(acknowledged)
        if records.condition != GOOD:
            if acknowledged:
                found.append(alarms.PRESCRIPTION_DAMAGED)
            return
        try:
            self.prescription = prescription.unpack(records.payload, self.calibration)
            self.ledger.flags |= PROGRAMMED
        except ValueError:
            found.append(alarms.PRESCRIPTION_DAMAGED)

    def calibration_lines(self):
        """What the volumes of a confirmation rest on: a wrong tubing volume that nobody was shown caused a recall."""
        if self.calibration is None:
            return ["calibration: none"]
        return ["calibration: version %d" % self.calibrations.sequence] + self.calibration.show()

    def need_loaded(self, command):
        """Raise ValueError unless everything was read: what lies in an EEPROM that did not answer must not be taken for
        nothing, and overwritten."""
        if not self.loaded:
            raise ValueError("%s: the EEPROM could not be read at the start; power-cycle the pump" % command)

    def state(self):
        """Everything that was found, as plain values, for comparing."""
        book = self.ledger
        return (
            self.calibrations.payload if self.calibration is not None else None,
            self.prescriptions.payload if self.prescription is not None else None,
            (
                book.steps,
                book.volume_nl,
                book.reservoir_nl,
                book.missed_nl,
                book.state,
                book.stop_day,
                book.stop_second,
            ),
            (book.alarms, book.flags, book.shift, book.bolus, book.bolus_left_nl),
            tuple(entry.values() for entry in self.boluses.recent),
            self.counters.values(),
        )

    # -- committing -------------------------------------------------------------------------------------------

    @property
    def is_doubtful(self):
        """Whether something was refused, and may stand in the EEPROM all the same."""
        doubtful = self.prescriptions.doubtful | self.calibrations.doubtful
        return doubtful != 0 or self.counters.doubtful is not None

    def withdraw(self):
        """Take it back. Raises OSError if the part still fails."""
        self.prescriptions.withdraw()
        self.calibrations.withdraw()
        self.counters.withdraw()

    def commit_prescription(self, rx, record=None):
        """Put a validated prescription in force, as one record. Raises OSError or MemoryError; the old one then stays.
        What follows from it the caller does in `with BEHIND_A_RECORD`; a ledger record is part of it, which
        acknowledges the first one. record: what rx.record() gave, if it was made already."""
        self.prescriptions.commit(rx.record() if record is None else record)
        with BEHIND_A_RECORD:
            self.prescription = rx
            self.ledger.flags |= PROGRAMMED

    def commit_calibration(self, values, day, second):
        """Put a calibration in force. With the first one, and after damage, the ledger begins, with a full reservoir.
        Returns the alarms that the stored prescription calls for, if it could not be read without a calibration. Raises
        OSError; the old one then stays. The caller writes a ledger record next: it acknowledges the first one."""
        if self.calibration is None:
            self._scale(values)  # steps that could not be booked for want of one
        if self._is_other:
            self.recovered = _NOTHING
        if self.has_ledger and self.ledger.flags & CALIBRATED:
            # Steps so far are volume by the calibration they were made with.
            self.ledger.close(self.cascade, day, second)
        else:
            self._begin(values, day, second)
        self.calibrations.commit(values.pack(self.board_id))
        self._is_other = False
        self.calibration = values
        self._scale(values)
        self.ledger.flags |= CALIBRATED
        found = []
        if self.prescription is None and self.prescriptions.condition == GOOD:
            self._load_prescription(found)
        return found

    def _begin(self, values, day, second):
        """A new ledger: the old one, if there was any, is lost, of another format or another pump's. No prescription is
        left: what it was given under is not known any more."""
        for mirror in self._mirrors():
            mirror.begin_anew()
        if self.calibrations.condition == OTHER_FORMAT:
            self.calibrations.void_all()
        if self.prescriptions.condition != NONE:
            self.prescriptions.void_all()
        self.prescription = None
        self.boluses.begin_anew()
        self.retired.begin_anew()
        self.ledger.bolus = self.boluses.number
        if self.boluses.recent:  # nobody knows how long ago that was: it counts as just now
            self.ledger.set_pump_time(self.boluses.recent[-1].start, day, second)
        self.ledger.begin(values.reservoir_nl, self.cascade, day, second)
        self.counters.save()
        self.recovered = (True, True, 0, day, second)

    def _scale(self, values):
        """Count and dose by this calibration. Only while nothing is delivered: a remainder below a step is given up."""
        self.cascade.pl_per_step = values.pl_per_step
        self.cascade.clear()
        self.ledger.pl_per_step = values.pl_per_step
