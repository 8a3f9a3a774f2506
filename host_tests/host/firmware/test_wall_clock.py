"""How far the RTC is followed: 2 s, and 100 ppm of the time, in either direction (R49)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.wallclock import WallClock

pytestmark = pytest.mark.requirement("R49", "F11")


def clock() -> WallClock:
    return WallClock(SimpleNamespace(), SimpleNamespace(ticks_ms=lambda: 0))


@given(st.integers(0, 40_000_000), st.sampled_from([1, -1]))
def test_two_seconds_and_a_hundred_ppm_are_followed_and_no_more(frames: int, sign: int) -> None:
    followed = clock()
    allowed = 2 + frames * 100 // 1_000_000
    for _ in range(allowed):
        assert followed.allows(sign, frames)
    assert not followed.allows(sign, frames)


@given(st.lists(st.sampled_from([-2, -1, 1, 2]), max_size=60))
def test_what_goes_to_and_fro_does_not_add_up(moves: list[int]) -> None:
    followed = clock()
    total = 0
    for by in moves:
        total += by
        assert followed.allows(by, 0) == (abs(total) <= 2)
