"""Where the power can fail in a life, one cut at a time and two in a row, every one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from thecal.models.tears import MODELS, torn
from thecal.powercut.expected import Expected, Point, Violation, found_in
from thecal.powercut.life import Recorded
from thecal.powercut.recovery import Tally, recover
from thecal.powercut.session import Session
from thecal.powercut.snapshot import CYCLE_US, PAGE, SEND_US, WRITE_US, S, Snapshot

Content = bytes | tuple[bytes, bytes]
_OFF_S = 1
_METASTABLE_SEEDS = 8
_LATER_BOOTS = 2


def write_us(at: int) -> int:
    """How long after its begin a write is cut that `at` bytes (0..64) of have come through."""
    return SEND_US + CYCLE_US * at // PAGE


def left(point: Point, content: Content, after_us: int) -> Snapshot:
    """The pump a second after a cut in this write, which left `content` in the page."""
    at_us = point.begin_us + after_us
    snapshot = point.snapshot.with_page(point.page, content)
    return replace(snapshot, now_us=at_us + _OFF_S * S, steps=point.steps(at_us))


def single_cuts(point: Point, rng: Random, bytes_: range) -> Iterator[tuple[str, int, bytes]]:
    """(model, microseconds into the write, content) of every cut in one page write; no torn content twice.

    What was there before and what comes are tried at both ends of the write: the motor steps on meanwhile.
    """
    for model, after_us in (("before", 0), ("old", write_us(PAGE)), ("new", write_us(0)), ("after", WRITE_US)):
        yield model, after_us, point.old if model in {"before", "old"} else point.new
    seen = {point.old, point.new}
    for model in ("erased", "prefix", "mix", "flips"):
        for at in bytes_:
            content = torn(model, point.old, point.new, at, rng)
            if content not in seen:
                seen.add(content)
                yield model, write_us(at), content


def metastable_cuts(point: Point, rng: Random) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of contents between which a cut may leave the page."""
    mix = torn("mix", point.old, point.new, PAGE // 2, rng)
    flips = torn("flips", point.old, point.new, PAGE, rng)
    if point.old != point.new:
        yield point.old, point.new
    yield point.old, mix
    yield mix, point.new
    yield point.new, flips
    yield mix, flips


def bounds(point: Point) -> frozenset[object]:
    """What Records finds when the write did not happen, and when it did."""
    return frozenset(found_in(point.snapshot.with_page(point.page, content)) for content in (point.old, point.new))


def try_singles(tally: Tally, recorded: Recorded, index: int, seed: int, bytes_: range) -> None:
    """Every single cut in one page write."""
    point = recorded.points[index]
    expected = replace(point.expected, loaded=bounds(point))
    for model, after_us, content in single_cuts(point, Random(f"{seed}:{index}"), bytes_):
        tally.cuts += 1
        try:
            session = recover(tally, Session(left(point, content, after_us), expected), twice=True)
            again = Session(session.off(), session.expect())
            again.start()
            tally.started(again)
        except Violation as error:
            tally.violation(f"write {index} (page {point.page}), {model}, {after_us} us", error)


def try_metastable(tally: Tally, recorded: Recorded, index: int, seed: int) -> None:
    """Cuts that leave the page between two contents, and two more starts while it may still be so."""
    point = recorded.points[index]
    rng = Random(f"{seed}:{index}")
    for number, pair in enumerate(metastable_cuts(point, rng)):
        for read in range(_METASTABLE_SEEDS):
            tally.cuts += 1
            try:
                snapshot, expected = left(point, pair, write_us(PAGE // 2)), point.expected
                for boot in range(1 + _LATER_BOOTS):
                    session = recover(tally, Session(snapshot, expected, seed=rng.getrandbits(32) + boot))
                    snapshot, expected = session.off(), session.expect()
            except Violation as error:
                tally.violation(f"write {index} (page {point.page}), metastable pair {number}, reading {read}", error)


def try_pulses(tally: Tally, recorded: Recorded, index: int, most: int) -> None:
    """The power fails right after a pulse, between two page writes: at the first, the last and others between. What
    the EEPROM holds is the same at all of them, and so what the ledger will say: it is compared with each."""
    stretch = recorded.stretches[index]
    pulses, expected = stretch.pulses, stretch.expected
    chosen = {*range(0, len(pulses), max(1, len(pulses) // most)), len(pulses) - 1}
    ledger_steps = None
    for number, (at_us, steps) in enumerate(pulses):
        tally.cuts += 1
        try:
            if ledger_steps is None or number in chosen:
                snapshot = replace(stretch.snapshot, now_us=at_us + _OFF_S * S, steps=steps)
                ledger_steps = recover(tally, Session(snapshot, expected)).loaded_steps
            _check_count(ledger_steps, steps, expected)
        except Violation as error:
            tally.violation(f"pulse {number} {stretch.where}", error)


def _check_count(ledger_steps: int, steps: int, expected: Expected) -> None:
    if not 0 <= ledger_steps - steps <= expected.excess + expected.loss:
        raise Violation(f"ledger {ledger_steps}, motor {steps}")


def try_pairs(tally: Tally, recorded: Recorded, index: int, seed: int, models: tuple[str, ...] = MODELS) -> None:
    """Every first cut in one page write, and every second one in the writes of the start that follows."""
    point = recorded.points[index]
    rng = Random(f"{seed}:{index}")
    for model in models:
        at = rng.randint(0, PAGE)
        content = torn(model, point.old, point.new, at, rng)
        where = f"write {index} (page {point.page}), {model} {at}"
        tally.cuts += 1
        try:
            first = recover(tally, Session(left(point, content, write_us(at)), point.expected, record=True))
        except Violation as error:
            tally.violation(where, error)
            continue
        for number, second in enumerate(first.points):
            for other in models:
                _try_second(tally, second, other, rng, f"{where}, then write {number} (page {second.page})")


def _try_second(tally: Tally, point: Point, model: str, rng: Random, where: str) -> None:
    at = rng.randint(0, PAGE)
    content = torn(model, point.old, point.new, at, rng)
    tally.cuts += 1
    try:
        recover(tally, Session(left(point, content, write_us(at)), point.expected))
    except Violation as error:
        tally.violation(f"{where}, {model} {at}", error)
