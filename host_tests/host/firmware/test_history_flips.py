"""No wrong bit in the bolus history, as RAM has it, ends a lockout, makes room in a limit, or gives or passes over a
scheduled bolus: the history is checked before it is asked (F3, F11; R07 to R09, R26; invariant 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from guard_rig import PATIENT, Pump
from hypothesis import given
from hypothesis import strategies as st

from firmware import alarms, boluses, clinician, limits
from firmware.boluses import CAPACITY, CLINICIAN, KINDS, SCHEDULED, Bolus, Boluses
from firmware.dosing import HELD
from firmware.retirement import Retired
from firmware.selftest import RAM
from thecal.faults import memory
from thecal.programming import MemoryEeprom

pytestmark = pytest.mark.requirement("F3", "F11", "R07", "R09", "R26", "I6")
BITS = range(memory.BITS)
NUMBERS = tuple(vars(Bolus(bytes(52))))
AT_0801 = {"days": "daily", "at": "08:01", "dose": "10 uL", "over": "1 min"}
AT_0803 = {"days": "daily", "at": "08:03", "dose": "10 uL", "over": "1 min"}


def loaded(eeprom: MemoryEeprom) -> Boluses:
    retired = Retired(eeprom)
    retired.load()
    history = Boluses(eeprom, retired)
    history.load()
    return history


def flip(entry: Bolus, name: str, bit: int) -> Callable[[], None]:
    """A wrong bit in RAM. Returns what sets it right."""
    old = getattr(entry, name)
    setattr(entry, name, memory.flipped_bit(old, bit))
    return lambda: setattr(entry, name, old)


def flips_of(history: Boluses) -> list[tuple[Bolus, str, int]]:
    return [(entry, name, bit) for entry in history.recent for name in NUMBERS for bit in BITS]


def given_before() -> Pump:
    """A pump that gave a scheduled bolus and then, within the lockout, one to the patient."""
    pump = Pump({"basal": "480 uL/day", **PATIENT, "scheduled_bolus": [AT_0801]}).start().run(130)
    assert "ok" in pump.say("dose", 20)
    assert [entry.kind for entry in pump.app.records.boluses.recent] == [SCHEDULED, boluses.PATIENT]
    return pump


def stopped(pump: Pump) -> bool:
    """It has said so, and gives nothing."""
    app: Any = pump.app
    shown = [code for code in pump.active if code != "bolus_denied"]
    return shown == ["self_test_failed"] and app.selftest.failed == RAM and app.dosing.mode == HELD


@given(st.lists(st.tuples(st.sampled_from(range(len(KINDS))), st.booleans()), max_size=CAPACITY + 5), st.data())
def test_every_wrong_bit_of_the_history_is_found(kinds: list[tuple[int, bool]], data: st.DataObject) -> None:
    """Whatever was begun, set aside for longer or forgotten before, and after a start too."""
    eeprom = MemoryEeprom()
    history = loaded(eeprom)
    for number, (kind, suspends) in enumerate(kinds):
        history.begin(kind, (1_000 * number, 60 + number), (number, 500_000), (number, 9_000, 0xFFFFFFFF), suspends)
        assert history.hold()
    for found in (history, loaded(eeprom)):
        assert found.hold()
        if kinds:
            entry = data.draw(st.sampled_from(found.recent))
            for name in NUMBERS:
                for bit in BITS:
                    mend = flip(entry, name, bit)
                    assert not found.hold()
                    mend()
            assert found.hold()


@pytest.mark.parametrize("bit", BITS)
def test_a_wrong_bit_in_the_seal_itself_is_found(bit: int) -> None:
    history = loaded(MemoryEeprom())
    assert history.hold()
    history.begin(CLINICIAN, (1_000, 60), (500, 0))
    history._seal ^= 1 << bit
    assert not history.hold()
    history.load()
    assert history.hold()


def test_what_was_wrong_stays_wrong_however_many_follow() -> None:
    """A change of it, or that it is forgotten, does not seal what has changed."""
    history = loaded(MemoryEeprom())
    history.begin(CLINICIAN, (0, 60), (500, 0))
    flip(history.recent[0], "dose_nl", 3)
    for number in range(1, 2 * CAPACITY):
        history.begin(boluses.PATIENT, (1_000 * number, 60), (500, 0), suspends=number == 1)
        assert not history.hold()


def test_no_wrong_bit_in_the_history_gives_a_bolus_to_anyone() -> None:
    """Each bit of each number of each entry, whoever asks: the first alarm of each is told, but not acted on here."""
    pump = given_before().run(320)  # no bolus flows any more, and the lockout lasts
    app: Any = pump.app
    told: list[int] = []
    app.alarms.raise_ = told.append
    history = app.records.boluses
    number, steps = history.number, app.board.train.steps()
    orders: list[Callable[[], object]] = [
        app.therapy.patient,
        lambda: clinician.order(app, ("1", "uL"), ("60", "s"), False),
        lambda: app.therapy.prime(1_000, 60),
    ]
    for entry, name, bit in flips_of(history):
        mend = flip(entry, name, bit)
        for order in orders:
            with pytest.raises(limits.Denied) as denied:
                order()
            assert denied.value.reason == limits.ALARM
            assert (told.pop(0), app.selftest.failed) == (alarms.SELF_TEST_FAILED, RAM)
            told.clear()
        mend()
    assert (history.number, app.board.train.steps()) == (number, steps)
    with pytest.raises(limits.Denied, match="lockout"):
        app.therapy.patient()


@pytest.mark.parametrize(("name", "bit"), [("patient", 20), ("start", 12), ("kind", 0), ("dose_nl", 15)])
def test_the_pump_stops_and_says_so_when_it_is_asked_with_a_wrong_history(name: str, bit: int) -> None:
    pump = given_before()
    flip(pump.app.records.boluses.recent[-1], name, bit)
    assert "error: bolus: alarm self_test_failed" in pump.say("dose", 1.5)
    assert stopped(pump)
    assert pump.app.dosing.bolus is None


def test_a_scheduled_bolus_is_not_given_and_not_passed_over_unsaid() -> None:
    """One bit makes the first of two scheduled boluses the second, which falls due next and has not been given."""
    pump = Pump({"basal": "480 uL/day", "scheduled_bolus": [AT_0801, AT_0803]}).start().run(130)
    given = pump.app.records.boluses.recent[-1]
    assert (given.kind, given.index) == (SCHEDULED, 0)
    flip(given, "index", 0)
    pump.run(60)
    assert stopped(pump)
    skipped = [event for event in pump.say("log 20", 3).splitlines() if "bolus_skipped" in event]
    assert len(skipped) == 1
    assert "index=1 " in skipped[0]
    assert "reason=stopped" in skipped[0]


def test_the_history_of_a_pump_at_rest_is_right_after_every_start() -> None:
    pump = given_before()
    again = Pump(snapshot=pump.off()).start().run(5)
    assert again.app.records.boluses.hold()
    assert "lockout" in again.say("dose", 1)
    assert again.app.selftest.failed < 0
