"""The real-time clock (Maxim Integrated DS3231 data sheet, 19-5170 rev. 10), as far as the pump uses it
(R49).

It runs on its own battery, so power cuts of the pump do not touch it. From the data sheet: a transaction
reads buffers that are filled at its START and whenever the register pointer comes round to 0; writing the
seconds register restarts the second; OSF can be cleared but not set; the temperature is converted every 64 s,
or when CONV is written, in 200 ms.

Not modelled: alarms, the 12-hour mode (an hours register in that mode stands still, as any impossible time
does), EOSC.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

SECONDS, MINUTES, HOURS, WEEKDAY, DATE, MONTH, YEAR = range(7)
CONTROL = 0x0E
STATUS = 0x0F
TEMPERATURE = 0x11
REGISTERS = 0x13
OSF = 0x80
CONV = 0x20
BSY = 0x04
EN32KHZ = 0x08
CENTURY = 0x80
TEMPERATURE_EVERY_NS = 64_000_000_000
CONVERSION_NS = 200_000_000

_S = 1_000_000_000
_MASKS = (0x7F, 0x7F, 0x7F, 0x07, 0x3F, 0x9F, 0xFF)  # the bits that exist in the time registers
_POWER_ON_CONTROL = 0x1C


def bcd(value: int) -> int:
    """Two decimal digits as a byte."""
    return value // 10 << 4 | value % 10


def _plain(value: int) -> int:
    if value & 0x0F > 9 or value >> 4 > 9:
        raise ValueError(f"{value:#04x} is no BCD number")
    return (value >> 4) * 10 + (value & 0x0F)


def _calendar(time: datetime, weekday: int, century: int) -> bytearray:
    parts = (time.second, time.minute, time.hour, weekday, time.day, time.month, time.year % 100)
    registers = bytearray(bcd(part) for part in parts)
    registers[MONTH] |= century
    return registers


def _time(calendar: Sequence[int]) -> datetime:
    """The time of seven registers, the year always 2000..2099. Raises ValueError for an impossible one."""
    month = calendar[MONTH] & ~CENTURY
    return datetime(
        2000 + _plain(calendar[YEAR]),
        _plain(month),
        _plain(calendar[DATE]),
        _plain(calendar[HOURS]),
        _plain(calendar[MINUTES]),
        _plain(calendar[SECONDS]),
    )


class DS3231:
    """One part. start: the local time that it has at true time 0. drift_ppb: how much too fast it runs."""

    address = 0x68

    def __init__(self, start: datetime, drift_ppb: int = 0, osf: bool = False) -> None:
        """Raises ValueError unless start lies in 2000..2099."""
        if not 2000 <= start.year <= 2099:
            raise ValueError(f"start = {start.isoformat()}: a year of 2000 to 2099")
        self._drift_ppb = drift_ppb
        # The calendar as it was at _anchor_ns of true time, when _phase_ns of its second had passed.
        self._calendar = _calendar(start, start.isoweekday(), 0)
        self._anchor_ns = 0
        self._phase_ns = start.microsecond * 1000
        self._running = True
        self._others = bytearray(REGISTERS)
        self._others[CONTROL] = _POWER_ON_CONTROL
        self._others[STATUS] = EN32KHZ | (OSF if osf else 0)
        self._millicelsius = 25_000
        self._converted_ns = 0
        self._conversion_end_ns: int | None = None
        self._convert()
        self._latched = bytes(self._calendar)
        self._pointer = 0
        self._pointed = False

    # -- what only the world knows and does ------------------------------------------------------------------

    def local_time(self, now_ns: int) -> datetime:
        """The time that it believes in, to the microsecond. Raises ValueError while its registers hold no
        time.
        """
        calendar, phase_ns = self._now(now_ns)
        century = 100 if calendar[MONTH] & CENTURY else 0
        time = _time(calendar)
        return time.replace(year=time.year + century, microsecond=phase_ns // 1000)

    def jump(self, seconds: int, now_ns: int) -> None:
        """It leaps by so many seconds, backward if negative, and notices nothing. ValueError if that leaves
        2000..2099.
        """
        self._settle(now_ns)
        time = _time(self._calendar)
        try:
            leapt = time + timedelta(seconds=seconds)
        except OverflowError:
            leapt = datetime.max
        if not 2000 <= leapt.year <= 2099:
            raise ValueError(f"seconds = {seconds}: leads from {time.isoformat()} out of 2000 to 2099")
        weekday = (self._calendar[WEEKDAY] - 1 + (leapt.date() - time.date()).days) % 7 + 1
        self._calendar = _calendar(leapt, weekday, self._calendar[MONTH] & CENTURY)

    def halt(self, now_ns: int) -> None:
        """The oscillator stops, which sets OSF. It starts again when the seconds register is written."""
        self._settle(now_ns)
        self._running = False
        self._others[STATUS] |= OSF

    def set_drift(self, ppb: int, now_ns: int) -> None:
        """From now on it runs this much too fast."""
        self._settle(now_ns)
        self._drift_ppb = ppb

    def set_temperature(self, millicelsius: int, now_ns: int) -> None:
        """The part now has this temperature; its register follows at the next conversion. -128 to 127.75
        degC.
        """
        if not -128_000 <= millicelsius <= 127_750:
            raise ValueError(f"millicelsius = {millicelsius}: -128000 to 127750")
        self._update_temperature(now_ns)
        self._millicelsius = millicelsius

    # -- bus -------------------------------------------------------------------------------------------------

    def start(self, read: bool, now_ns: int) -> bool:
        """Addressed: the buffers take over the time."""
        self._pointed = read
        self._latch(now_ns)
        return True

    def write_byte(self, value: int, now_ns: int) -> bool:
        """The register pointer, then registers."""
        if not self._pointed:
            self._pointer = value % REGISTERS
            self._pointed = True
            return True
        self._write(self._pointer, value, now_ns)
        self._advance_pointer(now_ns)
        return True

    def read_byte(self, now_ns: int) -> int:
        """The register at the pointer, which moves on."""
        pointer = self._pointer
        value = self._latched[pointer] if pointer <= YEAR else self._other(pointer, now_ns)
        self._advance_pointer(now_ns)
        return value

    def stop(self, now_ns: int) -> None:
        """A written byte has taken effect with its acknowledge: nothing is left to do."""

    def deselect(self, now_ns: int) -> None:
        """As stop."""

    def _advance_pointer(self, now_ns: int) -> None:
        self._pointer = (self._pointer + 1) % REGISTERS
        if self._pointer == 0:
            self._latch(now_ns)

    def _latch(self, now_ns: int) -> None:
        self._latched = bytes(self._now(now_ns)[0])

    def _write(self, register: int, value: int, now_ns: int) -> None:
        if register <= YEAR:
            self._settle(now_ns)
            self._calendar[register] = value & _MASKS[register]
            if register == SECONDS:
                self._phase_ns = 0
                self._running = True
        elif register == CONTROL:
            self._update_temperature(now_ns)
            if value & CONV and self._conversion_end_ns is None:
                self._conversion_end_ns = now_ns + CONVERSION_NS
            self._others[CONTROL] = value & ~CONV
        elif register == STATUS:
            self._others[STATUS] = value & EN32KHZ | self._others[STATUS] & value & OSF
        elif register < TEMPERATURE:
            self._others[register] = value

    def _other(self, register: int, now_ns: int) -> int:
        self._update_temperature(now_ns)
        value = self._others[register]
        if self._conversion_end_ns is not None:
            value |= {CONTROL: CONV, STATUS: BSY}.get(register, 0)
        return value

    # -- time ------------------------------------------------------------------------------------------------

    def _now(self, now_ns: int) -> tuple[bytearray, int]:
        """Calendar, and what has passed of its second, in ns."""
        if not self._running:
            return self._calendar, self._phase_ns
        passed = self._phase_ns + (now_ns - self._anchor_ns) * (_S + self._drift_ppb) // _S
        seconds, phase_ns = divmod(passed, _S)
        if seconds == 0:
            return self._calendar, phase_ns
        try:
            before = _time(self._calendar)
        except ValueError:
            return self._calendar, phase_ns
        after = before + timedelta(seconds=seconds)
        weekday = (self._calendar[WEEKDAY] - 1 + (after.date() - before.date()).days) % 7 + 1
        overflows = (after.year - before.year + before.year % 100) // 100 % 2
        return _calendar(after, weekday, (self._calendar[MONTH] & CENTURY) ^ overflows * CENTURY), phase_ns

    def _settle(self, now_ns: int) -> None:
        """Count from now."""
        calendar, self._phase_ns = self._now(now_ns)
        self._calendar = bytearray(calendar)
        self._anchor_ns = now_ns

    # -- temperature -----------------------------------------------------------------------------------------

    def _update_temperature(self, now_ns: int) -> None:
        """Do the conversions that have ended since the last call: at the temperature it had all the time
        since.
        """
        due = now_ns // TEMPERATURE_EVERY_NS != self._converted_ns // TEMPERATURE_EVERY_NS
        if self._conversion_end_ns is not None and now_ns >= self._conversion_end_ns:
            self._conversion_end_ns = None
            due = True
        if due:
            self._converted_ns = now_ns
            self._convert()

    def _convert(self) -> None:
        quarters = self._millicelsius // 250 & 0x3FF
        self._others[TEMPERATURE] = quarters >> 2
        self._others[TEMPERATURE + 1] = (quarters & 3) << 6
