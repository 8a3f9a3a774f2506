"""A wrong bit in what watches the pump, and then a condition that it watches.

Alone such a bit does nothing that could be seen, and would count as masked. The verdict demands the condition's own
alarm, or one that says that the pump itself is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from thecal.faults import disclosed, memory
from thecal.faults.board_of_faults import FaultBoard
from thecal.faults.conditions import BATTERY, DIE, LEVEL, NEEDS_S, PRESSURE
from thecal.faults.planned import FIRST_US, LAST_US, Known, Planned, seconds
from thecal.faults.pump import Run
from thecal.faults.standing import mask
from thecal.powercut.snapshot import NEVER_US, S

# What watches, and what it rests on.
_WATCHERS = (
    "app.pressure.",
    "app.motion.",
    "app.temperature.",
    "app.reservoir.",
    "app.battery.",
    "app.wallclock.",
    "app.timekeeping.",
    "app.alarms.",
    "app.signals.",
    "app.selftest.",
    "app.watch.",
    "app.missed.",
    "app._write_failing_since",
    "app.must_record",
    "app.records.recovered",
    "app.records.ledger.",
    "app._executive._due",
    "app.dosing.mode",
)
OWN_SHARE = 0.6  # of the flips: in what watches this very condition
AFTER_US = (5 * S, 60 * S)  # from the wrong bit to the condition

Strike = Callable[[FaultBoard], None]
# In words, what happens, what watches it, and the alarms of which one must come: what the verdict does not know itself.
Condition = tuple[str, Strike, tuple[str, ...], tuple[str, ...]]


def adc(channel: int, millivolts: int, *watchers: str) -> Condition:
    def strike(board: FaultBoard) -> None:
        board.bench.show(channel, millivolts, board.now_us)

    return f"ADC channel {channel} = {millivolts} mV", strike, watchers, ()


def _attribute(name: str, value: object, watchers: tuple[str, ...], *must: str) -> Condition:
    return f"{name} = {value}", lambda board: setattr(board.bench, name, value), watchers, must


def _heat(board: FaultBoard) -> None:
    board.bench.heat(300, board.now_us)


def _leap(board: FaultBoard) -> None:
    board.bench.rtc_shift_s += 100


def _stall(board: FaultBoard) -> None:
    board.train.stall(True)


_CLOCK = ("app.wallclock.", "app.timekeeping.")
_RECORDS = ("app.records.ledger.", "app.must_record", "app._write_failing_since", "app.records.recovered")
CONDITIONS: tuple[Condition, ...] = (
    adc(PRESSURE, 1_500, "app.pressure."),
    adc(PRESSURE, 100, "app.pressure."),
    adc(PRESSURE, 3_299, "app.pressure."),
    adc(LEVEL, 300, "app.reservoir.", "app.records.recovered"),
    adc(DIE, 500, "app.temperature."),
    ("the RTC's thermometer shows 75 degC", _heat, ("app.temperature.",), ()),
    ("the motor does not follow", _stall, ("app.motion.",), ()),
    _attribute("diag", True, ("app.motion.",), "DRIVER_FAULT"),
    _attribute("rtc_until_us", NEVER_US, _CLOCK, "RTC_LOST"),
    ("the RTC leaps by 100 s", _leap, _CLOCK, ("RTC_LOST",)),
    _attribute("eeprom_until_us", NEVER_US, _RECORDS),
)
SLOW = adc(BATTERY, 1_000, "app.battery.")  # it takes 340 s to be found,
SLOW_SHARE = 0.02  # and is drawn seldom
_COMMON = ("app.alarms.", "app.signals.", "app.selftest.", "app._executive._due")


def blinded(known: Known, rng: Random) -> Planned:
    """A bit of what watches flips, and 5 to 60 s later there is something to see."""
    slow = rng.random() < SLOW_SHARE
    what, strike, own, must = SLOW if slow else rng.choice(CONDITIONS)
    at_us = rng.randrange(max(FIRST_US, known.seen.began_us), LAST_US)  # from the first frame on: it watches
    strikes_us = at_us + rng.randrange(*AFTER_US)
    wanted = own if rng.random() < OWN_SHARE else rng.choice((_COMMON, _WATCHERS))
    draws = rng.getrandbits(64)
    planned = Planned(
        "", most=disclosed.sums, must=mask(must), needs_s=NEEDS_S[BATTERY] + AFTER_US[1] // S if slow else 0
    )

    def plan(run: Run) -> None:
        def flip(board: FaultBoard) -> None:
            own_rng = Random(draws)
            leaf = memory.choose(memory.leaves(run.app), own_rng, wanted)
            done = memory.flip(leaf, own_rng)
            planned.what = f"at {seconds(at_us)} {done}, and from {seconds(strikes_us)} {what}"

        run.at(at_us, flip)
        run.at(strikes_us, strike)

    planned.plan = plan
    return planned
