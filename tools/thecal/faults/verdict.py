"""What a fault has come to: masked, detected and safe, undetected and safe, or unsafe."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from thecal.faults.disclosed import Steps, nothing
from thecal.faults.life import Life
from thecal.faults.pump import Seen
from thecal.powercut.snapshot import S, module

MASKED, DETECTED, UNDETECTED, UNSAFE = CLASSES = ("masked", "detected", "undetected", "unsafe")
_LEVEL = 2  # channel of the level sensor
_NEEDED_US = 7 * S  # refused for so long, a needed record has made the EEPROM dead: 5 s, looked at once a second
_EMPTY_US = 12 * S  # the level sensor's two readings, 4 s apart, and what a frame is late
_BEGIN_S = 2  # an order for a bolus counts from when it is given; it flows within so many seconds
_STALL_INDICES = 2  # that are missing before a stall is found (docs/LIMITS.md); each start of the motor begins anew,
_STALL_S = 3  # and it takes so many seconds of flow until that is looked at

Trains = Sequence[tuple[int, int, int]]


class Verdict(NamedTuple):
    """kind: of CLASSES. why: in words, where it is unsafe or was not noticed. excess_pl: delivered beyond the demand in
    any stretch of time, above what a pump without a fault may have. undercount: motor steps that the ledger lacks."""

    kind: str
    why: str
    excess_pl: int
    undercount: int


def usual_pl(life: Life) -> int:
    """By how much delivery may hang behind the demand, and then be less behind it: a step, two control periods, and the
    time in which a bolus begins."""
    return life.size_pl + (_BEGIN_S + 2) * life.peak_pl_s()


def excess_pl(life: Life, trains: Trains, end_us: int) -> int:
    """The most by which delivery exceeded the demand in any stretch of time, pL. Within a train both are even, so its
    first and its last step are looked at."""
    size = life.size_pl
    made = 0
    behind = most = 0  # delivered less demanded, at its lowest so far; and the highest rise above it

    def look(steps: int, t_us: int) -> None:
        nonlocal behind, most
        ahead = steps * size - life.demanded_pl(t_us)
        behind = min(behind, ahead)
        most = max(most, ahead - behind)

    for begin, gap, steps in trains:
        look(made, begin)
        look(made + 1, begin)
        made += steps
        look(made, begin + gap * (steps - 1))
    look(made, end_us)
    return most


def _by_second(trains: Trains, end_us: int) -> list[int]:
    """Steps made at the end of each second."""
    begins = [begin for begin, _, _ in trains]
    before = [0]
    for _, _, steps in trains:
        before.append(before[-1] + steps)
    counts = []
    for t_us in range(S, end_us + 1, S):
        index = bisect_right(begins, t_us)
        count = before[index]
        if index:
            begin, gap, steps = trains[index - 1]
            count = before[index - 1] + min(steps, (t_us - begin) // max(gap, 1) + 1)
        counts.append(count)
    return counts


def same_steps(one: Seen, other: Seen) -> bool:
    """Whether both have made the same steps at every second, but for one."""
    end = min(one.end_us, other.end_us)
    pairs = zip(_by_second(one.trains, end), _by_second(other.trains, end), strict=True)
    return all(abs(a - b) <= 1 for a, b in pairs)


def runs_ahead(reference: Seen, seen: Seen) -> bool:
    """Whether the pump has delivered more than without the fault, if only by two steps: a longer look is worth it."""
    return seen.steps > reference.steps + 1 and not seen.looped


def judge(life: Life, reference: Seen, seen: Seen, must: int, most: Steps = nothing) -> Verdict:
    """must: mask of alarms of which one must have come, by what was done to the pump; 0: none. most: the disclosed
    maximum of that, in steps."""
    life = life.as_it_went(seen.begun, seen.heard, bool(seen.alarms >> module("alarms").RTC_LOST & 1))
    excess = max(0, excess_pl(life, seen.trains, seen.end_us) - usual_pl(life))
    undercount = max(0, seen.steps - seen.ledger_steps)
    new = seen.alarms & ~reference.alarms
    notes = sorted((seen.logged - reference.logged).keys())
    resets = max(0, len(seen.resets) - len(reference.resets))  # a first start proves the watchdog by one
    unsafe = ""
    disclosed_pl = most(life) * life.size_pl
    if excess > disclosed_pl:
        unsafe = f"{excess / 1_000:,.1f} nL beyond the demand, {disclosed_pl / 1_000:,.1f} nL disclosed"
    else:
        unsafe = _silent(life, seen, must, resets)
    if unsafe:
        kind = UNSAFE
    elif new or resets:
        kind = DETECTED
    elif same_steps(reference, seen):
        kind = MASKED
    else:
        kind = DETECTED if notes else UNDETECTED
    said = ", ".join([*module("alarms").codes(new), *notes, *seen.errors[:1]])
    return Verdict(kind, unsafe + (f" (said: {said})" if said else ""), excess, undercount)


def _silent(life: Life, seen: Seen, must: int, resets: int) -> str:
    """Which condition of high priority has no alarm of high priority."""
    alarms = module("alarms")
    high = sum(1 << alarm for alarm, row in enumerate(alarms.TABLE) if row[1] == alarms.HIGH)
    if seen.alarms & high:
        return ""
    bench = seen.bench
    starts = 1 + resets + (life.kind == "stop for")
    lost = starts * _STALL_INDICES * bench.steps_per_index + _STALL_S * (life.peak_pl_s() // life.size_pl + 1)
    refused = bench.refused
    level_fails = bench.adc.get(_LEVEL) is not None
    found = {
        "no alarm of " + ", ".join(alarms.codes(must)): bool(must),
        f"{len(seen.resets)} resets without an alarm": seen.looped and not bench.is_loud,
        "the EEPROM refuses the ledger, without an alarm": refused and refused[-1] - refused[0] >= _NEEDED_US,
        f"{bench.stall_pulses} pulses without motion, without an alarm": bench.stall_pulses > lost,
        "the reservoir is empty, without an alarm": life.empty_us is not None
        and not level_fails
        and seen.end_us - life.empty_us > _EMPTY_US,
    }
    return next((why for why, is_so in found.items() if is_so), "")
