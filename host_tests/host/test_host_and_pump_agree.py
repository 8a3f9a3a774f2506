"""What the host reads from a file and what the pump computes from the same text is the same (F4)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from firmware import calibration, prescription, staging, validation
from firmware.units import QuantityError
from thecal import prescription_rules, programming
from thecal.models.bench import PumpConfig
from thecal.prescription import (
    DRUGS,
    MAX_LIMIT,
    MAX_PERIODS,
    MAX_SCHEDULED,
    MODES,
    Prescription,
    PrescriptionError,
    RateRange,
    draft_lines,
    stage_lines,
)
from thecal.prescription_toml import parse_prescription
from thecal.pump_toml import FIELDS, SERIAL_LENGTH

pytestmark = pytest.mark.requirement("F4")

PUMP = calibration.Calibration()
REFERENCE = {name: reference for name, _, _, _, reference in calibration.FIELDS}
RATES = RateRange(REFERENCE["min_rate"], REFERENCE["max_rate"])
DAYS = ["daily", "mon", "sun", "mon-fri", "sat-mon", "fri-wed", "tue,thu", "sat, sun", "mon-wed,sat"]


def pack(rx: Prescription) -> bytes:
    """The host's numbers in the pump's packed form."""
    packed = prescription.Prescription()
    packed.patient = rx.patient
    packed.drug = rx.drug
    packed.concentration = rx.concentration_ng_per_ml
    packed.mode = MODES.index(rx.mode)
    packed.basal = rx.basal_nl_day
    packed.periods = list(rx.periods)
    packed.scheduled = list(rx.scheduled)
    packed.patient_bolus = rx.patient_bolus
    if rx.max_per_hour_nl is not None:
        packed.max_per_hour = rx.max_per_hour_nl
    if rx.max_per_day_nl is not None:
        packed.max_per_day = rx.max_per_day_nl
    return packed.pack()


def pump(lines: list[str]) -> tuple[prescription.Prescription, str]:
    """What the pump makes of console lines, and the digest that the host claims."""
    stage = staging.Staging()
    for line in lines:
        key, *words = line.removeprefix("program stage ").split()
        if key == "begin":
            stage.begin()
        elif key == "end":
            return stage.end(PUMP), words[0]
        else:
            stage.put(key, words)
    raise AssertionError("no `program stage end` line")


numbers = st.one_of(
    st.integers(0, 2_000).map(str),
    st.decimals(0, 2_000, places=3, allow_nan=False).map(lambda d: f"{d:f}"),
    st.sampled_from(["0", "1", "12", "12.001", "11.999", "1500", "1500.001", "2000", "0.5"]),
)


def quantities(*units: str) -> st.SearchStrategy[str]:
    return st.builds("{} {}".format, numbers, st.sampled_from(units))


rates = quantities("ug/day", "ug/h", "mcg/day", "\N{MICRO SIGN}g/day", "uL/day", "uL/h", "mL/day", "mg/day")
clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
doses = quantities("ug", "mcg", "ng", "uL", "nL", "mL", "mg")
durations = quantities("s", "min", "h", "d")
periods = st.fixed_dictionaries({"days": st.sampled_from(DAYS), "from": clocks, "to": clocks, "rate": rates})
scheduled = st.fixed_dictionaries({"days": st.sampled_from(DAYS), "at": clocks, "dose": doses, "over": durations})
patient = st.fixed_dictionaries(
    {"dose": doses, "over": durations, "lockout": durations, "max_per_day": st.integers(0, 26)}
)
# Without empty tables and lists, which the console cannot show.
limits = st.dictionaries(
    st.sampled_from(["max_per_hour", "max_per_day"]), quantities("mg", "mL", "uL"), min_size=1, max_size=2
)
concentrations = st.one_of(
    quantities("ug/mL", "mg/mL", "mcg/mL", "ng/mL"),
    st.sampled_from(["50 ug/mL", "500 ug/mL", "2 mg/mL", "0.1 mg/mL", "100.001 ug/mL", "20 mg/mL", "20.001 mg/mL"]),
)
tables: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "patient": st.sampled_from(["bench-07", "~", "a" * 16]),
        "drug": st.sampled_from(DRUGS),
        "mode": st.sampled_from(MODES),
    },
    optional={
        "concentration": concentrations,
        "basal": rates,
        "period": st.lists(periods, min_size=1, max_size=4),
        "scheduled_bolus": st.lists(scheduled, min_size=1, max_size=4),
        "patient_bolus": patient,
        "limits": limits,
    },
)


@st.composite
def likely_tables(draw: st.DrawFn) -> dict[str, Any]:
    """Tables of which many are good: each has what its mode and drug need, nothing else, and moderate amounts."""
    data = draw(tables)
    data["mode"] = draw(st.sampled_from(["continuous", "flex", "flex", data["mode"]]))
    if data["drug"] == "saline":
        data.pop("concentration", None)
    else:
        data["concentration"] = draw(st.sampled_from(["50 ug/mL", "500 ug/mL", "2000 ug/mL", "100 ug/mL", "7 ug/mL"]))
    if data["mode"] not in ("continuous", "flex"):
        for key in ("basal", "limits", "scheduled_bolus", "patient_bolus"):
            data.pop(key, None)
    else:
        small = st.builds("{} uL/day".format, st.one_of(st.just(0), st.integers(6, 300)))
        data["basal"] = draw(small)
        data["period"] = data.get("period", [])[: draw(st.integers(0, 2))]
        for period in data["period"]:
            period["rate"] = draw(small)
        if "patient_bolus" in data:
            data["patient_bolus"].update(lockout=draw(st.sampled_from(["2 h", "7 d", "30 min"])), max_per_day=3)
        for bolus in [*data.get("scheduled_bolus", []), *([data["patient_bolus"]] if "patient_bolus" in data else [])]:
            bolus["dose"] = draw(st.builds("{} {}".format, st.integers(1, 40), st.sampled_from(["uL", "nL"])))
            bolus["over"] = draw(st.builds("{} {}".format, st.integers(1, 90), st.sampled_from(["min", "s", "min"])))
        if "limits" in data:
            data["limits"] = {key: draw(st.builds("{} uL".format, st.integers(100, 900))) for key in data["limits"]}
    if data["mode"] != "flex":
        data.pop("period", None)
    return data


SALINE = {"patient": "a", "drug": "saline", "mode": "continuous", "basal": "1 mL/day"}
BACLOFEN = {**SALINE, "drug": "baclofen", "concentration": "2000 ug/mL"}
BOLUS = {"dose": "10 ug", "over": "5 min", "lockout": "2 h", "max_per_day": 4}

FEW = {"dose": "1 uL", "over": "1 min", "lockout": "10 min"}
EVERY_HOUR = [{"days": "daily", "at": f"{hour:02}:30", "dose": "1 uL", "over": "1 min"} for hour in range(24)]


@pytest.mark.requirement("F3", "F4", "F8", "R10")
@given(st.one_of(tables, likely_tables()))
@example({**SALINE, "limits": {"max_per_hour": "5000 mL"}})  # more than 32 bits of nL
@example({**SALINE, "limits": {"max_per_day": "4294967295 nL"}})  # what the pump packs for no limit
@example({**SALINE, "basal": "0.5 nL/day"})
@example({**SALINE, "drug": "morphine", "concentration": "1000.5 ng/mL"})
@example({**BACLOFEN, "basal": "12 ug/day"})
@example({**BACLOFEN, "basal": "11.999 ug/day"})
@example({**BACLOFEN, "basal": "1500 ug/day"})
@example({**BACLOFEN, "basal": "1500.002 ug/day"})
@example({**BACLOFEN, "basal": "1500 ug/day", "patient_bolus": {**BOLUS, "dose": "125 ug"}})
@example({**BACLOFEN, "basal": "1500 ug/day", "patient_bolus": {**BOLUS, "dose": "125.002 ug"}})
@example({**BACLOFEN, "basal": "0 ug/day", "patient_bolus": {**BOLUS, "over": "1.5 s"}})
@example({**BACLOFEN, "basal": "0 ug/day", "patient_bolus": {**BOLUS, "lockout": "299.5 s"}})
@example({**BACLOFEN, "basal": "0 ug/day", "patient_bolus": {**BOLUS, "lockout": "299 s"}})
@example({**BACLOFEN, "basal": "0 ug/day", "patient_bolus": {**BOLUS, "dose": "1 ng"}})
@example({**SALINE, "scheduled_bolus": EVERY_HOUR, "patient_bolus": {**FEW, "max_per_day": 6}})
@example({**SALINE, "scheduled_bolus": EVERY_HOUR, "patient_bolus": {**FEW, "max_per_day": 7}})
@example({**SALINE, "scheduled_bolus": EVERY_HOUR[:6], "patient_bolus": {**FEW, "max_per_day": 24}})
@example({**SALINE, "scheduled_bolus": EVERY_HOUR[:7], "patient_bolus": {**FEW, "max_per_day": 24}})
@example({**SALINE, "mode": "minimum", "basal": "0 mL/day"})
@example({"patient": "a", "drug": "saline", "mode": "minimum", "patient_bolus": BOLUS})
def test_host_and_pump_compute_the_same_prescription_or_both_refuse_it(data: dict[str, Any]):
    try:
        rx = parse_prescription(data, RATES)
    except PrescriptionError:
        with pytest.raises((prescription.PrescriptionError, QuantityError)):
            pump(draft_lines(data))
    else:
        staged, claimed = pump(stage_lines(rx, pack))
        assert staged.digest() == claimed
        assert programming.pack(rx) == staged.pack()
        assert staged.worst_day == (rx.most_in_a_day() if staged.gives_doses else 0)
        assert prescription.unpack(staged.record(), PUMP).pack() == staged.pack()


@pytest.mark.requirement("F3", "F4")
def test_the_likely_tables_above_are_often_good():
    """Otherwise the test above would compare refusals only."""
    good = 0

    @settings(max_examples=200, phases=[Phase.generate])
    @given(likely_tables())
    def count(data: dict[str, Any]) -> None:
        nonlocal good
        try:
            rx = parse_prescription(data, RATES)
        except PrescriptionError:
            return
        good += bool(rx.scheduled or rx.patient_bolus)

    count()
    assert good > 20


@pytest.mark.requirement("F4")
def test_the_full_example_arrives_in_the_pump():
    data = {
        "patient": "bench-07",
        "drug": "baclofen",
        "concentration": "2000 \N{MICRO SIGN}g/mL",
        "mode": "flex",
        "basal": "300 ug/day",
        "period": [{"days": "mon-fri", "from": "08:00", "to": "12:00", "rate": "420 ug/day"}],
        "scheduled_bolus": [{"days": "daily", "at": "22:00", "dose": "25 ug", "over": "10 min"}],
        "patient_bolus": BOLUS,
        "limits": {"max_per_hour": "60 ug", "max_per_day": "700 ug"},
    }
    staged, claimed = pump(stage_lines(parse_prescription(data, RATES), pack))
    assert staged.digest() == claimed
    assert (staged.concentration, staged.basal) == (2_000_000, 150_000)
    assert staged.periods == [(0b0011111, 480, 720, 210_000)]
    assert staged.scheduled == [(0x7F, 1320, 12_500, 600)]
    assert staged.patient_bolus == (5_000, 300, 7_200, 4)
    assert (staged.max_per_hour, staged.max_per_day) == (30_000, 350_000)


@pytest.mark.requirement("F8")
def test_host_and_pump_accept_the_same_calibration():
    host = {field.name: (field.unit, field.lowest, field.highest) for field in FIELDS.values()}
    device = {name: (unit, lowest, highest) for name, unit, lowest, highest, _ in calibration.FIELDS}
    assert host == device
    assert {**asdict(PumpConfig()), "serial": ""} == {**REFERENCE, "serial": ""}
    assert PumpConfig().serial == PUMP.serial
    assert SERIAL_LENGTH == calibration.SERIAL_MAX


def test_host_and_pump_know_the_same_drugs_modes_and_bounds():
    assert DRUGS == prescription.DRUGS
    assert MODES == prescription.MODES
    assert (MAX_PERIODS, MAX_SCHEDULED, MAX_LIMIT) == (
        validation.MAX_PERIODS,
        validation.MAX_SCHEDULED,
        validation.MAX_LIMIT,
    )
    assert prescription_rules.MAX_DAY_BOLUSES == validation.DAY_BOLUSES
