"""Whole lives of a pump on the twin against the independent oracle: which boluses are given, denied, skipped, suspended
and cancelled, to the second, and the volume delivered at every step (F2, F3; R04-R09; D(t) <= E(t))."""

from __future__ import annotations

import os

import pytest
from hypothesis import Phase, given, settings
from support import on_twin
from therapy_oracle_check import check_delivery, check_log, check_totals
from therapy_oracle_replay import Case, replay
from therapy_oracle_strategies import lives

EXAMPLES = int(os.environ.get("THERAPY_EXAMPLES", "30"))  # a few hundred find more, and take minutes
DAYS = int(os.environ.get("THERAPY_DAYS", "3"))


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
