"""Prescriptions and lives of a pump, drawn: plausible ones, and ones at the edges of what is allowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

from hypothesis import strategies as st
from therapy_oracle_replay import START_UP_S, Act, Case, most_demanded
from therapy_oracle_rules import (
    DAY,
    HOUR,
    WEEK,
    Patient,
    Period,
    Rx,
    Scheduled,
    days_of,
    flow_fits,
    least_limit,
    local_of,
    most_at_once,
)
from therapy_oracle_types import Limits

MAX_RATE = 28_800_000
MIN_RATE = 6_000
_RATES = st.one_of(
    st.just(0), st.integers(MIN_RATE, 1_000_000), st.sampled_from((MIN_RATE, 86_400, 999_999, 4_800_000))
)
_DAYS = st.one_of(st.just(0x7F), st.integers(1, 0x7F), st.sampled_from([1 << day for day in range(7)]))
_OVER = st.one_of(st.integers(1, 7_200), st.sampled_from((1, 59, 60, 300, 599, 600, 1_800, 1_801, HOUR, 5 * HOUR, DAY)))
_DOSES = st.one_of(st.integers(1, 50_000), st.sampled_from((1, 24, 25, 26, 1_000, 99_999, 250_000)))
MOST_IN_24_H = 30  # scheduled and patient boluses together: what the pump's history holds
BITE_S = 4  # the watchdog bites 5 s after it was fed, which was at most a second before
_SPACING_S = 8  # an event in the log, and one more before it, are written by then


@st.composite
def prescriptions(draw: st.DrawFn, most_scheduled: int = 24) -> Rx:
    """A prescription with boluses which no rule refuses; its limits leave little or nothing beside it."""
    mode = draw(st.sampled_from(("continuous", "flex", "flex")))
    rx = Rx(mode, draw(_RATES), _periods(draw) if mode == "flex" else ())
    minutes = draw(st.sampled_from((60, 1_440)))  # of which day's part they fall due: often at the same time
    scheduled = []
    for _ in range(draw(st.sampled_from([n for n in (0, 2, 3, 5, 8, 24) if n <= most_scheduled]))):
        dose, over = _fitting(draw, rx)
        minute = draw(st.one_of(st.integers(0, minutes - 1), st.sampled_from((0, 1, 30, 1_439))))
        scheduled.append(Scheduled(draw(_DAYS), minute, dose, over))
    rx = replace(rx, scheduled=tuple(scheduled))
    if draw(st.integers(0, 3)):
        dose, over = _fitting(draw, rx)
        lockout = draw(st.one_of(st.just(over), st.integers(over, over + 4 * HOUR), st.just(max(over, DAY))))
        most = min(24, MOST_IN_24_H - most_at_once(rx.scheduled))
        rx = replace(rx, patient=Patient(dose, over, lockout, draw(st.integers(1, most))))
    return _limited(draw, rx)


def _periods(draw: st.DrawFn) -> tuple[Period, ...]:
    """Periods that do not touch one another: each day of the week cut at some minutes, one maybe over midnight."""
    minutes = sorted(draw(st.sets(st.integers(0, 1_439), max_size=8)))
    found = [
        Period(draw(_DAYS), begin, end, draw(_RATES)) for begin, end in zip(minutes[::2], minutes[1::2], strict=False)
    ]
    if len(minutes) % 2 == 0 and minutes and minutes[-1] > minutes[0] and draw(st.booleans()):
        found = found[:-1]  # the last becomes one over midnight
        found.append(Period(draw(_DAYS), minutes[-1], minutes[0], draw(_RATES)))
    return tuple(found)


def _fitting(draw: st.DrawFn, rx: Rx) -> tuple[int, int]:
    """A dose and its time, whose flow fits beside the highest rate; sometimes only just."""
    dose, over = draw(_DOSES), draw(_OVER)
    least = -(-dose * DAY // (MAX_RATE - rx.highest()))
    over = max(over, least)
    assert flow_fits(rx, dose, over, MAX_RATE)
    return dose, over


def _limited(draw: st.DrawFn, rx: Rx) -> Rx:
    patient = rx.patient.dose if rx.patient else 20_000
    rooms = st.one_of(
        st.just(0), st.integers(1, 6).map(lambda n: n * patient), st.integers(0, 8 * patient), st.just(10**8)
    )
    hour = least_limit(rx, HOUR) + draw(rooms) if draw(st.integers(0, 2)) == 2 else None
    day = least_limit(rx, DAY) + draw(rooms) if draw(st.integers(0, 2)) == 2 else None
    return replace(
        rx,
        max_per_hour=max(hour, 1) if hour is not None else None,
        max_per_day=max(day, 1) if day is not None else None,
    )


@st.composite
def lives(draw: st.DrawFn, most_days: int = 3, most_acts: int = 30, least_days: int = 1) -> Case:
    """A pump, its prescription, and what is done to it; most of it near the times at which a bolus is due."""
    rx = draw(prescriptions())
    days = draw(st.sampled_from([d for d in (1, 1, 2, 3, 8, 21) if least_days <= d <= most_days]))
    seconds = draw(st.sampled_from((days * DAY, days * DAY - 12_345)))
    start = datetime(2026, 3, 2) + timedelta(
        seconds=draw(st.one_of(st.integers(0, WEEK // 60).map(lambda m: m * 60), st.integers(0, WEEK)))
    )
    acts = _acts(draw, rx, start, seconds, draw(st.sampled_from([n for n in (0, 5, 10, 20, 30) if n <= most_acts])))
    step = draw(st.sampled_from((25_000, 25_000, 10_000, 24_989, 999_983)))
    case = Case(rx, start, seconds, acts, step)
    spans = Fraction(seconds, DAY)
    most = max(most_demanded(each, spans) for each in [rx, *(act.rx for act in acts if act.rx)])
    reservoir = min(max(3 * (most + sum(act.dose + 320_000 for act in acts)), 1_000_000), 100_000_000)
    low = draw(
        st.one_of(st.just(0), st.just(0), st.integers(0, 100).map(lambda part: reservoir - reservoir * part // 400))
    )
    acts = tuple(replace(act, dose=reservoir) if act.what == "refill" else act for act in acts)
    return replace(case, acts=acts, pump=Limits(reservoir=reservoir, low=low))


def _acts(draw: st.DrawFn, rx: Rx, start: datetime, seconds: int, count: int) -> tuple[Act, ...]:
    dues = _dues(rx, start, seconds)
    anywhere = st.integers(10, seconds - 10)
    near = st.builds(lambda due, by: due + by, st.sampled_from(dues or [seconds // 2]), st.integers(-3, 2_000))
    early = st.integers(10, min(seconds - 10, 2 * HOUR))
    times = draw(st.lists(st.one_of(anywhere, near, early), min_size=count, max_size=count))
    acts: list[Act] = []
    free, stopped = 10, False
    for second in sorted(times):
        if second < free or second > seconds - 20:
            continue
        act = Act(second, "resume") if stopped and draw(st.booleans()) else _act(draw, rx, second)
        stopped = act.what == "stop" or (stopped and act.what != "resume")
        if act.what in ("cut", "hang") and any(second - 3 <= due <= second + act.seconds + START_UP_S for due in dues):
            act = replace(act, what="press", seconds=0)  # what is logged just before a cut may be lost
        acts.append(act)
        free = second + _SPACING_S + (act.seconds + START_UP_S if act.what in ("cut", "hang") else 0)
    return tuple(acts)


def _dues(rx: Rx, start: datetime, seconds: int) -> list[int]:
    begin = local_of(start)
    found = []
    for bolus in rx.scheduled:
        for day in range(begin // DAY, (begin + seconds) // DAY + 1):
            second = day * DAY + bolus.minute * 60 - begin
            if day % 7 in days_of(bolus.days) and 10 < second < seconds - 20:
                found.append(second)
    return sorted(set(found))


def _act(draw: st.DrawFn, rx: Rx, second: int) -> Act:
    what = draw(
        st.sampled_from(
            ("press",) * 4
            + ("dose",) * 2
            + ("order",) * 4
            + ("cancel", "stop", "stop_for", "resume", "resume", "clock", "clock", "cut", "hang", "prime")
            + ("program", "refill")
        )
    )
    if what == "order":
        dose, over = _fitting(draw, rx)
        return Act(second, what, dose, over)
    if what == "stop_for":
        return Act(second, what, seconds=draw(st.one_of(st.integers(1, HOUR), st.sampled_from((1, 60, HOUR)))))
    if what == "clock":
        by = st.one_of(
            st.integers(-2 * HOUR, 2 * HOUR), st.integers(-3 * DAY, 3 * DAY), st.sampled_from((-1, 1, DAY, -DAY))
        )
        return Act(second, what, seconds=draw(by))
    if what == "cut":
        return Act(second, what, seconds=draw(st.one_of(st.integers(1, 100), st.integers(100, DAY))))
    if what == "program":
        other = st.one_of(st.just(rx), prescriptions(5), st.sampled_from((Rx("stopped"), Rx("minimum"))))
        return Act(second, what, rx=draw(other))
    return Act(second, what, seconds=BITE_S if what == "hang" else 0)
