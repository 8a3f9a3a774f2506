"""The oracle of the therapy itself, against cases reckoned by hand."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

import pytest
from therapy_oracle import Oracle
from therapy_oracle_rules import DAY, HOUR, Patient, Period, Rx, Scheduled, least_limit, local_of, worst_case
from therapy_oracle_types import Entry, Flow, Limits

pytestmark = pytest.mark.requirement("F3")

MONDAY = local_of(datetime(2026, 3, 2))
MIN = 60


def oracle(rx: Rx, **pump: int) -> Oracle:
    made = Oracle(rx, MONDAY, Limits(**pump))
    made.tell_started(2)
    return made


def boluses(made: Oracle) -> list[tuple[int, str]]:
    made.advance(made.now + 1)
    return [(entry.second, str(entry.details[0])) for entry in made.log if entry.code == "bolus"]


def test_local_seconds_begin_on_a_monday():
    assert MONDAY % (7 * DAY) == 0


def test_a_scheduled_bolus_begins_with_its_second_and_ends_after_its_time():
    made = oracle(Rx(basal=86_400, scheduled=(Scheduled(0x7F, 10, 600, 60),)))
    made.end(2 * DAY)
    assert made.flows == [Flow(600, 660, 600, 60), Flow(DAY + 600, DAY + 660, 600, 60)]
    assert [span[:2] for span in made.basal] == [(2, 2 * DAY)]


def test_a_patient_bolus_suspends_a_scheduled_one_without_a_gap():
    made = oracle(Rx(basal=0, scheduled=(Scheduled(1, 10, 600, 600),), patient=Patient(50, 100, 200, 3)))
    made.press(699)
    made.end(HOUR)
    assert made.flows == [Flow(600, 700, 600, 600), Flow(700, 800, 50, 100), Flow(800, 1300, 600, 600)]
    assert made.log == [
        Entry(600, "bolus", ("scheduled", 600, 600)),
        Entry(700, "bolus_suspended", ("scheduled", Fraction(500))),
        Entry(700, "bolus", ("patient", 50, 100)),
        Entry(800, "bolus_end", ("patient", "done", Fraction(50))),
        Entry(800, "bolus_resumed", ("scheduled", Fraction(500))),
        Entry(1300, "bolus_end", ("scheduled", "done", Fraction(600))),
    ]


def test_lockout_and_daily_maximum_count_from_start_to_start():
    made = oracle(Rx(patient=Patient(1, 10, 100, 2)))
    for second in (99, 198, 199, 500, DAY + 98, DAY + 99):
        made.press(second)
    assert boluses(made) == [(100, "patient"), (200, "patient"), (DAY + 100, "patient")]
    assert [reasons for _, reasons in made.refused] == [{"lockout"}, {"max_boluses"}, {"max_boluses"}]


def test_the_window_holds_a_bolus_until_its_last_part_has_left_it():
    made = oracle(Rx(basal=2_400, max_per_hour=100 + 30))
    made.order(99, 20, 10)  # 100 to 110
    made.order(109 + HOUR - 1, 11, 10)  # its start 3709: 110 is still after 109
    made.order(109 + HOUR, 11, 10)
    assert boluses(made) == [(100, "clinician"), (110 + HOUR, "clinician")]


def test_a_scheduled_bolus_waits_and_is_skipped_when_30_min_late():
    for first, second_one, skipped in (
        (1_798, [Flow(2399, 2409, 7, 10)], [(2400, 2)]),
        (1_799, [], [(2399, 1), (2399, 2)]),
    ):
        made = oracle(Rx(scheduled=(Scheduled(1, 10, 6, first), Scheduled(1, 10, 7, 10), Scheduled(1, 10, 8, 5))))
        made.end(3 * HOUR)
        assert made.flows == [Flow(600, 600 + first, 6, first), *second_one]
        late = [entry for entry in made.log if entry.code == "bolus_skipped"]
        assert [(entry.second, entry.details[0]) for entry in late] == skipped
        assert {entry.details[1:] for entry in late} == {(MONDAY // DAY, "late")}


def test_a_stop_cancels_all_and_what_is_due_then_is_skipped():
    rx = Rx(basal=100, scheduled=(Scheduled(1, 10, 600, 600), Scheduled(1, 11, 1, 1), Scheduled(1, 20, 2, 1)))
    made = oracle(rx)
    made.stop(700)
    made.resume(1300)
    made.end(HOUR)
    assert made.flows == [Flow(600, 700, 600, 600)]
    assert [(span.begin, span.end) for span in made.basal] == [(2, 700), (1301, HOUR)]
    assert [entry.details[:2] for entry in made.log if entry.code == "bolus_skipped"] == [
        (1, MONDAY // DAY),
        (2, MONDAY // DAY),
    ]


def test_the_clock_set_back_gives_nothing_twice_and_forward_skips():
    made = oracle(Rx(scheduled=(Scheduled(0x7F, 10, 60, 10), Scheduled(0x7F, 60, 60, 10))))
    made.set_clock(700, -400)
    made.set_clock(900, 4_000)
    made.end(5 * HOUR)
    assert boluses(made) == [(600, "scheduled")]
    assert [entry.details for entry in made.log if entry.code == "bolus_skipped"] == [(1, MONDAY // DAY, "clock")]


def test_a_power_cut_counts_the_whole_dose_until_its_planned_end():
    made = oracle(Rx(max_per_hour=10))
    made.order(99, 10, 100)
    made.power_cut(110)
    made.tell_started(120)
    made.order(198 + HOUR, 10, 1)
    made.order(199 + HOUR, 10, 1)
    assert boluses(made) == [(100, "clinician"), (200 + HOUR, "clinician")]


def test_periods_cross_midnight_and_the_end_of_the_week():
    rx = Rx(mode="flex", basal=5, periods=(Period(1 << 6, 1_430, 10, 7),))
    assert [rx.rate_at(s, 0) for s in (0, 599, 600, 7 * DAY - 600, 7 * DAY - 601)] == [7, 7, 5, 7, 5]


def test_the_worst_hour_of_overlapping_and_weekly_boluses():
    assert worst_case((Scheduled(1, 0, 5, HOUR), Scheduled(1 << 6, 1_439, 7, 60)), HOUR) == 12
    assert worst_case((Scheduled(1, 0, 5, 60), Scheduled(1, 61, 7, 60)), HOUR) == 7
    assert worst_case((Scheduled(1, 0, 5, 61), Scheduled(1, 61, 7, 60)), HOUR) == 12
    assert least_limit(Rx(basal=25, scheduled=(Scheduled(1, 0, 5, HOUR),)), HOUR) == 2 + 5
