"""Scheduled boluses on the calendar: each falls due once, at its second; what was passed over is counted, against an
oracle that walks through every minute (F3)."""

from __future__ import annotations

from binascii import crc32
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.agenda import Agenda
from firmware.boluses import SCHEDULED

DAY_S = 86_400
DAY0_WEEKDAY = 5  # 2000-01-01 was a Saturday; Monday is 0

items = st.lists(
    st.tuples(st.integers(1, 127), st.sampled_from((0, 1, 600, 601, 1_438, 1_439)) | st.integers(0, 1_439)),
    max_size=24,
)


def agenda_of(boluses: list[tuple[int, int]]) -> Agenda:
    agenda = Agenda()
    scheduled = [(days, minute, 1_000, 60) for days, minute in boluses]
    agenda.lay(SimpleNamespace(scheduled=scheduled, crc=lambda: crc32(repr(scheduled).encode())))
    return agenda


def planned(boluses: list[tuple[int, int]], since: int, until: int) -> list[tuple[int, int, int]]:
    """(due time, index, date) of all in (since, until], seconds since 2000."""
    found = []
    for date in range(since // DAY_S, until // DAY_S + 1):
        for index, (days, minute) in enumerate(boluses):
            time = date * DAY_S + 60 * minute
            if since < time <= until and days >> (date + DAY0_WEEKDAY) % 7 & 1:
                found.append((time, index, date))
    return sorted(found)


@pytest.mark.requirement("F3")
@given(items, st.integers(0, 36_000), st.integers(0, 1_439), st.integers(1, 200))
def test_each_falls_due_once_for_the_second_that_begins_then(
    boluses: list[tuple[int, int]], date: int, minute: int, minutes: int
):
    agenda = agenda_of(boluses)
    start = date * DAY_S + 60 * minute + 30
    agenda.begin(*divmod(start, DAY_S))
    found = []
    for now in range(start + 1, start + 60 * minutes):
        if now % 60 in (59, 0, 1, 2, 30) or now % 2:
            due, passed = agenda.due(*divmod(now, DAY_S))
            found += [(now + 1, which) for which in due]
            assert not passed
    assert [(time, which[0], which[1]) for time, which in found] == planned(boluses, start + 1, start + 60 * minutes)


@pytest.mark.requirement("F3", "R49")
@pytest.mark.parametrize("late", [0, 1, 2])
def test_a_late_tick_or_a_step_of_the_clock_does_not_lose_one(late: int):
    agenda = agenda_of([(127, 10)])
    agenda.begin(100, 590)
    assert not any(agenda.due(100, 597))
    due, passed = agenda.due(100, 599 + late)
    assert (len(due), len(passed)) == (1, 0)
    assert not any(agenda.due(100, 600 + late))


@pytest.mark.requirement("F3")
@pytest.mark.parametrize("late", [3, 4, 50, 100])
def test_one_that_a_busy_pump_comes_to_too_late_is_told(late: int):
    agenda = agenda_of([(127, 10)])
    agenda.begin(100, 598)
    due, passed = agenda.due(100, 599 + late)
    assert (len(due), len(passed)) == (0, 1)


@pytest.mark.requirement("F3")
@given(
    items,
    st.integers(0, 30_000 * DAY_S),
    st.integers(0, 3 * DAY_S) | st.integers(0, 40 * DAY_S) | st.integers(0, 5_000 * DAY_S),
    st.lists(st.integers(0, 30), max_size=6),
)
def test_what_was_passed_over_is_counted_without_what_was_given(
    boluses: list[tuple[int, int]], since: int, seconds: int, given_ones: list[int]
):
    agenda = agenda_of(boluses)
    until = since + seconds
    occurrences = planned(boluses, since, min(until, since + 60 * DAY_S))
    whole = seconds <= 60 * DAY_S
    recent = []
    for number in given_ones:
        if number < len(occurrences):
            _, index, date = occurrences[number]
            therapy = agenda._therapy
            recent.append(SimpleNamespace(kind=SCHEDULED, index=index, date=date, therapy=therapy))
    unique = {(entry.index, entry.date): entry for entry in recent}
    history = SimpleNamespace(recent=list(unique.values()))
    passed = agenda.passed(divmod(since, DAY_S), divmod(until, DAY_S), history)
    if not whole:
        assert len(passed) == len(boluses)  # a year and more: each of them, and it is over at once
        return
    expected: dict[int, int] = {}
    for _, index, date in occurrences:
        expected[index] = expected.get(index, 0) + ((index, date) not in unique)
    assert {index: count for index, _, count in passed} == {index: n for index, n in expected.items() if n}
    for index, date, _ in passed:
        assert date == max(when for _, which, when in occurrences if which == index)


NOTHING_GIVEN = SimpleNamespace(recent=[])


@pytest.mark.requirement("F3", "R49")
@given(items, st.lists(st.integers(-3 * DAY_S, 3 * DAY_S), max_size=6), st.integers(0, 23))
def test_each_has_its_turn_once_whatever_the_clock_does(boluses: list[tuple[int, int]], moves: list[int], hour: int):
    """Turns are had by falling due, or by being passed over; an oracle keeps all that were had."""
    agenda = agenda_of(boluses)
    now = 200 * DAY_S + hour * 3_600 + 30
    agenda.begin(*divmod(now, DAY_S))
    had: set[tuple[int, int]] = set()
    for move in [*moves, 0]:
        expected = {(index, date) for _, index, date in planned(boluses, now, now + 7_200)} - had
        found = set()
        for second in range(now, now + 7_200):
            if second % 60 in (59, 0):
                due, passed = agenda.due(*divmod(second, DAY_S))
                assert not passed
                found |= {(which[0], which[1]) for which in due}
        assert found == expected
        had |= found
        before, now = now + 7_200, now + 7_200 + move
        if move > 0:
            skipped = {(index, date) for _, index, date in planned(boluses, before, now)} - had
            counts = agenda.passed(divmod(before, DAY_S), divmod(now, DAY_S), NOTHING_GIVEN)
            assert sum(count for _, _, count in counts) == len(skipped)
            had |= skipped
        agenda.begin(*divmod(now, DAY_S))


@pytest.mark.requirement("F3", "R49", "I6")
@pytest.mark.parametrize("hours", [0, 1, 24, 26, 500])
def test_after_a_reset_nothing_up_to_the_newest_turn_comes_again(hours: int):
    newest = 100 * DAY_S + 600 + hours * 3_600
    agenda = agenda_of([(127, 10)])
    agenda.restore(newest // 60)
    agenda.begin(100, 598)
    assert not any(agenda.due(100, 599))
    assert agenda.silent_until(100, 599) == newest
    later = newest // DAY_S + 1  # the first date on which its turn is later than that
    agenda.begin(later, 598)
    due, _ = agenda.due(later, 599)
    assert [which[:2] for which in due] == [(0, later)]
    assert agenda.silent_until(later, 601) == 0


@pytest.mark.requirement("F3", "R49")
@given(items, st.integers(0, 1_439), st.integers(0, 3 * DAY_S))
def test_a_commit_begins_afresh_and_gives_nothing_that_was_due_before(
    boluses: list[tuple[int, int]], minute: int, back: int
):
    agenda = agenda_of(boluses)
    commit = 200 * DAY_S + 60 * minute
    agenda.restart(*divmod(commit, DAY_S))
    assert agenda.mark_min() == commit // 60
    agenda.begin(*divmod(commit - back, DAY_S))
    passed = agenda.passed(divmod(commit - back, DAY_S), divmod(commit + DAY_S, DAY_S), NOTHING_GIVEN)
    assert sum(count for _, _, count in passed) == len(planned(boluses, commit, commit + DAY_S))
