"""The pump's records through operations, cuts, resets and faults, against the plain model: drawn by hypothesis, which
shrinks what fails, and by the random walker of the power-cut campaign, which is faster. Both draw from one table.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from firmware import mirror, rings, store
from firmware.ledger import Ledger
from thecal.powercut import walker
from thecal.powercut.journal import Journal
from thecal.powercut.journal_rules import RULES, Rule
from thecal.powercut.journal_truth import BOLUSES_KEPT, Broken, Truth
from thecal.powercut.page_part import PagePart, PowerCut
from thecal.powercut.parts import PartResult, Settings, Silent, run_packages


def _as_rule(drawn: Rule) -> Callable[..., None]:
    def apply(self: Any, values: tuple[int, ...]) -> None:
        drawn.apply(self.journal, *values)

    apply.__name__ = drawn.name
    ranges = [st.integers(low, high) for low, high in drawn.ranges]
    return rule(values=st.tuples(*ranges))(apply)


class _Machine(RuleBasedStateMachine):
    """One pump; every start checks it."""

    @initialize(seed=st.integers(0, 1 << 16), calibrated=st.booleans())
    def begin(self, seed: int, calibrated: bool) -> None:
        part = PagePart()
        part.rng = Random(seed)
        self.journal = Journal(part)
        if calibrated:
            by_name = {drawn.name: drawn for drawn in RULES}
            by_name["calibrate"].apply(self.journal, 2, 1)
            by_name["program"].apply(self.journal, 1, 3)
            by_name["state"].apply(self.journal, 0, 0)
            by_name["rate"].apply(self.journal, 4)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.restart()


JournalMachine: Any = type("JournalMachine", (_Machine,), {drawn.name: _as_rule(drawn) for drawn in RULES})


@pytest.mark.requirement("F10", "I2", "I3", "I5", "I6", "I12")
def test_what_hypothesis_finds() -> None:
    run_state_machine_as_test(
        JournalMachine,
        settings=settings(
            derandomize=True,
            max_examples=80,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.requirement("F10", "I2", "I3", "I5", "I6", "I12")
def test_a_walk_of_twenty_thousand_operations(tmp_path: Path) -> None:
    result = walker.run(Settings(1, 1, 0, True, tmp_path), Silent())
    assert result.violations == []
    assert result.numbers["operations"] >= 20_000
    assert result.numbers["cuts"] > 300
    assert result.numbers["starts"] > 500
    assert result.numbers["steps"] > 100_000


@pytest.mark.requirement("F10")
def test_a_package_is_drawn_from_its_numbers_alone_and_is_not_run_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    assert walker.walk(3, 7, 300) == walker.walk(3, 7, 300, told.append)
    assert len(told) >= 300
    first = walker.run(Settings(1, 2, 0, True, tmp_path), Silent())
    monkeypatch.setattr(walker, "walk", lambda *arguments: pytest.fail("run again"))
    assert walker.run(Settings(1, 2, 0, True, tmp_path), Silent()) == first


# -- the campaign can fail: each of these breaks the firmware on purpose ----------------------------------------------


def _violations(operations: int = 40_000) -> list[str]:
    found = []
    for index in range(operations // 4_000):
        found += walker.walk(11, index, 4_000).violations
    return found


@pytest.mark.requirement("I2", "I5")
def test_a_mirror_with_one_copy_only_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def append(self: Any, payload: bytes) -> None:
        self.sequence = rings.following(self.sequence)
        self.copies[0].append(payload, self.sequence)
        self.condition, self.payload = mirror.GOOD, payload

    monkeypatch.setattr(mirror.Mirror, "append", append)
    assert _violations() != []


@pytest.mark.requirement("I2")
def test_reserving_too_little_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record says 0, the pump doses as if it had reserved."""
    write = Ledger._write

    def lying(self: Any, reserve: int, cascade: Any, day: int, second: int) -> None:
        write(self, 0, cascade, day, second)
        self.reserved = reserve

    monkeypatch.setattr(Ledger, "_write", lying)
    assert any("I2" in text for text in _violations())


@pytest.mark.requirement("I3")
def test_reserving_too_much_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Ledger._write

    def greedy(self: Any, reserve: int, cascade: Any, day: int, second: int) -> None:
        write(self, 3 * reserve, cascade, day, second)

    monkeypatch.setattr(Ledger, "_write", greedy)
    assert any("I3" in text for text in _violations())


@pytest.mark.requirement("I5")
def test_a_commit_that_overwrites_the_record_in_force_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    write = store.Store._write

    def in_place(self: Any, slot: int, record: bytes) -> None:
        write(self, self._slot, record)
        write(self, slot, record)

    monkeypatch.setattr(store.Store, "_write", in_place)
    assert _violations() != []


@pytest.mark.requirement("I6")
def test_a_number_that_is_given_twice_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "following", lambda sequence: max(0, sequence))
    assert any("I6" in text for text in _violations(4_000))


# -- the model itself -------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F10")
def test_the_model_wants_every_acknowledged_bolus_and_no_other() -> None:
    truth = Truth()
    truth.boluses = [((number,), True) for number in range(BOLUSES_KEPT + 5)]
    kept = [(number,) for number in range(5, BOLUSES_KEPT + 5)]
    truth.settle_boluses(kept)
    assert [entry for entry, _ in truth.boluses] == kept
    with pytest.raises(Broken, match="is forgotten"):
        truth.settle_boluses(kept[:-1])
    with pytest.raises(Broken, match="never written"):
        truth.settle_boluses([(99,), *kept])
    truth.boluses.append(((100,), False))
    truth.settle_boluses([*kept, (100,)])
    with pytest.raises(Broken, match="is forgotten"):
        truth.settle_boluses(kept)


@pytest.mark.requirement("F10")
def test_the_part_tears_keeps_and_refuses() -> None:
    part = PagePart()
    part.write_page(3, b"a" * 64)
    part.cut_in(1, "prefix", 10)
    part.write_page(4, b"b" * 64)
    with pytest.raises(PowerCut):
        part.write_page(3, b"c" * 64)
    with pytest.raises(PowerCut):
        part.read_into(0, bytearray(64))
    part.power_on()
    assert part.page(3) == b"c" * 10 + b"a" * 54
    part.worn[3] = bytes([0xF0]) * 64, bytes([1]) * 64
    with pytest.raises(OSError, match="read back differs") as worn:
        part.write_page(3, b"\xff" * 64)
    assert getattr(worn.value, "worn", False)
    assert part.page(3) == b"\xf1" * 64
    part.refuse_writes = 1
    with pytest.raises(OSError, match="not acknowledged") as refused:
        part.write_page(5, b"d" * 64)
    assert not getattr(refused.value, "worn", False)
    part.write_page(5, b"d" * 64)
    assert part.page(5) == b"d" * 64


@pytest.mark.requirement("F10")
def test_a_metastable_page_reads_both_ways_until_it_is_written() -> None:
    part = PagePart()
    part.rng = Random(5)
    part.cut_in(0, "old", 0, metastable=True)
    with pytest.raises(PowerCut):
        part.write_page(9, b"n" * 64)
    part.power_on()
    seen = set()
    for _ in range(50):
        page = bytearray(64)
        part.read_into(9 * 64, page)
        seen.add(bytes(page))
    assert len(seen) == 2
    part.write_page(9, b"m" * 64)
    assert part.page(9) == b"m" * 64
    assert not part.unsteady


# -- what all parts of the campaign share -----------------------------------------------------------------------------


def _package(settings: Settings, index: int) -> PartResult:
    """A function of a module: other processes run it."""
    return PartResult({"done": 1.0, "index_max": float(index)}, [f"{settings.seed}:{index}"] if index == 3 else [])


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("jobs", [1, 2])
def test_packages_are_summed_up_over_processes(tmp_path: Path, jobs: int) -> None:
    result = run_packages(Settings(jobs, 9, 0, True, tmp_path), "some", _package, 5, Silent())
    assert result == PartResult({"done": 5.0, "index_max": 4.0}, ["9:3"])


@pytest.mark.requirement("F10")
def test_a_package_whose_file_is_cut_short_is_run_again_and_no_other(tmp_path: Path) -> None:
    settings_of_run = Settings(1, 9, 0, True, tmp_path)
    run: list[int] = []

    def work(settings: Settings, index: int) -> PartResult:
        run.append(index)
        return _package(settings, index)

    first = run_packages(settings_of_run, "some", work, 5, Silent())
    kept = next(tmp_path.rglob("2.json"))
    kept.write_text(kept.read_text()[:-9])
    assert run_packages(settings_of_run, "some", work, 5, Silent()) == first
    assert run == [0, 1, 2, 3, 4, 2]
    assert run_packages(Settings(1, 10, 0, True, tmp_path), "some", work, 1, Silent()).violations == []
    assert run[-1] == 0  # another seed is another campaign
