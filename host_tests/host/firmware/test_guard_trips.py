"""What the guard must find: whatever the dose rests on is changed behind the pump's back, and DRIVE is low before more
than the disclosed volume has flowed (F11; R17, R18; docs/LIMITS.md, "The disclosed maximum")."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache

import pytest
from guard_rig import LATENCY_US, Pump, add, put

from firmware.dosing import HELD

RATES = ("36 uL/day", "480 uL/day", "4.8 mL/day", "28.8 mL/day")
EXPOSED_US = LATENCY_US + 5_000


def nominal(pump: Pump, rate: int) -> int:
    """Whole steps that a second can bring, rounded up."""
    return rate * 5 // 432 // pump.config.pl_per_step + 1


@lru_cache
def sound_steps(rate: str, seconds: int) -> int:
    """Steps that a sound pump has made some seconds after settled()."""
    return settled(rate).run(seconds).steps


def settled(rate: str) -> Pump:
    """A pump that doses, in the background of a frame."""
    return Pump({"basal": rate}).start().run(62 if rate == "36 uL/day" else 6).to_frame()


def most_at_once(pump: Pump, rate: int) -> int:
    """The disclosed maximum of a single fault of the tick's arithmetic, in a frame that is not late: the steps of one
    word, which lasts 0.99 s, within the time in which the guard cuts DRIVE; and never more than 1,023 in a second."""
    return 1 + EXPOSED_US * min(1_023, 2 * nominal(pump, rate) + 2) // 990_000


@pytest.mark.requirement("F11", "R17", "R18", "I8")
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("bit", [0, 9, 14, 20])
def test_a_remainder_that_grows_by_itself_never_flows(rate: str, bit: int):
    pump = settled(rate)
    add("cascade.acc_pl", 1 << bit)(pump)
    pump.run(3)
    if not pump.trips:  # so many steps at once can be taken from no reservation, and are given up
        assert (bit, rate) == (20, "36 uL/day")
        assert pump.steps == sound_steps(rate, 3)
        return
    assert pump.trips == ["demand"]
    assert "guard" in pump.active
    assert pump.steps - sound_steps(rate, 3) <= most_at_once(pump, pump.app.dosing.schedule.rate)


def ahead(day: int = 0, second: int = 0) -> Callable[[Pump], None]:
    """Local time is another, and its own seal says nothing."""

    def act(pump: Pump) -> None:
        dosing = pump.app.dosing
        dosing.set_time(dosing.day + day, dosing.second + second)

    return act


SPOILT: list[tuple[str, Callable[[Pump], None], tuple[str, ...]]] = [
    ("the remainder in 1/432 pL", add("cascade.rem", 1), ("demand",)),
    ("steps that wait", add("dosing.pending", 1), ("demand",)),
    ("many steps that wait", add("dosing.pending", 1_000), ("demand",)),
    ("the count goes up", add("ledger.used", 1), ("demand", "reserved")),
    ("the count goes far up", add("ledger.used", 1 << 14), ("reserved", "demand")),
    ("the count goes down", add("ledger.used", -2), ("pulses",)),
    ("the total goes up", add("ledger.counted", 1 << 20), ("reserved",)),
    ("the total goes down", add("ledger.counted", -(1 << 5)), ("pulses",)),
    ("the flow", add("cascade.flow_pl", 1), ("demand", "rate")),
    ("much of the flow", add("cascade.flow_pl", 1 << 20), ("demand", "rate")),
    ("the remainder of the flow", add("cascade.flow_rem", 1), ("demand", "rate")),
    ("less flow", add("cascade.flow_pl", -1), ("rate",)),
    ("the volume of a step", add("cascade.pl_per_step", -1_024), ("demand", "books")),
    ("the volume of a step, larger", add("cascade.pl_per_step", 1_024), ("books",)),
    ("the volume of a step in the ledger", add("ledger.pl_per_step", 1), ("books",)),
    ("the rate of the segment", add("dosing.schedule.rate", 1), ("rate",)),
    ("the rate for a lost clock", put("dosing.lowest", 28_900_000), ("rate",)),
    ("the second", ahead(second=1), ("time",)),
    ("the day", ahead(day=1), ("time",)),
    ("frames that come early", add("_executive._due", -500), ("time",)),
    ("a pulse that nobody asked for", add("board.counter.extra", 1), ("pulses",)),
    ("a generator that runs away", add("board.counter.extra", 20_000), ("pulses",)),
    ("a counter that goes back", add("board.counter.extra", -40), ("pulses", "silent")),
    ("a dead counter", put("board.counter.dead", True), ("counter",)),
]


@pytest.mark.requirement("F11", "R17", "R18", "I8")
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("act", "checks"), [row[1:] for row in SPOILT], ids=[row[0] for row in SPOILT])
def test_a_variable_that_changes_by_itself_cuts_the_motor_within_a_period(
    rate: str, act: Callable[[Pump], None], checks: tuple[str, ...]
):
    pump = settled(rate)
    act(pump)
    try:
        pump.run(3)
    except struct.error:  # a total below 0 that the ledger cannot store: the pump restarts, and reads the true one
        return
    assert pump.trips or pump.steps == sound_steps(rate, 3), "not found"
    assert pump.trips or rate == "36 uL/day", "not found"
    assert not pump.trips or (pump.trips[0] in checks and pump.app.dosing.mode == HELD)
    # The flow itself, or what waits, may be anything: then a word has all the steps that one can have.
    assert pump.steps - sound_steps(rate, 3) <= 1 + EXPOSED_US * 1_023 // 990_000


@pytest.mark.requirement("F11", "F12", "R17")
def test_a_trip_is_in_the_log_with_its_check_and_its_counts():
    pump = settled("480 uL/day")
    made = pump.steps
    add("board.counter.extra", 20_000)(pump)
    pump.run(3)
    (line,) = [line for line in pump.say("log 10", 2).splitlines() if " guard " in line]
    words = dict(word.split("=") for word in line.split()[4:])
    assert words["check"] == "pulses"
    assert int(words["pulses"]) >= 20_000 + made
    assert int(words["allowed"]) < 20_000
