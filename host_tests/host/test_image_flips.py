"""A flipped bit in the EEPROM never changes what the pump does without an alarm."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from thecal.powercut import flips
from thecal.powercut.event_logs import event_log, work_off
from thecal.powercut.flips import FlipBench
from thecal.powercut.parts import PartResult, Settings, Silent
from thecal.powercut.quick import quick_examine
from thecal.powercut.reference import reference_image
from thecal.programming import firmware

PAGE_BITS = 512
LAYOUT = firmware("layout")


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> PartResult:
    return flips.run(Settings(1, 1, 0, True, tmp_path_factory.mktemp("flips")), Silent())


@pytest.mark.requirement("F10", "I4", "I12")
def test_no_flip_of_any_page_is_silent(reduced: PartResult) -> None:
    assert reduced.violations == []
    assert sum(reduced.numbers[f"flips_{name}"] for name in ("alarm", "repaired", "masked")) == 512 * 6


@pytest.mark.requirement("F10", "I2", "I12")
def test_no_pair_of_flips_is_silent_not_even_in_both_copies_of_a_record(reduced: PartResult) -> None:
    pairs = {name: number for name, number in reduced.numbers.items() if name.startswith("flip_pairs")}
    assert sum(pairs.values()) >= 1_900
    assert pairs["flip_pairs_alarm"] > 400  # a third is in both copies of a newest record


@pytest.mark.requirement("F10")
def test_the_reference_image_has_everything_in_it() -> None:
    bench = FlipBench(reference_image())
    records = firmware("records").Records(bench.part, [0, 0, 0, 0], flips.BOARD_ID)
    assert records.load() == []
    assert records.prescription is not None
    assert records.calibration is not None
    assert len(records.boluses.recent) == 32
    assert records.counters.power_ons > 5
    assert records.ledger.mirror.sequence > 2 * LAYOUT.LEDGER_PAGES
    assert records.retired.pages == [70]
    log = event_log(records, bench.part)
    work_off(log)
    assert len(list(log.newest(512))) == LAYOUT.EVENTS_PAGES + LAYOUT.FAULTS_PAGES
    assert reference_image() == bytes(bench.part.memory)


@pytest.mark.requirement("F10")
def test_examining_pages_once_gives_the_same_as_examining_them_each_time() -> None:
    rng = Random(4)
    bits = [(rng.randrange(512 * PAGE_BITS),) for _ in range(150)]

    def outcomes() -> PartResult:
        bench = FlipBench(reference_image())
        for one in bits:
            bench.try_bits(one)
        return bench.take_result()

    plain = outcomes()
    with quick_examine():
        assert outcomes() == plain
    assert sum(plain.numbers.values()) == len(bits)


# -- the campaign can fail -----------------------------------------------------------------------------------------


def _blind(page: Any) -> tuple[int, int, int]:
    """examine() without the CRC."""
    pages = firmware("pages")
    found = pages.examine(page)
    if found[0] == pages.GARBAGE and page[:3] == b"TC\x02":
        return pages.WHOLE, page[3], int.from_bytes(page[4:8], "little")
    return found


@pytest.mark.requirement("F10")
@pytest.mark.parametrize(
    "page",
    [
        pytest.param("newest", id="ledger"),
        pytest.param(LAYOUT.EVENTS_FIRST + 3, id="log"),
    ],
)
def test_a_firmware_that_does_not_check_is_found_out(monkeypatch: pytest.MonkeyPatch, page: Any) -> None:
    bench = FlipBench(reference_image())
    monkeypatch.setattr(firmware("rings"), "examine", _blind)
    first = (bench.newest[0][1] if page == "newest" else page) * PAGE_BITS
    for bit in range(0, PAGE_BITS, 4):
        bench.try_bits((first + bit,))
    assert any("SILENT" in text for text in bench.take_result().violations)


@pytest.mark.requirement("F10")
def test_what_was_tried_leaves_no_trace() -> None:
    bench = FlipBench(reference_image())
    before = bytes(bench.part.memory)
    for page in range(0, 512, 7):
        bench.try_bits((page * PAGE_BITS + 40, page * PAGE_BITS + 41))
    assert bytes(bench.part.memory) == before


@pytest.mark.requirement("F10")
def test_the_packages_try_every_bit_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, ...]] = []

    class Counting(FlipBench):
        def try_bits(self, bits: tuple[int, ...]) -> None:
            tried.append(bits)

    counting = Counting(reference_image())
    monkeypatch.setattr(flips, "_bench", lambda: counting)
    for index in range(64):
        flips.package(Settings(1, 1, 0, False, tmp_path), index)
    assert sorted(bits[0] for bits in tried if len(bits) == 1) == list(range(512 * PAGE_BITS))
