"""Why a pump has started, the reset loop, and the proof that the watchdog bites: each branch of resets.py, on the fast
board (F11; R27; I10). Whole lives with resets are in system/test_reset_causes.py and system/test_watchdog_proof.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from guard_rig import Pump

from firmware import resets, version
from firmware.counters import Counters
from firmware.retirement import Retired
from firmware.version import FIRMWARE
from thecal.powercut.snapshot import PAGE, PAGES, Bite, S, Snapshot, blank
from thecal.programming import MemoryEeprom

CAUSE = {name: number for number, name in enumerate(resets.CAUSES)}


class Starting:
    """A programmed pump, or a blank one, at a start of that cause. `notes`: how its run ends, as it was noted."""

    def __init__(self, cause: str, starts: int = 0, proved: int | None = None, programmed: bool = True) -> None:
        image = Pump().off() if programmed else blank(0, 0)
        if proved is not None:
            image = unproved(image, proved)
        self.pump = Pump(snapshot=image)
        board: Any = self.pump.board
        board.reset_cause = CAUSE[cause]
        self.notes: list[int] = []
        self.marks: list[int] = []
        board.note = lambda ending, task=None, error=0: self.notes.append(ending)
        board.mark = self.marks.append
        board._unbooked = starts
        board.ended = (1, 5, 2)
        self.resets: Any = resets.Resets(self.pump.app)
        self.pump.app.resets = self.resets

    def logged(self, code: str) -> list[dict[str, Any]]:
        """What is logged under a code at this start."""
        found: list[dict[str, Any]] = []
        log: Any = self.pump.app.log
        log.log = lambda name, **fields: found.append(fields) if name == code else None
        self.resets.log()
        return found


def unproved(snapshot: Snapshot, proved: int) -> Snapshot:
    eeprom = MemoryEeprom(b"".join(snapshot.pages))
    counters = Counters(eeprom, Retired(eeprom))
    counters.load()
    counters.proved = proved
    counters.save()
    image = bytes(eeprom.memory)
    return Snapshot(
        [image[PAGE * page : PAGE * page + PAGE] for page in range(PAGES)],
        snapshot.now_us,
        snapshot.rtc,
        snapshot.steps,
        snapshot.fluid_pl,
    )


def proved(pump: Pump) -> int:
    eeprom = MemoryEeprom(b"".join(pump.board.eeprom.pages))
    counters = Counters(eeprom, Retired(eeprom))
    counters.load()
    return counters.proved


@pytest.mark.requirement("F11", "R27")
def test_the_firmware_s_version_is_one_number() -> None:
    assert ".".join(str(resets.firmware_number() // n % 100) for n in (10_000, 100, 1)) == FIRMWARE


@pytest.mark.requirement("F11", "R25")
@pytest.mark.parametrize(("name", "number"), [("0.0.1", 1), ("0.1.0", 100), ("1.0.0", 10_000), ("5.43.21", 54_321)])
def test_a_version_of_another_firmware_is_another_number(name: str, number: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(version, "FIRMWARE", name)
    assert resets.firmware_number() == number


@pytest.mark.requirement("F11", "R25")
@pytest.mark.parametrize("ledger", [False, True])
def test_what_is_proved_must_be_recorded_and_only_a_ledger_says_that_it_can_be(ledger: bool) -> None:
    did: list[tuple[str, int]] = []
    board = SimpleNamespace(
        reset_cause=0,
        mark=lambda task: None,
        note=lambda ending: did.append(("note", ending)),
        sleep_ms=lambda ms: did.append(("sleep", ms)),
    )
    records = SimpleNamespace(has_ledger=ledger, counters=SimpleNamespace(proved=0))
    app: Any = SimpleNamespace(board=board, records=records)
    assert resets.Resets(app).prove_watchdog() == (not ledger)
    assert did == ([("note", 5), ("sleep", 6_000)] if ledger else [])
    assert records.counters.proved == 0


@pytest.mark.requirement("F11", "R27")
def test_tasks_are_known_by_their_numbers_and_others_are_none() -> None:
    assert [resets.number(name) for name in resets.TASKS] == list(range(len(resets.TASKS)))
    assert resets.number("nobody") == 0
    known = (resets.TASKS[n] for n in (resets.START, resets.SELF_TEST, resets.PASSED, resets.BACKGROUND))
    assert list(known) == ["start", "self_test", "passed", "background"]


@pytest.mark.requirement("F11", "R25", "R27")
@pytest.mark.parametrize("another", [0, 1, resets.firmware_number() + 1])
def test_the_watchdog_is_starved_once_under_each_firmware(another: int) -> None:
    start = Starting("power_on", proved=another)
    assert start.marks == [resets.START]
    assert start.resets.extra_ms == 0
    began = start.pump.board.now_us
    with pytest.raises(Bite):
        start.pump.start()
    assert [resets.ENDINGS[ending] for ending in start.notes] == ["watchdog_test"]  # before the bite
    assert start.pump.board.now_us - began < 2 * S
    after = Starting("watchdog_test", proved=another)
    assert after.resets.extra_ms == 5_200
    after.pump.start()
    assert after.notes == []
    assert after.pump.active == []
    assert proved(after.pump) == resets.firmware_number()


@pytest.mark.requirement("F11", "R25", "R27")
def test_a_proved_watchdog_and_a_pump_that_is_not_programmed_are_left_alone() -> None:
    for start in (Starting("power_on"), Starting("power_on", programmed=False), Starting("commanded")):
        began = start.pump.board.now_us
        start.pump.start()
        assert start.notes == []
        assert start.pump.board.now_us - began < 4 * S


@pytest.mark.requirement("F11", "R25", "R27")
def test_a_watchdog_that_does_not_bite_in_time_fails_the_self_test() -> None:
    start = Starting("power_on", proved=0)
    start.pump.board._bite_us = 1 << 62
    start.pump.board.watchdog_armed = lambda: True
    began = start.pump.board.now_us
    start.pump.start()
    assert start.pump.board.now_us - began > 6 * S
    assert start.pump.active == ["self_test_failed"]
    assert proved(start.pump) == 0
    assert start.pump.run(10).steps == 0


@pytest.mark.requirement("F11", "R27", "I10")
@pytest.mark.parametrize(("starts", "loop"), [(0, False), (1, False), (2, False), (3, True), (4, True), (255, True)])
def test_three_starts_that_nobody_ordered_latch_the_safe_state(starts: int, loop: bool) -> None:
    start = Starting("watchdog", starts)
    start.pump.start()
    assert start.resets.loop == loop
    assert resets.CAUSES[start.resets.cause] == ("reset_loop" if loop else "watchdog")
    assert start.pump.active == (["reset_loop"] if loop else [])
    assert (start.pump.run(30).steps > 0) != loop


@pytest.mark.requirement("F11", "R27", "I10")
@pytest.mark.parametrize("apart", [False, True])
def test_starts_before_this_one_are_remembered_by_the_counters(apart: bool) -> None:
    """One a start, none of which has latched anything; power cuts between them are none."""
    snapshot = Pump().off()
    found = []
    for cause in ("watchdog", "power_on", "exception", "power_on", "watchdog"):
        start = Starting("power_on")
        start.pump = Pump(snapshot=snapshot)
        start.pump.board.reset_cause = CAUSE[cause]
        start.pump.board._unbooked = int(cause != "power_on")
        start.resets = start.pump.app.resets = resets.Resets(start.pump.app)
        start.pump.start()
        found.append(resets.CAUSES[start.resets.cause])
        snapshot = start.pump.off(400 if apart else 1)
    assert found == ["watchdog", "power_on", "exception", "power_on", "watchdog" if apart else "reset_loop"]


@pytest.mark.requirement("F11", "R27")
@pytest.mark.parametrize("cause", resets.CAUSES)
def test_how_a_run_has_ended_is_logged_unless_it_was_a_power_cut(cause: str) -> None:
    ended = [{"ending": 1, "task": 5, "error": 2}]
    assert Starting(cause).logged("run_ended") == ([] if cause == "power_on" else ended)


@pytest.mark.requirement("F11", "R28", "I10")
@pytest.mark.parametrize("cause", ["power_on", "exception"])
def test_a_start_has_come_to_something_with_its_fourth_frame_and_that_is_noted_once(cause: str) -> None:
    """The tune of an alarm, which begins with the first, is over by then: it has been heard."""
    start = Starting(cause)
    lived: list[int] = []
    board: Any = start.pump.board
    for frame in range(1, 11):
        board.lived = lambda frame=frame: lived.append(frame)
        start.resets.frame()
    assert lived == [4]
