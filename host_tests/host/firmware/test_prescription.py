"""The prescription record: what it holds comes back whole, and no bytes make one that this pump may not run."""

from __future__ import annotations

import struct
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_schedule import courses, overlap

from firmware.calibration import Calibration
from firmware.prescription import (
    CONTINUOUS,
    DRUGS,
    FLEX,
    MAX_LIMIT,
    MINIMUM,
    NO_LIMIT,
    STOPPED,
    Prescription,
    PrescriptionError,
    days_text,
    parse_days,
    unpack,
)

PUMP = Calibration()
rates = st.one_of(st.just(0), st.integers(PUMP.min_rate, PUMP.max_rate))
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=16)


@st.composite
def prescriptions(draw: st.DrawFn) -> Prescription:
    """Any valid prescription."""
    rx = Prescription()
    rx.patient = draw(names)
    rx.drug = draw(st.sampled_from(DRUGS))
    rx.concentration = 0 if rx.drug == "saline" else draw(st.integers(1, 1_000_000_000))
    rx.mode = draw(st.sampled_from((STOPPED, CONTINUOUS, FLEX, FLEX, MINIMUM)))
    if rx.mode in (CONTINUOUS, FLEX):
        rx.basal = draw(rates)
        rx.periods = draw(courses()) if rx.mode == FLEX else []
        highest = max([rx.basal, *(period[3] for period in rx.periods)])
        rx.max_per_hour = draw(st.one_of(st.just(NO_LIMIT), st.integers(max(1, -(-highest // 24)), MAX_LIMIT)))
        rx.max_per_day = draw(st.one_of(st.just(NO_LIMIT), st.integers(max(1, highest), MAX_LIMIT)))
    return rx


@pytest.mark.requirement("F4", "I5")
@given(prescriptions())
@settings(max_examples=50)
def test_a_prescription_comes_back_from_its_record_as_it_was(rx: Prescription):
    rx.validate(PUMP)
    again = unpack(rx.pack(), PUMP)
    assert vars(again) == vars(rx)
    assert again.pack() == rx.pack()
    assert len(rx.pack()) <= 16 * 64 - 14  # what a slot holds


@pytest.mark.requirement("I4", "I12")
@given(
    st.one_of(
        st.binary(max_size=300),
        st.integers(0, 30).flatmap(lambda n: st.binary(min_size=35 + 9 * n, max_size=35 + 9 * n)),
    )
)
def test_any_bytes_give_a_valid_prescription_or_a_refusal(payload: bytes):
    expect_valid_or_refused(payload)


@pytest.mark.requirement("I4", "I12")
@given(prescriptions(), st.integers(0, 1 << 32))
@settings(max_examples=50)
def test_damaged_bytes_give_a_valid_prescription_or_a_refusal(rx: Prescription, seed: int):
    random = Random(seed)
    payload = bytearray(rx.pack())
    for _ in range(20):
        damaged = bytearray(payload)
        for _ in range(random.choice((1, 1, 2, 8))):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        if random.random() < 0.2:
            del damaged[random.randrange(len(damaged)) :]
        expect_valid_or_refused(bytes(damaged))


def expect_valid_or_refused(payload: bytes) -> None:
    try:
        rx = unpack(payload, PUMP)
    except ValueError:  # PrescriptionError is one, and so is text that is no text
        return
    rx.validate(PUMP)
    assert unpack(rx.pack(), PUMP).pack() == rx.pack()
    assert not overlap(rx.periods)
    assert all(rate == 0 or PUMP.min_rate <= rate <= PUMP.max_rate for rate in (rx.basal, *(p[3] for p in rx.periods)))


def changed(**values: object) -> Prescription:
    rx = Prescription()
    rx.patient, rx.drug, rx.concentration, rx.mode, rx.basal = "bench-07", "baclofen", 2_000_000, FLEX, 150_000
    for name, value in values.items():
        setattr(rx, name, value)
    return rx


@pytest.mark.requirement("F4", "R10", "R11")
@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"patient": ""}, "patient = "),
        ({"patient": "a" * 17}, "patient = "),
        ({"patient": "a b"}, "patient = a b: printable ASCII"),
        ({"drug": "water"}, "drug = water: one of saline"),
        ({"drug": "saline"}, "concentration = 2000000: saline takes none"),
        ({"concentration": 0}, "concentration = 0 ng/mL: 1 to 1000000000"),
        ({"concentration": 1_000_000_001}, "concentration = 1000000001 ng/mL"),
        ({"mode": 4}, "mode = 4: one of stopped"),
        ({"mode": STOPPED}, "basal = 150000: the mode stopped has none"),
        ({"mode": MINIMUM, "basal": 0, "max_per_day": 9}, "max_per_day = 9: the mode minimum has none"),
        ({"mode": CONTINUOUS, "periods": [(1, 0, 1, 6_000)]}, "period = 1: the mode continuous has none"),
        ({"basal": PUMP.min_rate - 1}, "basal = 5999 nL/day: 0 or 6000 to 28800000"),
        ({"basal": PUMP.max_rate + 1}, "basal = 28800001 nL/day: 0 or 6000 to 28800000"),
        ({"periods": [(1, 0, 1, 6_000)] * 25}, "period = 25: at most 24"),
        ({"periods": [(0, 0, 1, 6_000)]}, "period 1 days = 0: a mask"),
        ({"periods": [(128, 0, 1, 6_000)]}, "period 1 days = 128: a mask"),
        ({"periods": [(1, 1_440, 1, 6_000)]}, "period 1 from, to = 1440, 1: minutes 0 to 1439"),
        ({"periods": [(1, 0, 1_440, 6_000)]}, "period 1 from, to = 0, 1440: minutes 0 to 1439"),
        ({"periods": [(1, 0, 60, 6_000), (1, 60, 61, 5_999)]}, "period 2 rate = 5999 nL/day"),
        ({"periods": [(1, 0, 60, 6_000), (1, 59, 61, 6_000)]}, "period 1, 2: they overlap at mon 00:59"),
        ({"periods": [(64, 1_380, 60, 6_000), (1, 59, 61, 6_000)]}, "period 1, 2: they overlap at mon 00:59"),
        ({"max_per_hour": 6_249}, "max_per_hour = 6249 nL: at least 6250 nL"),
        ({"max_per_day": 149_999}, "max_per_day = 149999 nL: at least 150000 nL"),
        ({"max_per_hour": 0}, "max_per_hour = 0 nL: 1 to 1000000000 nL"),
        ({"max_per_day": MAX_LIMIT + 1}, "max_per_day = 1000000001 nL: 1 to 1000000000 nL"),
        ({"max_per_day": 1 << 40}, "max_per_day = 1099511627776 nL: 1 to 1000000000 nL"),
    ],
)
def test_every_rule_refuses_and_names_field_value_and_what_is_allowed(values: dict[str, object], names: str):
    with pytest.raises(PrescriptionError) as refusal:
        changed(**values).validate(PUMP)
    assert str(refusal.value).startswith(names)


@pytest.mark.requirement("R08", "R09")
def test_reaching_a_limit_is_allowed():
    changed(max_per_hour=6_250, max_per_day=150_000).validate(PUMP)
    changed(basal=0, max_per_hour=1, max_per_day=1).validate(PUMP)


@pytest.mark.requirement("F2")
@pytest.mark.parametrize(("mode", "rate"), [(STOPPED, 0), (MINIMUM, PUMP.min_rate)])
def test_the_modes_without_doses_have_their_own_rate(mode: int, rate: int):
    rx = changed(mode=mode, basal=0)
    rx.validate(PUMP)
    assert {rx.schedule(PUMP).rate_at(second) for second in range(0, 604_800, 3_600)} == {rate}


@pytest.mark.requirement("I4")
def test_a_wrong_count_of_periods_is_refused():
    payload = changed(periods=[(1, 0, 60, 6_000)]).pack()
    for wrong in (payload[:-1], payload + b"\0", payload[:34] + struct.pack("B", 2) + payload[35:], b"", payload[:34]):
        with pytest.raises(PrescriptionError):
            unpack(wrong, PUMP)


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@pytest.mark.requirement("F2")
@given(st.integers(1, 127))
def test_days_are_shown_as_they_are_read(mask: int):
    assert parse_days("days", days_text(mask)) == mask


@pytest.mark.requirement("F2")
@pytest.mark.parametrize("first", range(7))
@pytest.mark.parametrize("last", range(7))
def test_a_range_of_days_runs_forward_and_may_wrap(first: int, last: int):
    if first == last:
        with pytest.raises(PrescriptionError, match="each day once"):
            parse_days("days", f"{DAYS[first]}-{DAYS[last]}")
        return
    expected = 0
    day = first
    while True:
        expected |= 1 << day
        if day == last:
            break
        day = (day + 1) % 7
    assert parse_days("days", f"{DAYS[first]}-{DAYS[last]}") == expected


@pytest.mark.requirement("F2")
@pytest.mark.parametrize(
    "text", ["", "Mon", "monday", "mon-", "-mon", "mon,", ",", "mon-fri-sat", "mon fri", "daily-mon"]
)
def test_other_days_are_refused(text: str):
    with pytest.raises(PrescriptionError, match="days = "):
        parse_days("period 1 days", text)
