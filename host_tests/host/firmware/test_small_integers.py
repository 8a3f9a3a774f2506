"""Nothing the control tick touches leaves the small integers, so it allocates nothing (docs/REQUIREMENTS.md, D1)."""

from __future__ import annotations

from itertools import product

import pytest
from parts import Scratch, Train, ledger_mirror
from small_int import LIMIT, NotSmall, Tracked, track

from firmware import ledger as book_of
from firmware.cascade import Cascade
from firmware.dosing import HELD, ON, Dosing
from firmware.ledger import Ledger
from firmware.schedule import Schedule
from thecal.programming import MemoryEeprom

RATES = (0, 1, 6_000, 28_799_999, 28_800_000)
STEPS_PL = (1_000, 1_009, 25_000, 999_983, 1_000_000)
LAST_DAY = 36_524


@pytest.mark.requirement("F1")
def test_the_tracked_number_itself_finds_what_is_too_large():
    assert Tracked(LIMIT - 1) == LIMIT - 1
    for action in (
        lambda: Tracked(LIMIT - 1) + 1,
        lambda: 2 * Tracked(LIMIT // 2),
        lambda: Tracked(1) << 30,
        lambda: 1 << Tracked(30),
        lambda: -Tracked(-LIMIT),
        lambda: divmod(5 * LIMIT, Tracked(2)),
    ):
        with pytest.raises(NotSmall):
            action()
    assert type(7 - Tracked(3)) is type(divmod(Tracked(9), 2)[1]) is Tracked


@pytest.mark.requirement("F1")
@pytest.mark.parametrize(("size", "rate"), list(product(STEPS_PL, (*RATES, 200_000_000))))
def test_the_cascade_stays_small_over_all_rates_and_calibrations(size: int, rate: int):
    """Up to 200 mL/day, seven times what the pump can give, as its docstring claims."""
    cascade = track(Cascade(Tracked(size)))
    for acc, rem in ((0, 0), (size - 1, 431)):
        cascade.acc_pl, cascade.rem = Tracked(acc), Tracked(rem)
        cascade.set_rate(Tracked(rate))
        for _ in range(3):
            assert type(cascade.second() + 0) in (int, Tracked)
        for seconds in (1, 60):
            cascade.due_within(Tracked(seconds))
            cascade.steps_in(Tracked(seconds))
        assert type(cascade.acc_pl) is type(cascade.rem) is Tracked


def tracked_parts(size: int, rate: int, mode: int) -> tuple[Dosing, Ledger, Cascade, Scratch]:
    scratch = Scratch()
    cascade = track(Cascade(Tracked(size)))
    book = Ledger(ledger_mirror(MemoryEeprom()), scratch, size)
    book.state = book_of.RUNNING
    dosing = Dosing(cascade, book, Train())
    dosing.schedule = Schedule(rate, ((0x7F, 0, 12 * 60, 28_800_000),))
    dosing.schedule.rate = Tracked(rate)
    dosing.mode = mode
    track(dosing)
    return dosing, book, cascade, scratch


@pytest.mark.requirement("F1", "F2", "F10")
@pytest.mark.parametrize(("size", "rate", "mode"), list(product(STEPS_PL, RATES, (ON, HELD))))
def test_a_whole_tick_stays_small_at_every_extreme(size: int, rate: int, mode: int):
    dosing, book, cascade, scratch = tracked_parts(size, rate, mode)
    for day, second, late, pending in product(
        (0, 4_095, 4_096, LAST_DAY), (0, 43_199, 86_399), (0, 999, 1_999, 8_400), (0, 2_000)
    ):
        dosing.set_time(Tracked(day), Tracked(second))
        dosing.begin_second()
        dosing.pending = Tracked(pending)
        cascade.acc_pl, cascade.rem = Tracked(size - 1), Tracked(431)
        book.used = 0  # writing a record is not part of the tick: its totals may be large
        book.close(cascade, day, second)
        book.reserved = Tracked(0x7FFF)  # the most that one record can reserve
        book.used = Tracked(0x7FFF - 1_500)
        dosing._train.now_us += 10_000_000
        dosing.tick(Tracked(late))
        assert all(0 <= word < LIMIT for word in scratch.words)
        assert book.reserved - book.used >= 0


@pytest.mark.requirement("F2")
def test_a_look_up_in_the_schedule_stays_small():
    periods = [(0x7F, hour * 60, hour * 60 + 30, 6_000 + hour) for hour in range(24)]
    schedule = Schedule(28_800_000, periods)
    for second in range(0, 604_800, 599):
        rate = schedule.rate_at(Tracked(second))
        assert 0 <= rate < LIMIT
    assert 0 <= schedule._first < schedule._end < LIMIT
