"""The coming 24 hours of a pump by its prescription and by what it is in the middle of: a stop, an alarm, a bridge, a
trial, a reservoir that runs low. Nothing is known of what people will do: no patient bolus, no refill, no `resume`."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from thecal.demand import weekly_rates
from thecal.models.bench import PumpConfig
from thecal.prescription import MINUTES_PER_DAY, MINUTES_PER_WEEK, Prescription
from thecal.prescription import ScheduledBolus as Bolus

DAY_S = 86_400
_LATE_S = 1_800  # a scheduled bolus that waits for longer is skipped


@dataclass(frozen=True)
class Now:
    """What a pump is in the middle of: volumes nL, rates nL/day, times s from now. As it is, nothing.

    halted: nothing flows, `stopped` or `safe` as `status` says it, else empty; halted_s: when that ends by itself,
    None: never. alarms: those that change delivery; no_bolus: they forbid boluses; lowest: only the lowest rate flows.
    bridge_nl, bridge_rate: what is left, and how it flows. trial_s: what is left of a trial, 0: it is over, None: there
    is none. reservoir_nl: None: it never runs low.
    """

    halted: str = ""
    halted_s: int | None = None
    alarms: tuple[str, ...] = ()
    no_bolus: bool = False
    lowest: bool = False
    bridge_nl: int = 0
    bridge_rate: int = 0
    trial_s: int | None = None
    afterwards: str = "minimum"
    reservoir_nl: int | None = None
    low_nl: int = 0


@dataclass(frozen=True)
class Given:
    """A scheduled bolus: `second` from the start of the day, and how much of it is given (nL)."""

    second: int
    bolus: Bolus
    given_nl: int


@dataclass(frozen=True)
class Skipped:
    """A scheduled bolus that is not given: `second` when that is decided, and why, as the pump's log says it."""

    second: int
    bolus: Bolus
    reason: str


@dataclass(frozen=True)
class Day:
    """The 24 h from a full minute on, in seconds from there. An end that is None does not come within them.

    changes: (second, nL/day from then on), the first at 0. low: when the reservoir becomes low, if it is not yet.
    """

    rx: Prescription
    start: datetime
    now: Now
    changes: tuple[tuple[int, int], ...]
    given: tuple[Given, ...]
    skipped: tuple[Skipped, ...]
    halt_end: int | None = None
    bridge_end: int | None = None
    trial_end: int | None = None
    low: int | None = None
    empty: int | None = None

    def basal_nl(self) -> Fraction:
        """The basal volume of the 24 h, nL."""
        ends = [second for second, _ in self.changes[1:]] + [DAY_S]
        flows = zip(self.changes, ends, strict=True)
        return sum((Fraction(rate * (end - begin), DAY_S) for (begin, rate), end in flows), Fraction(0))

    def highest(self, begin: int, end: int) -> int:
        """The highest rate from one second up to another, nL/day."""
        first = bisect_right(self.changes, begin, key=lambda change: change[0]) - 1
        return max(rate for second, rate in self.changes[first:] if second < end)

    def at(self, second: int) -> datetime:
        """Pump time, so many seconds from the start."""
        return self.start + timedelta(seconds=second)

    def record(self) -> dict[str, Any]:
        """For --json: volumes in nL, rates in nL/day, local times in ISO form; null for what there is not."""
        ends = ("halt_end", "bridge_end", "trial_end", "low", "empty")
        return {
            "from": self.start.isoformat(),
            "basal_nl": int(self.basal_nl()),
            "rates": [{"at": self.at(second).isoformat(), "nl_per_day": rate} for second, rate in self.changes],
            "scheduled_boluses": [self._bolus(one) | {"given_nl": one.given_nl} for one in self.given],
            "skipped_boluses": [self._bolus(one) | {"reason": one.reason} for one in self.skipped],
            "halted": self.now.halted or None,
            "alarms": list(self.now.alarms),
            "afterwards": None if self.now.trial_s is None else self.now.afterwards,
        } | {key: None if (end := getattr(self, key)) is None else self.at(end).isoformat() for key in ends}

    def _bolus(self, one: Given | Skipped) -> dict[str, Any]:
        return {"at": self.at(one.second).isoformat(), "dose_nl": one.bolus.dose_nl, "seconds": one.bolus.seconds}


def coming_day(rx: Prescription, pump: PumpConfig, clock: datetime, now: Now | None = None) -> Day:
    """The 24 h from the minute of `clock` on, at which the pump is in the middle of `now`."""
    return _Reckoning(rx, pump, clock, now or Now()).day()


class _Reckoning:
    """From one change to the next. What holds now is drawn from the start of the minute on."""

    def __init__(self, rx: Prescription, pump: PumpConfig, clock: datetime, now: Now) -> None:
        self._rx, self._pump, self._now = rx, pump, now
        self._start = clock.replace(second=0, microsecond=0)
        self._first = self._start.weekday() * MINUTES_PER_DAY + self._start.hour * 60 + self._start.minute
        self._weekly = weekly_rates(rx, pump)
        self._ends(clock.second)
        self._volume = None if now.reservoir_nl is None else Fraction(now.reservoir_nl)
        self._low = self._empty = DAY_S
        self._flow: tuple[int, Bolus] | None = None  # since when it flows
        week = 60 * MINUTES_PER_WEEK
        dues = [((at - self._first * 60) % week, bolus) for bolus in rx.scheduled for at in bolus.starts()]
        self._waiting = sorted((due for due in dues if due[0] < DAY_S), key=lambda due: due[0])
        self._changes: list[tuple[int, int]] = []
        self._given: list[Given] = []
        self._skipped: list[Skipped] = []

    def _ends(self, offset: int) -> None:
        """When stop, bridge and trial end; DAY_S: not within the day. A trial goes on in a stop, a bridge does not."""
        now = self._now
        halt_end = DAY_S if now.halted_s is None else min(DAY_S, offset + now.halted_s)
        self._halt_end, self._bridge_end = halt_end if now.halted else 0, 0
        if now.bridge_nl and self._rx.mode != "stopped":
            takes = -(-now.bridge_nl * DAY_S // now.bridge_rate)
            self._bridge_end = min(DAY_S, max(offset, self._halt_end) + takes)
        self._trial_end = DAY_S if now.trial_s is None else 0 if not now.trial_s else min(DAY_S, offset + now.trial_s)

    def day(self) -> Day:
        """The whole day."""
        second = 0
        while second < DAY_S:
            self._serve(second)
            rate = self._rate(second)
            if not self._changes or self._changes[-1][1] != rate:
                self._changes.append((second, rate))
            until = self._until(second)
            if self._volume is not None:
                self._volume -= (rate + self._bolus_rate()) * (until - second) / DAY_S
            second = until
        self._end_bolus(DAY_S)
        bridge_end = self._bridge_end if self._bridge_end <= self._trial_end else 0
        return Day(
            self._rx,
            self._start,
            self._now,
            tuple(self._changes),
            tuple(self._given),
            tuple(self._skipped),
            *(end if 0 < end < DAY_S else None for end in (self._halt_end, bridge_end, self._trial_end)),
            *(end if end < DAY_S else None for end in (self._low, self._empty)),
        )

    def _rate(self, second: int) -> int:
        if second < self._halt_end or second >= self._empty:
            return 0
        if second >= self._trial_end:
            return self._pump.min_rate if self._now.afterwards == "minimum" else 0
        if second < self._bridge_end:
            return self._now.bridge_rate
        if self._now.lowest:
            programmed = [*self._weekly, self._rx.basal_nl_day]
            return min((rate for rate in programmed if rate), default=0)
        return self._weekly[(self._first + second // 60) % MINUTES_PER_WEEK]

    def _bolus_rate(self) -> Fraction:
        return Fraction(self._flow[1].dose_nl * DAY_S, self._flow[1].seconds) if self._flow else Fraction(0)

    def _refusal(self, second: int) -> str:
        """Why no bolus begins; empty if one may."""
        if second >= self._trial_end:
            return "trial_over"
        if second < self._bridge_end:
            return "bridge"
        if second < self._halt_end or second >= self._empty:
            return "stopped"
        if self._now.lowest:
            return "alarm"
        return "low_reservoir" if self._now.no_bolus or second >= self._low else ""

    def _serve(self, second: int) -> None:
        """What ends, what runs low, and which bolus begins at this second."""
        if self._volume is not None:
            if self._volume <= self._now.low_nl and not self._now.no_bolus:
                self._low = min(self._low, second)
            if self._volume <= 0:
                self._empty = min(self._empty, second)
        if self._flow and second >= min(self._flow[0] + self._flow[1].seconds, self._trial_end, self._empty):
            self._end_bolus(second)
        while self._waiting and self._waiting[0][0] <= second:
            due, bolus = self._waiting[0]
            reason = self._refusal(second)
            if due < second in (self._trial_end, self._empty):
                reason = "interruption"  # what cancels a bolus drops those that wait for its end
            elif not reason and second - due >= _LATE_S:
                reason = "late"
            elif not reason and self._flow is not None:
                return
            elif not reason and self._volume is not None and bolus.dose_nl > self._volume:
                reason = "low_reservoir"
            self._waiting.pop(0)
            if reason:
                self._skipped.append(Skipped(second, bolus, reason))
            else:
                self._flow = second, bolus

    def _end_bolus(self, second: int) -> None:
        if self._flow:
            since, bolus = self._flow
            self._given.append(Given(since, bolus, bolus.dose_nl * min(second - since, bolus.seconds) // bolus.seconds))
            self._flow = None

    def _until(self, second: int) -> int:
        """The next second at which something may change."""
        found = [DAY_S, self._halt_end, self._bridge_end, self._trial_end, self._next_edge(second)]
        found += [due + more for due, _ in self._waiting[:1] for more in (0, _LATE_S)]
        flow = self._rate(second) + self._bolus_rate()
        if self._flow is not None:
            found.append(self._flow[0] + self._flow[1].seconds)
        if self._volume is not None and flow:
            found += [second - (level - self._volume) * DAY_S // flow for level in (self._now.low_nl, 0)]
        return min(end for end in found if end > second)

    def _next_edge(self, second: int) -> int:
        """The next minute at which the schedule of the week has another rate."""
        minute = second // 60
        rate = self._weekly[(self._first + minute) % MINUTES_PER_WEEK]
        while minute < MINUTES_PER_DAY and self._weekly[(self._first + minute) % MINUTES_PER_WEEK] == rate:
            minute += 1
        return minute * 60
