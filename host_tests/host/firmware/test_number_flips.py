"""Numbers in RAM that a record, a calibration, the clock or a limit is made of: no wrong bit of them gets as far (F11;
R18, R26; invariants 1, 2 and 6). Those of the ledger are in test_ledger_flips.py, those of the history in
test_history_flips.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from guard_rig import PATIENT, START_S, Pump
from mirror_rig import payload, recovered

from firmware import alarms, limits
from firmware.dosing import ON
from firmware.selftest import RAM, SCHEDULE
from thecal.faults import memory
from thecal.programming import MemoryEeprom

pytestmark = pytest.mark.requirement("F11", "R18", "R26")
BITS = range(memory.BITS)
DAY, SECOND = divmod(START_S, 86_400)
AT_0801 = {"days": "daily", "at": "08:01", "dose": "10 uL", "over": "1 min"}
AT_0803 = {"days": "daily", "at": "08:03", "dose": "10 uL", "over": "1 min"}
LIMITED = {"limits": {"max_per_hour": "120 uL"}, "basal": "480 uL/day", **PATIENT}


def flip(owner: Any, name: str, bit: int) -> None:
    setattr(owner, name, memory.flipped_bit(getattr(owner, name), bit))


# -- records ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bit", BITS)
def test_the_next_record_is_the_newest_whatever_bit_of_its_number_was_wrong(bit: int) -> None:
    """Else a cut would bring back a stop that was over, or end one."""
    eeprom = MemoryEeprom()
    mirror = recovered(eeprom)
    for number in range(40):
        mirror.append(payload(number))
    for number, owner in enumerate((mirror, *mirror.copies), 40):
        flip(owner, "sequence", bit)
        mirror.append(payload(number))
        found = recovered(eeprom)
        assert found.payload is not None
        assert found.payload.startswith(payload(number))
        assert found.sequence == mirror.sequence


@pytest.mark.parametrize("bit", [1, 4, 5, 30])
def test_a_stop_outlasts_a_power_cut_whatever_bit_of_a_records_number_was_wrong(bit: int) -> None:
    pump = Pump().start().run(300)
    flip(pump.app.ledger.mirror, "sequence", bit)
    assert "ok" in pump.say("stop", 3)
    again = Pump(snapshot=pump.off()).start()
    before = again.steps
    again.run(60)
    assert again.app.ledger.state == pump.app.ledger.state
    assert again.steps == before


@pytest.mark.parametrize("name", ["_decided_min", "_shift", "_stop_day", "_state"])
@pytest.mark.parametrize("bit", [0, 13, 30])
def test_an_order_is_stored_whatever_bit_was_wrong_before(name: str, bit: int) -> None:
    """Nothing that is about to be stored goes back to what the newest record says."""
    pump = Pump({"basal": "480 uL/day"}).start().run(130)
    kept = list(getattr(pump.app.ledger, name))
    kept[0] = memory.flipped_bit(kept[0], bit)
    setattr(pump.app.ledger, name, tuple(kept))
    assert "ok" in pump.say("stop", 3)
    again = Pump(snapshot=pump.off()).start()
    before = again.steps
    again.run(300)
    assert (again.app.ledger.state, again.steps) == (1, before)
    assert again.active == pump.active == []


@pytest.mark.requirement("F4", "F10")
def test_nothing_is_committed_by_an_agenda_that_has_changed() -> None:
    """Its error would come with the prescription stored, and the rest of the commit undone."""
    pump = Pump({"basal": "480 uL/day", "scheduled_bolus": [AT_0801]}).start().run(5)
    app: Any = pump.app
    rx = app.records.prescription
    app.therapy.scheduled._agenda._mark ^= 1
    while app.parts.prepare("program"):
        continue
    with pytest.raises(RuntimeError, match="agenda"):
        app.parts.part("programming").put_in_force(rx, rx.course, 0)
    assert app.records.prescriptions.sequence == 0


# -- a calibration that is staged -------------------------------------------------------------------------------


@pytest.mark.requirement("R11", "R22")
@pytest.mark.parametrize("bit", BITS)
def test_a_staged_value_that_has_changed_is_not_put_in_force(bit: int) -> None:
    pump = Pump({"basal": "480 uL/day"}).start().run(5)
    for line in ("stop", "calibrate set pl_per_step 26000", "calibrate set tubing_nl 210000"):
        assert "ok" in pump.say(line, 2)
    app: Any = pump.app
    calibrating = app.parts.part("calibrating")
    staged = calibrating.staged
    staged["pl_per_step"] = memory.flipped_bit(staged["pl_per_step"], bit)
    assert "error: calibrat" in pump.say("calibrate commit", 2)
    assert pump.app.cascade.pl_per_step == 25_000
    assert pump.app.records.calibrations.sequence == 0


@pytest.mark.requirement("R11", "R22")
@pytest.mark.parametrize("bit", BITS)
@pytest.mark.parametrize("damaged", ["in force", "staged"])
def test_what_has_changed_is_not_sealed_or_stored_with_the_next_value(damaged: str, bit: int) -> None:
    """Once stored it would be its own record, and no self-test could find it."""
    pump = Pump({"basal": "480 uL/day"}).start().run(5)
    for line in ("stop", "calibrate set pl_per_step 26000"):
        assert "ok" in pump.say(line, 1)
    app: Any = pump.app
    calibrating = app.parts.part("calibrating")
    if damaged == "staged":
        calibrating.staged["pl_per_step"] = memory.flipped_bit(26_000, bit)
    else:
        flip(pump.app.records.calibration, "tubing_nl", bit)
    assert "error: calibrat" in pump.say("calibrate set battery_mah 1000", 1)
    if calibrating.staged:
        assert "error: calibrat" in pump.say("calibrate commit", 1)
    assert "self_test_failed" in pump.active or damaged == "staged"
    assert pump.app.records.calibrations.sequence == 0
    assert pump.app.cascade.pl_per_step == 25_000


@pytest.mark.requirement("R11", "R22")
def test_a_staged_value_that_has_not_changed_is() -> None:
    pump = Pump({"basal": "480 uL/day"}).start().run(5)
    for line in ("stop", "calibrate set pl_per_step 26000", "calibrate set tubing_nl 210000", "calibrate commit"):
        assert "ok" in pump.say(line, 2)
    assert pump.app.cascade.pl_per_step == 26_000


# -- the clock ---------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R49", "I6")
@pytest.mark.parametrize("bit", BITS)
@pytest.mark.parametrize("index", range(4))
def test_a_time_that_has_changed_since_the_operator_typed_it_is_not_set(index: int, bit: int) -> None:
    pump = Pump({"basal": "480 uL/day"}).start().run(5).to_frame()
    clock: Any = pump.app.wallclock
    before = datetime.fromisoformat(pump.app.operations.now_text())
    pump.app.operations.set_clock("2026-03-02T09:00:00")
    wanted = list(clock._wanted)
    wanted[index] = memory.flipped_bit(wanted[index], bit)
    clock._wanted = tuple(wanted)
    pump.run(5)
    after = datetime.fromisoformat(pump.app.operations.now_text())
    assert 5 <= (after - before).total_seconds() <= 7
    assert pump.app.selftest.failed == RAM
    assert "self_test_failed" in pump.active


@pytest.mark.requirement("I6", "R07")
@pytest.mark.parametrize("name", ["day", "second", "_seal"])
@pytest.mark.parametrize("bit", BITS)
def test_local_time_that_has_changed_ends_the_run_before_anything_is_dosed_or_asked_by_it(name: str, bit: int) -> None:
    """A restart takes the time of the last tick, and the RTC's."""
    pump = Pump({**LIMITED, "scheduled_bolus": [AT_0801]}).start().run(5).to_frame()
    before = list(pump.board.scratch), pump.app.records.boluses.number, pump.steps
    flip(pump.app.dosing, name, bit)
    with pytest.raises(RuntimeError, match="local time"):
        pump.app.therapy.patient()
    with pytest.raises(RuntimeError, match="local time"):
        pump.run(2)
    assert before == (list(pump.board.scratch), pump.app.records.boluses.number, pump.steps)


# -- scheduled boluses -------------------------------------------------------------------------------------------


@pytest.mark.requirement("F3")
@pytest.mark.parametrize("name", ["_seen", "_mark", "_therapy", "_seal"])
def test_no_wrong_bit_passes_over_a_scheduled_bolus(name: str) -> None:
    pump = Pump({"basal": "480 uL/day", "scheduled_bolus": [AT_0801, AT_0803]}).start().run(5)
    agenda: Any = pump.app.therapy.scheduled._agenda
    for bit in BITS:
        old = getattr(agenda, name)
        flip(agenda, name, bit)
        for use in (lambda: agenda.due(DAY, SECOND + 10), agenda.mark_min, lambda: agenda.begin(DAY, SECOND)):
            with pytest.raises(RuntimeError, match="agenda"):
                use()
        setattr(agenda, name, old)
    pump.run(300)
    assert pump.app.records.boluses.number == 2


@pytest.mark.requirement("F3")
@pytest.mark.parametrize("number", range(3))
def test_no_wrong_bit_changes_what_is_scheduled(number: int) -> None:
    pump = Pump({"basal": "480 uL/day", "scheduled_bolus": [AT_0801, AT_0803]}).start().run(5)
    agenda: Any = pump.app.therapy.scheduled._agenda
    items = agenda._items
    for bit in BITS:
        item = list(items[1])
        item[number] = memory.flipped_bit(item[number], bit)
        agenda._items = items[0], tuple(item)
        with pytest.raises(RuntimeError, match="agenda"):
            agenda.due(DAY, SECOND + 10)
    agenda._items = items
    pump.run(300)
    assert pump.app.records.boluses.number == 2


# -- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("I6", "R08", "R09")
def test_no_wrong_bit_in_the_weekly_course_makes_room_in_a_limit() -> None:
    """The limits reckon with the highest basal of the week, of a period too that is far off."""
    far = {"days": "sun", "from": "20:00", "to": "21:00", "rate": "1 mL/day"}
    pump = Pump({**LIMITED, "mode": "flex", "period": [far]}).start().run(5)
    app: Any = pump.app
    told: list[int] = []
    app.alarms.raise_ = told.append
    schedule = app.dosing.schedule
    for rates in (schedule._rates, *schedule._days):
        for index in range(len(rates)):
            for bit in range(8 * rates.itemsize):
                old = rates[index]
                rates[index] = old ^ 1 << bit
                with pytest.raises(limits.Denied):
                    app.therapy.patient()
                assert (told[0], app.selftest.failed) == (alarms.SELF_TEST_FAILED, SCHEDULE)
                told.clear()
                rates[index] = old
    assert app.records.boluses.number == 0
    app.therapy.patient()
    assert app.records.boluses.number == 1


# -- a cap of the rate -------------------------------------------------------------------------------------------


@pytest.mark.requirement("F1", "R03")
@pytest.mark.parametrize("bit", BITS)
def test_no_wrong_bit_caps_the_rate_for_long(bit: int) -> None:
    pumps = [Pump({"basal": "28.8 mL/day"}).start().run(10).to_frame() for _ in range(2)]
    pumps[0].app.dosing._ceiling = 0
    flip(pumps[0].app.dosing, "_capped", bit)
    for pump in pumps:
        pump.run(30)
    assert pumps[0].app.dosing.mode == ON
    assert pumps[1].steps - pumps[0].steps <= 9 * 14
