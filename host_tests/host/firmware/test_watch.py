"""Delivery that falls short for 15 minutes, and a button held down for one (F11; R03, R38)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watch_rig import Watched

from firmware import alarms
from firmware.dosing import HELD, OFF, ON


@pytest.mark.requirement("F11", "R03")
@pytest.mark.parametrize("rate", [6_000, 86_400, 480_000, 28_800_000])
@pytest.mark.parametrize("bolus_pl", [0, 40_000])
def test_exactly_more_than_a_tenth_of_15_minutes_is_short(rate: int, bolus_pl: int) -> None:
    """Demand of 900 s in 1/432 pL; missed in whole pL: the largest that is enough, and one more."""
    enough_pl = (rate * 5 + bolus_pl * 432) * 900 // 4_320
    for missed_pl, short in ((enough_pl, False), (enough_pl + 1, True)):
        pump = Watched(rate)
        pump.missed.dosing_pl = missed_pl
        pump.seconds(899, bolus_pl)
        assert not pump.short
        pump.seconds(1, bolus_pl)
        assert pump.short == short
        pump.seconds(60, bolus_pl)  # the minute in which it was missed is over 15 minutes ago
        assert not pump.short


@pytest.mark.requirement("F11", "R03")
def test_it_ends_by_itself_once_enough_has_flowed_and_comes_again() -> None:
    pump = Watched(480_000)
    for _ in range(3):
        pump.seconds(900, missed_pl=1_000)  # of 5,555
        assert pump.short
        pump.seconds(900)
        assert not pump.short


@pytest.mark.requirement("F11", "R03")
@pytest.mark.parametrize("mode", [OFF, HELD])
def test_a_stop_is_no_under_delivery_and_the_15_minutes_begin_anew(mode: int) -> None:
    pump = Watched(480_000)
    pump.seconds(900, missed_pl=5_000)
    assert pump.short
    pump.dosing.mode = mode
    pump.seconds(1, missed_pl=5_000)
    assert not pump.short
    pump.seconds(3_600, missed_pl=5_000)
    assert not pump.short
    pump.dosing.mode = ON
    pump.seconds(899, missed_pl=5_000)
    assert not pump.short
    pump.seconds(1)
    assert pump.short


@pytest.mark.requirement("F11", "R03")
def test_a_rate_of_0_is_never_short() -> None:
    pump = Watched(0)
    pump.seconds(3_600)
    assert not pump.short


@pytest.mark.requirement("F11", "R03")
@given(st.lists(st.tuples(st.integers(0, 28_800_000), st.integers(0, 400_000)), min_size=15, max_size=40))
def test_it_is_short_exactly_while_the_last_15_minutes_were(minutes: list[tuple[int, int]]) -> None:
    pump = Watched()
    for number, (rate, missed_pl) in enumerate(minutes):
        pump.cascade.rate = rate
        for _ in range(12):
            pump.missed.dosing_pl += missed_pl
            pump.watch.keep(5)  # frames come late
        last = minutes[max(0, number - 14) : number + 1]
        demanded = sum(rate * 60 * 5 for rate, _ in last)  # 1/432 pL
        missed = sum(12 * missed_pl * 432 for _, missed_pl in last)
        assert pump.short == (number >= 14 and missed * 10 > demanded)


@pytest.mark.requirement("F11", "R38")
@pytest.mark.parametrize("every", [1, 2, 7])
def test_a_button_held_for_a_minute_alarms_until_it_is_let_go(every: int) -> None:
    pump = Watched()
    for _ in range(2):
        pump.down = True
        for _ in range(60 // every):
            pump.watch.keep(every)
        assert not pump.is_active(alarms.BUTTON_HELD)
        pump.watch.keep(every)
        assert pump.is_active(alarms.BUTTON_HELD)
        pump.down = False
        pump.watch.keep(every)
        assert not pump.is_active(alarms.BUTTON_HELD)


@pytest.mark.requirement("F11", "R38")
def test_presses_in_a_row_are_not_one_that_lasts() -> None:
    pump = Watched()
    for _ in range(10):
        pump.down = True
        pump.seconds(59)
        pump.down = False
        pump.seconds(1)
    assert not pump.alarms.history


@pytest.mark.requirement("F11", "R03")
@pytest.mark.parametrize("mode", [OFF, HELD])
def test_a_minute_that_a_stop_has_broken_off_counts_for_nothing(mode: int) -> None:
    pump = Watched(480_000)
    pump.seconds(59, missed_pl=100_000)
    pump.dosing.mode = mode
    pump.seconds(1)
    pump.dosing.mode = ON
    pump.seconds(899, missed_pl=500)
    assert not pump.short
    pump.seconds(1, missed_pl=500)
    assert not pump.short  # a tenth would be 555 in each second
    pump.dosing.mode = mode
    pump.seconds(1)
    pump.dosing.mode = ON
    pump.seconds(30)
    pump.dosing.mode = mode
    pump.seconds(1)
    pump.dosing.mode = ON
    pump.seconds(899, missed_pl=1_000)
    assert not pump.short  # 15 whole minutes, not 14 and a half
    pump.seconds(1, missed_pl=1_000)
    assert pump.short


@pytest.mark.requirement("F11", "R03")
def test_a_watch_begins_with_nothing_demanded_and_nothing_missed() -> None:
    pump = Watched(0)
    assert (pump.watch._demanded, pump.watch._missed) == (0, 0)
    pump.missed.dosing_pl = 0
    pump.seconds(900)
    assert not pump.short  # nothing of nothing
