"""Delivery beyond the demand: how much a pump without a fault may have, how much there was, what is disclosed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from thecal.faults.disclosed import AT_ONCE, Steps
from thecal.faults.life import BEGIN_US, Life
from thecal.faults.pump import Seen
from thecal.powercut.snapshot import S
from thecal.powercut.train import steps_by

FOUND_US = 2 * S  # within a second of the first step the guard has cut DRIVE
_WAITS_S = 5  # docs/CONSOLE.md, eeprom_dead

Trains = Sequence[tuple[int, int, int]]


def usual_pl(life: Life, seen: Seen | None = None) -> int:
    """By how much delivery may hang behind the demand, and then be less behind it: a step, two control periods, and the
    time in which a bolus begins. If the EEPROM was silent, a step may also have waited for the record that covers it,
    until the EEPROM was called dead."""
    usual = life.size_pl + (BEGIN_US // S + 2) * life.peak_pl_s()
    bench = seen.bench if seen else None
    if bench and (bench.eeprom_until_us or bench.eeprom_since_us is not None):
        usual += min(life.size_pl, _WAITS_S * life.peak_pl_s())
    return usual


def excess_pl(life: Life, trains: Trains, end_us: int, since_us: int = 0) -> int:
    """The most by which delivery exceeded the demand in any stretch of time since then, pL."""
    return max((above for _, above in _rises(life, trains, end_us, since_us)), default=0)


def too_much(life: Life, seen: Seen, most: Steps, since_us: int = 0, end_us: int | None = None) -> tuple[int, str]:
    """(what was delivered beyond the demand from then to then and beyond usual_pl(), pL; in words why that is too much,
    or ""). As much as is disclosed is in order, and once only: when the guard must have found it, nothing more comes.
    """
    usual, end = usual_pl(life, seen), seen.end_us if end_us is None else end_us
    rises = list(_rises(life, seen.trains, end, since_us))
    excess = max(0, max(above for _, above in rises) - usual)
    disclosed_pl = most(life) * life.size_pl
    if excess > disclosed_pl:
        return excess, f"{excess / 1_000:,.1f} nL beyond the demand, {disclosed_pl / 1_000:,.1f} nL disclosed"
    if not excess or most not in AT_ONCE:
        return excess, ""
    found = FOUND_US + next(t_us for t_us, above in rises if above > usual)
    again = excess_pl(life, seen.trains, end, found) - usual if found < end else 0
    if again <= 0:
        return excess, ""
    return excess, f"{again / 1_000:,.1f} nL beyond the demand after {found / S:.3f} s, when it is found"


def _rises(life: Life, trains: Trains, end_us: int, since_us: int) -> Iterator[tuple[int, int]]:
    """(time, by how much delivery less demand is above its lowest so far). Within a train both are even, so its first
    and its last step are looked at."""
    size = life.size_pl
    made = 0
    lowest = -life.demanded_pl(since_us)
    for begin, gap, all_steps in _short(trains):
        steps = steps_by(0, [(begin, gap, all_steps)], end_us)
        last = begin + gap * (steps - 1)
        if not steps or last < since_us:
            continue
        before = steps_by(0, [(begin, gap, steps)], since_us - 1)
        first = begin + gap * before
        for steps_more, t_us in ((0, first), (1, first), (steps - before, last)):
            ahead = (made + steps_more) * size - life.demanded_pl(t_us)
            lowest = min(lowest, ahead)
            yield t_us, ahead - lowest
        made += steps - before
    ahead = made * size - life.demanded_pl(end_us)
    yield end_us, ahead - min(lowest, ahead)


def _short(trains: Trains) -> Iterator[tuple[int, int, int]]:
    """The same steps in trains of a second at most."""
    for begin, gap, steps in trains:
        most = max(1, S // gap)
        for done in range(0, steps, most):
            yield begin + gap * done, gap, min(most, steps - done)
