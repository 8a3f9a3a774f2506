"""Rotor indices against steps, on the motor's model: any phase, any losses, any way of stopping (F11; I8, R15, R19)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from motion_rig import PL, WRAP, Watched

from firmware.dosing import HELD, OFF, ON

pytestmark = pytest.mark.requirement("F11", "R18")
sizes = st.sampled_from([1, 2, 3, 7, 20, 200])


seconds = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=60)


@given(sizes, st.integers(0, 199), seconds, st.sampled_from([0, WRAP - 30]))
def test_a_stall_is_found_between_one_and_two_indices_of_lost_steps(
    size: int, phase: int, course: list[tuple[int, int]], ahead: int
) -> None:
    """Lost bit by bit, or all at once at the end. What one second brings is seen at its end: so much later at most."""
    watched = Watched(size, phase % size, ahead)
    lost = slipped = 0
    found: list[str] = []
    for steps, slipped in [*course, *([(0, 3)] * (size + 20))]:
        lost += slipped
        found = watched.second(steps, slipped)
        if found:
            break
    assert found == ["stall"]
    assert size < lost <= 2 * size + 2 * 43
    if lost <= 2 * size:
        return
    assert lost - slipped <= 2 * size + max(steps + slipped for steps, slipped in course)


@given(sizes, st.integers(0, 199), st.integers(0, 199))
def test_a_motor_that_stands_still_costs_two_indices_of_steps_at_most(size: int, phase: int, before: int) -> None:
    """Step by step, as at low rates: never more than two indices of steps are lost, from whatever phase."""
    watched = Watched(size, phase % size)
    for _ in range(before):
        assert watched.second(1) == []
    lost = 1
    while not watched.second(0, 1):
        lost += 1
    assert size < lost <= 2 * size
    ((code, found), (_, missed)) = watched.logged
    assert code == "stall"
    assert found["volume_nl"] == found["steps"] * PL // 1_000 == missed["volume_nl"] == watched.book.missed_nl
    assert lost <= found["steps"] == 2 * size


@given(sizes, st.integers(0, 199), st.lists(st.integers(0, 333), max_size=80), st.integers(0, 200))
def test_no_motor_that_follows_is_ever_in_doubt(size: int, phase: int, course: list[int], stop_at: int) -> None:
    """Whatever phase, rate and stop: a stop by a fault in the middle of a train, whose rest nothing follows, too."""
    watched = Watched(size, phase % size)
    for index, steps in enumerate(course):
        if index == stop_at % (len(course) + 1):
            watched.motor.steps_at(0, 1, steps)
            watched.mode(HELD if stop_at % 2 else OFF)
            for _ in range(3):
                watched.motor.steps_at(0, 1, 333)
                assert watched.frame() == []
            watched.motor.steps_at(0, 1, 333)
            watched.mode(ON)
        assert watched.second(steps) == []
    assert watched.logged == []


@pytest.mark.requirement("R19")
@given(sizes, st.integers(0, 199), st.lists(st.integers(0, 40), max_size=30), st.sampled_from([ON, OFF, HELD]))
def test_motion_without_steps_is_found_within_three_indices(
    size: int, phase: int, course: list[int], mode: int
) -> None:
    """Powered or not. Two indices are two revolutions too many; one more may have gone into a step that was due."""
    watched = Watched(size, phase % size)
    for steps in course:
        assert watched.second(steps) == []
    watched.mode(mode)
    assert watched.frame() == []
    turns = 0
    found: list[str] = []
    while not found:
        turns += 1
        watched.extra += 1
        found = watched.frame()
    assert found == ["guard"]
    assert turns <= 3
    assert turns >= 2
    ((code, fields),) = watched.logged
    assert code == "free_motion"
    assert fields["steps"] >= 2 * size


def test_the_operator_clears_a_stall_and_the_watch_begins_anew() -> None:
    watched = Watched(20)
    assert watched.second(0, 40) == ["stall"]
    watched.frame()
    assert watched.alarms.clear() == []
    watched.mode(ON)
    assert watched.frame() == []
    assert watched.second(0, 39) == []
    assert watched.second(0, 1) == ["stall"]


@pytest.mark.requirement("I8")
def test_a_driver_fault_is_seen_in_the_frame_and_gone_with_its_cause() -> None:
    watched = Watched(20)
    watched.fault = True
    assert watched.frame() == ["driver_fault"]
    assert watched.alarms.clear() == ["driver_fault"]
    watched.fault = False
    watched.frame()
    assert watched.alarms.clear() == []


def test_another_calibration_begins_the_balance_anew_and_without_one_only_the_driver_is_watched() -> None:
    watched = Watched(20)
    assert watched.second(0, 39) == []
    watched.app.records.calibration.steps_per_index = 10
    assert watched.second(0, 1) == []
    assert watched.second(0, 19) == []
    assert watched.second(0, 1) == ["stall"]
    bare = Watched(20)
    bare.app.records.calibration = None
    bare.fault = True
    assert bare.second(0, 100) == ["driver_fault"]


def test_a_pulse_counter_that_does_not_answer_is_the_guards_and_the_watch_begins_anew() -> None:
    watched = Watched(20)
    assert watched.second(0, 39) == []
    watched.dead = True
    assert watched.second(0, 39) == []  # the guard has cut DRIVE: test_guard_watch.py
    watched.dead = False
    assert watched.second(0, 39) == []
    assert watched.second(0, 39) == []
    assert watched.second(0, 1) == ["stall"]
    assert watched.logged[0][1]["steps"] == 40
