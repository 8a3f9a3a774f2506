"""What a fault has come to: masked, detected and safe, undetected and safe, or unsafe."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from thecal.faults.conditions import silent
from thecal.faults.disclosed import AT_ONCE, Steps, nothing, presses
from thecal.faults.follow_up import lasting_error
from thecal.faults.life import BEGIN_US, Life
from thecal.faults.pump import Seen
from thecal.faults.standing import fault_of_an_alarm
from thecal.powercut.snapshot import S, module
from thecal.powercut.train import steps_by

MASKED, DETECTED, UNDETECTED, UNSAFE = CLASSES = ("masked", "detected", "undetected", "unsafe")
_WAITS_S = 5  # docs/CONSOLE.md, eeprom_dead
# Within a second of the first step the guard has cut DRIVE; the clock of a timed stop may be so much ahead.
_FOUND_US, _EARLY_US = 2 * S, 4 * S

Trains = Sequence[tuple[int, int, int]]


class Verdict(NamedTuple):
    """kind: of CLASSES. why: in words, where it is unsafe or was not noticed. excess_pl: delivered beyond the demand in
    any stretch of time, above what a pump without a fault may have. undercount: motor steps that the ledger lacks."""

    kind: str
    why: str
    excess_pl: int
    undercount: int


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


def _rises(life: Life, trains: Trains, end_us: int, since_us: int) -> Iterator[tuple[int, int]]:
    """(time, by how much delivery less demand is above its lowest so far). Within a train both are even, so its first
    and its last step are looked at."""
    size = life.size_pl
    made = 0
    lowest = -life.demanded_pl(since_us)
    for begin, gap, steps in _short(trains):
        last = begin + gap * (steps - 1)
        if last < since_us:
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


def _by_second(trains: Trains, end_us: int) -> list[int]:
    """Steps made at the end of each second."""
    begins = [begin for begin, _, _ in trains]
    before = [0]
    for _, _, steps in trains:
        before.append(before[-1] + steps)
    counts = []
    for t_us in range(S, end_us + 1, S):
        last = max(0, bisect_right(begins, t_us) - 1)
        counts.append(steps_by(before[last], trains[last : last + 1], t_us))
    return counts


def same_steps(one: Seen, other: Seen) -> bool:
    """Whether both have made the same steps at every second, but for one."""
    end = min(one.end_us, other.end_us)
    pairs = zip(_by_second(one.trains, end), _by_second(other.trains, end), strict=True)
    return all(abs(a - b) <= 1 for a, b in pairs)


def judge(life: Life, reference: Seen, seen: Seen, must: int, most: Steps = nothing) -> Verdict:
    """must: mask of alarms of which one must have come, by what was done to the pump; 0: none. most: the disclosed
    maximum of that, in steps."""
    life = life.as_it_went(seen.begun, seen.heard, bool(seen.alarms >> module("alarms").RTC_LOST & 1))
    excess = max(0, excess_pl(life, seen.trains, seen.end_us) - usual_pl(life, seen))
    undercount = max(0, seen.steps - seen.ledger_steps)
    new = seen.alarms & ~reference.alarms
    notes = sorted((seen.faults - reference.faults).keys())
    resets = max(0, len(seen.resets) - len(reference.resets))  # a first start proves the watchdog by one
    unsafe = _too_much(life, seen, excess, most) or _runs_again(life, seen)
    if not unsafe and most is not presses:
        unsafe = lasting_error(life, reference, seen)
    unsafe = unsafe or silent(life, reference, seen, must) or fault_of_an_alarm(life, seen)
    if unsafe:
        kind = UNSAFE
    elif new or resets or notes:
        kind = DETECTED
    else:
        kind = MASKED if same_steps(reference, seen) else UNDETECTED
    said = ", ".join([*module("alarms").codes(new), *notes, *seen.errors[:1]])
    return Verdict(kind, unsafe + (f" (said: {said})" if said else ""), excess, undercount)


def _too_much(life: Life, seen: Seen, excess: int, most: Steps) -> str:
    """What was delivered beyond the demand, against what is disclosed: at most so much, and once only. When the guard
    must have found it, nothing more comes."""
    disclosed_pl = most(life) * life.size_pl
    if excess > disclosed_pl:
        return f"{excess / 1_000:,.1f} nL beyond the demand, {disclosed_pl / 1_000:,.1f} nL disclosed"
    if not excess or most not in AT_ONCE:
        return ""
    usual = usual_pl(life, seen)
    found = _FOUND_US + next(t_us for t_us, above in _rises(life, seen.trains, seen.end_us, 0) if above > usual)
    again = excess_pl(life, seen.trains, seen.end_us, found) - usual
    return f"{again / 1_000:,.1f} nL beyond the demand after {found / S:.3f} s, when it is found" if again > 0 else ""


def _runs_again(life: Life, seen: Seen) -> str:
    """Whether it has made steps in a stop, and again when the guard must have found them: a stop that has ended before
    its time, however slow the flow."""
    for since, until in life.stretches_of_a_stop():
        times = [
            t_us
            for begin, gap, steps in seen.trains
            for t_us in (begin, begin + gap * (steps - 1))
            if since <= t_us < until - _EARLY_US
        ]
        if times and times[-1] - times[0] > _FOUND_US:
            return f"steps in a stop, from {times[0] / S:.3f} s to {times[-1] / S:.3f} s"
    return ""
