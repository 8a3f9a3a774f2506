"""Numbers of the ledger that are kept three times: no wrong bit of them is believed, or stored (F10, F11; R18)."""

from __future__ import annotations

import pytest
from ledger_rig import Running, after_power_cut, after_reset

from firmware import ledger
from firmware.ledger import Ledger
from thecal.faults import memory


def flip(book: Ledger, name: str, twin: int, bit: int) -> None:
    """A wrong bit in one of the three that are kept of a number."""
    kept = list(getattr(book, name))
    kept[twin] = memory.flipped_bit(kept[twin], bit)
    setattr(book, name, tuple(kept))


@pytest.mark.requirement("F10", "F11", "R18", "R34")
@pytest.mark.parametrize("state", [ledger.RUNNING, ledger.STOPPED, ledger.SAFE, ledger.PAUSED])
@pytest.mark.parametrize("name", ["state", "stop_day", "stop_second", "decided_min", "flags", "bolus"])
def test_no_wrong_bit_starts_or_stops_a_pump_or_moves_a_stop_or_a_turn(name: str, state: int):
    """Nor says that the pump was never calibrated or programmed, or what bolus was the newest. Nor is it stored; and
    none of what is about to be stored goes back to what was."""
    run = Running(25_000, 480_000)
    book = run.book
    book.close(run.cascade, 9_000, 43_200)
    book.state, book.stop_day, book.stop_second = state, 8_999, 43_000
    book.decided_min = 8_999 * 1_440 + 1_000
    book.flags, book.bolus = ledger.CALIBRATED | ledger.PROGRAMMED, 41
    kept = "state", "stop_day", "stop_second", "decided_min", "shift", "flags", "bolus"
    wanted = [getattr(book, one) for one in kept]
    for bit in range(memory.BITS):
        for twin in range(3):
            setattr(book, name, getattr(book, name))  # three that agree
            flip(book, "_" + name, twin, bit)
            assert [getattr(book, one) for one in kept] == wanted, (twin, bit)
            book.close(run.cascade, 9_000, 43_200)
            found = after_power_cut(run)
            assert (found.book.state, found.book.flags, found.book.bolus) == (state, 3, 41)


@pytest.mark.requirement("F10", "F11", "I2", "I3", "R18")
@pytest.mark.parametrize("twin", range(3))
def test_no_wrong_bit_behind_the_scratch_words_loses_or_adds_a_step(twin: int):
    """Both words would agree on a wrong total, and a reset believe it."""
    run = Running(25_000, 28_800_000)
    for bit in range(memory.BITS):
        run.frame()
        flip(run.book, "_low", twin, bit)
        run.frame()
        found = after_reset(run)
        assert (found.exact, found.steps) == (True, run.book.steps), bit
        run.record(force=True)


@pytest.mark.requirement("F10", "F11", "R18")
@pytest.mark.parametrize("shift", [0, 90_061, -3_600, 4_000_000_000])
def test_no_wrong_bit_moves_pump_time(shift: int):
    """Lockouts, limits and the end of service are reckoned in it."""
    run = Running(25_000, 480_000)
    run.book.shift = shift
    run.book.close(run.cascade, 9_000, 43_200)
    wanted = run.book.pump_time(9_000, 43_200)
    for bit in range(32):
        for twin in range(3):
            run.book.shift = shift
            flip(run.book, "_shift", twin, bit)
            assert run.book.pump_time(9_000, 43_200) == wanted, (twin, bit)
            run.book.close(run.cascade, 9_000, 43_200)
            assert run.book.pump_time(9_000, 43_200) == wanted, (twin, bit)
