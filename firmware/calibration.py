"""Calibration: what is true of one pump and its bench. Data, never constants in the code.

A buried tubing constant that was 42 % too large caused a class I recall, so every value stands in one versioned record,
is shown at every confirmation and has a stated range.
"""

import struct

# name, unit, lowest, highest, reference hardware
FIELDS = (
    ("pl_per_step", "pL", 1_000, 1_000_000, 25_000),
    ("steps_per_index", "steps", 1, 10_000, 20),
    ("reservoir_nl", "nL", 100_000, 100_000_000, 20_000_000),
    ("low_reservoir_nl", "nL", 0, 100_000_000, 2_000_000),
    ("tubing_nl", "nL", 0, 10_000_000, 140_000),
    ("catheter_mm", "mm", 0, 2_000, 800),
    ("catheter_pl_per_mm", "pL/mm", 0, 10_000_000, 220_000),
    ("min_rate", "nL/day", 1, 28_800_000, 6_000),
    ("max_rate", "nL/day", 1, 28_800_000, 28_800_000),
    ("battery_mah", "mAh", 0, 1_000_000, 0),  # 0: a supply that does not run down
    ("eri_to_eos_s", "s", 60, 31_622_400, 7_776_000),
)
SERIAL_MAX = 16
BOARD_ID_SIZE = 8
_FORMAT = "<11I16s8s"


class CalibrationError(ValueError):
    """A calibration value that is refused; the text names field, value and range."""


class Calibration:
    """One pump's calibration; attributes are the names of FIELDS, in the units given there, and `serial`."""

    pl_per_step: int
    steps_per_index: int
    reservoir_nl: int
    low_reservoir_nl: int
    tubing_nl: int
    catheter_mm: int
    catheter_pl_per_mm: int
    min_rate: int
    max_rate: int
    battery_mah: int
    eri_to_eos_s: int

    def __init__(self, serial="bench-01", **values):
        """Reference hardware, with the given values in place of its own. Raises CalibrationError."""
        self.serial = serial
        for name, _, _, _, reference in FIELDS:
            setattr(self, name, values.pop(name, reference))
        for name in values:
            raise CalibrationError("calibration.%s: no such value" % name)
        self.validate()

    def validate(self):
        """Raise CalibrationError, naming field, value and range, unless every value is in range."""
        check_name("calibration.serial", self.serial, SERIAL_MAX, CalibrationError)
        for name, unit, lowest, highest, _ in FIELDS:
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise CalibrationError(
                    "calibration.%s = %d %s: %d to %d %s" % (name, value, unit, lowest, highest, unit)
                )
        if self.min_rate > self.max_rate:
            raise CalibrationError(
                "calibration.min_rate = %d nL/day: at most max_rate, %d nL/day" % (self.min_rate, self.max_rate)
            )

    def pack(self, board_id):
        """The record payload. board_id: 8 bytes that no other board has; the calibration is true of this one only."""
        values = [getattr(self, field[0]) for field in FIELDS]
        return struct.pack(_FORMAT, *values, self.serial.encode(), board_id)

    def show(self):
        """Lines that show every value with its unit."""
        lines = ["serial: " + self.serial]
        for name, unit, _, _, _ in FIELDS:
            lines.append("%s: %d %s" % (name, getattr(self, name), unit))
        return lines


def unpack(payload):
    """(Calibration, board id) of a record payload. Raises CalibrationError if it is none."""
    if len(payload) != struct.calcsize(_FORMAT):
        raise CalibrationError("calibration: %d bytes, %d expected" % (len(payload), struct.calcsize(_FORMAT)))
    values = struct.unpack(_FORMAT, payload)
    named = {field[0]: values[index] for index, field in enumerate(FIELDS)}
    return Calibration(text_field(values[-2]), **named), values[-1]


def text_field(raw):
    """The text in a zero-padded field."""
    return bytes(raw).split(b"\0")[0].decode()


def check_name(field, text, longest, error):
    """Raise error(...) unless text is 1..longest printable ASCII characters without a space."""
    if not 1 <= len(text) <= longest:
        raise error("%s = %s: 1 to %d characters" % (field, text, longest))
    for character in text:
        if not "!" <= character <= "~":
            raise error("%s = %s: printable ASCII without spaces" % (field, text))
