"""The guard's own reckoning of boluses, and of what has flowed against the highest flow and the rolling limits."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from firmware.guard_flow import Boluses, Flow

PATIENT, CLINICIAN, SCHEDULED, PRIME = range(4)


@pytest.mark.requirement("F11", "F3", "R05")
def test_a_bolus_set_aside_flows_on_after_the_other_and_each_gives_its_whole_dose():
    flows = Boluses()
    flows.begin(CLINICIAN, 1_000, 7, 0)
    given = [flows.second(True)]
    given += [flows.second(True) for _ in range(3)]
    flows.begin(PATIENT, 10, 3, 1)
    for _ in range(1 + 3 + 3):
        assert flows.flow
        given.append(flows.second(True))
    assert not flows.flow
    floors = [1_000_000 * second // 7 for second in range(8)]
    first = [later - before for before, later in pairwise(floors)]
    assert given == [0, *first[:3], first[3], 3_333, 3_333, 3_334, *first[4:]]
    assert flows.prime_pl == 0
    flows.begin(PRIME, 1_000, 2, 0)
    assert [flows.second(True), flows.second(False), flows.second(True)] == [0, 0, 500_000]
    assert flows.prime_pl == 500_000
    assert [flows.primed(5, 25_000), flows.primed(30, 25_000), flows.primed(1, 25_000)] == [5, 15, 0]


@pytest.mark.requirement("F11", "F3")
def test_a_bolus_that_ends_in_the_second_in_which_it_is_set_aside_is_over():
    flows = Boluses()
    flows.begin(CLINICIAN, 10, 1, 0)
    assert flows.second(True) == 0
    flows.begin(PATIENT, 20, 2, 1)
    assert [flows.second(True) for _ in range(3)] == [10_000, 10_000, 10_000]
    assert not flows.flow


@pytest.mark.requirement("F11", "R17")
@pytest.mark.parametrize("pl", [1_000, 25_000, 1_000_000])
@pytest.mark.parametrize("rate", [6_000, 480_000, 28_800_000])
@pytest.mark.parametrize("span", [1, 60, 3_600])
def test_no_span_of_time_has_more_than_the_highest_flow_and_what_may_be_behind(pl: int, rate: int, span: int):
    step = pl * 432
    behind = 7 * (rate * 5 // step + 1) + 1
    flow = Flow()
    flow.scale(step, rate)
    made = 0
    for second in range(span):
        due = rate * 5 * second // step
        assert not flow.add((due - made) * step, due - made, 1)
        made = due
    a_second = rate * 5 // step + 1
    assert not flow.add((behind - a_second - 1) * step, 0, 0)
    assert flow.add((a_second + 2) * step, 0, 0) == 5


@pytest.mark.requirement("F11", "R08", "I6")
@pytest.mark.parametrize(("hour", "window", "slot"), [(True, 58 * 60, 60), (False, 94 * 900, 900)])
def test_a_window_holds_what_flowed_in_it_and_lets_go_of_what_is_older(hour: bool, window: int, slot: int):
    random = Random(7)
    flow = Flow()
    flow.scale(25_000 * 432, 28_800_000)
    flow.limit(100_000 if hour else 0, 0 if hour else 100_000, 25_000, 3)
    made: list[tuple[int, int]] = [(0, -3)]
    now = 0
    for _ in range(3_000):
        seconds = random.choice((1, 1, 2, 7, slot // 3))
        now += seconds
        steps = random.randint(0, 30)
        checks = flow.add(0, steps, seconds)
        made.append((now - seconds, steps))
        least = sum(count for at, count in made if at > now - window)
        most = sum(count for at, count in made if at > now - window - 2 * slot)
        if checks:
            assert most > 4_002
            break
        assert least <= 4_002
    else:
        pytest.fail("it never reached its limit")


@pytest.mark.requirement("F11")
def test_nothing_is_limited_without_limits():
    flow = Flow()
    flow.scale(25_000 * 432, 28_800_000)
    flow.limit(0, 0, 25_000, 0)
    assert not any(flow.add(0, 1_000, 1) for _ in range(1_000))


@pytest.mark.requirement("F11", "R08", "I6")
@pytest.mark.parametrize(("hour_nl", "day_nl", "check"), [(1, 0, 6), (0, 1, 7), (1, 1, 6)])
def test_the_smallest_limit_is_one(hour_nl: int, day_nl: int, check: int):
    flow = Flow()
    flow.scale(25_000 * 432, 28_800_000)
    flow.limit(hour_nl, day_nl, 25_000, 0)
    assert flow.add(0, 2, 1) == 0  # of rounding
    assert flow.add(0, 1, 1) == check


@pytest.mark.requirement("F11", "R17")
def test_another_calibration_empties_the_bucket_wholly():
    step = 25_000 * 432
    flow = Flow()
    for _ in range(2):
        flow.scale(step, 28_800_000)
        brim = (7 * (28_800_000 * 5 // step + 1) + 1) * step
        assert flow.add(brim, 0, 0) == 0
    assert flow.add(1, 0, 0) == 5


@pytest.mark.requirement("F11", "R08")
@pytest.mark.parametrize(("hour", "slots", "slot_s"), [(True, 59, 60), (False, 95, 900)])
def test_what_was_owed_leaves_the_window_with_its_first_slot(hour: bool, slots: int, slot_s: int):
    flow = Flow()
    flow.scale(25_000 * 432, 28_800_000)
    flow.limit(1_000_000 if hour else 0, 0 if hour else 1_000_000, 25_000, 3)
    window = flow._hour if hour else flow._day
    for _ in range(slots - 1):
        assert not flow.add(0, 0, slot_s)
        assert window.total == -3
    assert not flow.add(0, 0, slot_s)
    assert window.total == 0


@pytest.mark.requirement("F11", "R08", "I6")
@pytest.mark.parametrize(("hour", "slots", "slot_s"), [(True, 59, 60), (False, 95, 900)])
def test_windows_that_begin_anew_have_forgotten_every_slot(hour: bool, slots: int, slot_s: int):
    flow = Flow()
    flow.scale(25_000 * 432, 28_800_000)
    limits = (1_000, 0) if hour else (0, 1_000)
    flow.limit(*limits, 25_000, 0)
    window = flow._hour if hour else flow._day
    for _ in range(20):
        assert not flow.add(0, 2, slot_s)
    flow.limit(*limits, 25_000, 0)
    assert window.total == 0
    for _ in range(slots):
        assert not flow.add(0, 0, slot_s)
        assert window.total == 0
    assert not flow.add(0, 42, 1)


@pytest.mark.requirement("F11", "F3")
@pytest.mark.parametrize("passed", range(5))
def test_a_bolus_that_another_follows_gives_its_last_second_and_a_cancelled_one_nothing(passed: int):
    """The first lasts for five seconds; a second before its end it is about to end by itself, else it was cancelled."""
    flows = Boluses()
    flows.begin(CLINICIAN, 10, 5, 0)
    assert [flows.second(True) for _ in range(1 + passed)] == [0] + [2_000] * passed
    flows.begin(PATIENT, 20, 2, 0)
    assert [flows.second(True) for _ in range(3)] == [2_000 if passed == 4 else 0, 10_000, 10_000]
    assert not flows.flow


@pytest.mark.requirement("F11", "R08")
@pytest.mark.parametrize(("hour", "slots", "slot_s"), [(True, 59, 60), (False, 95, 900)])
def test_windows_that_begin_anew_in_the_middle_of_a_slot_begin_a_whole_one(hour: bool, slots: int, slot_s: int):
    flow = Flow()
    flow.scale(25_000 * 432, 28_800_000)
    limits = (1_000_000, 0) if hour else (0, 1_000_000)
    flow.limit(*limits, 25_000, 0)
    window = flow._hour if hour else flow._day
    for _ in range(7):
        assert not flow.add(0, 2, slot_s // 2)
    flow.limit(*limits, 25_000, 3)
    for _ in range(slots * slot_s - 1):
        assert not flow.add(0, 0, 1)
    assert window.total == -3
    assert not flow.add(0, 0, 1)
    assert window.total == 0


@pytest.mark.requirement("F11", "F3")
def test_a_bolus_without_a_duration_takes_a_second():
    flows = Boluses()
    flows.begin(CLINICIAN, 10, 0, 0)
    assert [flows.second(True), flows.second(True)] == [0, 10_000]
    assert not flows.flow
