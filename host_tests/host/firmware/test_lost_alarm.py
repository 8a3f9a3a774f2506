"""A pump in whose RAM an active alarm gets lost, or comes from nowhere (F11; R26, R28)."""

from __future__ import annotations

import pytest
from guard_rig import Pump

from firmware import alarms, ledger
from firmware.alarms import SELF_TEST_FAILED, STALL
from firmware.selftest import RAM

COPIES = ["active", "_ended", "present", "_absent"]


def flip(pump: Pump, name: str, alarm: int) -> None:
    setattr(pump.app.alarms, name, getattr(pump.app.alarms, name) ^ 1 << alarm)


def stalled() -> tuple[Pump, list[int]]:
    """A pump that an alarm has stopped, and what it will sound."""
    pump = Pump().start().run(5)
    pump.app.alarms.raise_(STALL)
    pump.app.alarms.gone(STALL)
    pump.run(30)
    heard: list[int] = []
    pump.board.sound = heard.append
    assert pump.app.ledger.state == ledger.SAFE
    return pump, heard


@pytest.mark.requirement("F11", "I8", "R26", "R28")
@pytest.mark.parametrize("name", COPIES)
def test_a_pump_that_an_alarm_has_stopped_says_so_still(name: str) -> None:
    """And after a reset it still does; the operator then ends both alarms."""
    pump, heard = stalled()
    flip(pump, name, STALL)
    pump.run(6)
    assert pump.active == ["stall", "self_test_failed"]
    assert heard == [1_000, 1_500, 1_000, 0]
    assert pump.app.selftest.failed == RAM
    assert pump.app.ledger.alarms == 1 << STALL | 1 << SELF_TEST_FAILED
    assert pump.app.ledger.state == ledger.SAFE
    assert "stays: self_test_failed" in pump.say("clear")
    again = Pump(snapshot=pump.off()).start().run(5)
    assert "self_test_failed" in again.active
    assert "stays" not in again.say("clear")
    assert again.active == []
    assert "ok" in again.say("resume")
    again.run(5)
    assert again.app.ledger.state == ledger.RUNNING


@pytest.mark.requirement("F11", "I8", "R26")
@pytest.mark.parametrize("name", COPIES)
def test_a_running_pump_stops_within_two_seconds(name: str) -> None:
    pump = Pump().start().run(20)
    flip(pump, name, alarms.OTHER_PUMP)
    pump.run(2)
    assert "self_test_failed" in pump.active
    assert pump.app.ledger.state == ledger.SAFE
    steps = pump.steps
    pump.run(60)
    assert pump.steps == steps


@pytest.mark.requirement("F11", "R28")
def test_a_pump_that_the_operator_has_cleared_is_no_fault() -> None:
    pump, heard = stalled()
    assert "ok" in pump.say("clear")
    pump.run(700)
    assert pump.app.ledger.state == ledger.SAFE
    assert pump.active == []
    assert heard == []
