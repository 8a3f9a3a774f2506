"""Days, times of the day and minutes of the week as people read and write them (F2)."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class PrescriptionError(ValueError):
    """A prescription that is refused; the text names field, value and what is allowed."""


def refuse(field, value, allowed):
    """Raise PrescriptionError."""
    raise PrescriptionError("%s = %s: %s" % (field, value, allowed))


def minute_text(minute):
    """A minute of the week as text, for instance mon 08:00."""
    return "%s %s" % (DAYS[minute // 1440 % 7], clock_text(minute % 1440))


def clock_text(minute):
    """A minute of the day as text, for instance 08:00."""
    return "%02d:%02d" % (minute // 60, minute % 60)


def parse_clock(field, text):
    """Minute of the day, 0..1439, of HH:MM."""
    hour, colon, minute = text.partition(":")
    good = colon and len(hour) == 2 and len(minute) == 2
    for digit in hour + minute:
        good = good and digit in "0123456789"
    if not good or int(hour) > 23 or int(minute) > 59:
        refuse(field, text, "00:00 to 23:59")
    return int(hour) * 60 + int(minute)


def parse_days(field, text):
    """Day mask (Monday is bit 0) of daily, a day, a range (which may wrap), or a comma list of these."""
    mask = 0
    for part in text.split(","):
        days = 0x7F if part == "daily" else _day_range(part)
        if not days or mask & days:
            refuse(field, text, "daily, a day mon..sun, a range, or a comma list, each day once")
        mask |= days
    return mask


def _day_range(text):
    """Day mask of a day or of a range of different days; 0 if it is neither."""
    first, dash, last = text.partition("-")
    if first not in DAYS or (dash and (last not in DAYS or last == first)):
        return 0
    day = DAYS.index(first)
    stop = DAYS.index(last) if dash else day
    days = 1 << day
    while day != stop:
        day = (day + 1) % 7
        days |= 1 << day
    return days


def days_text(mask):
    """A day mask as text."""
    if mask == 0x7F:
        return "daily"
    return ",".join([name for bit, name in enumerate(DAYS) if mask >> bit & 1])
