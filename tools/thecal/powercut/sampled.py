"""Two, three or four things in a row that befall a pump at random: cuts in a write, at a pulse or at any instant,
pages left metastable, watchdog resets. Each case follows from (seed, index) alone.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from thecal.models.tears import MODELS, torn
from thecal.powercut.cuts import left, write_us
from thecal.powercut.expected import Expected, Violation
from thecal.powercut.life import Recorded
from thecal.powercut.recovery import Tally, check_flow, check_mode, recover
from thecal.powercut.session import Session
from thecal.powercut.snapshot import PAGE, Cut, S, Snapshot

_OFF_S = (1, 1, 1, 30, 3_600)
_DEPTHS = (2, 2, 2, 2, 3, 3, 4)
_PULSE_SHARE = 0.15
_METASTABLE_SHARE = 0.1
_WRITES_MEAN = 5  # of the start and of what follows, before the next cut
_RUN_MAX_S = 8
_LONG_RUN_S = 70  # now and then: until the next reservation


def try_case(tally: Tally, recorded: Recorded, seed: int, index: int) -> None:
    """One case. Violations are told with what replays it."""
    rng = Random(f"{seed}:{index}")
    depth = rng.choice(_DEPTHS)
    try:
        snapshot, expected = _first(recorded, rng)
        tally.cuts += 1
        for _ in range(depth - 1):
            snapshot, expected = _next(tally, snapshot, expected, rng)
            tally.cuts += 1
        recover(tally, Session(snapshot, expected, seed=rng.getrandbits(32)))
    except Violation as error:
        tally.violation(f"--replay {seed}:{index}", error)


def _first(recorded: Recorded, rng: Random) -> tuple[Snapshot, Expected]:
    """The first cut, somewhere in the life."""
    if recorded.stretches and rng.random() < _PULSE_SHARE:
        stretch = rng.choice(recorded.stretches)
        at_us, steps = rng.choice(stretch.pulses)
        now_us = at_us + rng.choice(_OFF_S) * S
        return replace(stretch.snapshot, now_us=now_us, steps=steps), stretch.expected
    point = rng.choice(recorded.points)
    at = rng.randint(0, PAGE)
    return left(point, _tear(point.old, point.new, at, rng), write_us(at)), point.expected


def _tear(old: bytes, new: bytes, at: int, rng: Random) -> bytes | tuple[bytes, bytes]:
    content = torn(rng.choice(MODELS), old, new, at, rng)
    if rng.random() < _METASTABLE_SHARE:
        return content, torn(rng.choice(MODELS), old, new, at, rng)
    return content


def _next(tally: Tally, snapshot: Snapshot, expected: Expected, rng: Random) -> tuple[Snapshot, Expected]:
    """Start the pump, and let the next thing befall it."""
    session = Session(snapshot, expected, seed=rng.getrandbits(32))
    board = session.board
    how = rng.random()
    at = rng.randint(0, PAGE)
    board.eeprom.tear = lambda old, new: _tear(old, new, at, rng)
    board.eeprom.cut_byte = at
    if how < 0.7:
        board.eeprom.cut_at = int(rng.expovariate(1 / _WRITES_MEAN))
    elif how < 0.85:
        board.cut_us = board.now_us + rng.randint(1, _RUN_MAX_S * S)
    seconds = rng.random() * (_LONG_RUN_S if rng.random() < 0.05 else _RUN_MAX_S)
    try:
        session.start()
        tally.started(session)
        check_mode(session)
        session.run(seconds)
        check_flow(session)
    except Cut:
        return session.off(rng.choice(_OFF_S)), session.expect()
    if how > 0.92:
        return board.bitten(), session.after_bite()
    return session.off(rng.choice(_OFF_S)), session.expect()
