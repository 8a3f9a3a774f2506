"""What an alarm must do for as long as it stands: stay until it is cleared, stop the pump, be heard and seen."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from thecal.faults.pump import LOOP, Seen
from thecal.faults.reacting import HIGH, LOWEST_RATE, NO_BOLUS, STOP, TABLE
from thecal.powercut.snapshot import S, module
from thecal.powercut.train import steps_by

# Alarms that stop delivery because the pump does not trust itself: they stand for any condition that a fault has made.
IN_DOUBT = (
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
_RAISED_US = 3 * S  # what was there for less may not be in the EEPROM yet when a reset comes
_START_US = 6 * S  # from a reset to the alarms that it must not end
_STOPS_US = 2 * S  # from an alarm to the last step
_HEARD_US = 3 * S  # to its first tone, or to the one after that if the first sounded already
_AGAIN_US = 605 * S
_LIGHT_US = 5 * S
_CHANGES_S = 2.8  # of the LED: 1.4 Hz
_ALARM_HZ = (1_000, 1_500)


def mask(names: tuple[str, ...]) -> int:
    """Of the alarms of these names."""
    alarms = module("alarms")
    return sum(1 << getattr(alarms, name) for name in names)


@cache
def high() -> int:
    """Mask of the alarms of high priority."""
    return _those(0, HIGH)


@cache
def stopping() -> int:
    """Mask of those that stop delivery."""
    return _those(1, STOP)


@cache
def lowering() -> int:
    """Mask of those that leave the lowest rate only."""
    return _those(1, LOWEST_RATE)


@cache
def sparing() -> int:
    """Mask of those in which no bolus begins."""
    return _those(1, NO_BOLUS)


def _those(column: int, wanted: str) -> int:
    return sum(1 << number for number, code in enumerate(_codes()) if TABLE[code][column] == wanted)


def _codes() -> list[str]:
    """By number, which is all that is taken from the firmware."""
    return [row[0] for row in module("alarms").TABLE]


def is_told(reference: Seen, seen: Seen) -> bool:
    """Whether an alarm of high priority has come that does not come without the fault."""
    return bool(seen.alarms & ~reference.alarms & high())


def stood(seen: Seen) -> int:
    """Mask of the alarms that have come and were not gone at once: active for three seconds or to the end, or ended by
    an operator or a reset. On the emulated board nobody sees when they end; of a pump that restarts without end, each
    run is short."""
    if not seen.watch or seen.looped:
        return seen.alarms
    stays = 0
    for number in range(len(_codes())):
        for stretch in stretches(seen, 1 << number):
            since, until = stretch
            is_short = until - since < _RAISED_US and until < seen.end_us and until not in seen.starts
            if not is_short or _is_cleared(seen, stretch):
                stays |= 1 << number
    return stays


def stretches(seen: Seen, wanted: int) -> Iterator[tuple[int, int]]:
    """(from, to) of each in which one of these alarms was active."""
    since = None
    for t_us, active in seen.watch:
        if active & wanted and since is None:
            since = t_us
        elif not active & wanted and since is not None:
            yield since, t_us
            since = None
    if since is not None:
        yield since, seen.end_us


def fault_of_an_alarm(seen: Seen) -> str:
    """What is wrong with an alarm that has come; nothing if nothing is."""
    if not seen.watch:
        return ""
    found = _runs_on(seen)
    if found or seen.bench.is_loud:
        return found
    if seen.looped:
        return "" if _is_heard_at_last(seen) else f"{len(seen.resets)} resets, and no alarm that is heard"
    return _gone(seen) or _unnoticed(seen)


# -- it stops the pump --------------------------------------------------------------------------------------------


def _runs_on(seen: Seen) -> str:
    """Not one step is forgiven: at a low rate a pump that doses on makes few."""
    for since, until in stretches(seen, stopping()):
        first = since + _STOPS_US
        steps = steps_by(0, seen.trains, until - 1) - steps_by(0, seen.trains, first - 1) if until > first else 0
        if steps:
            return f"{steps} steps later than {_STOPS_US // S} s after an alarm that stops, of {since / S:.3f} s"
    return ""


# -- it stays -----------------------------------------------------------------------------------------------------


def _gone(seen: Seen) -> str:
    """An alarm that only an operator ends, and that has gone without one."""
    last = seen.watch[-1][1]
    if last & mask(IN_DOUBT):
        return ""
    for number, code in enumerate(_codes()):
        if TABLE[code][1] not in {STOP, LOWEST_RATE} or last & 1 << number:
            continue
        for since, until in stretches(seen, 1 << number):
            is_told = until - since >= _RAISED_US or until not in seen.starts
            if is_told and not _may_end(seen, (since, until), number):
                return f"{code} of {since / S:.3f} s has gone at {until / S:.3f} s"
    return ""


def _may_end(seen: Seen, stretch: tuple[int, int], number: int) -> bool:
    """Whether this alarm may end there: by an operator, or by a reset that it does not survive."""
    since, until = stretch
    survives = TABLE[_codes()[number]][2]
    if _is_cleared(seen, stretch):
        return True
    if until not in seen.starts:
        return until >= seen.end_us
    bench = seen.bench
    is_kept = not (bench.worn or bench.noise or bench.refused or bench.eeprom_until_us > since)
    return not survives or not is_kept or _is_back(seen, until, number)


def _is_cleared(seen: Seen, stretch: tuple[int, int]) -> bool:
    """By an operator: what is typed while the pump starts is read when it has."""
    since, until = stretch
    first_us = max((start for start in seen.starts if start <= since < start + _START_US), default=since)
    return any(text == "clear" and first_us <= at_us <= until for at_us, text in seen.typed)


def _is_back(seen: Seen, start: int, number: int) -> bool:
    """Whether it is active again soon after a start, or that was too short to tell."""
    soon = start + _START_US
    if seen.end_us < soon or any(start < other < soon for other in seen.starts):
        return True
    return any(since <= soon < until or start < since <= soon for since, until in stretches(seen, 1 << number))


# -- it is heard and seen -----------------------------------------------------------------------------------------


def _unnoticed(seen: Seen) -> str:
    """At the end: an alarm of high priority that is active, and was not heard or is not seen."""
    end = seen.end_us
    since = max((new for new in _news(seen)), default=end)
    if not seen.watch[-1][1] & high() or end < since + _START_US or end < seen.starts[-1] + _START_US:
        return ""
    bench = seen.bench
    tones = [t_us for t_us, hz in bench.sounds if hz in _ALARM_HZ]
    if not any(since - S <= t_us <= since + _HEARD_US for t_us in tones) or end - tones[-1] > _AGAIN_US:
        return f"an alarm of high priority, of {since / S:.3f} s, that is not heard"
    changes = sum(t_us > end - _LIGHT_US for t_us in bench.lights)
    if changes < _CHANGES_S * _LIGHT_US // S:
        return f"an alarm of high priority that is not seen: {changes} changes of the LED in {_LIGHT_US // S} s"
    return ""


def _is_heard_at_last(seen: Seen) -> bool:
    """Whether a tone of an alarm has sounded for a second without a reset, since there were as many as must be told.
    One from before says nothing of the loop."""
    since = seen.starts[LOOP] if len(seen.starts) > LOOP else seen.end_us
    tones = [t_us for t_us, hz in seen.bench.sounds if hz in _ALARM_HZ and t_us >= since]
    return any(not any(t_us <= start < t_us + S for start in [*seen.starts, seen.end_us]) for t_us in tones)


def _news(seen: Seen) -> Iterator[int]:
    """When an alarm of high priority came that was not there."""
    before = 0
    for t_us, active in seen.watch:
        if active & ~before & high():
            yield t_us
        before = active
