"""One wrong bit in what the source says of alarms, sounds and units, which lies in RAM (R26, R28; invariant 8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from guard_rig import Pump

from thecal.faults import memory
from thecal.programming import firmware

alarms, signals, tables, units = (firmware(name) for name in ("alarms", "signals", "tables", "units"))
BITS = range(memory.BITS)
LOOKED_AT_S = 20  # every so often
CONCENTRATION = "500 ug/mL"


def wrong(value: Any) -> Iterator[Any]:
    """A number, or nested numbers, with one bit of one of them changed, in each way that there is."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value ^ 1 << bit for bit in BITS)
    elif isinstance(value, tuple):
        for at, part in enumerate(value):
            for changed in wrong(part):
                yield (*value[:at], changed, *value[at + 1 :])
    elif isinstance(value, dict):
        for key, part in value.items():
            for changed in wrong(part):
                yield {**value, key: changed}


TABLES = [(alarms, "TABLE"), (alarms, "MASKS"), (signals, "PATTERNS"), (units, "TABLES")]


@pytest.mark.requirement("R26", "R28")
@pytest.mark.parametrize(("module", "name"), TABLES, ids=lambda part: part if isinstance(part, str) else part.__name__)
def test_every_wrong_bit_of_every_number_is_found(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tables.check()
    tried = 0
    for table in wrong(getattr(module, name)):
        monkeypatch.setattr(module, name, table)
        with pytest.raises(RuntimeError, match="has changed in RAM"):
            tables.check()
        tried += 1
    assert tried > 3 * memory.BITS - 1


@pytest.mark.requirement("R50")
def test_the_tables_looked_at_are_those_that_a_dose_is_read_by() -> None:
    factors = (units.MASS_NG, units.VOLUME_NL, units.DURATION_S, units._PER_DAY)
    assert all(table is used for table, used in zip(units.TABLES, factors, strict=True))


@pytest.mark.requirement("R26", "R28")
def test_a_pump_that_doses_restarts_for_a_table_within_20_s(monkeypatch: pytest.MonkeyPatch) -> None:
    pump = Pump().start().run(60)
    found = next(table for table in wrong(alarms.MASKS) if table[0][1] == alarms.MASKS[0][1] & ~(1 << alarms.STALL))
    monkeypatch.setattr(alarms, "MASKS", found)
    with pytest.raises(RuntimeError, match="a table of alarms"):
        pump.run(LOOKED_AT_S + 1)


@pytest.mark.requirement("R17", "R50")
def test_no_bolus_is_given_by_a_wrong_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    pump = Pump({"drug": "baclofen", "concentration": CONCENTRATION, "basal": "240 ug/day"}).start().run(30)
    app: Any = pump.app
    number = app.records.boluses.number
    monkeypatch.setitem(units.MASS_NG, "ug", 1_000 ^ 1 << 11)
    assert "error: internal: RuntimeError a table of units" in pump.say("bolus 25 ug over 10 min", 3)
    assert not app.therapy.running
    assert app.records.boluses.number == number


@pytest.mark.requirement("R17", "R26")
@pytest.mark.parametrize("at", ["dose", "seconds"])
def test_no_bit_that_flips_in_a_clinicians_order_is_given(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in no prescription, so nothing else could tell that it is another one."""
    pump = Pump().start().run(30)
    app: Any = pump.app
    begin, steps = app.records.boluses.begin, pump.steps
    told: list[int] = []
    monkeypatch.setattr(app.alarms, "raise_", told.append)  # so that all orders find the same pump
    for bit in range(17) if at == "seconds" else BITS:

        def flipped(kind: int, span: Any, dose: Any, *more: Any, bit: int = bit) -> None:
            if at == "dose":
                dose = (dose[0] ^ 1 << bit, dose[1])
            else:
                span = (span[0], span[1] ^ 1 << bit)
            begin(kind, span, dose, *more)

        with monkeypatch.context() as patch:
            patch.setattr(app.records.boluses, "begin", flipped)
            patch.setattr(app.records.boluses, "volume_nl", lambda *asked: 0)  # what those before it have left there
            with pytest.raises(firmware("limits").Denied, match="not the one that was ordered"):
                firmware("clinician").order(app, ("10", "uL"), ("10", "min"), False)
        assert told == [alarms.SELF_TEST_FAILED]
        told.clear()
        assert not app.therapy.running
    assert pump.steps == steps
