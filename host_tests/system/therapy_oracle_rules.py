"""The rules of bolus therapy as arithmetic, written from the specification and sharing nothing with the firmware.

Times are whole seconds: true seconds since the start of a scenario, or local seconds, counted from a Monday 00:00.
Volumes nL, rates nL/day; what is not whole is a Fraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

DAY = 86_400
HOUR = 3_600
WEEK = 7 * DAY
LATE = 1_800  # a scheduled bolus that could not begin for so long is skipped
_MONDAY = datetime(2000, 1, 3)
_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WINDOWS = (("max_per_hour", HOUR), ("max_per_day", DAY))


class Period(NamedTuple):
    """A rate in place of basal. days: mask, Monday is bit 0. Minutes of the day; an end at or before begin is the next
    day's."""

    days: int
    begin: int
    end: int
    rate: int


class Scheduled(NamedTuple):
    """A scheduled bolus: at this minute of the days in the mask, dose nL over so many seconds."""

    days: int
    minute: int
    dose: int
    seconds: int


class Patient(NamedTuple):
    """The patient bolus: dose nL over seconds; lockout s from start to start; so many in any 24 h."""

    dose: int
    seconds: int
    lockout: int
    max_per_day: int


@dataclass(frozen=True)
class Rx:
    """One whole prescription, of saline."""

    mode: str = "continuous"
    basal: int = 0
    periods: tuple[Period, ...] = ()
    scheduled: tuple[Scheduled, ...] = ()
    patient: Patient | None = None
    max_per_hour: int | None = None
    max_per_day: int | None = None

    @property
    def boluses(self) -> bool:
        """Whether the mode knows boluses."""
        return self.mode in ("continuous", "flex")

    def highest(self) -> int:
        """The highest rate at any time, a period's or basal."""
        return max([self.basal, *(period.rate for period in self.periods)])

    def limits(self) -> Iterator[tuple[str, int, int]]:
        """(name, window s, limit nL) of each limit there is."""
        for name, window in WINDOWS:
            limit = getattr(self, name)
            if limit is not None:
                yield name, window, limit

    def rate_at(self, local: int, min_rate: int) -> int:
        """The rate without boluses at a local second."""
        if self.mode in ("stopped", "minimum"):
            return min_rate if self.mode == "minimum" else 0
        minute = local % WEEK // 60
        for period in self.periods:
            length = (period.end - period.begin) % 1_440 or 1_440
            for day in days_of(period.days):
                if (minute - day * 1_440 - period.begin) % 10_080 < length:
                    return period.rate
        return self.basal

    def toml(self) -> dict[str, Any]:
        """The [prescription] table of a scenario."""
        table: dict[str, Any] = {"patient": "oracle", "drug": "saline", "mode": self.mode}
        if self.boluses:
            table["basal"] = f"{self.basal} nL/day"
        if self.periods:
            table["period"] = [
                {"days": days_text(p.days), "from": clock(p.begin), "to": clock(p.end), "rate": f"{p.rate} nL/day"}
                for p in self.periods
            ]
        if self.scheduled:
            table["scheduled_bolus"] = [
                {"days": days_text(b.days), "at": clock(b.minute), "dose": f"{b.dose} nL", "over": f"{b.seconds} s"}
                for b in self.scheduled
            ]
        if self.patient:
            b = self.patient
            table["patient_bolus"] = {
                "dose": f"{b.dose} nL",
                "over": f"{b.seconds} s",
                "lockout": f"{b.lockout} s",
                "max_per_day": b.max_per_day,
            }
        limits = {name: f"{limit} nL" for name, _, limit in self.limits()}
        return {**table, "limits": limits} if limits else table


@dataclass
class Given:
    """A bolus in the history. end: the second at which its last part was given; None while more may come."""

    kind: str
    start: int
    dose: int
    seconds: int
    end: int | None = None


def counted(history: Iterable[Given], t: int, window: int) -> int:
    """The whole doses of all boluses of which any part lies in (t - window, t]; priming does not count."""
    return sum(g.dose for g in history if g.kind != "prime" and (g.end is None or g.end > t - window))


def over_limit(rx: Rx, history: Iterable[Given], dose: int, t: int) -> set[str]:
    """The limits that a bolus of this dose would exceed if it began at t. Reaching one is allowed."""
    past = list(history)
    return {
        name
        for name, window, limit in rx.limits()
        if Fraction(rx.highest() * window, DAY) + counted(past, t, window) + dose > limit
    }


def lockouts(rx: Patient, history: Iterable[Given], t: int) -> set[str]:
    """What forbids a patient bolus at t: the lockout, or the number within 24 h."""
    starts = [g.start for g in history if g.kind == "patient"]
    found = set()
    if any(t < start + rx.lockout for start in starts):
        found.add("lockout")
    if sum(1 for start in starts if start > t - DAY) >= rx.max_per_day:
        found.add("max_boluses")
    return found


def flow_fits(rx: Rx, dose: int, seconds: int, max_rate: int) -> bool:
    """Whether a bolus on top of the highest rate stays within what the pump can give."""
    return Fraction(dose * DAY, seconds) + rx.highest() <= max_rate


def worst_case(scheduled: Iterable[Scheduled], window: int) -> int:
    """The largest sum of whole doses of scheduled boluses of which any part lies in one window, week after week."""
    times = [
        (week * WEEK + day * DAY + bolus.minute * 60, bolus)
        for bolus in scheduled
        for day in days_of(bolus.days)
        for week in range(-1, 2)
    ]
    worst = 0
    for t, _ in times:  # a sum only rises where one begins
        worst = max(worst, sum(b.dose for start, b in times if start <= t and start + b.seconds > t - window))
    return worst


def most_at_once(scheduled: Iterable[Scheduled]) -> int:
    """How many scheduled boluses begin within some 24 h, at most."""
    once = [day * DAY + bolus.minute * 60 for bolus in scheduled for day in days_of(bolus.days)]
    starts = [start + week * WEEK for start in once for week in range(2)]
    return max((sum(first <= start < first + DAY for start in starts) for first in once), default=0)


def least_limit(rx: Rx, window: int) -> int:
    """The lowest limit (nL) that the prescription alone does not exceed."""
    return -(-rx.highest() * window // DAY) + worst_case(rx.scheduled, window)


def due_after(scheduled: tuple[Scheduled, ...], local: int) -> tuple[int, list[int]] | None:
    """The first local second after `local` at which scheduled boluses are due, and their indices."""
    best: tuple[int, list[int]] | None = None
    for index, bolus in enumerate(scheduled):
        for day in range(local // DAY, local // DAY + 9):
            due = day * DAY + bolus.minute * 60
            if due > local and bolus.days >> day % 7 & 1:
                if best is None or due < best[0]:
                    best = (due, [index])
                elif due == best[0]:
                    best[1].append(index)
                break
    return best


def local_of(when: datetime) -> int:
    """A local time as local seconds."""
    return int((when - _MONDAY).total_seconds())


def days_of(mask: int) -> list[int]:
    """The days in a mask, Monday is 0."""
    return [day for day in range(7) if mask >> day & 1]


def days_text(mask: int) -> str:
    """A mask of days as a prescription writes it."""
    return "daily" if mask == 0x7F else ",".join(_NAMES[day] for day in days_of(mask))


def clock(minute: int) -> str:
    """A minute of the day as HH:MM."""
    return f"{minute // 60:02}:{minute % 60:02}"
