"""What a fault has come to: masked, detected and safe, undetected and safe, or unsafe."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import NamedTuple

from thecal.faults.conditions import silent
from thecal.faults.disclosed import Steps, nothing, presses
from thecal.faults.excess import FOUND_US, Trains, too_much
from thecal.faults.follow_up import lasting_error
from thecal.faults.life import COMMITS, Life
from thecal.faults.pump import Seen
from thecal.faults.reactions import disobeyed
from thecal.faults.standing import fault_of_an_alarm
from thecal.powercut.snapshot import S, module
from thecal.powercut.train import steps_by

MASKED, DETECTED, UNDETECTED, UNSAFE = CLASSES = ("masked", "detected", "undetected", "unsafe")
_EARLY_US = 4 * S  # the clock of a timed stop may be so much ahead


class Verdict(NamedTuple):
    """kind: of CLASSES. why: in words, where it is unsafe or was not noticed. excess_pl: delivered beyond the demand in
    any stretch of time, above what a pump without a fault may have. undercount: motor steps that the ledger lacks."""

    kind: str
    why: str
    excess_pl: int
    undercount: int


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
    maximum of that, in steps. A commit that was not acknowledged may be in force or not: one of the two, and wholly."""
    found = _judge(life, reference, seen, must, most)
    if life.kind in COMMITS and not seen.heard:
        other = _judge(life, reference, replace(seen, heard=True), must, most)
        return min(found, other, key=lambda verdict: (verdict.kind == UNSAFE, verdict.excess_pl))
    return found


def _judge(life: Life, reference: Seen, seen: Seen, must: int, most: Steps) -> Verdict:
    lost = bool(seen.alarms >> module("alarms").RTC_LOST & 1)
    life = life.as_it_went(seen.begun, seen.heard, lost, [*seen.ended, *seen.starts[1:]])
    excess, unsafe = too_much(life, seen, most)
    undercount = max(0, seen.steps - seen.ledger_steps)
    new = seen.alarms & ~reference.alarms
    notes = sorted((seen.faults - reference.faults).keys())
    resets = max(0, len(seen.resets) - len(reference.resets))  # a first start proves the watchdog by one
    unsafe = unsafe or disobeyed(life, seen, most) or _runs_again(life, seen)
    if not unsafe and most is not presses:
        unsafe = lasting_error(life, reference, seen)
    unsafe = unsafe or silent(life, reference, seen, must) or fault_of_an_alarm(seen)
    if unsafe:
        kind = UNSAFE
    elif new or resets or notes:
        kind = DETECTED
    else:
        kind = MASKED if same_steps(reference, seen) else UNDETECTED
    said = ", ".join([*module("alarms").codes(new), *notes, *seen.errors[:1]])
    return Verdict(kind, unsafe + (f" (said: {said})" if said else ""), excess, undercount)


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
        if times and times[-1] - times[0] > FOUND_US:
            return f"steps in a stop, from {times[0] / S:.3f} s to {times[-1] / S:.3f} s"
    return ""
