"""How long a pump with a fault in it is followed: an error that lasts is told from rounding by many steps only."""

from __future__ import annotations

from thecal.faults import disclosed
from thecal.faults.life import LENGTH_S, Life
from thecal.faults.planned import Known, Planned
from thecal.faults.pump import Seen
from thecal.faults.reactions import is_too_high
from thecal.faults.standing import is_told
from thecal.powercut.snapshot import S
from thecal.powercut.train import steps_by

LONGER_S = 1_200  # of a pump that runs ahead: a small error is large after twenty minutes
_LONGEST_S = 6 * 3_600
_STEPS = 40  # of the faultless life, that show an error that lasts
_STRETCH_S = 900  # at the end of what was followed, in which it is looked for,
_STRETCH_STEPS = 20  # and so many steps of the demand
_DAY_S = 86_400


def until_s(known: Known, planned: Planned, seen: Seen) -> int:
    """For how long in all the pump is to be led, s; 0: what was seen is enough."""
    so_far = seen.end_us // S
    if so_far < LONGER_S and (_is_ahead(known, seen) or is_too_high(known.life, seen)):
        return LONGER_S
    if so_far < planned.needs_s:
        return planned.needs_s
    if so_far < LONGER_S:
        return 0
    if is_too_high(known.life, seen) or (planned.most is not disclosed.presses and _is_ahead(known, seen)):
        return _slow_s(known.life)
    return 0


def _is_ahead(known: Known, seen: Seen) -> bool:
    """Whether it has delivered more than without the fault, if only by two steps, or is about to and says nothing."""
    life, reference = known.life, known.seen
    if seen.rate > reference.rate >= 0 and not is_told(reference, seen):
        return True
    if seen.end_us < LONGER_S * S:
        return seen.steps > reference.steps + 1
    return _is_too_fast(life, seen, _stretch_us(life, seen.end_us))


def _slow_s(life: Life) -> int:
    """The time of enough steps, at the rate at the end."""
    rate = life.rates[-1][1]
    return min(_LONGEST_S, _STEPS * life.size_pl * _DAY_S // (rate * 1_000)) if rate else 0


def _stretch_us(life: Life, end_us: int) -> int:
    """When the stretch at the end begins."""
    rate = life.rates[-1][1]
    steps_s = _STRETCH_STEPS * life.size_pl * _DAY_S // (rate * 1_000) if rate else 0
    return max(LENGTH_S * S, end_us - max(_STRETCH_S, steps_s) * S)


def _is_too_fast(life: Life, seen: Seen, since_us: int) -> bool:
    """Whether more came since then than was demanded and a tenth, beyond two steps of rounding."""
    made = steps_by(0, seen.trains, seen.end_us) - steps_by(0, seen.trains, since_us - 1)
    demanded = life.demanded_pl(seen.end_us) - life.demanded_pl(since_us)
    return (made - 2) * life.size_pl * 10 > demanded * 11


def lasting_error(life: Life, reference: Seen, seen: Seen) -> str:
    """Whether a pump that was followed doses too fast to the end, and has not said so. life: as it went."""
    since_us = _stretch_us(life, seen.end_us)
    if seen.end_us < since_us + _STRETCH_S * S or seen.looped or is_told(reference, seen):
        return ""
    if not _is_too_fast(life, seen, since_us):
        return ""
    return f"too fast from {since_us / S:.0f} s to the end at {seen.end_us / S:.0f} s"
