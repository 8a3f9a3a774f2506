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


class Disturbed:
    """An RTC whose seconds last 200 ms, on a bus that fails in the given transfers. In place of board and rtc."""

    def __init__(self, *fails: int) -> None:
        self.fails = fails
        self.transfers = self.now_ms = 0

    def ticks_ms(self) -> int:
        return self.now_ms

    def ticks_diff(self, end: int, start: int) -> int:
        return end - start

    def sleep_ms(self, ms: int) -> None:
        self.now_ms += ms

    def collect(self) -> None:
        self.now_ms += 30

    def _transfer(self) -> None:
        self.transfers += 1
        self.now_ms += 1
        if self.transfers in self.fails:
            raise OSError("no acknowledge")

    def stopped(self) -> bool:
        self._transfer()
        return False

    def seconds(self) -> int:
        self._transfer()
        return self.now_ms // 200

    def read(self) -> tuple[int, ...]:
        self._transfer()
        return 2026, 3, 2, 8, 0, self.now_ms // 200


@pytest.mark.parametrize("fails", range(1, 60))
def test_one_transfer_that_fails_in_a_start_is_no_lost_clock(fails: int) -> None:
    bench = Disturbed(fails)
    assert WallClock(bench, bench).wait_for_edge() == (9557, 8 * 3_600 + bench.now_ms // 200)
    assert bench.now_ms < 600


def test_a_clock_that_does_not_answer_in_a_start_is_lost() -> None:
    bench = Disturbed(*range(1, 1_000))
    assert WallClock(bench, bench).wait_for_edge() is None
    assert bench.transfers == 3
    half = Disturbed(*range(2, 1_000, 2))
    assert WallClock(half, half).wait_for_edge() is None
