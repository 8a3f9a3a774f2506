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
# Within a second of the first step the guard has cut DRIVE; the clock of a timed stop may be so much ahead.
_FOUND_US, _EARLY_US = 2 * S, 4 * S
# Alarms that stop delivery because the pump does not trust itself: they stand for any condition that a fault has made.
_IN_DOUBT = (
    "PRESCRIPTION_DAMAGED",
    "CALIBRATION_DAMAGED",
    "LEDGER_DAMAGED",
    "EEPROM_DEAD",
    "EEPROM_FORMAT",
    "OTHER_PUMP",
    "GUARD",
    "RESET_LOOP",
    "SELF_TEST_FAILED",
)

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
    notes = sorted((seen.faults - reference.faults).keys())
    resets = max(0, len(seen.resets) - len(reference.resets))  # a first start proves the watchdog by one
    unsafe = ""
    disclosed_pl = most(life) * life.size_pl
    if excess > disclosed_pl:
        unsafe = f"{excess / 1_000:,.1f} nL beyond the demand, {disclosed_pl / 1_000:,.1f} nL disclosed"
    else:
        unsafe = _runs_again(life, seen) or _silent(life, reference, seen, must)
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
        if times and times[-1] - times[0] > _FOUND_US:
            return f"steps in a stop, from {times[0] / S:.3f} s to {times[-1] / S:.3f} s"
    return ""


def _silent(life: Life, reference: Seen, seen: Seen, must: int) -> str:
    """Which condition of high priority has neither its own alarm nor one that says that the pump itself is in doubt."""
    bench = seen.bench
    told = seen.alarms
    if bench.is_loud or told & ~reference.alarms & _mask(_IN_DOUBT):
        return ""
    return next(
        (why for why, its_own, is_so in _conditions(life, reference, seen, must) if is_so and not told & its_own), ""
    )


def _conditions(life: Life, reference: Seen, seen: Seen, must: int) -> list[tuple[str, int, bool]]:
    """(what is missed when none of its alarms is there, mask of these, whether it is there) of each condition."""
    bench = seen.bench
    resets = max(0, len(seen.resets) - len(reference.resets))
    starts = 1 + resets + (life.kind == "stop for")
    lost = starts * _STALL_INDICES * bench.steps_per_index + _STALL_S * (life.peak_pl_s() // life.size_pl + 1)
    refused = bench.refused
    is_empty = life.empty_us is not None and seen.end_us - life.empty_us > _EMPTY_US
    return [
        ("no alarm of " + ", ".join(module("alarms").codes(must)), must, bool(must)),
        (f"{len(seen.resets)} resets without an alarm", _mask(("RESET_LOOP",)), seen.looped),
        (
            "the EEPROM refuses the ledger, without an alarm",
            _mask(("EEPROM_DEAD",)),
            bool(refused) and refused[-1] - refused[0] >= _NEEDED_US,
        ),
        (
            f"{bench.stall_pulses} pulses without motion, without an alarm",
            _mask(("STALL", "DRIVER_FAULT")),
            bench.stall_pulses > lost,
        ),
        (
            "the reservoir is empty, without an alarm",
            _mask(("RESERVOIR_EMPTY",)),
            is_empty and bench.adc.get(_LEVEL) is None,
        ),
    ]


def _mask(names: tuple[str, ...]) -> int:
    alarms = module("alarms")
    return sum(1 << getattr(alarms, name) for name in names)
