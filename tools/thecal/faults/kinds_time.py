"""Faults of tasks and of time: a task that stops, ticks that wrap, clocks that leap."""

from __future__ import annotations

from random import Random

from thecal.faults import disclosed
from thecal.faults.board_of_faults import FaultBoard
from thecal.faults.planned import Known, Planned, moment, seconds
from thecal.faults.pump import Run
from thecal.powercut.snapshot import module

_LEAPS = 8.7  # powers of 10, ms
_IN_A_TRIAL = 7.39  # below 7 h: no trial of a life is shorter


def _raise_for_ever(late: int) -> None:
    raise RuntimeError("injected")


def tasks(known: Known, rng: Random) -> Planned:
    """A task hangs, does nothing, raises, or is not run any more; until the next reset, or after it too."""
    which, how, lasting = (
        rng.random(),
        rng.choice(("hangs", "does nothing", "raises", "is left out")),
        rng.random() < 0.5,
    )
    at_us = moment(rng)
    planned = Planned("")

    def strike(run: Run) -> None:
        executive = run.app._executive
        task = executive._all[int(which * len(executive._all))]
        planned.what = f"from {seconds(at_us)} task {task.name} {how}{', over resets' if lasting else ''}"
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
    at_us = moment(rng)
    if known.life.held or known.life.kind in ("flex", "trial"):
        # By the time that a start reads, a timed stop or a trial may be over, or another rate hold: docs/LIMITS.md
        # discloses it.
        at_us = max(at_us, known.seen.began_us)
    how = rng.choice(("rtc", "rtc", "rtc stops", "ticks", "ticks"))
    lost = 1 << module("alarms").RTC_LOST
    if how == "rtc stops":
        return Planned(f"the RTC stops at {seconds(at_us)}", lambda run: run.at(at_us, _stop_rtc), must=lost)
    if how == "rtc":
        by = _amount(rng, 9.49)
        shown = min(by % (36_525 * 86_400), -by % (36_525 * 86_400))

        def leap(board: FaultBoard) -> None:
            board.bench.rtc_shift_s += by

        return Planned(
            f"the RTC leaps by {by} s at {seconds(at_us)}",
            lambda run: run.at(at_us, leap),
            # What it was before the pump looked at it, nobody can know.
            must=lost if shown > 3 and at_us > known.seen.began_us else 0,
        )
    # By a longer one a trial is over: docs/LIMITS.md discloses it.
    by = _amount(rng, _IN_A_TRIAL if known.life.kind == "trial" else _LEAPS)

    def leap_ticks(board: FaultBoard) -> None:
        board.bench.ticks_base += by

    what = f"ticks_ms leaps by {by} ms at {seconds(at_us)}"
    return Planned(what, lambda run: run.at(at_us, leap_ticks), most=disclosed.leap)


def _stop_rtc(board: FaultBoard) -> None:
    board.bench.rtc_stopped_us = board.now_us
