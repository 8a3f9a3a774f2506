"""A heap that ends while a prescription is staged or committed: it is wholly in force, or not at all, and what the
operator is told is true (F4; R22; invariants 4 and 5)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from pump_rig import Pump, prescription
from store_rig import kinds, loaded, store_on

from firmware.pages import PAGE, PRESCRIPTION
from firmware.store import GOOD
from thecal.prescription import stage_lines
from thecal.programming import MemoryEeprom, firmware, pack

pytestmark = pytest.mark.requirement("F4", "I4", "I5", "R22")
OLD = prescription(basal="3 mL/day")
NEW = prescription(
    basal="6 mL/day", scheduled_bolus=[{"days": "daily", "at": "20:00", "dose": "5 uL", "over": "1 min"}]
)
# Everything that follows from a record: (module, class, method).
BEHIND = [
    ("therapy", "Therapy", "committed"),
    ("agenda", "Agenda", "restart"),
    ("app", "App", "take_up_schedule"),
    ("app", "App", "record_state"),
    ("prescription", "Prescription", "digest"),
]


def in_force(pump: Pump) -> str:
    """Its digest."""
    return pump.status()["prescription"].split()[0]


def ends_once(
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    when: Any = lambda: True,
    error: type[Exception] = MemoryError,
) -> list[str]:
    """The next call raises the error. Returns what was hit."""
    original = getattr(owner, name)
    hit: list[str] = []

    def ended(*args: Any, **fields: Any) -> Any:
        if not hit and when():
            hit.append(name)
            raise error
        return original(*args, **fields)

    monkeypatch.setattr(owner, name, ended)
    return hit


def watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every record that is stored from now on."""
    stored: list[int] = []
    store = firmware("store").Store
    commit = store.commit
    monkeypatch.setattr(store, "commit", lambda *args: (commit(*args), stored.append(1))[0])
    return stored


@pytest.mark.parametrize(("module", "owner", "name"), BEHIND, ids=[row[2] for row in BEHIND])
def test_a_commit_that_fails_behind_its_record_ends_in_a_restart_and_is_whole_then(
    module: str, owner: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The console would tell the error and go on, with the doses of one prescription at the times of the other."""
    pump = Pump(OLD)
    digest = pump.confirmed(NEW)
    stored = watched(monkeypatch)
    hit = ends_once(monkeypatch, getattr(firmware(module), owner), name, lambda: bool(stored))
    pump.type(f"program commit {digest}\r".encode())
    pump.run(10)
    assert hit
    assert pump.twin.resets == {"power_on": 1, "watchdog": 0, "commanded": 1}
    assert in_force(pump) == digest
    steps = pump.steps_within(60)
    assert abs(steps * 25_000 - 6_000_000_000 * 60 // 86_400) <= 2 * 25_000
    pump.close()


def test_nothing_between_a_record_and_what_follows_it_is_called_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the flags of the ledger, at the first commit of a pump."""
    pump = Pump(OLD)
    digest = pump.confirmed(NEW)
    stored = watched(monkeypatch)
    ledger = firmware("ledger").Ledger
    flags = ledger.flags
    hit: list[int] = []

    def ended(book: Any, value: int) -> None:
        if stored and not hit:
            hit.append(value)
            raise MemoryError
        flags.__set__(book, value)

    monkeypatch.setattr(ledger, "flags", property(flags.__get__, ended))
    pump.type(f"program commit {digest}\r".encode())
    pump.run(10)
    assert pump.twin.resets == {"power_on": 1, "watchdog": 0, "commanded": 1}
    assert hit
    assert in_force(pump) == digest
    assert b"the old one is in force" not in pump.output
    pump.close()


@pytest.mark.parametrize(("module", "owner", "name"), [BEHIND[2], BEHIND[3]], ids=[BEHIND[2][2], BEHIND[3][2]])
def test_an_end_of_a_trial_that_fails_behind_its_record_is_whole_after_a_restart(
    module: str, owner: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pump = Pump(OLD)
    pump.confirmed(NEW)
    assert pump.ask("trial start 1 h then minimum", 2)[-1] == "ok"
    hit = ends_once(monkeypatch, getattr(firmware(module), owner), name)
    pump.type(b"trial end\r")
    pump.run(10)
    assert hit
    assert pump.twin.resets == {"power_on": 1, "watchdog": 0, "commanded": 1}
    assert pump.ask("trial", 2)[0].startswith("trial: over")
    assert pump.steps_within(60) <= 1  # the lowest rate
    pump.close()


def test_a_commit_without_memory_is_refused_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    pump = Pump(OLD)
    digest = pump.confirmed(NEW)
    before = in_force(pump)
    memory = bytes(pump.bench.eeprom.memory)
    ends_once(monkeypatch, firmware("prescription").Prescription, "schedule")
    assert pump.ask(f"program commit {digest}") == [
        "error: program commit: not enough memory for it; the old one is in force"
    ]
    assert in_force(pump) == before
    assert bytes(pump.bench.eeprom.memory)[: 48 * PAGE] == memory[: 48 * PAGE]
    assert pump.ask(f"program commit {digest}") == ["ok"]
    assert in_force(pump) == digest
    pump.close()


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, ValueError])
def test_a_commit_has_succeeded_whatever_becomes_of_the_mark_on_the_record_before(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RuntimeError: the stack is used up."""
    pump = Pump(OLD)
    digest = pump.confirmed(NEW)
    hit = ends_once(monkeypatch, firmware("store").Store, "_supersede", error=error)
    assert pump.ask(f"program commit {digest}") == ["ok"]
    assert hit
    assert in_force(pump) == digest
    pump.run(20)
    assert pump.status()["alarms"] == "none"
    pump.close()


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, ValueError, OSError])
def test_a_trial_whose_end_cannot_be_stored_goes_on(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    pump = Pump(OLD)
    pump.confirmed(NEW)
    assert pump.ask("trial start 1 h then minimum", 2)[-1] == "ok"
    hit = ends_once(monkeypatch, firmware("prescription").Prescription, "record", error=error)
    (answer,) = pump.ask("trial end")
    assert hit
    assert answer.startswith("error: ")
    assert pump.ask("trial", 2)[0] == "trial: running"
    pump.run(20)
    assert pump.status()["alarms"] == "none"
    assert pump.ask("trial end")[-1] == "ok"
    pump.close()


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, ValueError, OSError])
def test_a_record_that_may_have_been_taken_is_void_whatever_has_failed(error: type[Exception]) -> None:
    eeprom = Full()
    eeprom.silent, eeprom.error = False, error
    store = store_on(eeprom)
    store.commit(b"old")
    eeprom.armed = True
    with suppress(error):
        store.commit(b"new")
    assert eeprom.ended
    assert not store.doubtful
    assert loaded(bytes(eeprom.memory))[:2] == (GOOD, store.payload)


def test_lines_that_were_typed_are_kept_when_there_is_no_memory_to_stage_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pump = Pump(OLD)
    ends_once(monkeypatch, firmware("prescription").Prescription, "room")
    *lines, end = stage_lines(NEW, pack)
    for line in lines:
        assert pump.ask(line) == ["ok"]
    assert pump.ask(end) == ["error: internal: MemoryError "]
    assert pump.ask(end, 3)[-1] == "ok"
    pump.close()


def test_a_trial_that_has_begun_is_told_when_there_is_no_memory_to_tell_more(monkeypatch: pytest.MonkeyPatch) -> None:
    pump = Pump(OLD)
    pump.confirmed(NEW)
    ends_once(monkeypatch, firmware("trial_orders"), "TrialOrders")
    assert pump.ask("trial start 1 h then minimum", 2) == ["trial: running; `trial` tells more", "ok"]
    assert pump.ask("trial", 2)[0] == "trial: running"
    pump.close()


class Full(MemoryEeprom):
    """Takes the page that makes a slot a record, without memory for what comes next; if it is silent, nothing more."""

    ended = False
    silent = True
    error: type[Exception] = MemoryError

    def write_page(self, page: int, data: Any) -> None:
        if self.ended and self.silent:
            raise OSError("no answer")
        super().write_page(page, data)
        if self.armed and not self.ended and kinds(bytes(self.memory))[1] == PRESCRIPTION:
            self.ended = True
            raise self.error

    armed = False


def test_a_record_that_may_stand_whole_all_the_same_is_called_doubtful() -> None:
    """`the old one is in force` would be wrong at the next start."""
    eeprom = Full()
    store = store_on(eeprom)
    store.commit(b"old")
    eeprom.armed = True
    with pytest.raises(OSError, match="keep the power on until then"):
        store.commit(b"new")
    assert store.payload == b"old"
    eeprom.ended = eeprom.armed = False
    store.withdraw()
    assert loaded(bytes(eeprom.memory))[:2] == (GOOD, b"old")


def test_a_record_that_could_be_taken_back_is_none_and_no_other_slot_is_tried() -> None:
    eeprom = Full()
    eeprom.silent = False
    store = store_on(eeprom)
    store.commit(b"old")
    eeprom.armed = True
    with pytest.raises(MemoryError):
        store.commit(b"new")
    assert not store.doubtful
    assert [kind for kind in kinds(bytes(eeprom.memory)) if kind == PRESCRIPTION] == [PRESCRIPTION]
    assert loaded(bytes(eeprom.memory))[:2] == (GOOD, b"old")
