"""Real-time clock DS3231 (Maxim Integrated DS3231 data sheet, 19-5170): local time in 24-hour mode, 2000 to
2099.

Reading allocates nothing but its result.
"""

from micropython import const

_SECONDS = const(0x00)  # first of seven: seconds, minutes, hours, weekday, date, month and century, year
_CONTROL = const(0x0E)
_STATUS = const(0x0F)
_TEMPERATURE = const(5)  # registers from _CONTROL to the lower byte of the temperature
_CONV = const(0x20)  # in the control register: convert the temperature now
_BSY = const(0x04)  # in the status register: a conversion is under way
_OSF = const(0x80)  # in the status register: the oscillator is or was stopped
# Oscillator runs on the battery too (EOSC low), no alarms, no square wave.
_CONTROL_VALUE = const(0x1C)
_STATUS_VALUE = const(0x00)  # OSF cleared, 32 kHz output off
_TIME = const(7)
_MONTH = const(0x05)
_CENTURY = const(0x80)  # in the month register
_DAYS = b"\x1f\x1d\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"  # of each month, in a leap year


class RtcError(OSError):
    """The clock does not answer, or what it holds is no time."""


class DS3231:
    """The part at `address` of an I2C bus."""

    def __init__(self, i2c, address=0x68):
        """i2c: machine.I2C."""
        self._i2c = i2c
        self._address = address
        self._time = bytearray(_TIME)
        self._one = bytearray(1)
        self._five = bytearray(_TEMPERATURE)

    def read(self):
        """(year, month, day, hour, minute, second), all of the same instant.

        Raises RtcError if the part does not answer, is in 12-hour mode or holds an impossible time.
        """
        time = self._time
        self._read(_SECONDS, time)  # one burst: the part freezes the time for its length
        year = 2000 + _number("year", time[6], 0, 99)
        month = _number("month", time[5], 1, 12)  # refuses the century bit too: after 2099
        return (
            year,
            month,
            _number("day", time[4], 1, days_in_month(year, month)),
            _number("hour", time[2], 0, 23),
            _number("minute", time[1], 0, 59),
            _number("second", time[0], 0, 59),
        )

    def seconds(self):
        """The second alone, 0..59: cheap enough to wait for its edge. Raises RtcError as read()."""
        self._read(_SECONDS, self._one)
        return _number("second", self._one[0], 0, 59)

    def stopped(self):
        """Whether the oscillator has stopped since the clock was last set: then the time is wrong. Raises
        RtcError.
        """
        self._read(_STATUS, self._one)
        return bool(self._one[0] & _OSF)

    def temperature(self):
        """Temperature in quarters of a degree Celsius, as it was when this was last called, and at most 64 s ago: it
        orders the next conversion. Raises RtcError.
        """
        five = self._five
        self._read(_CONTROL, five)
        if not (five[0] & _CONV or five[1] & _BSY):
            self._write(bytes((_CONTROL, _CONTROL_VALUE | _CONV)))
        quarters = five[3] << 2 | five[4] >> 6
        return quarters - 1024 if five[3] & 0x80 else quarters

    def set(self, year, month, day, hour, minute, second):  # noqa: PLR0913, PLR0917 - a time has six parts
        """Set the clock; the second begins now. Reads it back. A power cut in between leaves the time as it was, the
        one that is set, or one that read() refuses: never a mixture of the two.

        Raises ValueError, naming field, value and range, for an impossible time, and RtcError if the part
        does not answer or does not keep the time.
        """
        wanted = (year, month, day, hour, minute, second)
        _range("year", year, 2000, 2099)
        _range("month", month, 1, 12)
        _range("day", day, 1, days_in_month(year, month))
        _range("hour", hour, 0, 23)
        _range("minute", minute, 0, 59)
        _range("second", second, 0, 59)
        # With the century bit the part counts on, and read() refuses it until the month, written last, takes it away.
        self._write(bytes((_MONTH, _CENTURY | _bcd(month))))
        # One burst, so that no second can pass between two registers.
        self._write(
            bytes(
                (
                    _SECONDS,
                    _bcd(second),
                    _bcd(minute),
                    _bcd(hour),
                    weekday(year, month, day),
                    _bcd(day),
                    _CENTURY | _bcd(month),
                    _bcd(year - 2000),
                )
            )
        )
        self._write(bytes((_MONTH, _bcd(month))))
        self._write(bytes((_CONTROL, _CONTROL_VALUE, _STATUS_VALUE)))
        if self.read() != wanted or self.stopped():
            raise RtcError("RTC: does not keep the time it is set to")

    def _read(self, register, buffer):
        try:
            self._i2c.readfrom_mem_into(self._address, register, buffer)
        except OSError:
            raise RtcError("RTC: register %d cannot be read" % register)

    def _write(self, registers):
        try:
            self._i2c.writeto(self._address, registers)
        except OSError:
            raise RtcError("RTC: register %d cannot be written" % registers[0])


def days_in_month(year, month):
    """28..31. year: 2000..2099, of which every fourth is a leap year."""
    return 28 if month == 2 and year % 4 else _DAYS[month - 1]


def weekday(year, month, day):
    """1 for Monday to 7 for Sunday. year: 2000..2099."""
    years = year - 2000
    days = years * 365 + (years + 3) // 4 + day  # 1 January 2000 was a Saturday
    for before in range(1, month):
        days += days_in_month(year, before)
    return (days + 4) % 7 + 1


def _bcd(value):
    return value // 10 << 4 | value % 10


def _number(name, value, lowest, highest):
    """A register's BCD number. Raises RtcError, naming the field, unless it is one in range."""
    number = (value >> 4) * 10 + (value & 0x0F)
    if value & 0x0F > 9 or value >> 4 > 9 or not lowest <= number <= highest:
        raise RtcError("RTC: %s register = 0x%02x: BCD %d to %d" % (name, value, lowest, highest))
    return number


def _range(name, value, lowest, highest):
    if not lowest <= value <= highest:
        raise ValueError("RTC %s = %d: %d to %d" % (name, value, lowest, highest))
