"""Scheduled boluses on the calendar: each falls due once, at its second; what was passed over is counted, against an
oracle that walks through every minute (F3)."""

from __future__ import annotations

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
    agenda.lay(SimpleNamespace(scheduled=scheduled, pack=lambda: repr(scheduled).encode()))
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
        if now % 60 in (59, 0, 1, 2, 30):  # nothing falls due in the others
            found += [(now + 1, which) for which in agenda.due(*divmod(now, DAY_S))]
    assert [(time, which[0], which[1]) for time, which in found] == planned(boluses, start + 1, start + 60 * minutes)
    assert all(which[3] == time for time, which in found)


@pytest.mark.requirement("F3", "R49")
@pytest.mark.parametrize("late", [0, 1, 2])
def test_a_late_tick_or_a_step_of_the_clock_does_not_lose_one(late: int):
    agenda = agenda_of([(127, 10)])
    agenda.begin(100, 590)
    assert not agenda.due(100, 597)
    assert len(list(agenda.due(100, 599 + late))) == 1
    assert not agenda.due(100, 600 + late)


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
    passed = agenda.passed(*divmod(since, DAY_S), *divmod(until, DAY_S), history)
    if not whole:
        assert len(passed) == len(boluses)  # a year and more: each of them, and it is over at once
        return
    expected: dict[int, int] = {}
    for _, index, date in occurrences:
        expected[index] = expected.get(index, 0) + ((index, date) not in unique)
    assert {index: count for index, _, count in passed} == {index: n for index, n in expected.items() if n}
    for index, date, _ in passed:
        assert date == max(when for _, which, when in occurrences if which == index)


@pytest.mark.requirement("F3", "R49")
def test_after_the_clock_went_back_what_was_given_or_skipped_has_had_its_turn():
    agenda = agenda_of([(127, 10)])
    agenda.begin(100, 0)
    assert len(list(agenda.due(100, 599))) == 1
    agenda.moved(100, 500)
    assert agenda.passed(100, 700, 100, 500, SimpleNamespace(recent=[])) == []
    assert not agenda.due(100, 599)
    assert len(list(agenda.due(101, 599))) == 1


@pytest.mark.requirement("F3", "R49")
@pytest.mark.parametrize(("days", "silent"), [(6, True), (7, True), (8, False)])
def test_a_clock_that_was_wrong_by_more_than_a_week_silences_nothing(days: int, silent: bool):
    agenda = agenda_of([(127, 10)])
    agenda.begin(100 + days, 0)
    agenda.moved(100, 0)
    assert bool(agenda.due(100, 599)) != silent


@pytest.mark.requirement("F3", "R49")
def test_a_clock_set_forward_again_passes_over_nothing_twice():
    agenda = agenda_of([(127, 10), (127, 20)])
    agenda.begin(100, 900)
    agenda.moved(100, 0)
    nothing_given = SimpleNamespace(recent=[])
    assert [which for which, _, _ in agenda.passed(100, 0, 100, 1_300, nothing_given)] == [1]
