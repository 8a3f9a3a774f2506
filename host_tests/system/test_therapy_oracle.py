"""Whole lives of a pump on the twin against the independent oracle: which boluses are given, denied, skipped, suspended
and cancelled, to the second, and the volume delivered at every step (F2, F3; R04-R09; D(t) <= E(t))."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import Phase, given, settings
from support import on_twin
from therapy_oracle_check import check_delivery, check_log, check_totals
from therapy_oracle_replay import Act, Case, replay
from therapy_oracle_rules import Patient, Rx, Scheduled
from therapy_oracle_strategies import lives

EXAMPLES = int(os.environ.get("THERAPY_EXAMPLES", "10"))  # a few hundred find more, and take minutes
DAYS = int(os.environ.get("THERAPY_DAYS", "3"))
WEEKS = int(os.environ.get("THERAPY_LONG_EXAMPLES", "1"))


def check(case: Case) -> None:
    """Everything the oracle knows of this case."""
    plan = case.scenario()
    result = on_twin(plan)
    oracle = replay(case, plan, result)
    check_log(oracle, result)
    check_delivery(case, oracle, result)
    check_totals(case, oracle, result)


@pytest.mark.requirement("F2", "F3", "R04", "R05", "R07", "R08", "R09", "I1", "I6")
@settings(max_examples=EXAMPLES, phases=(Phase.explicit, Phase.reuse, Phase.generate))  # shrinking takes hours
@given(case=lives(most_days=DAYS))
def test_a_pump_gives_exactly_what_the_oracle_says_whatever_is_done_to_it(case: Case):
    check(case)


@pytest.mark.requirement("F2", "F3", "R08", "R09", "I1", "I6")
@settings(max_examples=WEEKS, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(case=lives(most_days=21, least_days=21))
def test_so_it_is_over_three_weeks(case: Case):
    check(case)


ONE = Rx(basal=240_000, scheduled=(Scheduled(0x7F, 10, 1_000, 60),))
LIMITED = Rx(basal=240_000, scheduled=ONE.scheduled, max_per_hour=11_000)
TWO = Rx(basal=240_000, scheduled=(*ONE.scheduled, Scheduled(0x7F, 11, 2_000, 60)))
HOURLY = Rx(scheduled=tuple(Scheduled(0x7F, 60 * hour, 1_000, 60) for hour in range(24)))
UNDER_LIMIT = Act(100, "order", 500, 10)  # leaves too little for the bolus of 00:10
BACK = Act(700, "clock", seconds=-300)


@pytest.mark.requirement("F3", "R08", "I6")
@pytest.mark.parametrize(
    ("rx", "acts"),
    [
        (ONE, (Act(590, "stop"), Act(620, "resume"), BACK)),
        (ONE, (Act(590, "cut", seconds=20), BACK)),
        (ONE, (Act(590, "cut", seconds=20), BACK, Act(720, "cut", seconds=5))),
        (ONE, (Act(500, "clock", seconds=300), Act(700, "clock", seconds=-600))),
        (ONE, (Act(700, "cut", seconds=2), Act(800, "clock", seconds=-600), Act(820, "cut", seconds=2))),
        (LIMITED, (UNDER_LIMIT, BACK)),
        (LIMITED, (UNDER_LIMIT, Act(3_800, "clock", seconds=-3_600))),
        (LIMITED, (UNDER_LIMIT, Act(700, "cut", seconds=20), Act(3_800, "clock", seconds=-3_600))),
        (TWO, (Act(500, "order", 1_000, 3_600), Act(800, "cut", seconds=2))),
        (TWO, (Act(500, "order", 1_000, 3_600), Act(800, "cancel"), Act(820, "cut", seconds=2))),
        (TWO, (Act(500, "order", 1_000, 3_600), Act(3_000, "cut", seconds=2))),
        (
            Rx(scheduled=ONE.scheduled, max_per_hour=1_000),
            (UNDER_LIMIT, Act(1_600, "cut", seconds=84)),
        ),
        (ONE, (Act(70, "stop"), Act(2_000, "cut", seconds=20))),
        (
            HOURLY,
            (Act(600, "clock", seconds=50 * 3_600), Act(700, "clock", seconds=-49 * 3_600), Act(800, "cut", seconds=5)),
        ),
        (ONE, (Act(650, "program", rx=replace(ONE, basal=250_000)), Act(700, "clock", seconds=-300))),
        (ONE, (Act(650, "program", rx=ONE), Act(700, "clock", seconds=-300), Act(720, "cut", seconds=5))),
        (replace(ONE, patient=Patient(1_000, 60, 60, 6)), (Act(658, "press"), Act(680, "cancel"))),
        (replace(ONE, patient=Patient(1_000, 60, 60, 6)), (Act(657, "press"), Act(680, "cancel"))),
    ],
)
def test_a_scheduled_bolus_is_given_or_skipped_once_and_that_is_final(rx: Rx, acts: tuple[Act, ...]):
    check(Case(rx, datetime(2026, 3, 2), 7_200, acts))
