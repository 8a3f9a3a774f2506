"""lib/watchdog.py: which starts count as those that nobody ordered (F11; I10)."""

from __future__ import annotations

import pytest
from board_rig import BareBoard

from firmware import resets
from thecal.programming import firmware


@pytest.mark.requirement("F11", "I10")
@pytest.mark.parametrize("ending", resets.ENDINGS)
def test_a_start_that_a_bite_was_due_before_is_counted_though_the_watchdog_is_dead(ending: str) -> None:
    """late, too_fast and too_slow end by a bite; should none come, the processor restarts itself. So it does after an
    exception."""
    rig = BareBoard()
    watchdog = firmware("board").watchdog
    rig.start()
    watchdog.booked()
    watchdog.note(resets.ENDINGS.index(ending), 5)
    rig.world.scratch[4] = 0
    rig.world.cause = "commanded"
    watchdog.arm()
    assert watchdog.unbooked() == (ending in ("late", "too_fast", "too_slow", "exception"))
