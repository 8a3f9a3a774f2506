"""What the host reads from a file and what the pump computes from the same text is the same (F4)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware import calibration, prescription, staging
from firmware.units import QuantityError
from thecal.models.bench import PumpConfig
from thecal.prescription import (
    DRUGS,
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
    st.integers(0, 2_000).map(str), st.decimals(0, 2_000, places=3, allow_nan=False).map(lambda d: f"{d:f}")
)


def quantities(*units: str) -> st.SearchStrategy[str]:
    return st.builds("{} {}".format, numbers, st.sampled_from(units))


rates = quantities("ug/day", "ug/h", "mcg/day", "\N{MICRO SIGN}g/day", "uL/day", "uL/h", "mL/day", "mg/day")
clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
periods = st.fixed_dictionaries({"days": st.sampled_from(DAYS), "from": clocks, "to": clocks, "rate": rates})
limits = st.fixed_dictionaries(
    {}, optional={key: quantities("mg", "mL", "uL") for key in ("max_per_hour", "max_per_day")}
)
tables = st.fixed_dictionaries(
    {
        "patient": st.sampled_from(["bench-07", "~", "a" * 16]),
        "drug": st.sampled_from(DRUGS),
        "mode": st.sampled_from(MODES),
    },
    optional={
        "concentration": quantities("ug/mL", "mg/mL", "mcg/mL", "ng/mL"),
        "basal": rates,
        "period": st.lists(periods, max_size=4),
        "limits": limits,
    },
)


@st.composite
def likely_tables(draw: st.DrawFn) -> dict[str, Any]:
    """Tables of which many are good: each has what its mode and drug need and nothing else."""
    data = draw(tables)
    if data["drug"] == "saline":
        data.pop("concentration", None)
    else:
        data.setdefault("concentration", "2000 ug/mL")
    if data["mode"] in ("continuous", "flex"):
        data.setdefault("basal", "0.5 mL/day")
    else:
        data.pop("basal", None)
        data.pop("limits", None)
    if data["mode"] != "flex":
        data.pop("period", None)
    return data


SALINE = {"patient": "a", "drug": "saline", "mode": "continuous", "basal": "1 mL/day"}


@pytest.mark.requirement("F4", "F8")
@given(st.one_of(tables, likely_tables()))
@example({**SALINE, "limits": {"max_per_hour": "5000 mL"}})  # more than 32 bits of nL
@example({**SALINE, "limits": {"max_per_day": "4294967295 nL"}})  # what the pump packs for no limit
@example({**SALINE, "basal": "0.5 nL/day"})
@example({**SALINE, "drug": "morphine", "concentration": "1000.5 ng/mL"})
def test_host_and_pump_compute_the_same_prescription_or_neither_commits_one(data: dict[str, Any]):
    try:
        rx = parse_prescription(data, RATES)
    except PrescriptionError:
        lines = draft_lines(data)
    else:
        staged, claimed = pump(stage_lines(rx, pack))
        assert staging.digest(staged) == claimed
        return
    try:
        staged, claimed = pump(lines)
    except (prescription.PrescriptionError, QuantityError):
        return
    assert staging.digest(staged) != claimed


@pytest.mark.requirement("F4")
def test_the_full_example_arrives_in_the_pump():
    data = {
        "patient": "bench-07",
        "drug": "baclofen",
        "concentration": "2000 \N{MICRO SIGN}g/mL",
        "mode": "flex",
        "basal": "300 ug/day",
        "period": [{"days": "mon-fri", "from": "08:00", "to": "12:00", "rate": "420 ug/day"}],
        "limits": {"max_per_hour": "60 ug", "max_per_day": "700 ug"},
    }
    staged, claimed = pump(stage_lines(parse_prescription(data, RATES), pack))
    assert staging.digest(staged) == claimed
    assert (staged.concentration, staged.basal) == (2_000_000, 150_000)
    assert staged.periods == [(0b0011111, 480, 720, 210_000)]
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
