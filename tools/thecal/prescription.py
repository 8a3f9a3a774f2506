"""A prescription as the pump will hold it, and the console lines that program it.

prescription_toml.py reads one from a file. Everything here is whole numbers: volume nL, rate nL/day,
concentration ng/mL, minutes of the day.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from thecal.fields import FieldError, shown
from thecal.quantities import ascii_units

DRUGS = (
    "saline",
    "morphine",
    "hydromorphone",
    "fentanyl",
    "bupivacaine",
    "clonidine",
    "ziconotide",
    "baclofen",
)
MODES = ("stopped", "continuous", "flex", "minimum")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_PERIODS = 24
MAX_SCHEDULED = 24
MAX_PATIENT_BOLUSES = 24  # in any 24 h
PATIENT_LENGTH = 16
MAX_CONCENTRATION = 1_000_000_000  # ng/mL, that is 1 g/mL: nothing dissolves better, and it fits 30 bits
MAX_LIMIT = 1_000_000_000  # nL, that is 1 L: 34 times what the pump can give in a day, and it fits 30 bits
MAX_DOSE = MAX_LIMIT
MAX_BOLUS_S = 86_400
MAX_LOCKOUT_S = 7 * 86_400
MINUTES_PER_DAY = 1_440
MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY
_WEEK_S = MINUTES_PER_WEEK * 60
LINE_LENGTH = 120  # what the pump's console takes


# What `program stage` takes, and the order of its words.
_SINGLE = ("patient", "drug", "concentration", "mode", "basal")
_TABLES = {
    "period": ("days", "from", "to", "rate"),
    "scheduled_bolus": ("days", "at", "dose", "over"),
    "patient_bolus": ("dose", "over", "lockout", "max_per_day"),
}


class PrescriptionError(FieldError):
    """A prescription that is refused; `field` is a path like prescription.period[2].rate, counted from 1."""


class RateRange(NamedTuple):
    """The rates other than 0 that a pump can run at, nL/day, both ends included."""

    lowest: int
    highest: int


class Period(NamedTuple):
    """A rate that replaces basal (F2).

    It begins at from_minute of each day of the mask (Monday is bit 0) and ends at to_minute of that day, or
    of the next day when that is at or before from_minute.
    """

    days_mask: int
    from_minute: int
    to_minute: int
    rate_nl_day: int

    def minutes(self) -> int:
        """The minutes of the week in which the period holds, as a bit set; bit 0 is Monday 00:00."""
        length = self.to_minute - self.from_minute
        if length <= 0:
            length += MINUTES_PER_DAY
        taken = 0
        for day in range(7):
            if self.days_mask >> day & 1:
                taken |= ((1 << length) - 1) << (day * MINUTES_PER_DAY + self.from_minute)
        return (taken | taken >> MINUTES_PER_WEEK) & ((1 << MINUTES_PER_WEEK) - 1)


class ScheduledBolus(NamedTuple):
    """A dose on top of basal (F3), given evenly over so many seconds from a minute of each day of the mask on."""

    days_mask: int
    minute: int
    dose_nl: int
    seconds: int

    def starts(self) -> list[int]:
        """When it begins: seconds of the week, Monday 00:00 is 0."""
        return [day * 86_400 + self.minute * 60 for day in range(7) if self.days_mask >> day & 1]


class PatientBolus(NamedTuple):
    """What a press of the button gives (F3). lockout_s: from the start of one to the start of the next; max_per_day: in
    any 24 h."""

    dose_nl: int
    seconds: int
    lockout_s: int
    max_per_day: int


@dataclass(frozen=True)
class Prescription:
    """One therapy (F1, F2, F3), validated, in the pump's own units.

    concentration_ng_per_ml: 0 for saline. basal_nl_day: 0 where the mode has none. max_per_hour_nl,
    max_per_day_nl: None without a limit. source: the [prescription] table it was read from.
    """

    patient: str
    drug: str
    concentration_ng_per_ml: int
    mode: str
    basal_nl_day: int = 0
    periods: tuple[Period, ...] = ()
    scheduled: tuple[ScheduledBolus, ...] = ()
    patient_bolus: PatientBolus | None = None
    max_per_hour_nl: int | None = None
    max_per_day_nl: int | None = None
    source: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def highest_rate(self) -> int:
        """The highest rate of the prescription at any time of the week, nL/day."""
        return max([self.basal_nl_day, *(period.rate_nl_day for period in self.periods)])

    def scheduled_within(self, window_s: int) -> int:
        """The most that scheduled boluses can add in any window (t - window_s, t], nL: each counts whole while any part
        of it lies in the window (R08). window_s and the longest bolus together are shorter than a week."""
        doses = [
            (start, bolus.seconds + window_s, bolus.dose_nl) for bolus in self.scheduled for start in bolus.starts()
        ]
        return max(
            (sum(dose for start, length, dose in doses if (end - start) % _WEEK_S < length) for end, _, _ in doses),
            default=0,
        )

    def most_in_a_day(self) -> int:
        """The most that basal, scheduled and patient boluses together can give in any 24 h, nL."""
        patient = self.patient_bolus.dose_nl * self.patient_bolus.max_per_day if self.patient_bolus else 0
        return self.highest_rate() + self.scheduled_within(86_400) + patient


def first_overlap(periods: tuple[Period, ...]) -> tuple[int, int, int] | None:
    """Indices of the first two periods that share a minute of the week, and that minute; None if none do."""
    sets = [period.minutes() for period in periods]
    for later in range(len(sets)):
        for earlier in range(later):
            common = sets[earlier] & sets[later]
            if common:
                return earlier, later, (common & -common).bit_length() - 1
    return None


def minute_text(minute_of_week: int) -> str:
    """A minute of the week as "mon 08:00"."""
    day, minute = divmod(minute_of_week, MINUTES_PER_DAY)
    return f"{DAYS[day]} {minute // 60:02}:{minute % 60:02}"


def stage_lines(rx: Prescription, pack: Callable[[Prescription], bytes]) -> list[str]:
    """The console lines that stage a prescription in a pump (F4).

    They carry the text of the file and not the numbers computed here, so that the pump computes the doses on
    its own; the last line carries the CRC-32 of the packed form (`pack`) that it must arrive at. Only a micro
    sign is respelt, as u.
    """
    return draft_lines(rx.source, f"{zlib.crc32(pack(rx)):08x}")


def commit_line(staged: Sequence[str]) -> str:
    """The console line that puts in force what these lines, of stage_lines() or their last one, have staged."""
    return f"program commit {staged[-1].split()[-1]}"


def draft_lines(source: Mapping[str, Any], digest: str = "00000000") -> list[str]:
    """The same lines from any table, even one that was refused here, so that the pump can refuse it itself.

    What the console could not carry is replaced by "?", and lines are cut to its length: without the right
    digest no such draft can be committed. Never raises.
    """
    lines = [f"{key} {_words(source[key])}" for key in _SINGLE if key in source]
    for key, parts in _TABLES.items():
        tables = source.get(key, [])
        lines += [f"{key} {_joined(table, parts)}" for table in (tables if isinstance(tables, list) else [tables])]
    limits = source.get("limits", {})
    for key, value in (limits if isinstance(limits, dict) else {"limits": limits}).items():
        lines.append(f"{key} {_words(value)}")
    lines += [f"{key} {_words(value)}" for key, value in source.items() if key not in (*_SINGLE, *_TABLES, "limits")]
    return ["program stage " + _printable(line) for line in ["begin", *lines, f"end {digest}"]]


def _joined(table: object, keys: tuple[str, ...]) -> str:
    """The values of a table in the console's order; a list of days without its spaces."""
    values = table if isinstance(table, dict) else {}
    words = {key: _words(values.get(key, "")) for key in keys}
    return " ".join(word.replace(", ", ",") if key == "days" else word for key, word in words.items())


def _words(value: object) -> str:
    return ascii_units(value) if isinstance(value, str) else shown(value)


def _printable(line: str) -> str:
    clean = "".join(c if " " <= c <= "~" else "?" for c in line)
    return clean[: LINE_LENGTH - len("program stage ")]
