"""The control tick: delivered volume never runs ahead of what was demanded, and is never far behind (invariant 1)."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import Train, new_dosing
from test_schedule import courses

from firmware.dosing import HELD, OFF, ON, Dosing
from firmware.ledger import Ledger
from firmware.schedule import Schedule

DAY = 9_557  # 2026-03-02, a Monday
MS_US = 1_000
S_US = 1_000_000


def pl_per_us(rate: int) -> Fraction:
    return Fraction(rate * 1_000, 86_400 * S_US)


class Rig:
    """A tick with its train, an exact oracle of what was demanded, and the executive's schedule of frames.

    The frames of the pump lie on whole seconds of true time. `demanded` knows every microsecond at which the operator
    changed something; the firmware only knows seconds.
    """

    def __init__(self, size: int, base: int, periods: list[tuple[int, int, int, int]], second: int) -> None:
        self.size = size
        self.dosing: Dosing
        self.book: Ledger
        self.train: Train
        self.dosing, self.book, self.train = new_dosing(size)
        self.schedule = self.dosing.schedule = Schedule(base, periods)
        self.second = second  # second of the week at true time 0
        self.dosing.set_time(DAY + second // 86_400, second % 86_400)
        self.demanded: list[tuple[int, Fraction]] = [(0, Fraction(0))]  # (us, pL): between two, demand is linear
        self.on = False
        self.clock_us = 0
        self.frames = 0  # frames whose tick has run
        self.highest = Fraction(0)

    def rate(self) -> int:
        """The true demand's rate now, nL/day."""
        if not self.on:
            return 0
        return self.schedule.rate_at((self.second + self.clock_us // S_US) % 604_800)

    def pass_to(self, t_us: int) -> None:
        """Let true time pass; demand is summed up exactly, edge by edge."""
        while self.clock_us < t_us:
            end = min(t_us, (self.clock_us // S_US + 1) * S_US)
            flow = pl_per_us(self.rate())
            self.highest = max(self.highest, flow)
            self.demanded.append((end, self.demanded[-1][1] + (end - self.clock_us) * flow))
            self.clock_us = end
        self.train.now_us = t_us

    def tick(self) -> None:
        """The tick that is due, or overdue, runs now."""
        late_us = self.clock_us - (self.frames + 1) * S_US
        assert late_us >= 0
        late_ms = late_us // MS_US
        self.dosing.tick(late_ms)
        self.frames += 1 + late_ms // 1_000
        if self.book.used > 20_000:
            self.book.close(self.dosing._cascade, DAY, 0)
        self.book.reserved = self.book.used + 2_000

    def switch(self, on: bool) -> None:
        """The operator stops or resumes, now."""
        self.on = on
        self.dosing.mode = ON if on else OFF
        if not on:
            self.dosing.drop_pending()
        self.dosing.changed(self.overdue())

    def overdue(self) -> int:
        """Whole seconds that have ended and that no tick has seen."""
        return max(0, self.clock_us // S_US - self.frames)

    def start(self) -> None:
        self.on = True
        self.dosing.mode = ON
        self.dosing.begin_second()
        self.book.reserved = 2_000

    def exact_at(self, t_us: int) -> Fraction:
        """Volume demanded by t_us, an instant at which the sum was taken, pL."""
        return dict(self.demanded)[t_us]

    def check_not_ahead(self) -> None:
        """D(t) <= E(t) at every step that was made."""
        at = 0
        steps = sorted(begin + n * interval for begin, interval, count in self.train.trains for n in range(count))
        for made, t_us in enumerate(steps, 1):
            if t_us > self.clock_us:
                break
            while self.demanded[at + 1][0] < t_us:
                at += 1
            (t0, e0), (t1, e1) = self.demanded[at : at + 2]
            assert made * self.size <= e0 + (e1 - e0) * Fraction(t_us - t0, t1 - t0), t_us

    def check_not_behind(self, slack_us: int = 0) -> None:
        """E(t) - D(t) < one step + two control periods of the highest flow, at every known instant."""
        allowed = self.size + (2 * S_US + slack_us) * self.highest
        for t_us, volume in self.demanded:
            assert volume - self.train.steps_by(t_us) * self.size < allowed, t_us


sizes = st.one_of(st.sampled_from((1_000, 1_009, 25_000, 999_983)), st.integers(1_000, 1_000_000))
bases = st.one_of(st.just(0), st.integers(6_000, 28_800_000), st.sampled_from((6_000, 28_800_000)))


@pytest.mark.requirement("F1", "F2", "I1")
@given(sizes, bases, courses(), st.integers(0, 604_799), st.integers(2, 40))
@settings(max_examples=60)
def test_delivered_volume_follows_any_flex_schedule(size: int, base: int, periods: list, second: int, seconds: int):
    rig = Rig(size, base, periods, second)
    rig.start()
    for frame in range(1, seconds + 1):
        rig.pass_to(frame * S_US)
        rig.tick()
        assert rig.train.commanded == rig.demanded[-1][1] // size
    rig.pass_to((seconds + 1) * S_US - 1)
    rig.check_not_ahead()
    rig.check_not_behind()


@pytest.mark.requirement("F2", "I1")
@pytest.mark.parametrize("second", [28_790, 604_790, 86_390])
def test_an_edge_of_the_schedule_is_followed_within_its_second(second: int):
    rig = Rig(1_009, 6_000, [(0x7F, 480, 0, 28_800_000)], second)
    rig.start()
    for frame in range(1, 25):
        rig.pass_to(frame * S_US)
        rig.tick()
    rig.pass_to(25 * S_US)
    rig.check_not_ahead()
    rig.check_not_behind()
    assert rig.dosing.second == (second + 24) % 86_400


@pytest.mark.requirement("F1", "I1")
@given(sizes, bases, courses(), st.integers(0, 604_799), st.lists(st.integers(0, 1_999), min_size=1, max_size=20))
@settings(max_examples=60)
def test_late_ticks_lose_nothing_and_never_run_ahead(
    size: int, base: int, periods: list, second: int, lateness: list[int]
):
    rig = Rig(size, base, periods, second)
    rig.start()
    for late_ms in lateness:
        rig.pass_to(max(rig.clock_us, (rig.frames + 1) * S_US + late_ms * MS_US))
        rig.tick()
        assert not rig.dosing.missed_seconds
        assert rig.dosing.pending + rig.train.commanded + rig.dosing.missed_steps == (
            rig.exact_at(rig.frames * S_US) // size
        )
    rig.pass_to(rig.clock_us + 5 * S_US)
    rig.check_not_ahead()


@pytest.mark.requirement("F1", "I1")
@given(sizes, st.integers(6_000, 28_800_000), st.lists(st.integers(0, 40), min_size=5, max_size=40))
def test_ticks_that_are_a_little_late_stay_within_the_two_control_periods(size: int, base: int, lateness: list[int]):
    """The console and the EEPROM may hold a tick up by some 40 ms: that much more, and no growing backlog."""
    rig = Rig(size, base, [], 0)
    rig.start()
    for late_ms in lateness:
        rig.pass_to((rig.frames + 1) * S_US + late_ms * MS_US)
        rig.tick()
    rig.pass_to(rig.clock_us + S_US // 2)
    rig.check_not_ahead()
    rig.check_not_behind(2 * 40 * MS_US)


@pytest.mark.requirement("F1", "I1", "F11")
@given(sizes, bases, st.integers(2_000, 9_000))
def test_a_tick_that_is_too_late_misses_seconds_and_says_how_many(size: int, base: int, late_ms: int):
    rig = Rig(size, base, [], 0)
    rig.start()
    rig.pass_to(S_US + late_ms * MS_US)
    rig.tick()
    assert rig.dosing.missed_seconds == late_ms // 1_000 - 1
    assert rig.dosing.second == 1 + late_ms // 1_000
    dosed = rig.train.commanded + rig.dosing.pending + rig.dosing.missed_steps
    assert dosed == 2 * S_US * pl_per_us(base) // size
    rig.pass_to(rig.clock_us + 5 * S_US)
    rig.check_not_ahead()


@pytest.mark.requirement("F4", "I1", "I7")
@given(st.integers(0, 1 << 32), sizes, bases, courses())
@settings(max_examples=60)
def test_stop_resume_commit_and_clock_in_mid_second_never_over_deliver(seed: int, size: int, base: int, periods: list):
    """Whatever the operator does, at any microsecond, with late ticks among them, one even after its frame's end."""
    random = Random(seed)
    rig = Rig(size, base, periods, random.randrange(604_800))
    rig.start()
    for _ in range(25):
        due = (rig.frames + 1) * S_US
        late = random.choice((0, 0, 1, 30, 999, 1_000, 1_999)) * MS_US
        run = max(rig.clock_us, due + late)
        for t_us in sorted(random.randint(rig.clock_us, run) for _ in range(random.choice((0, 1, 2)))):
            rig.pass_to(t_us)
            act(rig, random)
        rig.pass_to(run)
        rig.tick()
    rig.pass_to(rig.clock_us + 3 * S_US)
    rig.check_not_ahead()


def act(rig: Rig, random: Random) -> None:
    """One order of the operator, now."""
    what = random.choice(("stop", "resume", "commit", "clock"))
    if what in ("stop", "resume"):
        rig.switch(what == "resume")
        return
    if what == "commit":
        rate = random.choice((0, 6_000, 28_800_000, random.randint(6_000, 28_800_000)))
        rig.schedule = rig.dosing.schedule = Schedule(rate, ())
    else:
        # Local time jumps; from now on it is what the pump believes, counted from the start of its current second.
        rig.second = random.randrange(604_800)
        at = (rig.second + rig.frames) % 604_800
        rig.dosing.set_time(DAY + at // 86_400, at % 86_400)
    rig.dosing.changed(rig.overdue())


@pytest.mark.requirement("F4", "I1")
def test_an_order_after_the_end_of_a_second_whose_tick_is_overdue_counts_from_the_next_one():
    rig = Rig(1_000, 28_800_000, [], 0)
    rig.pass_to(1_050_000)  # 50 ms after the end of the first second; its tick has not run
    rig.switch(True)
    rig.tick()
    for frame in (2, 3, 4):
        rig.pass_to(frame * S_US)
        rig.tick()
    rig.pass_to(5 * S_US)
    rig.check_not_ahead()
    assert rig.train.commanded == 666  # the third and the fourth second


@pytest.mark.requirement("F11", "I8")
@given(sizes, bases)
def test_held_by_an_alarm_all_that_is_demanded_is_missed(size: int, base: int):
    rig = Rig(size, base, [], 0)
    rig.start()
    rig.dosing.mode = HELD
    rig.dosing.changed()
    for frame in range(1, 20):
        rig.pass_to(frame * S_US)
        rig.tick()
    assert rig.train.commanded == 0
    assert rig.dosing.missed_steps == rig.demanded[-1][1] // size


@pytest.mark.requirement("F11")
def test_with_the_rtc_lost_the_lowest_rate_is_given_whatever_the_hour():
    rig = Rig(1_000, 6_000_000, [(0x7F, 0, 1, 12_000_000)], 0)
    rig.start()
    rig.dosing.lowest = rig.schedule.lowest()
    rig.dosing.changed()
    for frame in range(1, 11):
        rig.pass_to(frame * S_US)
        rig.tick()
    assert rig.train.commanded == 10 * S_US * pl_per_us(6_000_000) // 1_000


@pytest.mark.requirement("F10", "I2")
@given(sizes, st.integers(6_000, 28_800_000), st.lists(st.integers(0, 400), min_size=1, max_size=30))
def test_without_a_reservation_nothing_flows_and_the_rest_is_missed_not_caught_up(
    size: int, base: int, rooms: list[int]
):
    rig = Rig(size, base, [], 0)
    rig.start()
    for frame, room in enumerate(rooms, 1):
        rig.pass_to(frame * S_US)
        rig.book.reserved = rig.book.used + room
        before = rig.train.commanded
        rig.dosing.tick(0)
        rig.frames += 1
        assert rig.train.commanded - before <= room
        per_second = S_US * pl_per_us(base) // size + 1
        assert rig.dosing.pending <= 2 * per_second
        done = rig.train.commanded + rig.dosing.pending + rig.dosing.missed_steps
        assert done == rig.demanded[-1][1] // size


@pytest.mark.requirement("F1", "I11")
@given(sizes, bases)
def test_a_train_ends_within_its_second(size: int, base: int):
    rig = Rig(size, base, [], 0)
    rig.start()
    for frame in range(1, 10):
        rig.pass_to(frame * S_US)
        rig.tick()
        assert rig.train.free_us <= rig.clock_us + 990_000


@pytest.mark.requirement("F1", "I11", "R17")
@given(sizes, st.integers(6_000, 28_800_000), st.lists(st.integers(0, 999), min_size=1, max_size=12))
def test_no_word_is_faster_than_its_flow_however_few_its_steps(size: int, base: int, lateness: list[int]):
    """A word fills its second, a single step's too: with a count that has a wrong bit it goes on at its own pace. If
    the tick is late, the word is shorter, but never faster than twice the flow."""
    rig = Rig(size, base, [], 0)
    rig.start()
    nominal = S_US * pl_per_us(base) // size + 1
    for frame, late_ms in enumerate(lateness, 1):
        rig.pass_to(max(rig.clock_us, frame * S_US + late_ms * MS_US))
        words = len(rig.train.trains)
        rig.tick()
        for _, interval, steps in rig.train.trains[words:]:
            assert (interval + 1) * steps > max(990_000 - late_ms * MS_US, 990_000 * steps // (2 * nominal))


@pytest.mark.requirement("F2")
def test_local_time_crosses_midnight_and_the_end_of_the_week():
    rig = Rig(25_000, 6_000, [], 604_798)
    rig.start()
    for frame in range(1, 5):
        rig.pass_to(frame * S_US)
        rig.tick()
    assert (rig.dosing.day, rig.dosing.second) == (DAY + 7, 2)
    assert rig.dosing._week_second == 2


@pytest.mark.requirement("I1")
def test_the_oracle_of_these_tests_finds_a_step_too_early():
    rig = Rig(25_000, 28_800_000, [], 0)
    rig.start()
    rig.train.start(1, 2_000)
    rig.pass_to(S_US)
    with pytest.raises(AssertionError):
        rig.check_not_ahead()


@pytest.mark.requirement("I1")
def test_the_oracle_of_these_tests_finds_a_tick_that_never_came():
    rig = Rig(25_000, 28_800_000, [], 0)
    rig.start()
    rig.pass_to(3 * S_US)
    with pytest.raises(AssertionError):
        rig.check_not_behind()
