"""The third start that nobody ordered, and a power cut in it, at any write: what counts is latched (F11; R27; I10)."""

from __future__ import annotations

import pytest
from guard_rig import Pump

from thecal.powercut.snapshot import Cut, Snapshot

pytestmark = pytest.mark.requirement("F11", "R27", "I10")


def bitten_twice() -> Snapshot:
    """A pump that was bitten twice, and is bitten the third time now."""
    pump = Pump({"basal": "480 uL/day"}).start().run(20)
    for _ in range(2):
        pump = Pump(snapshot=pump.board.bitten()).start().run(20)
    return pump.board.bitten()


def started(snapshot: Snapshot, cut_at: int) -> tuple[Pump, bool]:
    """A start of it, and whether the supply failed in its write of this number."""
    pump = Pump(snapshot=snapshot)
    pump.board.eeprom.cut_at = cut_at
    try:
        pump.start().run(3)
    except Cut:
        return pump, True
    return pump, False


def test_a_bite_that_is_counted_is_latched_wherever_the_third_start_is_cut() -> None:
    """A cut before it is counted loses it (docs/SAFETY.md); one later must not lose the latch."""
    third = bitten_twice()
    plain, _ = started(third, -1)
    assert plain.active == ["reset_loop"]
    writes = plain.board.eeprom.writes
    outcomes: list[tuple[bool, bool]] = []
    for number in range(writes):
        pump, was_cut = started(third, number)
        assert was_cut
        again, _ = started(pump.off(), -1)
        counted = again.app.records.counters.watchdog_resets == 3
        outcomes.append((counted, again.active == ["reset_loop"]))
        assert again.active in ([], ["reset_loop"])
    assert all(latched for counted, latched in outcomes if counted)
    assert {counted for counted, _ in outcomes} == {False, True}  # the cuts reach to both sides of it
