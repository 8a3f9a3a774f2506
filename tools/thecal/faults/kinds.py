"""The faults of the campaign: of each kind, one drawn at random for a given life."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from thecal.faults import disclosed, memory
from thecal.faults.calls import AtLine, at_call
from thecal.faults.kinds_blinded import blinded
from thecal.faults.kinds_parts import parts
from thecal.faults.kinds_time import clocks, tasks, ticks
from thecal.faults.life import COMMITS, COURSES
from thecal.faults.planned import FIRST_US, LAST_US, Known, Planned, moment, seconds
from thecal.faults.pump import Run
from thecal.powercut.snapshot import S

_LINES_MAX = 300  # of firmware code after an instant: about two frames
_SAFETY_SHARE = 0.5  # of the flips: in what dosing, alarms and the watch over both rest on
_SAFETY = (
    "app.stop_left",
    "app.dosing.",
    "app.timekeeping.",
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
    "app.guard.",
    "app.watch.",
    "app.motion.",
    "app.pressure.",
    "app.selftest.",
    "app.temperature.",
    "app.missed.",
    "app.resets.",
    "app.signals.",
    "app.board.",
)
# What says whether the pump may run, and of these mostly the low bits.
_STATE_SHARE, _STATE_SHARE_STOPPED = 0.15, 0.4
_STATE = (
    "app.stop_left",
    "app.operations.",
    "app.must_record",
    "app.records.ledger._state",
    "app.records.ledger._stop_",
    "app.records.ledger.alarms",
    "app.alarms.active",
    "app.alarms.present",
    "app.dosing.mode",
    "app.dosing.lowest",
    "app.guard._evidence.runs",
    "app.guard._evidence.permitted",
)
# What a course is told from, in a life that is in the middle of one, or that nothing but an end could make flow.
_COURSE_SHARE = 0.2
_COURSE = (
    "app.records.prescription.course.",
    "app.courses.",
    "app.records.ledger._shift",
    "app.records.ledger.volume_pl",
)
_COURSE_LIVES = (*COURSES, "mode stopped", "basal 0")
# What is staged, and what follows from it, in a life with a commit.
_COMMIT_SHARE = 0.3
_COMMIT = (
    "app.parts._parts.made.",
    "app.records.prescription",
    "app.therapy.scheduled.",
)
_STATE_BITS = (2, 12, memory.BITS)
CALL_ERRORS: tuple[type[Exception], ...] = (OSError, ValueError, RuntimeError)


def _in_lines(rng: Random) -> int:
    """After how many lines of firmware code: at once, or within two frames."""
    return rng.choice((0, 0, 1)) * rng.randrange(1, _LINES_MAX)


def _weighted(rng: Random, state_share: float, special: tuple[tuple[str, ...], float]) -> tuple[tuple[str, ...], int]:
    """Beginnings of the variables to choose from, and how many of their bits. special: what _special() gives."""
    wanted, share = special
    if share and rng.random() < share:
        return wanted, memory.BITS
    drawn = rng.random()
    if drawn < state_share:
        return _STATE, rng.choice(_STATE_BITS)
    return (_SAFETY if drawn < state_share + _SAFETY_SHARE else ("",)), memory.BITS


def _moment_of_flip(known: Known, rng: Random) -> int:
    """Half of those of a life with a stop come in it."""
    stops = known.life.stretches_of_a_stop()
    if stops and rng.random() < 0.5:
        return rng.randrange(max(FIRST_US, stops[0][0]), LAST_US)
    if known.life.kind in COMMITS and rng.random() < 0.5:
        return rng.randrange(known.life.lines[0][0], known.life.lines[-1][0] + S)
    return moment(rng)


def _special(known: Known) -> tuple[tuple[str, ...], float]:
    """Beginnings of what this life in particular rests on, and which share of the flips they have."""
    kind = known.life.kind
    if kind in COMMITS:
        return _COMMIT, _COMMIT_SHARE
    return _COURSE, _COURSE_SHARE if kind in _COURSE_LIVES else 0


def flips(known: Known, rng: Random) -> Planned:
    """A bit of a variable flips."""
    at_us, lines, draws = _moment_of_flip(known, rng), _in_lines(rng), rng.getrandbits(64)
    state_share = _STATE_SHARE_STOPPED if known.life.stretches_of_a_stop() else _STATE_SHARE
    special = _special(known)
    planned = Planned("", most=disclosed.sums)

    def plan(run: Run) -> None:
        def flip() -> None:
            own = Random(draws)
            wanted, bits = _weighted(own, state_share, special)
            leaf = memory.choose(memory.leaves(run.app), own, wanted)
            planned.what = f"at {seconds(at_us)} and {lines} lines {memory.flip(leaf, own, bits)}"

        run.at(at_us, lambda board: AtLine(lines, flip).begin() if lines else flip())

    planned.plan = plan
    return planned


def calls(known: Known, rng: Random) -> Planned:
    """A function raises when it is called."""
    name = rng.choice(sorted(known.calls))
    number = rng.choice((1, known.calls[name], rng.randint(1, known.calls[name])))
    error = rng.choice(CALL_ERRORS)
    return failing(name, number, error, rng.random() < 0.2)


def failing(name: str, number: int, error: type[Exception], again: bool = False) -> Planned:
    """A function raises at its number-th call; again: and at each call that follows."""

    def act() -> None:
        raise error("injected")

    often = "every call from the" if again else "the"
    return Planned(f"{error.__name__} at {often} {number}. of {name}", around=lambda: at_call(name, number, act, again))


def _no_memory() -> None:
    raise MemoryError("injected")


def memory_errors(known: Known, rng: Random) -> Planned:
    """There is no memory for an object: MemoryError before a line."""
    if rng.random() < 0.5:
        at_us, lines = moment(rng), rng.randrange(1, _LINES_MAX)
        what = f"MemoryError {lines} lines after {seconds(at_us)}"
        return Planned(what, lambda run: run.at(at_us, lambda board: AtLine(lines, _no_memory).begin()))
    name = rng.choice(sorted(known.calls))
    number = rng.choice((1, known.calls[name], rng.randint(1, known.calls[name])))
    lines = rng.randint(1, 15)
    what = f"MemoryError {lines} lines after call {number} of {name}"
    return Planned(what, around=lambda: at_call(name, number, lambda: AtLine(lines, _no_memory).begin()))


KINDS: dict[str, tuple[Callable[[Known, Random], Planned], float]] = {
    "flips": (flips, 0.4),
    "blinded": (blinded, 0.1),
    "calls": (calls, 0.15),
    "memory": (memory_errors, 0.15),
    "tasks": (tasks, 0.03),
    "ticks": (ticks, 0.02),
    "clocks": (clocks, 0.05),
    "parts": (parts, 0.1),
}
