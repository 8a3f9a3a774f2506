"""Dates against the host's calendar: every day that the DS3231 knows."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware import civil

FIRST = date(2000, 1, 1)
EPOCH = datetime(2000, 1, 1)
ALL = range(civil.DAYS)


@pytest.mark.requirement("R49")
def test_every_day_of_the_century_has_its_date_and_weekday():
    assert FIRST + timedelta(civil.DAYS - 1) == date(2099, 12, 31)
    for day in ALL:
        true = FIRST + timedelta(day)
        assert civil.date(day) == (true.year, true.month, true.day)
        assert civil.day_number(true.year, true.month, true.day) == day
        assert civil.weekday(day) == true.weekday()


def real_date(year: int, month: int, mday: int) -> date | None:
    """The host's date, if there is such a day."""
    try:
        return date(year, month, mday)
    except ValueError:
        return None


@pytest.mark.requirement("R49")
def test_every_impossible_date_is_refused():
    for year in range(1999, 2102):
        for month in range(14):
            for mday in (0, 1, 28, 29, 30, 31, 32):
                true = real_date(year, month, mday)
                if true and 2000 <= true.year <= 2099:
                    assert civil.day_number(year, month, mday) == (true - FIRST).days
                else:
                    with pytest.raises(ValueError, match=r"^(year|month|day) = -?[0-9]+: [0-9]+ to [0-9]+$"):
                        civil.day_number(year, month, mday)


@pytest.mark.requirement("R49", "R24")
@given(st.integers(0, civil.DAYS - 1), st.integers(0, 86_399))
def test_text_and_time_are_each_others_inverse(day: int, second: int):
    text = (EPOCH + timedelta(days=day, seconds=second)).isoformat()
    assert civil.iso(day, second) == text
    assert civil.parse_iso(text) == (day, second)


times = st.datetimes(EPOCH, datetime(2099, 12, 31, 23, 59, 59))


@pytest.mark.requirement("R49")
@given(times, st.one_of(st.integers(-4_000_000_000, 4_000_000_000), st.integers(-90_000, 90_000)))
def test_shifting_and_differences_are_those_of_the_calendar(when: datetime, by: int):
    day, rest = divmod(when.replace(microsecond=0) - EPOCH, timedelta(days=1))
    second = rest // timedelta(seconds=1)
    later = civil.shifted(day, second, by)
    assert EPOCH + timedelta(days=later[0], seconds=later[1]) == EPOCH + timedelta(days=day, seconds=second + by)
    assert 0 <= later[1] < 86_400
    assert civil.seconds_between(day, second, *later) == by


@pytest.mark.requirement("R49")
@given(st.one_of(st.text("0123456789-T: ", min_size=17, max_size=20), st.text(max_size=19), times.map(str)))
def test_any_other_text_is_refused_with_the_form_that_is_needed(text: str):
    try:
        expected = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S") if text.isascii() and len(text) == 19 else None
    except ValueError:
        expected = None
    if expected and 2000 <= expected.year <= 2099 and all(c in "0123456789-T:" for c in text):
        assert civil.iso(*civil.parse_iso(text)) == text
        return
    with pytest.raises(ValueError, match=r"(time = |year = |month = |day = )"):
        civil.parse_iso(text)


@pytest.mark.requirement("R49")
@pytest.mark.parametrize(
    "text", ["2026-03-02T24:00:00", "2026-03-02T23:60:00", "2026-03-02T23:59:60", "2026-02-29T00:00:00"]
)
def test_times_that_do_not_exist_are_refused(text: str):
    with pytest.raises(ValueError, match=r"^(time|day) = "):
        civil.parse_iso(text)
