"""No page of the EEPROM wears much faster than the others, and a worn one is retired for good."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from thecal.powercut import wear
from thecal.powercut.journal import RUNNING, Journal
from thecal.powercut.journal_rules import RULES
from thecal.powercut.page_part import PAGE, PagePart
from thecal.powercut.parts import Settings, Silent
from thecal.powercut.wear import RATES, Life
from thecal.programming import firmware

LAYOUT = firmware("layout")
RULE = {rule.name: rule.apply for rule in RULES}


@pytest.mark.requirement("F10")
def test_a_month_wears_all_pages_of_a_ring_alike_and_the_worst_page_lasts_twenty_years(tmp_path: Path) -> None:
    result = wear.run(Settings(1, 1, 0, True, tmp_path), Silent())
    assert result.violations == []
    for name in RATES:
        assert result.numbers[f"wear_{name}_life_years"] > wear.LIFE_MIN_YEARS
        assert 0 < result.numbers[f"wear_{name}_spread_max"] <= wear.SPREAD_MAX
    assert result.numbers["wear_low_page_writes_a_day"] > 1.8 * result.numbers["wear_24ml_page_writes_a_day"]


@pytest.mark.requirement("F10", "R48")
@pytest.mark.parametrize("rate", sorted(RATES.values()))
def test_rounds_that_are_reckoned_wear_as_rounds_that_are_written(rate: int) -> None:
    reckoned, written = Life(rate, 3), Life(rate, 3, skip=False)
    for day in range(8):
        reckoned.day(day)
        written.day(day)
    assert reckoned.part.wear == written.part.wear
    assert reckoned.part.memory == written.part.memory


@pytest.mark.requirement("R48")
def test_no_rate_needs_more_records_than_the_low_one() -> None:
    most = Life(RATES["low"], 1)._a_day
    for rate in (6_000, 40_000, 70_000, 79_000, 90_000, 120_000, 1_000_000, 28_800_000):
        assert Life(rate, 1)._a_day <= most


@pytest.mark.requirement("F10")
def test_a_page_that_wears_alone_is_found_out() -> None:
    cycles = [0] * 512
    first, count = wear.RINGS["ledger_a"]
    cycles[first : first + count] = [1_000] * count
    assert wear.judge("x", 30, cycles).violations == []
    cycles[first + 5] = 1_200
    assert len(wear.judge("x", 30, cycles).violations) == 1
    cycles[0] = 10_000
    assert any("page 0 lasts" in text for text in wear.judge("x", 30, cycles).violations)


# -- worn pages -------------------------------------------------------------------------------------------------------


def running(seed: int = 1) -> Journal:
    part = PagePart()
    part.rng = Random(seed)
    journal = Journal(part)
    RULE["calibrate"](journal, 2, 1)
    RULE["program"](journal, 1, 2)
    RULE["state"](journal, 0, 0)
    RULE["rate"](journal, 5)
    assert journal.truth.totals.state == RUNNING
    return journal


def wear_out(part: PagePart, page: int, how: str) -> None:
    if how == "keeps its content":
        part.refusing.add(page)
    elif how == "a bit stuck at 1":
        part.worn[page] = b"\xff" * PAGE, bytes(30) + b"\x04" + bytes(33)
    else:
        part.worn[page] = bytes(64), bytes(64)


HOW = ("keeps its content", "a bit stuck at 1", "all bits stuck at 0")


@pytest.mark.requirement("F10", "I2", "I3")
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("copy", [0, 1])
def test_a_worn_page_of_the_ledger_is_retired_and_stays_so_over_a_power_cut(copy: int, how: str) -> None:
    journal = running()
    worn = LAYOUT.LEDGER_FIRSTS[copy] + 20
    wear_out(journal.part, worn, how)
    journal.part.worn.setdefault(worn, (b"\xff" * PAGE, bytes(PAGE)))
    for _ in range(LAYOUT.LEDGER_PAGES + 2):
        RULE["dose"](journal, 60)
    assert journal.records.retired.pages == [worn]
    RULE["cut"](journal)
    assert journal.records.retired.pages == [worn]
    cycles = journal.part.wear[worn]
    for _ in range(2 * LAYOUT.LEDGER_PAGES):
        RULE["dose"](journal, 60)
    RULE["cut"](journal)
    assert journal.part.wear[worn] == cycles


@pytest.mark.requirement("F10", "F4", "I5")
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("part", [0, 1])
def test_a_worn_page_of_a_prescription_slot_is_passed_over(part: int, how: str) -> None:
    journal = running()
    wear_out(journal.part, LAYOUT.PRESCRIPTION_FIRST + LAYOUT.PRESCRIPTION_PAGES + part, how)
    for number in range(9):
        RULE["program"](journal, 100 + number, 12)
        assert journal.records.prescription.patient == f"walker-{100 + number}"
        RULE["cut"](journal)
        assert journal.records.prescription.patient == f"walker-{100 + number}"


@pytest.mark.requirement("F10", "I3")
def test_pages_that_wear_out_one_after_the_other_do_not_stop_the_pump() -> None:
    """An eighth of the pages of each copy, at random, over a long life. A tenth of a ring is retired, no more: the
    ledger goes on with the other worn pages too, and finds out about each anew whenever its turn comes."""
    journal = running()
    rng = Random(9)
    worn = [
        rng.sample(range(first, first + LAYOUT.LEDGER_PAGES), LAYOUT.LEDGER_PAGES // 8)
        for first in LAYOUT.LEDGER_FIRSTS
    ]
    for copy in worn:
        for page in copy:
            journal.part.refusing.add(page)
            for _ in range(LAYOUT.LEDGER_PAGES // 2):
                RULE["dose"](journal, 60)
            RULE["cut"](journal)
    for _ in range(2 * LAYOUT.LEDGER_PAGES):
        RULE["dose"](journal, 60)
    for copy in worn:
        retired = set(journal.records.retired.pages).intersection(copy)
        assert len(retired) == LAYOUT.LEDGER_PAGES // 10
    assert set(journal.records.retired.pages) <= journal.part.refusing
    RULE["cut"](journal)
    assert journal.truth.made > 0
