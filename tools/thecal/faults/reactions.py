"""What an alarm that does not stop the pump takes from it: `rtc_lost` all but the lowest rate, `low_reservoir` the
boluses that have not begun. What flows all the same is beyond the demand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from thecal.faults.disclosed import Steps, nothing, presses
from thecal.faults.excess import too_much
from thecal.faults.life import Life
from thecal.faults.pump import Seen
from thecal.faults.standing import lowering, sparing, stopping, stretches
from thecal.powercut.snapshot import S

_OBEYS_US = 2 * S  # from an alarm to the last step of what was demanded before: the second in progress, and its train


def disobeyed(life: Life, seen: Seen, most: Steps) -> str:
    """What was delivered beyond what such an alarm leaves, for as long as it stood. life: as it went. most: the
    disclosed maximum, steps; it is reckoned from what is left, and nothing of it is a bolus."""
    most = nothing if most is presses else most
    for left, since, until in _left(life, seen):
        if until > since + _OBEYS_US:
            _, why = too_much(left, seen, most, since + _OBEYS_US, until - 1)
            if why:
                return f"after an alarm of {since / S:.3f} s that lowers delivery: {why}"
    return ""


def _left(life: Life, seen: Seen) -> Iterator[tuple[Life, int, int]]:
    """(what is still demanded, from, to) of each stretch in which such an alarm was active."""
    for since, until in stretches(seen, lowering()):
        yield _lowered(life), since, until
    for since, until in stretches(seen, sparing()):
        begun = [bolus for bolus in life.boluses if bolus[0] <= since]
        yield replace(life, boluses=begun, orders=[]), since, until


def _lowered(life: Life) -> Life:
    """No bolus, and the lowest rate at every hour; but a stop is one."""
    rates = life.rates
    if life.kind == "flex":
        rates = [(0, life.lowest())]
    return replace(life, rates=rates, boluses=[], orders=[])


def is_too_high(life: Life, seen: Seen) -> bool:
    """Whether the pump believes in a higher rate at the end than the alarm that is active then leaves, and gives it."""
    active = seen.watch[-1][1] if seen.watch else 0
    return bool(active & lowering() and not active & stopping() and seen.rate > life.lowest())
