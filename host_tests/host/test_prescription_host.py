"""Prescriptions read on the host: every rule, and its error text with field, value and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tests.host.prescription_tables import FLEX, RATES, bare, continuous, period, periods, refusal, table
from thecal.fields import shown
from thecal.prescription import (
    DRUGS,
    PrescriptionError,
    RateRange,
)
from thecal.prescription_toml import load_prescription, parse_prescription

pytestmark = pytest.mark.requirement("T1")


@pytest.mark.requirement("F2", "F4")
def test_a_flex_prescription_becomes_whole_numbers():
    rx = parse_prescription(table(), RATES)
    assert (rx.patient, rx.drug, rx.mode) == ("bench-07", "baclofen", "flex")
    assert rx.concentration_ng_per_ml == 2_000_000
    assert rx.basal_nl_day == 150_000
    assert rx.periods == ((0b0011111, 480, 720, 210_000), (0b1100000, 1350, 360, 400_000))
    assert (rx.max_per_hour_nl, rx.max_per_day_nl) == (30_000, 900_000)
    assert rx.highest_rate() == 400_000


@pytest.mark.requirement("F1", "F2")
def test_each_mode_takes_exactly_what_it_uses():
    assert parse_prescription(table(mode="continuous", period=None), RATES).periods == ()
    assert parse_prescription(table(period=None), RATES).periods == ()
    for mode in ("minimum", "stopped"):
        rx = parse_prescription(bare(mode), RATES)
        assert (rx.mode, rx.basal_nl_day, rx.periods, rx.max_per_hour_nl, rx.max_per_day_nl) == (
            mode,
            0,
            (),
            None,
            None,
        )
        for key in ("basal", "period", "limits"):
            assert refusal({**bare(mode), key: table()[key]}) == (
                f'prescription.{key}: not used by the mode "{mode}"; leave it out'
            )
    assert refusal(table(mode="continuous")) == ('prescription.period: not used by the mode "continuous"; leave it out')


@pytest.mark.parametrize("key", ["patient", "drug", "concentration", "mode", "basal"])
def test_a_missing_key_is_named(key: str):
    assert refusal(table(**{key: None})).startswith(f"prescription.{key}: missing")


@pytest.mark.parametrize("key", ["days", "from", "to", "rate"])
def test_a_missing_key_of_a_period_is_named_with_the_number_of_the_period(key: str):
    message = refusal(periods(period(to="10:00"), period(**{"from": "10:00", key: None})))
    assert message.startswith(f"prescription.period[2].{key}: missing")


def test_unknown_keys_are_named_with_a_guess():
    keys = "patient, drug, concentration, mode, basal, period, limits, scheduled_bolus, patient_bolus"
    assert refusal(table(bassal="300 ug/day")) == (
        f'prescription.bassal: unknown key (did you mean "basal"?); allowed is one of {keys}'
    )
    assert refusal(table(**{"a b": 1})) == f'prescription."a b": unknown key; allowed is one of {keys}'
    assert refusal(periods(period(rates="1 mL/day"))).startswith(
        'prescription.period[1].rates: unknown key (did you mean "rate"?)'
    )
    assert refusal(table(limits={"max_per_week": "1 mL"})).startswith("prescription.limits.max_per_week: unknown key")


@pytest.mark.requirement("R11")
def test_the_drug_must_be_known():
    for drug in DRUGS[1:]:
        each = continuous(drug=drug, concentration="50 ug/mL", basal="0.24 mL/day")
        assert parse_prescription(each, RATES).drug == drug
    for drug in ("Baclofen", "baclofen ", "", "insulin", 7, None, ["baclofen"]):
        data = {**table(), "drug": drug}
        assert refusal(data).startswith(f"prescription.drug = {shown(drug)}: unknown")
        assert refusal(data).endswith(f"one of {', '.join(DRUGS)} is needed")


def test_the_mode_must_be_known():
    assert refusal(table(mode="flexx")) == (
        'prescription.mode = "flexx": unknown (did you mean "flex"?); '
        "one of stopped, continuous, flex, minimum is needed"
    )


def test_the_patient_is_1_to_16_printable_characters_without_a_space():
    for good in ("a", "bench-07", "~" * 16, "!"):
        assert parse_prescription(table(patient=good), RATES).patient == good
    for bad in ("", "a" * 17, "a b", "a\n", "\x7f", "ä", 7, None, []):
        assert refusal({**table(), "patient": bad}) == (
            f"prescription.patient = {shown(bad)}: 1 to 16 printable ASCII characters without spaces"
        )


@pytest.mark.requirement("F8")
def test_saline_has_volumes_only_and_no_concentration():
    saline = {"patient": "a", "drug": "saline", "mode": "continuous", "basal": "1.5 mL/day"}
    rx = parse_prescription(saline, RATES)
    assert (rx.concentration_ng_per_ml, rx.basal_nl_day) == (0, 1_500_000)
    assert refusal({**saline, "concentration": "1 mg/mL"}) == (
        'prescription.concentration = "1 mg/mL": saline takes no concentration; leave it out'
    )
    assert refusal({**saline, "basal": "300 ug/day"}) == (
        'prescription.basal = "300 ug/day": the unit "ug/day" must be one of nL/h, uL/h, mL/h, nL/day, uL/day, mL/day'
    )
    assert 'the unit "ug" must be one of nL' in refusal({**saline, "limits": {"max_per_day": "1 ug"}})


@pytest.mark.requirement("F8")
def test_a_concentration_is_a_whole_number_of_ng_per_ml_as_rounding_it_would_raise_the_dose():
    for good, ng in (("1 ng/mL", 1), ("0.5 ug/mL", 500), ("20 mg/mL", 2 * 10**7), ("50 mcg/mL", 50_000)):
        rx = parse_prescription(continuous(drug="morphine", concentration=good), RATES)
        assert rx.concentration_ng_per_ml == ng
    for bad in ("0.5 ng/mL", "1000.5 ng/mL", "19.0000001 mg/mL"):
        assert refusal(table(concentration=bad)) == (
            f'prescription.concentration = "{bad}": a whole number of ng/mL is needed'
        )
    for bad in ("2 mg", "2 mg/L", "2 mL/mL", "2 mg/uL", "2000", 2000):
        assert "one of ng/mL, ug/mL, mcg/mL, mg/mL" in refusal(table(concentration=bad))


@pytest.mark.requirement("F8", "F1")
def test_a_rate_is_rounded_down_once_to_whole_nl_per_day():
    # 1 ug at 7 ug/mL is 142,857.14.. nL; an hourly rate is rounded after it is multiplied, not before.
    data = continuous(drug="morphine", concentration="7 ug/mL", basal="1 ug/h")
    assert parse_prescription(data, RATES).basal_nl_day == 3_428_571
    data["limits"] = {"max_per_day": "1000 ug", "max_per_hour": "1.1 ug"}
    rx = parse_prescription(data, RATES)
    assert (rx.max_per_day_nl, rx.max_per_hour_nl) == (142_857_142, 157_142)


@pytest.mark.requirement("R10")
def test_a_rate_is_zero_or_within_the_range_of_the_pump():
    def basal(text: str) -> dict[str, Any]:
        return continuous(drug="morphine", concentration="500 ug/mL", basal=text)

    for good, rate in (
        ("0 mL/day", 0),
        ("0.000 ug/h", 0),
        ("6 uL/day", 6_000),
        ("6000.9 nL/day", 6_000),
        ("28.8 mL/day", 28_800_000),
        ("28800000.9 nL/day", 28_800_000),
        ("3 ug/day", 6_000),
        ("14400 ug/day", 28_800_000),
    ):
        assert parse_prescription(basal(good), RATES).basal_nl_day == rate
    for bad, exact in (
        ("5999.999 nL/day", "5999.999"),
        ("0.001 nL/day", "0.001"),
        ("1 ng/day", "2"),
        ("28800001 nL/day", "28800001"),
        ("999999999999 mg/h", "47999999999952000000"),
    ):
        assert refusal(basal(bad)) == (
            f'prescription.basal = "{bad}": 0 or 6000 to 28800000 nL/day is needed, and this is {exact} nL/day'
        )
    assert refusal(periods(period(), period(**{"from": "12:00", "to": "13:00", "rate": "9 mL/h"}))) == (
        'prescription.period[2].rate = "9 mL/h": 0 or 6000 to 28800000 nL/day is needed, and this is 216000000 nL/day'
    )


@pytest.mark.requirement("R10")
@given(st.integers(1, 1000), st.integers(0, 1000), st.integers(0, 3000))
def test_the_range_is_that_of_the_pump_at_hand(lowest: int, more: int, rate: int):
    data = continuous(drug="morphine", basal=f"{rate} nL/day")
    rates = RateRange(lowest, lowest + more)
    if rate and not lowest <= rate <= lowest + more:
        with pytest.raises(PrescriptionError, match=f"0 or {lowest} to {lowest + more} nL/day"):
            parse_prescription(data, rates)
    else:
        assert parse_prescription(data, rates).basal_nl_day == rate


@pytest.mark.requirement("R08", "R09")
def test_reaching_a_limit_with_basal_alone_is_allowed_and_exceeding_it_is_not():
    # The highest rate, 0.4 mL/day, counts for the whole window, though it holds on two nights only.
    for key, least in (("max_per_day", 400_000), ("max_per_hour", 16_667)):
        good = parse_prescription(table(limits={key: f"{least} nL"}), RATES)
        assert getattr(good, key + "_nl") == least
        assert refusal(table(limits={key: f"{least - 1} nL"})) == (
            f'prescription.limits.{key} = "{least - 1} nL": at least {least} nL, '
            f"the highest rate over the window, and this is {least - 1} nL"
        )


@pytest.mark.requirement("R09")
@given(st.integers(6_000, 10**6), st.integers(6_000, 10**6), st.integers(1, 10**6), st.sampled_from([1, 24]))
def test_a_prescription_exceeds_by_itself_exactly_when_its_highest_rate_fills_more_than_the_limit(
    basal: int, rate: int, limit: int, windows: int
):
    key = "max_per_day" if windows == 1 else "max_per_hour"
    data = table(
        drug="morphine", basal=f"{basal} nL/day", period=[period(rate=f"{rate} nL/day")], limits={key: f"{limit} nL"}
    )
    if max(basal, rate) > limit * windows:
        assert f"prescription.limits.{key} = " in refusal(data)
    else:
        assert getattr(parse_prescription(data, RATES), f"{key}_nl") == limit


@pytest.mark.requirement("R10")
def test_a_limit_is_at_least_one_nanolitre_and_fits_the_pump():
    none = table(mode="continuous", basal="0 mL/day", period=None)
    for text, limit in (("1 nL", 1), ("1.9 nL", 1), ("1000 mL", 10**9), ("2 ng", 1)):
        assert parse_prescription({**none, "limits": {"max_per_hour": text}}, RATES).max_per_hour_nl == limit
    for text, exact in (("0 mL", "0"), ("0.9 nL", "0.900"), ("1 ng", "0.500"), ("1001 mL", "1001000000")):
        assert refusal({**none, "limits": {"max_per_hour": text}}) == (
            f'prescription.limits.max_per_hour = "{text}": 1 to 1000000000 nL is needed, and this is {exact} nL'
        )


@pytest.mark.requirement("R50")
@pytest.mark.parametrize("value", [300, 300.0, "300", "300 ug", "300 ug/d", "300 UG/DAY", "-300 ug/day", True, None])
@pytest.mark.parametrize("where", ["basal", "period[1].rate"])
def test_a_rate_without_its_exact_unit_is_refused_with_the_units(where: str, value: object):
    data = {**table(), "basal": value} if where == "basal" else periods({**period(), "rate": value})
    message = refusal(data)
    assert message.startswith(f"prescription.{where} = {shown(value)}: ")
    assert "one of ng/h, ug/h" in message or "plain decimal digits" in message


def test_a_prescription_file_holds_one_table(tmp_path: Path):
    path = tmp_path / "rx.toml"

    def reason(text: bytes) -> str:
        path.write_bytes(text)
        with pytest.raises(PrescriptionError) as refused:
            load_prescription(path, RATES)
        return str(refused.value)

    good = FLEX.replace("[[", "[[prescription.").replace("\n[limits", "\n[prescription.limits")
    path.write_text("[prescription]" + good)
    assert load_prescription(path, RATES) == parse_prescription(table(), RATES)
    assert reason(b"") == "prescription: missing; a table [prescription] is needed"
    assert reason(b"[perscription]") == (
        'perscription: unknown key (did you mean "prescription"?); allowed is one of prescription'
    )
    assert reason(b"prescription = 1") == "prescription = 1: a table is needed"
    assert reason(b"[prescription").startswith("rx.toml: is not a TOML file: ")
    assert reason(b"a = '\xff'").startswith("rx.toml: is not a TOML file: ")
    assert reason(b"a = " + b"[" * 100_000).startswith("rx.toml: is not a TOML file: ")
    assert reason(b"a = " + b"1" * 10_000).startswith("rx.toml: is not a TOML file: ")
    path.unlink()
    with pytest.raises(PrescriptionError, match=r"^rx\.toml: cannot be read: No such file"):
        load_prescription(path, RATES)
