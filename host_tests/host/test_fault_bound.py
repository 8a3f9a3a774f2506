"""The bound of the fault campaign: what comes at once may be disclosed, what goes on is not."""

from __future__ import annotations

import pytest
from fault_controls import basal

from thecal.faults import disclosed, excess, verdict
from thecal.faults.pump import Run
from thecal.powercut.snapshot import S

pytestmark = pytest.mark.requirement("F11", "R17", "R18", "R42")


@pytest.mark.parametrize("most", [disclosed.sums, disclosed.word])
def test_what_the_guard_must_have_found_does_not_go_on(most: disclosed.Steps) -> None:
    """A stray command word is one word: the same steps in more than a period are none."""
    life = basal(480_000)
    reference, seen = Run(life).lead(), Run(life).lead()
    usual = seen.trains
    seen.trains = sorted([*usual, (100 * S + 7, 20_000, 50)])
    assert verdict.judge(life, reference, seen, 0, most).kind == verdict.UNDETECTED
    seen.trains = sorted([*usual, (100 * S + 7, 200_000, 50)])
    found = verdict.judge(life, reference, seen, 0, most)
    assert found.kind == verdict.UNSAFE
    assert "when it is found" in found.why
    assert verdict.judge(life, reference, seen, 0, disclosed.leap).why != found.why


def test_the_excess_since_a_time_leaves_out_what_was_before() -> None:
    life = basal(480_000)
    trains = [(10 * S, S, 20), (50 * S, 1, 3)]
    assert excess.excess_pl(life, trains, 60 * S) > 20 * life.size_pl - life.demanded_pl(30 * S)
    assert excess.excess_pl(life, trains, 60 * S, 29 * S) <= 3 * life.size_pl
    assert excess.excess_pl(life, trains, 60 * S, 50 * S) == 3 * life.size_pl
    assert excess.excess_pl(life, trains, 60 * S, 51 * S) == 0
