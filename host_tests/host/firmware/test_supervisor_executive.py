"""The cyclic executive and who feeds the watchdog (invariant 9, R27)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from guard_rig import Pump
from hypothesis import given
from hypothesis import strategies as st
from parts import Board

from firmware.executive import Executive, Task
from firmware.resets import BACKGROUND, ENDINGS, TASKS, number
from firmware.supervisor import LATE, TOO_FAST, TOO_SLOW, Supervisor
from thecal.faults.memory import BITS, flipped_bit
from thecal.powercut.snapshot import PAGE, PAGES, Bite, Snapshot


class Rig:
    """Three tasks at the start of a frame, two in the middle of every n-th; `takes` is how long each of them takes."""

    def __init__(self, begin_ms: int = 0, patience: int = 1_000, every: tuple[int, int] = (5, 7)) -> None:
        self.board = Board()
        self.board.now_ms = begin_ms
        self.begin_ms = begin_ms
        self.ran: list[tuple[str, int, int]] = []  # name, ms since the start, lateness it was told
        self.takes: dict[str, int] = {}
        self.fed: list[int] = []
        self.starting = tuple(Task(name, self.job(name)) for name in ("dose", "keep", "reserve"))
        self.middle = tuple(
            Task(name, self.job(name), every=n, deadline=n + 3)
            for name, n in zip(("clock", "slow"), every, strict=True)
        )
        self.stopped: list[tuple[int, int]] = []
        self.supervisor = Supervisor(
            lambda: self.fed.append(self.now()), self.board, lambda *why: self.stopped.append(why)
        )
        self.patience = patience
        self.executive = Executive(self.board, self.starting, self.middle, self.supervisor, lambda _: self.patience)
        self.executive.start((begin_ms + 1_000) & 0x3FFFFFFF)

    def now(self) -> int:
        return self.board.now_ms - self.begin_ms

    def job(self, name: str) -> Callable[[int], int]:
        def run(late: int) -> int:
            self.ran.append((name, self.now(), late))
            self.board.now_ms += self.takes.pop(name, 0)
            return number(name)

        return run

    def until(self, ms: int) -> None:
        while self.now() < ms:
            self.executive.turn()

    def times(self, name: str) -> list[int]:
        return [at for one, at, _ in self.ran if one == name]


@pytest.mark.requirement("F11", "R27")
def test_the_tasks_of_a_frame_run_in_the_order_of_the_table_every_second():
    rig = Rig()
    rig.until(60_400)
    names = [name for name, _, _ in rig.ran if name in ("dose", "keep", "reserve")]
    assert names == ["dose", "keep", "reserve"] * 60
    assert rig.times("dose") == [1_000 * n for n in range(1, 61)]


@pytest.mark.requirement("F11", "R49")
def test_tasks_in_the_middle_run_every_so_many_frames_half_a_second_after_its_start():
    rig = Rig()
    rig.until(70_900)
    assert rig.times("clock") == [1_000 * n + 500 for n in range(5, 71, 5)]
    assert rig.times("slow") == [1_000 * n + 500 for n in range(7, 71, 7)]
    assert rig.times("dose") == [1_000 * n for n in range(1, 71)]


@pytest.mark.requirement("F11")
def test_frames_go_on_across_the_wrap_of_the_ticks():
    rig = Rig(begin_ms=0x3FFFFFFF - 20_500)
    rig.until(60_400)
    assert rig.times("dose") == [1_000 * n for n in range(1, 61)]


@pytest.mark.requirement("F1", "F11")
@given(st.integers(0, 9_000))
def test_frames_that_were_missed_are_skipped_and_not_replayed(takes: int):
    rig = Rig()
    rig.until(3_100)
    rig.takes["reserve"] = takes
    rig.until(20_000)
    begun = rig.times("dose")
    late = [told for name, at, told in rig.ran if name == "dose"]
    assert begun[:4] == [1_000, 2_000, 3_000, 4_000]
    free = 4_000 + takes
    assert begun[4] == max(5_000, free)
    assert late[4] == begun[4] - 5_000
    assert begun[5] == 5_000 + 1_000 * (1 + late[4] // 1_000)  # on the old schedule again
    assert begun[5:] == list(range(begun[5], 20_001, 1_000))[: len(begun) - 5]
    seconds = sum(1 + told // 1_000 for told in late)
    assert seconds == (begun[-1]) // 1_000  # every second is accounted for once


@pytest.mark.requirement("F1", "F11")
@given(
    st.lists(
        st.tuples(st.sampled_from(("dose", "keep", "reserve", "clock", "slow")), st.integers(0, 3_000)), max_size=12
    )
)
def test_lateness_never_adds_up_and_every_second_is_told_once(delays: list[tuple[str, int]]):
    rig = Rig()
    for name, ms in delays:
        rig.until(rig.now() + 2_500)
        rig.takes[name] = ms
    rig.takes = {}
    rig.until(rig.now() + 12_000)
    assert rig.supervisor.ending in (0, TOO_SLOW)  # late, but never taken for a loop that has run away
    told = [(at, late) for name, at, late in rig.ran if name == "dose"]
    due = 0
    for at, late in told:
        due += 1_000
        assert at - late == due
        due += 1_000 * (late // 1_000)
    assert told[-1][1] == 0
    assert rig.executive.number == due // 1_000


@pytest.mark.requirement("F11", "I9", "R27")
def test_a_healthy_pump_is_fed_in_every_frame():
    rig = Rig()
    rig.until(30_000)
    gaps = [later - earlier for earlier, later in zip(rig.fed, rig.fed[1:], strict=False)]
    assert 250 <= min(gaps) <= max(gaps) <= 1_000
    assert rig.supervisor.late is None
    assert rig.stopped == []


@pytest.mark.requirement("F11", "I9", "R27")
@pytest.mark.parametrize("place", range(5))
def test_a_task_that_does_not_check_in_stops_the_feed_within_its_deadline(place: int):
    rig = Rig()
    tasks = [Task(name, lambda late: None, deadline=3 + 10 * n) for n, name in enumerate(TASKS[5:10])]
    for frame in range(1, 200):
        rig.board.now_ms += 1_000
        for n, task in enumerate(tasks):
            if n != place or frame > 100:  # it comes back, too late
                task.check_in(frame)
        rig.supervisor.supervise(frame, tasks)
    assert len(rig.fed) == tasks[place].deadline
    assert rig.supervisor.late is tasks[place]
    assert set(rig.stopped) == {(LATE, 5 + place)}
    assert ENDINGS[LATE] == "late"


@pytest.mark.requirement("F11", "I9", "R27")
@pytest.mark.parametrize("every_ms", [0, 1, 10, 40, 49])
@pytest.mark.parametrize("healthy_ms", [0, 1_000, 0x3FFFFFFF - 500])
def test_a_loop_that_has_run_away_is_not_fed(every_ms: int, healthy_ms: int):
    """It looks again and again, and every task has checked in: over four times in a quarter of a second it starves."""
    rig = Rig(begin_ms=healthy_ms)
    rig.supervisor.supervise(1, ())
    for _ in range(1_000):
        rig.board.now_ms += every_ms
        rig.supervisor.supervise(1, ())
    assert len(rig.fed) == 1
    assert set(rig.stopped) == {(TOO_FAST, 0)}
    assert len(rig.stopped) == 1_000 - 4


@pytest.mark.requirement("F11", "I9", "R27")
@given(st.lists(st.integers(0, 6_000), max_size=60), st.integers(0, 0x3FFFFFFF))
def test_two_feeds_are_never_too_close_nor_too_far_apart(gaps: list[int], begin_ms: int):
    rig = Rig(begin_ms=begin_ms)
    for gap in gaps:
        rig.board.now_ms += gap
        rig.supervisor.supervise(1, ())
        assert (rig.fed[-1] == rig.now()) <= (not rig.stopped)
    between = [later - earlier for earlier, later in zip(rig.fed, rig.fed[1:], strict=False)]
    assert all(250 <= gap <= 4_500 for gap in between)
    if rig.stopped:
        assert {ending for ending, _ in rig.stopped} in ({TOO_FAST}, {TOO_SLOW})


@pytest.mark.requirement("F11", "I9", "R27")
@pytest.mark.parametrize(
    ("gap", "fed"), [(-1, False), (0, False), (249, False), (250, True), (4_500, True), (4_501, False)]
)
def test_the_bounds_of_the_interval(gap: int, fed: bool):
    rig = Rig()
    rig.supervisor.supervise(1, ())
    rig.board.now_ms += gap
    rig.supervisor.supervise(1, ())
    assert rig.fed == ([0, gap] if fed else [0])
    assert rig.supervisor.ending == (0 if 0 <= gap <= 4_500 else TOO_SLOW)  # a clock that goes back tells nothing


@pytest.mark.requirement("F11", "R27")
def test_what_runs_is_noted():
    rig = Rig()
    rig.until(6_000)
    names = [TASKS[number] for number in rig.board.marks]
    assert names[:4] == ["dose", "keep", "reserve", "background"]
    assert names.count("clock") == 1  # the other one in the middle is not in the table: "none"
    assert names[names.index("clock") + 1] == "background"
    assert rig.board.marks[-1] == BACKGROUND


@pytest.mark.requirement("F11", "I9")
def test_a_task_that_is_never_run_again_starves_the_watchdog():
    rig = Rig()
    rig.until(12_000)
    stuck = rig.middle[0]
    rig.executive._middle = rig.middle[1:]
    fed = len(rig.fed)
    rig.until(30_000)
    assert rig.supervisor.late is stuck
    assert (LATE, TASKS.index("clock")) in rig.stopped
    assert len(rig.fed) - fed <= stuck.deadline + 1
    assert rig.fed[-1] <= 10_500 + 1_000 * stuck.deadline


@pytest.mark.requirement("F11", "I9")
def test_a_task_that_raises_is_not_checked_in():
    rig = Rig()

    def fails(late: int) -> None:
        raise MemoryError

    task: Any = rig.starting[1]
    task.run = fails
    with pytest.raises(MemoryError):
        rig.until(2_000)
    assert [task.checked_in for task in rig.starting] == [1, 0, 0]
    assert rig.fed == []


@pytest.mark.requirement("F11", "I7")
@given(st.integers(0, 40))
def test_a_busy_background_delays_no_frame(patience: int):
    rig = Rig(patience=patience)
    if patience == 0:  # it never waits: each turn takes it a millisecond
        rig.executive._background = lambda _: (setattr(rig.board, "now_ms", rig.board.now_ms + 1), 0)[1]
    rig.until(10_400)
    assert rig.times("dose") == [1_000 * n for n in range(1, 11)]
    assert all(ms <= max(patience, 1) for ms in rig.board.waited)


# -- a wrong bit, and a task that does nothing ------------------------------------------------------------------


@pytest.mark.requirement("F11", "R18", "R27", "I9")
@pytest.mark.parametrize("name", ["checked_in", "deadline", "every", "seal"])
@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("turns", range(5))
def test_a_wrong_bit_in_a_row_of_the_table_stops_the_feed_at_once(name: str, place: int, turns: int):
    """At the start or in the middle of a frame, whether the task is about to run or not."""
    for bit in range(BITS):
        rig = Rig(every=(4, 7))
        rig.until(12_100)
        for _ in range(turns):
            rig.executive.turn()
        task = rig.executive._all[place]
        setattr(task, name, flipped_bit(getattr(task, name), bit))
        fed = len(rig.fed)
        rig.until(rig.now() + 20_000)
        assert rig.supervisor.late is task
        assert rig.supervisor.ending == LATE
        assert len(rig.fed) == fed


@pytest.mark.requirement("F11", "R18", "R27", "I9")
@pytest.mark.parametrize("name", ["number", "_sealed"])
@pytest.mark.parametrize("turns", range(5))
def test_a_leap_of_the_frame_number_stops_the_feed_at_once(name: str, turns: int):
    for bit in range(BITS):
        rig = Rig(every=(4, 7))
        rig.until(12_100)
        for _ in range(turns):
            rig.executive.turn()
        setattr(rig.executive, name, flipped_bit(getattr(rig.executive, name), bit))
        fed = len(rig.fed)
        rig.until(rig.now() + 20_000)
        assert rig.supervisor.ending == LATE
        assert len(rig.fed) == fed


@pytest.mark.requirement("F11", "R18", "I9")
@pytest.mark.parametrize("frame", [7, 8, 12, 13])
def test_the_bounds_of_a_check_in(frame: int):
    """Between now and the deadline, both included: never in the future."""
    rig = Rig()
    task = Task("level", lambda late: None, every=2, deadline=4)
    task.check_in(8)
    rig.supervisor.supervise(frame, (task,))
    assert (rig.supervisor.ending == LATE) == (frame in (7, 13))


@pytest.mark.requirement("F11", "R27", "I9")
@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("answer", [None, True, TASKS.index("pulses")])
def test_only_a_task_that_came_to_its_own_end_is_checked_in(place: int, answer: int | None):
    """Neither one that does nothing, nor another that runs in its place."""
    rig = Rig()
    rig.until(12_100)
    task = rig.executive._all[place]
    task.run = lambda late: answer
    rig.until(30_000)
    assert rig.supervisor.late is task
    assert (LATE, task.number) in rig.stopped
    assert rig.fed[-1] <= 12_500 + 1_000 * task.deadline


@pytest.mark.requirement("F11", "R27", "I9")
@pytest.mark.parametrize("place", range(11))
def test_every_task_of_the_pump_is_missed_within_its_deadline_if_it_does_nothing(place: int):
    pump: Any = Pump().start().run(65)
    executive = pump.app._executive
    assert len(executive._all) == 11
    task = executive._all[place]
    assert all(executive.number - row.checked_in <= row.every for row in executive._all)  # each has come to its end
    task.run = lambda late: None
    began = executive.number
    with pytest.raises(Bite):
        pump.run(60)
    assert executive._supervisor.ending == LATE
    assert executive._supervisor.late is task
    assert executive.number - began <= task.deadline + 1


@pytest.mark.requirement("F11", "R27", "I9")
def test_a_task_with_nothing_to_do_or_whose_part_fails_has_come_to_its_end():
    """A pump that was never programmed; and one whose guard has tripped as its counter is dead, and whose EEPROM
    refuses what it is told."""
    Pump(snapshot=Snapshot([b"\xff" * PAGE] * PAGES, 0, (0, 0), 0, 0)).start().run(70)
    pump: Any = Pump().start().run(10)
    pump.counter.dead = True

    def refuse(*_: object) -> None:
        raise OSError

    pump.app.ledger.reserve = pump.app.ledger.close = refuse
    pump.app.board.rtc.temperature = refuse
    pump.app.wallclock.difference = lambda *_: None
    pump.run(70)
    assert pump.trips
    assert not pump.app._executive._supervisor.ending
