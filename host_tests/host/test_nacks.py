"""An EEPROM transaction that is not acknowledged loses nothing, and a dead part is noticed: driver, bus and records."""

from __future__ import annotations

import pytest

from thecal.powercut import nacks
from thecal.powercut.bus_rig import ADDRESS, FOR_EVER, ONCE, BusRig
from thecal.powercut.nack_operations import OPERATIONS, Operation, Pump
from thecal.powercut.parts import PartResult, Settings, Silent
from thecal.programming import firmware

BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> PartResult:
    return nacks.run(Settings(1, 1, 0, True, tmp_path_factory.mktemp("nacks")), Silent())


@pytest.mark.requirement("F10", "F11", "I2", "I5")
def test_no_refused_transaction_loses_anything_or_hangs(reduced: PartResult) -> None:
    assert reduced.violations == []
    assert reduced.numbers["nacks"] > 600
    assert reduced.numbers["nack_time_ms_max"] < 3_000


@pytest.mark.requirement("F10")
@pytest.mark.parametrize(("name", "least"), [("start", 500), ("recovery", 520), ("reserve", 16), ("program", 60)])
def test_the_operations_use_the_bus(name: str, least: int) -> None:
    assert nacks.count_transactions(BY_NAME[name]) >= least


@pytest.mark.requirement("F10", "F11")
def test_a_part_that_never_answers_is_an_alarm() -> None:
    pump = Pump()
    pump.rig.quick = False
    pump.rig.refuse(0, FOR_EVER)
    assert pump.load() == [firmware("alarms").EEPROM_DEAD]
    assert pump.records.prescription is None
    assert pump.records.ledger.take(1) == 0


@pytest.mark.requirement("F10")
def test_the_refused_transaction_is_the_one_that_was_meant() -> None:
    rig = BusRig(b"\xff" * 32_768)
    rig.quick = False
    rig.refuse(2, ONCE)  # the pointer and the data of a read are a transaction each
    page = bytearray(64)
    rig.read_into(0, page)
    assert rig.bus.refused == 0
    rig.read_into(64, page)
    assert rig.bus.refused == 1
    rig.refuse(0, ONCE, at=5)
    with pytest.raises(OSError, match="not acknowledged"):
        rig.write_page(7, bytes(64))
    rig.write_page(7, bytes(64))
    assert rig.image()[7 * 64 : 8 * 64] == bytes(64)


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("name", ["reserve", "bolus"])
def test_an_order_that_is_only_said_to_be_done_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The campaign can fail: a mirror that swallows what the part refuses."""
    mirror = firmware("mirror")
    append = mirror.Mirror.append

    def swallowing(self: object, payload: bytes) -> None:
        try:
            append(self, payload)
        except OSError:
            self.payload = payload  # type: ignore[attr-defined]

    operation = BY_NAME[name]
    expected = nacks.state_after(operation, operation.act)
    assert expected
    monkeypatch.setattr(mirror.Mirror, "append", swallowing)
    monkeypatch.setattr(firmware("rings"), "_TRIES", 1)
    wrong = [nacks.try_nack(operation, number, FOR_EVER, ADDRESS)[1] for number in range(4)]
    assert any(wrong)


@pytest.mark.requirement("F10", "F11")
def test_an_operation_that_raises_something_else_is_found_out() -> None:
    def raising(pump: Pump) -> None:
        if not pump.rig.quick:  # through the driver
            raise KeyError("nobody survives this")

    wrong = nacks.try_nack(Operation("broken", raising, lambda pump: True), 0, ONCE, ADDRESS)[1]
    assert "KeyError" in wrong
