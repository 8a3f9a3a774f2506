"""What the guard reads in a ledger record, byte by byte, and what it makes of records that change (F11; R17, R18)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from firmware.calibration import Calibration
from firmware.guard_records import CONTRADICTION, NEW_CALIBRATION, NEW_PRESCRIPTION, NEW_RECORD, Evidence

CALIBRATION = Calibration().pack(b"12345678")
PL = Calibration().pl_per_step
DAY, SECOND = 9_557, 3_600
RUNNING, STOPPED = 0, 1
# Where a field of a ledger record begins, and how many bytes it has (docs/EEPROM.md).
COUNTED, VOLUME, ASIDE, SHIFT, LEFT, RESERVED, STATE = (0, 6), (8, 8), (28, 4), (32, 4), (40, 4), (46, 2), (50, 1)


def record(state: int = RUNNING, **fields: int) -> bytes:
    """A ledger record with some fields; all other bytes are 0."""
    places = {"counted": COUNTED, "volume": VOLUME, "aside": ASIDE, "shift": SHIFT, "left": LEFT, "reserved": RESERVED}
    found = bytearray(58)
    found[STATE[0]] = state
    for name, value in fields.items():
        at, size = places[name]
        found[at : at + size] = value.to_bytes(size, "little")
    return bytes(found)


class Books:
    """Records that can be exchanged. permitted: somebody has ordered delivery."""

    def __init__(self, first: bytes | None = None, permitted: bool = True) -> None:
        self.calibrations = SimpleNamespace(payload=CALIBRATION)
        self.prescriptions = SimpleNamespace(payload=None)
        self.mirror = SimpleNamespace(payload=first)
        ledger = SimpleNamespace(mirror=self.mirror)
        records: Any = SimpleNamespace(calibrations=self.calibrations, prescriptions=self.prescriptions, ledger=ledger)
        self.evidence = Evidence(records)
        self.evidence.permitted = permitted

    def poll(self, steps: int = 0) -> int:
        return self.evidence.poll(steps, DAY, SECOND)

    def then(self, payload: bytes) -> int:
        self.mirror.payload = payload
        return self.poll()


@pytest.mark.requirement("F11", "R17")
def test_a_calibration_gives_the_volume_of_a_step_and_the_highest_rate():
    books = Books()
    assert (books.evidence.pl, books.evidence.step, books.evidence.max_rate) == (0, 0, 0)
    assert books.poll(77) == NEW_CALIBRATION
    evidence = books.evidence
    assert (evidence.pl, evidence.step, evidence.max_rate) == (PL, PL * 432, Calibration().max_rate)
    assert evidence.allowed == 77
    assert (evidence.counted, evidence.volume_pl, evidence.runs, evidence.gives) == (0, 0, False, False)
    assert evidence.volume_nl(77) == 77 * PL // 1_000
    assert books.poll() == 0
    books.calibrations.payload = None
    assert books.poll() == CONTRADICTION


@pytest.mark.requirement("F11", "R17")
def test_every_new_record_is_found_once_and_none_may_vanish():
    books = Books(record())
    assert books.poll() == NEW_CALIBRATION | NEW_RECORD
    books.prescriptions.payload = b"no prescription"
    assert books.poll() == NEW_PRESCRIPTION
    assert books.poll() == 0
    assert books.then(record()) == NEW_RECORD
    books.mirror.payload = None
    assert books.poll() == CONTRADICTION


@pytest.mark.requirement("F11", "F3")
@pytest.mark.parametrize("state", [RUNNING, STOPPED])
def test_a_bolus_is_left_in_a_record_exactly_if_a_byte_of_its_two_volumes_is_not_0(state: int):
    for at in range(58):
        payload = bytearray(record(state))
        payload[at] |= 0x80
        books = Books()
        books.mirror.payload = bytes(payload)
        books.poll()
        runs = payload[STATE[0]] == RUNNING
        aside = runs and ASIDE[0] <= at < sum(ASIDE)
        assert books.evidence.gives == (aside or LEFT[0] <= at < sum(LEFT)), at
        assert books.evidence.runs == runs


@pytest.mark.requirement("F11", "R17", "I2")
@pytest.mark.parametrize("byte", range(6))
def test_every_byte_of_what_was_counted_and_reserved_counts(byte: int):
    counted = 3 << 8 * byte
    books = Books(record(counted=counted, reserved=0x102, volume=5))
    books.poll(1)
    evidence = books.evidence
    assert (evidence.counted, evidence.volume_pl, evidence.allowed) == (counted, 5, counted + 0x102)
    assert evidence.volume_nl(counted + 1_000) == (5 + 1_000 * PL) // 1_000
    ahead = Books(record(counted=1))
    ahead.poll(50)  # a count that a reset has kept
    assert ahead.evidence.allowed == 50
    ahead.then(record(counted=2, volume=PL, reserved=3))
    assert ahead.evidence.allowed == 5  # the next record says what may be made


@pytest.mark.requirement("F10", "F11", "R17")
@pytest.mark.parametrize("steps", [0, 1, 7])
@pytest.mark.parametrize("off", [0, 1, -1, 256, 1 << 40])
def test_the_volume_of_a_record_goes_on_where_the_one_before_has_ended(steps: int, off: int):
    books = Books(record(counted=100, volume=1 << 41))
    assert not books.poll() & CONTRADICTION
    found = books.then(record(counted=100 + steps, volume=(1 << 41) + steps * PL + off))
    assert found == (CONTRADICTION if off else NEW_RECORD)


@pytest.mark.requirement("F11", "R17")
def test_delivery_that_nobody_has_ordered_is_a_contradiction():
    books = Books(record(STOPPED), permitted=False)
    assert not books.poll() & CONTRADICTION
    assert books.then(record(STOPPED)) == NEW_RECORD
    assert books.then(record(RUNNING)) == CONTRADICTION
    ordered = Books(record(STOPPED), permitted=True)
    ordered.poll()
    assert ordered.evidence.permitted  # the first record is older than the order
    assert ordered.then(record(RUNNING)) == NEW_RECORD
    assert ordered.evidence.permitted
    assert ordered.then(record(STOPPED)) == NEW_RECORD
    assert not ordered.evidence.permitted
    assert ordered.then(record(RUNNING)) == CONTRADICTION


@pytest.mark.requirement("F11", "F5")
@pytest.mark.parametrize("byte", range(4))
def test_pump_time_is_local_time_less_every_byte_of_the_shift(byte: int):
    local = DAY * 86_400 + SECOND
    books = Books()
    assert books.evidence._pump_time(DAY, SECOND) == local & 0xFFFFFFFF
    books.mirror.payload = record(shift=5 << 8 * byte)
    assert books.evidence._pump_time(DAY, SECOND) == (local - (5 << 8 * byte)) & 0xFFFFFFFF
