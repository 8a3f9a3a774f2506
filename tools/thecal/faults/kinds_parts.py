"""Faults of the parts around the processor."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from thecal.faults import disclosed
from thecal.faults.board_of_faults import FaultBoard
from thecal.faults.conditions import NEEDS_S
from thecal.faults.planned import FIRST_US, Known, Planned, moment, seconds
from thecal.faults.standing import mask
from thecal.powercut.snapshot import NEVER_US, S, module


def _span(rng: Random) -> int:
    """How long a part fails, us: mostly for ever."""
    return rng.choice((NEVER_US, NEVER_US, rng.randrange(1, 100 * S)))


def _bus(rng: Random, at_us: int) -> Planned:
    which, span = rng.choice(("eeprom", "rtc", "bus")), _span(rng)
    until = min(NEVER_US, at_us + span)

    def strike(board: FaultBoard) -> None:
        if which != "rtc":
            board.bench.eeprom_until_us = until
        if which != "eeprom":
            board.bench.rtc_until_us = until

    lost = 1 << module("alarms").RTC_LOST
    lasting = f"for {seconds(span)}" if span < NEVER_US else "for ever"
    must = lost if which != "eeprom" and until == NEVER_US else 0
    return Planned(f"{which} silent {lasting}", lambda run: run.at(at_us, strike), must=must)


def _attribute(
    name: str, values: tuple[Any, ...], must: tuple[str, ...] = (), most: disclosed.Steps = disclosed.nothing
) -> Callable[[Random, int], Planned]:
    """A fault that is an attribute of the bench from some time on."""

    def make(rng: Random, at_us: int) -> Planned:
        value = rng.choice(values)
        return Planned(
            f"{name} = {value}",
            lambda run: run.at(at_us, lambda board: setattr(board.bench, name, value)),
            must=mask(must),
            most=most,
        )

    return make


def _adc(rng: Random, at_us: int) -> Planned:
    channel, value = rng.randrange(4), rng.choice((0, 300, 1_000, 2_000, 3_299))

    def strike(board: FaultBoard) -> None:
        board.bench.show(channel, value, board.now_us)

    what = f"ADC channel {channel} = {value} mV"
    return Planned(what, lambda run: run.at(at_us, strike), needs_s=NEEDS_S.get(channel, 0))


def _heat(rng: Random, at_us: int) -> Planned:
    quarters = rng.choice((199, 219, 232, 300, 500))

    def strike(board: FaultBoard) -> None:
        board.bench.heat(quarters, board.now_us)

    return Planned(f"the RTC's thermometer shows {quarters / 4} degC", lambda run: run.at(at_us, strike))


def _stall(rng: Random, at_us: int) -> Planned:
    return Planned("the motor does not follow", lambda run: run.at(at_us, lambda board: board.train.stall(True)))


def _drive(rng: Random, at_us: int) -> Planned:
    stuck = rng.choice((False, True))
    return Planned(f"DRIVE = {stuck}", lambda run: run.at(at_us, lambda board: board.train.hold(stuck)))


def _blank(rng: Random, at_us: int) -> Planned:
    def strike(board: FaultBoard) -> None:
        board.bench.blank = True
        board.hang()

    what = "the EEPROM reads as ones, and the processor hangs"
    return Planned(what, lambda run: run.at(at_us, strike), must=mask(("EEPROM_DEAD",)))


def _hang(rng: Random, at_us: int) -> Planned:
    return Planned("the processor hangs", lambda run: run.at(at_us, lambda board: board.hang()))


_PARTS: tuple[Callable[[Random, int], Planned], ...] = (
    _bus,
    _bus,
    _bus,
    _adc,
    _adc,
    _heat,
    _stall,
    _drive,
    _hang,
    _blank,
    _attribute("worn", (True,)),
    _attribute("noise", (0.01, 0.1, 0.5)),
    _attribute("rtc_garbage", (True,)),
    _attribute("button", (True,), most=disclosed.presses),
    _attribute("diag", (True,), ("DRIVER_FAULT",)),
    _attribute("counter_stuck", (0, 1_000)),
    _attribute("rotor_stuck", (True,)),
    _attribute("rotor_dead", (True,), ("STALL",)),
    _attribute("deaf_generator", (True,)),
    _attribute("busy_generator", (True,)),
    _attribute("counter_dead", (True,)),
    # A generator that runs away: the count of steps that are left has 32 bits, a word sets the lowest ten.
    _attribute("x_bit", tuple(range(31)), most=disclosed.count),
    _attribute("x_bit", tuple(range(31)), most=disclosed.count),
    _attribute("word_bit", tuple(range(30)), most=disclosed.count),
)


def parts(known: Known, rng: Random) -> Planned:
    """A part fails: EEPROM, RTC, bus, button, ADC, DRIVE, counters, step generator, motor."""
    at_us = rng.choice((moment(rng), moment(rng), moment(rng), FIRST_US))
    planned = rng.choice(_PARTS)(rng, at_us)
    planned.what = f"from {seconds(at_us)} {planned.what}"
    return planned
