"""The prescription record: what it holds comes back whole, and no bytes make one that this pump may not run."""

from __future__ import annotations

import struct
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prescription_oracle import PUMP, is_allowed, prescriptions, worst_day

from firmware.days import PrescriptionError, days_text, parse_days
from firmware.prescription import CONTINUOUS, FLEX, MINIMUM, STOPPED, Prescription, unpack
from firmware.validation import MAX_LIMIT


def fields(rx: Prescription) -> dict[str, object]:
    return {name: value for name, value in vars(rx).items() if name != "course"}


@pytest.mark.requirement("F3", "F4", "I5")
@given(prescriptions())
@settings(max_examples=100)
def test_a_prescription_comes_back_from_its_record_as_it_was(rx: Prescription):
    rx.validate(PUMP)
    again = unpack(rx.record(), PUMP)
    assert fields(again) == fields(rx)
    assert again.record() == rx.record()
    assert rx.record()[: len(rx.pack())] == rx.pack()
    assert len(rx.record()) <= 550  # a slot holds 594
    assert rx.worst_day == (worst_day(rx) if rx.gives_doses else 0)


@pytest.mark.requirement("F4", "F5")
def test_what_a_prescription_is_in_the_middle_of_is_in_its_record_and_not_in_its_digest():
    rx = changed()
    packed = rx.pack()
    rx.course.trial_s, rx.course.trial_start, rx.course.afterwards = 86_400, 1_000, 1
    assert rx.pack() == packed
    assert vars(unpack(rx.record(), PUMP).course) == vars(rx.course)


@pytest.mark.requirement("I4", "I12")
@given(
    st.one_of(
        st.binary(max_size=300),
        st.integers(0, 30).flatmap(lambda n: st.binary(min_size=70 + 9 * n, max_size=70 + 9 * n)),
    )
)
def test_any_bytes_give_a_valid_prescription_or_a_refusal(payload: bytes):
    expect_valid_or_refused(payload)


@pytest.mark.requirement("I4", "I12")
@given(prescriptions(), st.integers(0, 1 << 32))
@settings(max_examples=50)
def test_damaged_bytes_give_a_valid_prescription_or_a_refusal(rx: Prescription, seed: int):
    random = Random(seed)
    payload = bytearray(rx.record())
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
    assert is_allowed(rx)
    assert unpack(rx.record(), PUMP).record() == rx.record()


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
        ({"drug": "saline"}, "concentration = 2000 ug/mL: saline takes none"),
        ({"concentration": 0}, "concentration = 0 ug/mL: baclofen comes at 50 ug/mL or 500 ug/mL or 2000 ug/mL"),
        ({"concentration": 2_000_001}, "concentration = 2000.001 ug/mL: baclofen comes at 50 ug/mL"),
        ({"drug": "morphine", "concentration": 20_000_001}, "concentration = 20000.001 ug/mL: 0.001 to 20000 ug/mL"),
        ({"drug": "morphine", "concentration": 0}, "concentration = 0 ug/mL: 0.001 to 20000 ug/mL for morphine"),
        ({"mode": 4}, "mode = 4: one of stopped"),
        ({"mode": STOPPED}, "basal = 150000: the mode stopped has none"),
        ({"mode": MINIMUM, "basal": 0, "max_per_day": 9}, "max_per_day = 9: the mode minimum has none"),
        ({"mode": MINIMUM, "basal": 0, "scheduled": [(1, 0, 5, 5)]}, "scheduled_bolus = 1: the mode minimum has none"),
        (
            {"mode": STOPPED, "basal": 0, "patient_bolus": (5, 5, 5, 5)},
            "patient_bolus = (5, 5, 5, 5): the mode stopped",
        ),
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
        ({"scheduled": [(1, 0, 1, 1)] * 25}, "scheduled_bolus = 25: at most 24"),
        ({"scheduled": [(0, 0, 1, 1)]}, "scheduled_bolus 1 days = 0: a mask"),
        ({"scheduled": [(1, 0, 1, 1), (1, 1_440, 1, 1)]}, "scheduled_bolus 2 at = 1440: a minute of 0 to 1439"),
        ({"scheduled": [(1, 0, 0, 1)]}, "scheduled_bolus 1 dose = 0 nL: 1 to 1000000000 nL"),
        ({"scheduled": [(1, 0, MAX_LIMIT + 1, 1)]}, "scheduled_bolus 1 dose = 1000000001 nL: 1 to"),
        ({"scheduled": [(1, 0, 1, 0)]}, "scheduled_bolus 1 over = 0 s: 1 s to 24 h"),
        ({"scheduled": [(1, 0, 1, 86_401)]}, "scheduled_bolus 1 over = 86401 s: 1 s to 24 h"),
        (
            {"scheduled": [(1, 0, 332, 1)]},
            "scheduled_bolus 1 dose = 332 nL over 1 s: at most 331 nL, for max_rate less",
        ),
        ({"patient_bolus": (0, 1, 1, 1)}, "patient_bolus dose = 0 nL: 1 to"),
        ({"patient_bolus": (1, 0, 1, 1)}, "patient_bolus over = 0 s: 1 s to 24 h"),
        ({"patient_bolus": (1, 60, 59, 1)}, "patient_bolus lockout = 59 s: `over`, 60 s, to 7 d"),
        ({"patient_bolus": (1, 60, 604_801, 1)}, "patient_bolus lockout = 604801 s: `over`, 60 s, to 7 d"),
        ({"patient_bolus": (1, 1, 1, 0)}, "patient_bolus max_per_day = 0: 1 to 24"),
        ({"patient_bolus": (1, 1, 1, 25)}, "patient_bolus max_per_day = 25: 1 to 24"),
        (
            {"scheduled": [(1, 0, 9, 60)], "max_per_hour": 6_258},
            "max_per_hour = 6258 nL: at least 6259 nL, the highest",
        ),
        ({"basal": 5_999_999}, "basal = 5999.999 uL/day (11999.998 ug/day): at most 1500 ug/day for baclofen"),
        ({"concentration": 50_000, "basal": 239_999}, "basal = 239.999 uL/day (11.999 ug/day): at least 12 ug/day"),
        (
            {"basal": 700_000, "patient_bolus": (30_001, 500, 500, 10)},
            "day_at_most = 1000.01 uL (2000.02 ug): at most",
        ),
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
    changed(scheduled=[(1, 0, 9, 60)], max_per_hour=6_259, max_per_day=150_009).validate(PUMP)


@pytest.mark.requirement("F2")
@pytest.mark.parametrize(("mode", "rate"), [(STOPPED, 0), (MINIMUM, PUMP.min_rate)])
def test_the_modes_without_doses_have_their_own_rate(mode: int, rate: int):
    rx = changed(mode=mode, basal=0)
    rx.validate(PUMP)
    assert {rx.schedule(PUMP).rate_at(second) for second in range(0, 604_800, 3_600)} == {rate}


@pytest.mark.requirement("I4")
def test_a_wrong_count_of_periods_or_boluses_is_refused():
    payload = changed(periods=[(1, 0, 60, 6_000)], scheduled=[(1, 0, 60, 60)]).record()
    first = 34  # where the count of periods lies
    second = first + 1 + 9
    assert payload[first] == payload[second] == 1
    wrongs = [payload[:-1], payload + b"\0", b"", payload[:first]]
    wrongs += [
        payload[:at] + struct.pack("B", count) + payload[at + 1 :] for at in (first, second) for count in (0, 2, 255)
    ]
    for wrong in wrongs:
        with pytest.raises(PrescriptionError):
            unpack(wrong, PUMP)


@pytest.mark.requirement("I4")
def test_a_drug_that_the_library_does_not_have_is_refused():
    payload = bytearray(changed().record())
    payload[16] = 8
    with pytest.raises(PrescriptionError, match="drug 8"):
        unpack(bytes(payload), PUMP)


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
