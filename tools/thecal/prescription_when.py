"""Days of the week and times of day as a prescription file writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from thecal.fields import did_you_mean
from thecal.prescription import DAYS

if TYPE_CHECKING:
    from thecal.tables import Table

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_DAYS_ALLOWED = 'daily, a day (mon tue wed thu fri sat sun), a range such as mon-fri, or a list such as "mon,wed,fri"'


def read_clock(table: Table, key: str) -> int:
    """The minute of the day. Raises the table's error."""
    value = table.need(key, "a time of day from 00:00 to 23:59 is needed")
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if not match:
        table.refuse(key, 'a time of day in quotes, "00:00" to "23:59", is needed')
    return int(match[1]) * 60 + int(match[2])


def read_days(table: Table, key: str) -> int:
    """The mask of days, Monday is bit 0. Raises the table's error."""
    value = table.need(key, _DAYS_ALLOWED)
    if not isinstance(value, str):
        table.refuse(key, _DAYS_ALLOWED)
    if value == "daily":
        return 0x7F
    mask = 0
    for part in value.replace(", ", ",").split(","):
        days = _day_range(part)
        if not days:
            table.refuse(key, _DAYS_ALLOWED + did_you_mean(part, [*DAYS, "daily"]))
        if mask & days:
            table.refuse(key, f"names a day twice; {_DAYS_ALLOWED}")
        mask |= days
    return mask


def _day_range(text: str) -> int:
    """The mask of a day, or of a range which may wrap over Sunday; 0 if it is neither."""
    first, dash, last = text.partition("-")
    if first not in DAYS:
        return 0
    day = DAYS.index(first)
    if not dash:
        return 1 << day
    if last not in DAYS or last == first:
        return 0
    length = (DAYS.index(last) - day) % 7 + 1
    return sum(1 << (day + n) % 7 for n in range(length))
