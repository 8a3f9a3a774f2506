"""Power cuts on the emulated board: the reduced form of the campaign, and proof that the campaign can fail."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from thecal import build
from thecal.paths import ROOT
from thecal.powercut import board_cuts
from thecal.powercut.board_book import Book, Found, Order
from thecal.powercut.board_plans import S, plans
from thecal.powercut.parts import Settings, Silent

pytestmark = pytest.mark.requirement("F10", "I2", "I3", "I5", "I6", "I12")


def test_no_cut_of_the_reduced_campaign_breaks_anything(image: Path, tmp_path: Path) -> None:
    result = board_cuts.run(Settings(jobs=2, seed=1, ops=0, reduced=True, folder=tmp_path), Silent())
    assert result.violations == []
    assert result.numbers["board_cuts"] == 12
    assert result.numbers["board_cuts_in_write"] >= 3
    assert result.numbers["board_start_ms_max"] <= 3_000
    assert 0 < result.numbers["board_assumed_share_max"] <= 1


def test_firmware_that_counts_too_few_steps_is_found_out(image: Path, tmp_path: Path) -> None:
    """The same campaign on a pump that commands each step and counts every other one."""
    for name in build.COMPILED:
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in build.VERBATIM:
        shutil.copy(ROOT / name, tmp_path)
    ledger = tmp_path / "firmware" / "ledger.py"
    right, wrong = "used = self.used + steps\n", "used = self.used + steps // 2\n"
    assert ledger.read_text("utf-8").count(right) == 1
    ledger.write_text(ledger.read_text("utf-8").replace(right, wrong), "utf-8")
    flash = tmp_path / "flash.bin"
    flash.write_bytes(board_cuts.compiled(tmp_path))
    result = board_cuts.work_off(board_cuts.Work(("high", 0), 1, 1, image, flash))
    assert any("ledger ahead of the motor by" in text for text in result["wrong"])


def test_boards_that_were_worked_off_are_not_run_again(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def work_off(work: board_cuts.Work) -> dict[str, object]:
        ran.append(work.package[0])
        return {
            "package": work.package[0],
            "seen": dict.fromkeys(
                ("cuts", "in_write", "in_start", "starts", "bites", "slowest_start_ns", "most_start_writes"), 1
            )
            | {"torn": {"mix": 1}},
            "typed": 0,
            "acknowledged": 0,
            "assumed": 1,
            "share": 0.5,
            "wrong": ["cut 1: something"],
        }

    monkeypatch.setattr(board_cuts, "work_off", work_off)
    settings = Settings(jobs=1, seed=1, ops=0, reduced=True, folder=tmp_path)
    first = board_cuts.run(settings, Silent())
    assert len(ran) == 2
    assert board_cuts.run(settings, Silent()) == first
    assert len(ran) == 2
    assert len(first.violations) == 2
    board_cuts.run(Settings(jobs=1, seed=2, ops=0, reduced=True, folder=tmp_path), Silent())
    assert len(ran) == 4


def _found(book: Book, steps: int, *alarms: str, **changed: Any) -> list[Found]:
    """A reading that finds what stands in the book, but for what is changed."""
    return [Found(steps, next(iter(book.possible))._replace(**changed), b"", alarms)]


def test_a_ledger_behind_the_motor_is_a_violation() -> None:
    book = Book(plans()["high"].scenario)
    assert book.check_cut(_found(book, 100), 100, 10) == []
    assert book.check_cut(_found(book, 99), 100, 10) != []


def test_a_cut_that_costs_more_than_a_minute_of_flow_is_a_violation() -> None:
    book = Book(plans()["high"].scenario)
    allowed = book.loss(100 * S, 0, 0)
    assert allowed == 800  # 28.8 mL/day are 13 1/3 steps a second
    assert book.check_cut(_found(book, 800), 0, allowed) == []
    assert book.check_cut(_found(book, 1_601), 0, allowed) != []


def test_the_least_rate_may_lose_one_step() -> None:
    book = Book(plans()["least"].scenario)
    assert book.loss(100 * S, 0, 0) == 1


@pytest.mark.parametrize(
    ("order", "after"),
    [
        (Order("stop", 0, state=1), {"state": 1}),
        (Order("program commit 1", 0, prescription=b"new"), {"prescription": b"new"}),
        (Order("bolus 1 uL over 1 min", 0, boluses=1), {"boluses": 1}),
    ],
)
def test_what_was_acknowledged_may_not_be_lost_and_what_was_not_may_be(order: Order, after: dict[str, Any]) -> None:
    def settled(answer: str) -> Book:
        book = Book(plans()["orders"].scenario)
        book.orders.append(order)
        book.settle(f"\r\n{order.line}\r\n{answer}".encode())
        return book

    before = Book(plans()["orders"].scenario)
    assert settled("ok\r\n").check_state(_found(before, 0, **after)) == []
    assert settled("ok\r\n").check_state(_found(before, 0)) != []
    for answer in ("", "error: refused\r\n"):
        assert settled(answer).check_state(_found(before, 0, **after)) == []
        assert settled(answer).check_state(_found(before, 0)) == []


def test_a_metastable_page_may_not_hold_what_nobody_ordered_by_any_reading() -> None:
    book = Book(plans()["orders"].scenario)
    both = _found(book, 0) + _found(book, 0, prescription=b"other")
    assert book.check_state(_found(book, 0)) == []
    assert book.check_state(both) != []


def test_an_alarm_that_nothing_calls_for_is_a_violation() -> None:
    book = Book(plans()["low"].scenario)
    assert book.check_state(_found(book, 0, "ledger_damaged")) == ["alarm ledger_damaged"]
