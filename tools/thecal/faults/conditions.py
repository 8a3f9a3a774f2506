"""Conditions of high priority that a fault has made, reckoned from what was done to the bench, each with its alarm.

Voltages, degrees and times are those of docs/CONSOLE.md, and nothing of the firmware: 10 mV a kPa from 500 mV up, half
of the battery's voltage, 1.721 mV a degree from 706 mV at 27 degC down.
"""

from __future__ import annotations

from thecal.faults.life import Life
from thecal.faults.pump import Seen
from thecal.faults.standing import IN_DOUBT, mask, stood
from thecal.powercut.snapshot import S, module

PRESSURE, BATTERY, LEVEL, DIE = range(4)
_NEEDED_US = 7 * S  # refused for so long, a needed record has made the EEPROM dead: 5 s, looked at once a second
_RESERVED_S = 60  # of flow, at most
_EMPTY_US = 12 * S  # the level sensor's two readings, 4 s apart, and what a frame is late
_STALL_INDICES = 2  # that are missing before a stall is found (docs/LIMITS.md); each start of the motor begins anew,
_STALL_S = 3  # and it takes so many seconds of flow until that is looked at
_START_US = 4 * S  # from a reset to the first readings
_HOT_QUARTERS = 220
# Channel: lowest and highest voltage that need not alarm, within what the sensor has found it, and the alarm.
_NEED_NOT = {
    PRESSURE: (200, 1_198, 6 * S, "OCCLUSION"),
    BATTERY: (1_500, 5_000, 340 * S, "BATTERY_DEPLETED"),  # ten readings, one every 30 s
    LEVEL: (305, 5_000, _EMPTY_US, "RESERVOIR_EMPTY"),
    DIE: (623, 5_000, 32 * S, "OVER_TEMPERATURE"),
}
_NO_LEVEL_MV = 200  # below that no level gives: an alarm of medium priority
NEEDS_S = {BATTERY: 480}  # for how long a life must last to show it

# What is missed when none of its alarms is there, mask of these, whether it is there.
Condition = tuple[str, int, bool]


def silent(life: Life, reference: Seen, seen: Seen, must: int) -> str:
    """Which condition of high priority has neither its own alarm nor one that says that the pump itself is in doubt."""
    told = stood(seen)
    if seen.bench.is_loud or told & ~reference.alarms & mask(IN_DOUBT):
        return ""
    found = conditions(life, reference, seen, must)
    return next((why for why, its_own, is_so in found if is_so and not told & its_own), "")


def conditions(life: Life, reference: Seen, seen: Seen, must: int) -> list[Condition]:
    """All of them, whether they are there or not."""
    bench = seen.bench
    resets = max(0, len(seen.resets) - len(reference.resets))
    starts = 1 + resets + (life.kind == "stop for")
    lost = starts * _STALL_INDICES * bench.steps_per_index + _STALL_S * (life.peak_pl_s() // life.size_pl + 1)
    is_empty = life.empty_us is not None and seen.end_us - life.empty_us > _EMPTY_US
    return [
        ("no alarm of " + ", ".join(module("alarms").codes(must)), must, bool(must)),
        (f"{len(seen.resets)} resets without an alarm", mask(("RESET_LOOP",)), seen.looped),
        (
            "the EEPROM refuses the ledger, without an alarm",
            mask(("EEPROM_DEAD",)),
            _is_refused(life, seen),
        ),
        (
            f"{bench.stall_pulses} pulses without motion, without an alarm",
            mask(("STALL", "DRIVER_FAULT")),
            bench.stall_pulses > lost,
        ),
        (
            "the reservoir is empty, without an alarm",
            mask(("RESERVOIR_EMPTY",)),
            is_empty and bench.adc.get(LEVEL) is None,
        ),
        *_of_sensors(seen),
    ]


def _is_refused(life: Life, seen: Seen) -> bool:
    """Whether the EEPROM has refused the ledger for long enough: as noted, or as it was silent while more was to flow
    than can have been reserved."""
    refused, since_us = seen.bench.refused, seen.bench.eeprom_since_us
    if since_us is None:
        return bool(refused) and refused[-1] - refused[0] >= _NEEDED_US
    flow_pl_s = min(rate for _, rate in life.rates) * 1_000 // 86_400
    flowed_pl = flow_pl_s * (seen.end_us - since_us - _NEEDED_US) // S
    return flowed_pl > _RESERVED_S * life.peak_pl_s() + 2 * life.size_pl


def _of_sensors(seen: Seen) -> list[Condition]:
    """What a sensor shows, for longer than the pump may take to find it."""
    bench = seen.bench
    found = []
    for channel, (low, top, within_us, alarm) in _NEED_NOT.items():
        shown = bench.adc.get(channel, low)
        alarms = not low <= shown <= top or (channel == PRESSURE and shown > top)
        if channel == LEVEL and shown < _NO_LEVEL_MV:
            alarms = False
        lasts = _lasts(seen, bench.adc_since_us.get(channel, 0), within_us)
        found.append((f"ADC channel {channel} at {shown} mV without {alarm}", mask((alarm,)), alarms and lasts))
    is_hot = bench.rtc_quarters > _HOT_QUARTERS and _lasts(seen, bench.hot_since_us, _NEED_NOT[DIE][2])
    answers = seen.end_us > bench.rtc_until_us and not bench.rtc_garbage
    heat = mask(("OVER_TEMPERATURE",))
    return [*found, (f"{bench.rtc_quarters / 4:.0f} degC without OVER_TEMPERATURE", heat, is_hot and answers)]


def _lasts(seen: Seen, since_us: int, within_us: int) -> bool:
    start_us = seen.starts[-1] if seen.starts else 0
    return not seen.looped and seen.end_us - max(since_us, start_us + _START_US) > within_us
