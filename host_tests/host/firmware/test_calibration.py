"""Calibration: every value has a range, every refusal names it, and no bytes make one that is out of range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware import calibration, layout
from firmware.calibration import FIELDS, Calibration, CalibrationError, unpack
from firmware.pages import CALIBRATION
from firmware.store import Store

RANGES = {name: (low, high) for name, _, low, high, _ in FIELDS}
SIZE = len(Calibration().pack(bytes(8)))
UNITS = {name: unit for name, unit, *_ in FIELDS}
BOARD = bytes(range(8))
serials = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=16)


def consistent(values: dict[str, int]) -> bool:
    return values["min_rate"] <= values["max_rate"]


all_values = st.fixed_dictionaries(
    {name: st.one_of(st.integers(low, high), st.sampled_from((low, high))) for name, (low, high) in RANGES.items()}
)


@pytest.mark.requirement("F7", "R13")
@given(all_values, serials)
def test_every_valid_calibration_survives_its_record(values: dict[str, int], serial: str):
    if not consistent(values):
        with pytest.raises(CalibrationError, match="at most"):
            Calibration(serial, **values)
        return
    made = Calibration(serial, **values)
    again, board = unpack(made.pack(BOARD))
    assert vars(again) == vars(made)
    assert board == BOARD
    assert len(made.pack(BOARD)) <= Store(None, 0, 4, layout.CALIBRATION_PAGES, CALIBRATION).capacity


@pytest.mark.requirement("F7")
@pytest.mark.parametrize("name", RANGES)
def test_each_value_is_refused_just_outside_of_its_range(name: str):
    low, high = RANGES[name]
    for value in (low - 1, high + 1, -1 if low >= 0 else low - 2, 1 << 40):
        with pytest.raises(CalibrationError) as refusal:
            Calibration("bench-01", **{name: value})
        unit = UNITS[name]
        assert str(refusal.value) == f"calibration.{name} = {value} {unit}: {low} to {high} {unit}"


@pytest.mark.requirement("F7")
@pytest.mark.parametrize("serial", ["", "a" * 17, "two words", "tab\t", "\x7f", "µ"])
def test_a_serial_is_printable_ascii_without_spaces(serial: str):
    with pytest.raises(CalibrationError, match=r"^calibration\.serial = "):
        Calibration(serial)


@pytest.mark.requirement("F7")
def test_a_value_that_does_not_exist_is_refused():
    with pytest.raises(CalibrationError, match=r"calibration\.tubing: no such value"):
        Calibration(tubing=1)


@pytest.mark.requirement("F7", "F8")
def test_everything_is_shown_with_its_unit():
    shown = Calibration("pump-9").show()
    assert shown[0] == "serial: pump-9"
    assert shown[1:] == [f"{name}: {reference} {unit}" for name, unit, _, _, reference in FIELDS]


@pytest.mark.requirement("I4", "I12")
@given(st.one_of(st.binary(max_size=80), st.binary(min_size=SIZE, max_size=SIZE)))
def test_any_bytes_give_a_valid_calibration_or_a_refusal(payload: bytes):
    try:
        made, board = unpack(payload)
    except ValueError:
        return
    made.validate()
    assert len(board) == len(BOARD)
    assert all(low <= getattr(made, name) <= high for name, (low, high) in RANGES.items())


@pytest.mark.requirement("I4", "I12")
@given(st.integers(0, SIZE - 1), st.integers(0, 255))
def test_a_record_with_one_wrong_byte_is_valid_or_refused(at: int, value: int):
    payload = bytearray(calibration.Calibration().pack(BOARD))
    payload[at] = value
    try:
        made, board = unpack(bytes(payload))
    except ValueError:
        return
    made.validate()
    assert (board != BOARD) == (at >= SIZE - len(BOARD) and BOARD[at - SIZE] != value)
