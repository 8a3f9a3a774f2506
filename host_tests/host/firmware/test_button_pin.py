"""The DOSE button: no press is lost, however short, and no bounce is a press (F3; R38)."""

from __future__ import annotations

import pytest
from board_rig import BareBoard
from hypothesis import given
from hypothesis import strategies as st

STILL_MS = 1_000


def taken(edges: list[int], held: bool = False, every_ms: int = 1_000, end_ms: int = 60_000) -> int:
    """Presses that are taken once a second, when the button changes at these times; `held`: it is down at first."""
    rig = BareBoard()
    rig.bench.sensors.dose_button = held
    board = rig.start()
    for index, t_ms in enumerate(edges):
        rig.at_ms(t_ms, "dose_button", (index % 2 == 0) != held)
    presses = 0
    for t_ms in range(every_ms // 2, end_ms, every_ms):
        rig.until_ms(t_ms)
        presses += board.take_press()
    return presses


@pytest.mark.requirement("F3", "R38")
@pytest.mark.parametrize("lasting_ms", [1, 5, 50, 200, 999, 1_000, 1_001, 10_000])
def test_a_press_of_any_length_is_taken_once(lasting_ms: int) -> None:
    for at_ms in range(5_000, 6_000, 50):
        assert taken([at_ms, at_ms + lasting_ms], end_ms=20_000) == 1


@pytest.mark.requirement("F3", "R38")
def test_a_press_that_bounces_at_both_ends_is_one() -> None:
    ends = [0, 2, 3, 7, 11, 20]
    assert taken([*(5_000 + t for t in ends[:5]), *(5_400 + t for t in ends[:5])]) == 1
    # Held for so long that its end is far from its begin: what bounces there is no press.
    assert taken([*(5_000 + t for t in ends[:5]), *(15_000 + t for t in ends[:5])]) == 1


@pytest.mark.requirement("F3", "R38")
@pytest.mark.parametrize(("pause_ms", "presses"), [(1, 1), (500, 1), (999, 1), (1_000, 2), (1_001, 2), (5_000, 2)])
def test_presses_less_than_a_second_apart_are_one(pause_ms: int, presses: int) -> None:
    assert taken([5_000, 5_200, 5_200 + pause_ms, 5_400 + pause_ms]) == presses


@pytest.mark.requirement("F3", "R38")
def test_a_button_that_is_held_at_the_start_is_no_press_and_counts_once_it_was_let_go() -> None:
    assert taken([], held=True) == 0
    assert taken([10_000], held=True) == 0
    assert taken([10_000, 10_003, 10_005], held=True) == 0
    assert taken([10_000, 12_000, 12_050], held=True) == 1
    assert taken([0, 500, 600], held=True) == 0  # pressed again within a second


@pytest.mark.requirement("F3", "R38")
def test_a_press_right_after_the_start_counts() -> None:
    for at_ms in (0, 1, 10, 700):
        assert taken([at_ms, at_ms + 50]) == 1


@pytest.mark.requirement("F3", "R38")
@given(st.lists(st.integers(1, 2_500), max_size=30), st.booleans())
def test_a_press_is_an_edge_of_a_button_that_was_up_and_still_for_a_second(gaps: list[int], held: bool) -> None:
    edges = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    expected = 0
    down, last = held, -STILL_MS
    for edge in edges:
        expected += not down and edge - last >= STILL_MS
        down, last = not down, edge
    assert taken(edges, held, end_ms=80_000) == expected


@pytest.mark.requirement("F3", "R38")
def test_a_press_after_days_without_one_counts_though_ticks_have_wrapped() -> None:
    """ticks_ms differences hold for 6 days only: between 6 and 12 days they have the wrong sign."""
    rig = BareBoard()
    board = rig.start()
    pressed = 0
    at_ms = 0
    for days in (0.1, 7, 9, 13):
        at_ms += round(days * 86_400_000)
        rig.at_ms(at_ms, "dose_button", True)
        rig.at_ms(at_ms + 50, "dose_button", False)
        for t_ms in range(at_ms - 86_400_000, at_ms, 3_600_000):
            if t_ms > rig.world.now_ns // 1_000_000:
                rig.until_ms(t_ms)
                assert not board.take_press()
        rig.until_ms(at_ms + 400)
        pressed += board.take_press()
        rig.until_ms(at_ms + 2_000)
        assert not board.take_press()
    assert pressed == 4


@pytest.mark.requirement("F9", "F6", "F11")
def test_voltages_come_in_whole_millivolts_never_above_the_truth_and_within_a_count() -> None:
    rig = BareBoard()
    board = rig.start()
    for battery_mv in range(0, 6_600, 7):
        rig.bench.sensors.battery_mv = battery_mv
        read = board.millivolts(rig.module.BATTERY)
        assert battery_mv / 2 - 2 < read <= battery_mv / 2
    assert board.millivolts(board.LEVEL) == 2_699
    assert board.millivolts(board.PRESSURE) == 499
    rig.bench.sensors.battery_mv = 100_000
    assert board.millivolts(board.BATTERY) == 3_299


@pytest.mark.requirement("F3")
def test_buzzer_and_led_are_on_record() -> None:
    rig = BareBoard()
    board = rig.start()
    for t_ms, hz, lit in ((100, 2_000, True), (1_100, 500, True), (2_100, 0, False), (3_000, 0, False)):
        rig.until_ms(t_ms)
        board.sound(hz)
        board.led(lit)
    ms = 1_000_000
    assert rig.bench.signals.sounds == [(100 * ms, 2_000), (1_100 * ms, 500), (2_100 * ms, 0)]
    assert rig.bench.signals.lights == [(100 * ms, True), (2_100 * ms, False)]
