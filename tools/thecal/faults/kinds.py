"""The faults of the campaign: of each kind, one drawn at random for a given life."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from random import Random
from typing import Any

from thecal.faults import memory
from thecal.faults.calls import AtLine, at_call
from thecal.faults.lives import Life
from thecal.faults.pump import FaultBoard, Run, Seen, start_span
from thecal.powercut.snapshot import NEVER_US, S, module

FIRST_US, LAST_US = start_span()[0] + 50_000, 130 * S
_LINES_MAX = 300  # of firmware code after an instant: about two frames
_SAFETY_SHARE = 0.6  # of the flips: in what dosing, alarms and the watch over both rest on
_SAFETY = (
    "app.dosing.",
    "app.records.cascade.",
    "app.records.ledger.",
    "app.records.prescription.",
    "app.records.calibration.",
    "app.records.boluses.recent",
    "app.alarms.",
    "app.therapy.",
    "app.courses.",
    "app._executive.",
    "app.wallclock.",
    "app.guard",
    "app.watch",
    "app.motion",
)
_CALL_ERRORS: tuple[type[Exception], ...] = (OSError, ValueError, RuntimeError)


@dataclass
class Planned:
    """One fault. what: in words. plan: puts it into a run. around: holds while the run lasts. must: mask of alarms of
    which one must come."""

    what: str
    plan: Callable[[Run], None] = lambda run: None
    around: Callable[[], AbstractContextManager[None]] = field(default=nullcontext)
    must: int = 0


@dataclass(frozen=True)
class Known:
    """A life that was led without a fault: what came of it, and how often each function was called."""

    life: Life
    seen: Seen
    calls: dict[str, int]


def _moment(rng: Random) -> int:
    return rng.randrange(FIRST_US, LAST_US)


def _s(us: int) -> str:
    return f"{us / S:.3f} s"


def _in_lines(rng: Random) -> int:
    """After how many lines of firmware code: at once, or within two frames."""
    return rng.choice((0, 0, 1)) * rng.randrange(1, _LINES_MAX)


def flips(known: Known, rng: Random) -> Planned:
    """A bit of a variable flips."""
    at_us, lines, draws = _moment(rng), _in_lines(rng), rng.getrandbits(64)
    planned = Planned("")

    def plan(run: Run) -> None:
        def flip() -> None:
            own = Random(draws)
            leaf = memory.choose(memory.leaves(run.app), own, _SAFETY if own.random() < _SAFETY_SHARE else ("",))
            planned.what = f"at {_s(at_us)} and {lines} lines {memory.flip(leaf, own)}"

        run.at(at_us, lambda board: AtLine(lines, flip).begin() if lines else flip())

    planned.plan = plan
    return planned


def calls(known: Known, rng: Random) -> Planned:
    """A function raises when it is called."""
    name = rng.choice(sorted(known.calls))
    number = rng.choice((1, known.calls[name], rng.randint(1, known.calls[name])))
    error = rng.choice(_CALL_ERRORS)
    again = rng.random() < 0.2

    def act() -> None:
        raise error("injected")

    often = "every call from the" if again else "the"
    return Planned(f"{error.__name__} at {often} {number}. of {name}", around=lambda: at_call(name, number, act, again))


def _no_memory() -> None:
    raise MemoryError("injected")


def memory_errors(known: Known, rng: Random) -> Planned:
    """There is no memory for an object: MemoryError before a line."""
    if rng.random() < 0.5:
        at_us, lines = _moment(rng), rng.randrange(1, _LINES_MAX)
        what = f"MemoryError {lines} lines after {_s(at_us)}"
        return Planned(what, lambda run: run.at(at_us, lambda board: AtLine(lines, _no_memory).begin()))
    name = rng.choice(sorted(known.calls))
    number = rng.choice((1, known.calls[name], rng.randint(1, known.calls[name])))
    lines = rng.randint(1, 15)
    what = f"MemoryError {lines} lines after call {number} of {name}"
    return Planned(what, around=lambda: at_call(name, number, lambda: AtLine(lines, _no_memory).begin()))


# -- tasks ----------------------------------------------------------------------------------------------------


def _raise_for_ever(late: int) -> None:
    raise RuntimeError("injected")


def tasks(known: Known, rng: Random) -> Planned:
    """A task hangs, does nothing, raises, or is not run any more; until the next reset, or after it too."""
    which, how, lasting = (
        rng.random(),
        rng.choice(("hangs", "does nothing", "raises", "is left out")),
        rng.random() < 0.5,
    )
    at_us = _moment(rng)
    planned = Planned("")

    def strike(run: Run) -> None:
        executive = run.app._executive
        task = executive._all[int(which * len(executive._all))]
        planned.what = f"from {_s(at_us)} task {task.name} {how}{', over resets' if lasting else ''}"
        if how == "hangs":
            task.run = run.board.hang
        elif how == "does nothing":
            task.run = lambda late: None
        elif how == "raises":
            task.run = _raise_for_ever
        elif task in executive._starting:
            executive._starting = tuple(other for other in executive._starting if other is not task)
        else:
            executive._middle = tuple(other for other in executive._middle if other is not task)

    def plan(run: Run) -> None:
        run.at(at_us, lambda board: strike(run))
        if lasting:
            run.on_start = lambda: strike(run) if run.board.now_us > at_us else None

    planned.plan = plan
    return planned


# -- time -----------------------------------------------------------------------------------------------------


def _amount(rng: Random, highest: float) -> int:
    """A whole number other than 0 of either sign, of any size up to 10 to the power of `highest`."""
    return rng.choice((-1, 1)) * max(1, round(10 ** rng.uniform(0, highest)))


def ticks(known: Known, rng: Random) -> Planned:
    """ticks_ms wraps, or comes to half of its range, at some time in the life."""
    edge = rng.choice((1 << 30, 1 << 29))
    at_ms = rng.choice((rng.randrange(240_000), rng.randrange(824, 3_000)))

    def plan(run: Run) -> None:
        run.bench.ticks_base = (edge - at_ms) & 0x3FFFFFFF

    return Planned(f"ticks_ms is {edge:#x} at {at_ms} ms", plan)


def clocks(known: Known, rng: Random) -> Planned:
    """The RTC leaps or stops, or the processor's clock leaps."""
    at_us = _moment(rng)
    how = rng.choice(("rtc", "rtc", "rtc stops", "ticks", "ticks"))
    lost = 1 << module("alarms").RTC_LOST
    if how == "rtc stops":
        return Planned(f"the RTC stops at {_s(at_us)}", lambda run: run.at(at_us, _stop_rtc), must=lost)
    if how == "rtc":
        by = _amount(rng, 9.49)
        shown = min(by % (36_525 * 86_400), -by % (36_525 * 86_400))

        def leap(board: FaultBoard) -> None:
            board.bench.rtc_shift_s += by

        return Planned(
            f"the RTC leaps by {by} s at {_s(at_us)}",
            lambda run: run.at(at_us, leap),
            # What it was before the pump looked at it, nobody can know.
            must=lost if shown > 3 and at_us > known.seen.began_us else 0,
        )
    by = _amount(rng, 8.7)

    def leap_ticks(board: FaultBoard) -> None:
        board.bench.ticks_base += by

    return Planned(f"ticks_ms leaps by {by} ms at {_s(at_us)}", lambda run: run.at(at_us, leap_ticks))


def _stop_rtc(board: FaultBoard) -> None:
    board.bench.rtc_stopped_us = board.now_us


# -- parts ----------------------------------------------------------------------------------------------------


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
    lasting = f"for {_s(span)}" if span < NEVER_US else "for ever"
    must = lost if which != "eeprom" and until == NEVER_US else 0
    return Planned(f"{which} silent {lasting}", lambda run: run.at(at_us, strike), must=must)


def _attribute(name: str, values: tuple[Any, ...], must: tuple[str, ...] = ()) -> Callable[[Random, int], Planned]:
    """A fault that is an attribute of the bench from some time on."""

    def make(rng: Random, at_us: int) -> Planned:
        value = rng.choice(values)
        mask = sum(1 << getattr(module("alarms"), alarm) for alarm in must)
        return Planned(
            f"{name} = {value}", lambda run: run.at(at_us, lambda board: setattr(board.bench, name, value)), must=mask
        )

    return make


def _adc(rng: Random, at_us: int) -> Planned:
    channel, value = rng.randrange(4), rng.choice((0, 300, 1_000, 2_000, 3_299))
    return Planned(
        f"ADC channel {channel} = {value} mV",
        lambda run: run.at(at_us, lambda board: board.bench.adc.__setitem__(channel, value)),
    )


def _stall(rng: Random, at_us: int) -> Planned:
    return Planned("the motor does not follow", lambda run: run.at(at_us, lambda board: board.train.stall(True)))


def _drive(rng: Random, at_us: int) -> Planned:
    stuck = rng.choice((False, True))

    def strike(board: FaultBoard) -> None:
        board.bench.drive_stuck = stuck
        board.train.power(board.train._wanted)

    return Planned(f"DRIVE = {stuck}", lambda run: run.at(at_us, strike))


def _hang(rng: Random, at_us: int) -> Planned:
    return Planned("the processor hangs", lambda run: run.at(at_us, lambda board: board.hang()))


_PARTS: tuple[Callable[[Random, int], Planned], ...] = (
    _bus,
    _bus,
    _bus,
    _adc,
    _stall,
    _drive,
    _hang,
    _attribute("worn", (True,)),
    _attribute("noise", (0.01, 0.1, 0.5)),
    _attribute("rtc_garbage", (True,)),
    _attribute("button", (True,)),
    _attribute("diag", (True,), ("DRIVER_FAULT",)),
    _attribute("counter_stuck", (0, 1_000)),
    _attribute("rotor_stuck", (True,)),
    _attribute("deaf_generator", (True,)),
    _attribute("busy_generator", (True,)),
    # A generator that runs away: the count of steps that are left has 32 bits, a word sets the lowest ten.
    _attribute("x_bit", tuple(range(31))),
    _attribute("x_bit", tuple(range(31))),
)


def parts(known: Known, rng: Random) -> Planned:
    """A part fails: EEPROM, RTC, bus, button, ADC, DRIVE, counters, step generator, motor."""
    at_us = rng.choice((_moment(rng), _moment(rng), _moment(rng), FIRST_US))
    planned = rng.choice(_PARTS)(rng, at_us)
    planned.what = f"from {_s(at_us)} {planned.what}"
    return planned


KINDS: dict[str, tuple[Callable[[Known, Random], Planned], float]] = {
    "flips": (flips, 0.5),
    "calls": (calls, 0.15),
    "memory": (memory_errors, 0.15),
    "tasks": (tasks, 0.03),
    "ticks": (ticks, 0.02),
    "clocks": (clocks, 0.05),
    "parts": (parts, 0.1),
}
