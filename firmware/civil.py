"""Local date and time as two small integers: day number since 2000-01-01, and second of that day.

A single count of seconds would leave the 31-bit small integers of MicroPython in 2034; the pair never does. The
range is that of the DS3231: 2000-01-01 to 2099-12-31.
"""

from micropython import const

SECONDS_PER_DAY = const(86_400)
DAYS = const(36_525)  # 2000 to 2099, 25 leap years
_DAYS_PER_4_YEARS = const(1_461)
_WEEKDAY_OF_DAY_0 = const(5)  # 2000-01-01 was a Saturday; Monday is 0
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def days_in_month(year, month):
    """Days of a month (1..12) of a year of 2000..2099, in which every fourth year is a leap year."""
    return 29 if month == 2 and year % 4 == 0 else _MONTHS[month - 1]


def day_number(year, month, mday):
    """Day number of a date. Raises ValueError, naming the field, outside 2000-01-01 .. 2099-12-31."""
    if not 2000 <= year <= 2099:
        raise ValueError("year = %d: 2000 to 2099" % year)
    if not 1 <= month <= 12:
        raise ValueError("month = %d: 1 to 12" % month)
    if not 1 <= mday <= days_in_month(year, month):
        raise ValueError("day = %d: 1 to %d" % (mday, days_in_month(year, month)))
    years = year - 2000
    day = years * 365 + (years + 3) // 4 + mday - 1
    for m in range(1, month):
        day += days_in_month(year, m)
    return day


def date(day):
    """(year, month, day of month) of a day number 0..36,524."""
    cycle, day = divmod(day, _DAYS_PER_4_YEARS)
    year = 2000 + 4 * cycle
    if day >= 366:
        year += 1 + (day - 366) // 365
        day = (day - 366) % 365
    month = 1
    while day >= days_in_month(year, month):
        day -= days_in_month(year, month)
        month += 1
    return year, month, day + 1


def weekday(day):
    """Weekday of a day number: 0 is Monday, 6 is Sunday."""
    return (day + _WEEKDAY_OF_DAY_0) % 7


def iso(day, second):
    """Local time as text, for instance 2026-03-02T08:00:00."""
    year, month, mday = date(day)
    return "%04d-%02d-%02dT%02d:%02d:%02d" % (
        year,
        month,
        mday,
        second // 3600,
        second // 60 % 60,
        second % 60,
    )


def parse_iso(text):
    """(day number, second of day) of a text like 2026-03-02T08:00:00. Raises ValueError naming what is wrong."""
    if len(text) != 19 or text[4] + text[7] + text[10] + text[13] + text[16] != "--T::":
        raise ValueError("time = %s: YYYY-MM-DDThh:mm:ss is needed" % text)
    parts = []
    for first, last in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19)):
        digits = text[first:last]
        for digit in digits:
            if digit not in "0123456789":
                raise ValueError("time = %s: YYYY-MM-DDThh:mm:ss is needed" % text)
        parts.append(int(digits))
    year, month, mday, hour, minute, second = parts
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("time = %s: 00:00:00 to 23:59:59" % text)
    return day_number(year, month, mday), hour * 3600 + minute * 60 + second


def seconds_between(day, second, later_day, later_second):
    """Seconds from one local time to a later one; negative if it is earlier."""
    return (later_day - day) * SECONDS_PER_DAY + later_second - second


def shifted(day, second, seconds):
    """The local time `seconds` after (day, second); seconds may be negative."""
    carry, second = divmod(second + seconds, SECONDS_PER_DAY)
    return day + carry, second
