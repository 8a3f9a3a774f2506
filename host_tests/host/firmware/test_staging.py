"""Staging a prescription line by line: every rule, every refusal, and the comparison before a commit (F4, R22)."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prescription_oracle import PUMP, prescriptions

from firmware.comparison import show
from firmware.days import clock_text, days_text
from firmware.library import DRUGS
from firmware.prescription import FLEX, MODES, NO_LIMIT, Prescription
from firmware.staging import Staging
from thecal import programming
from thecal.prescription import Prescription as HostPrescription
from thecal.prescription import PrescriptionError as HostPrescriptionError
from thecal.prescription import RateRange, stage_lines
from thecal.prescription_toml import parse_prescription

GOOD = {
    "patient": "bench-07",
    "drug": "baclofen",
    "concentration": "2000 ug/mL",
    "mode": "flex",
    "basal": "300 ug/day",
    "period": "mon-fri 08:00 12:00 420 ug/day",
    "scheduled_bolus": "daily 22:00 25 ug 10 min",
    "patient_bolus": "10 ug 5 min 2 h 4",
    "max_per_hour": "60 ug",
    "max_per_day": "700 ug",
}


def staged(lines: dict[str, str | None]) -> Prescription:
    """The outcome of staging; a value of None leaves the line out."""
    stage = Staging()
    stage.begin()
    for key, words in lines.items():
        if words is not None:
            stage.put(key, words.split())
    return stage.end(PUMP)


def refusal(**changes: str | None) -> str:
    with pytest.raises(ValueError, match=" ") as error:
        staged({**GOOD, **changes})
    return str(error.value)


@pytest.mark.requirement("F4", "F8")
def test_the_example_is_staged_in_the_pumps_units():
    rx = staged(dict(GOOD))
    assert (rx.patient, rx.drug, rx.mode, rx.concentration) == ("bench-07", "baclofen", FLEX, 2_000_000)
    assert (rx.basal, rx.periods) == (150_000, [(0b11111, 480, 720, 210_000)])
    assert (rx.max_per_hour, rx.max_per_day) == (30_000, 350_000)
    assert rx.scheduled == [(0b1111111, 1_320, 12_500, 600)]
    assert rx.patient_bolus == (5_000, 300, 7_200, 4)


@pytest.mark.requirement("F4", "R10", "R11", "R50")
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"patient": None}, "patient: missing"),
        ({"drug": None}, "drug: missing"),
        ({"mode": None}, "mode: missing"),
        ({"concentration": None}, "concentration: missing"),
        ({"basal": None}, "basal: missing"),
        ({"drug": "water"}, "drug = water: one of saline, "),
        ({"mode": "fast"}, "mode = fast: one of stopped, "),
        ({"patient": "two words"}, "patient = two words: a word is needed"),
        ({"basal": "300"}, "basal = 300: a number, a space and a unit is needed"),
        ({"basal": "300 ug / day"}, "basal = 300 ug / day: a number, a space and a unit is needed"),
        ({"basal": "300ug/day"}, "basal = 300ug/day: a number, a space and a unit is needed"),
        ({"basal": "-1 ug/day"}, "basal = -1 ug: a plain decimal number"),
        ({"basal": "300 ug"}, "basal = 300 ug: a rate per h or per day is needed"),
        ({"basal": "1 uL/day"}, "basal = 1000 nL/day: 0 or 6000 to 28800000 nL/day"),
        ({"concentration": "2000 ug"}, "concentration = 2000 ug: a mass per mL is needed"),
        ({"concentration": "1.5 ng/mL"}, "concentration = 1.5 ng/mL: a whole number of ng/mL is needed"),
        ({"concentration": "0 ng/mL"}, "basal = 300 ug: a volume is needed, as no concentration is set"),
        ({"concentration": "1001 mg/mL"}, "concentration = 1001000 ug/mL: baclofen comes at"),
        ({"max_per_hour": "4294967295 nL"}, "max_per_hour = 4294967295 nL: 1 to 1000000000 nL"),
        ({"max_per_day": "5 ug/day"}, "max_per_day = 5 ug/day: a unit of mass"),
        ({"max_per_day": "10 ug"}, "max_per_day = 5000 nL: at least 235000 nL"),
        ({"max_per_day": "999999 mL"}, "max_per_day = 999999000000 nL: 1 to 1000000000 nL"),
        ({"max_per_day": "0 uL"}, "max_per_day = 0 nL: 1 to 1000000000 nL"),
        ({"period": "mon 08:00 12:00 420"}, "period = mon 08:00 12:00 420: DAYS HH:MM HH:MM NUMBER UNIT"),
        ({"period": "mon 8:00 12:00 420 ug/day"}, "period 1 from = 8:00: 00:00 to 23:59"),
        ({"period": "mon 08:00 24:00 420 ug/day"}, "period 1 to = 24:00: 00:00 to 23:59"),
        ({"period": "mon 08:00 12:60 420 ug/day"}, "period 1 to = 12:60: 00:00 to 23:59"),
        ({"period": "mon 08;00 12:00 420 ug/day"}, "period 1 from = 08;00: 00:00 to 23:59"),
        ({"period": "mon +8:00 12:00 420 ug/day"}, "period 1 from = +8:00: 00:00 to 23:59"),
        ({"period": "moon 08:00 12:00 420 ug/day"}, "period 1 days = moon: daily, a day mon..sun"),
        ({"period": "mon 08:00 12:00 420 ug"}, "period 1 rate = 420 ug: a rate per h or per day"),
        ({"mode": "continuous"}, "period = 1: the mode continuous has none"),
        ({"mode": "stopped"}, "period = 1: the mode stopped has none"),
        ({"mode": "stopped", "period": None, "scheduled_bolus": None}, "basal = 300 ug/day: the mode stopped has none"),
        ({"mode": "minimum", "period": None}, "scheduled_bolus = 1: the mode minimum has none"),
        ({"drug": "saline"}, "concentration = 2000 ug/mL: saline takes none"),
        ({"drug": "saline", "concentration": None}, "basal = 300 ug: a volume is needed"),
        ({"basal": "11 ug/day"}, "basal = 5500 nL/day: 0 or 6000"),
        ({"basal": "1500.01 ug/day"}, "basal = 750.005 uL/day (1500.01 ug/day): at most 1500 ug/day for baclofen"),
        ({"concentration": "50 ug/mL", "basal": "11 ug/day"}, "basal = 220 uL/day (11 ug/day): at least 12 ug/day"),
        ({"scheduled_bolus": "daily 22:00 25 ug"}, "scheduled_bolus = daily 22:00 25 ug: DAYS HH:MM NUMBER UNIT"),
        ({"scheduled_bolus": "all 22:00 25 ug 10 min"}, "scheduled_bolus 1 days = all: daily, a day"),
        ({"scheduled_bolus": "daily 24:00 25 ug 10 min"}, "scheduled_bolus 1 at = 24:00: 00:00 to 23:59"),
        ({"scheduled_bolus": "daily 22:00 25 ug/day 10 min"}, "scheduled_bolus 1 dose = 25 ug/day: a unit of mass"),
        ({"scheduled_bolus": "daily 22:00 25 ug 10 m"}, "scheduled_bolus 1 over = 10 m: a unit of d, h, min, s"),
        ({"scheduled_bolus": "daily 22:00 25 ug 1.5 s"}, "scheduled_bolus 1 over = 1.5 s: whole seconds are needed"),
        ({"scheduled_bolus": "daily 22:00 0 ug 1 s"}, "scheduled_bolus 1 dose = 0 nL: 1 to"),
        ({"scheduled_bolus": "daily 22:00 1 ng 1 s"}, "scheduled_bolus 1 dose = 0 nL: 1 to"),
        ({"scheduled_bolus": "daily 22:00 25 ug 25 h"}, "scheduled_bolus 1 over = 90000 s: 1 s to 24 h"),
        ({"scheduled_bolus": "daily 22:00 25 ug 10 s"}, "scheduled_bolus 1 dose = 12500 nL over 10 s: at most 3309 nL"),
        ({"patient_bolus": "10 ug"}, "patient_bolus = 10 ug: NUMBER UNIT NUMBER UNIT NUMBER UNIT N"),
        ({"patient_bolus": "10 ug 5 min 4 min 4"}, "patient_bolus lockout = 240 s: `over`, 300 s, to 7 d"),
        ({"patient_bolus": "10 ug 5 min 7.1 d 4"}, "patient_bolus lockout = 613440 s: `over`, 300 s, to 7 d"),
        ({"patient_bolus": "10 ug 5 min 1.00001 h 4"}, "patient_bolus lockout = 1.00001 h: whole seconds are needed"),
        ({"patient_bolus": "10 ug 5 min 2 h 25"}, "patient_bolus max_per_day = 25: 1 to 24"),
        ({"patient_bolus": "10 ug 5 min 2 h 0"}, "patient_bolus max_per_day = 0: 1 to 24"),
        ({"patient_bolus": "10 ug 5 min 2 h 4.0"}, "patient_bolus max_per_day = 4.0: a whole number"),
        ({"patient_bolus": "10 ug 5 min 2 h four"}, "patient_bolus max_per_day = four : a plain decimal number"),
        ({"patient_bolus": "80 ug 5 min 2 h 24"}, "day_at_most = 1195 uL (2390 ug): at most 2000 ug for baclofen"),
        ({"mode": "continuous", "period": None, "max_per_hour": "37 ug"}, "max_per_hour = 18500 nL: at least 18750 nL"),
        ({"colour": "blue"}, "colour: no such key; one of patient, drug"),
    ],
)
def test_every_refusal_names_field_value_and_what_is_allowed(changes: dict[str, str | None], text: str):
    assert refusal(**changes).startswith(text)


@pytest.mark.requirement("F4", "R50")
@pytest.mark.parametrize("mode", ["stopped", "minimum"])
def test_what_a_mode_does_not_use_is_refused_even_with_the_value_zero(mode: str):
    lines = {"patient": "p", "drug": "saline", "mode": mode}
    assert staged(dict(lines)).mode == MODES.index(mode)
    unused = {"basal": "0 uL/day", "max_per_hour": "0 uL", "max_per_day": "0 uL", "patient_bolus": "0 uL 0 s 0 s 0"}
    for key, words in unused.items():
        with pytest.raises(ValueError, match=f"^{key} = {words}: the mode {mode} has none"):
            staged({**lines, key: words})


@pytest.mark.requirement("F4", "R22")
@pytest.mark.parametrize("key", [key for key in GOOD if key not in ("period", "scheduled_bolus")])
def test_a_key_given_twice_is_refused(key: str):
    stage = Staging()
    stage.begin()
    stage.put(key, GOOD[key].split())
    with pytest.raises(ValueError, match=f"^{key} = .*: given twice"):
        stage.put(key, GOOD[key].split())


@pytest.mark.requirement("F2", "F4")
def test_at_most_twenty_four_periods_are_taken():
    stage = Staging()
    stage.begin()
    for hour in range(24):
        stage.put("period", ["daily", f"{hour:02}:00", f"{hour:02}:59", "6", "uL/day"])
    with pytest.raises(ValueError, match=r"^period: at most 24 periods"):
        stage.put("period", ["daily", "00:59", "01:00", "6", "uL/day"])


@pytest.mark.requirement("F3", "F4")
def test_at_most_twenty_four_scheduled_boluses_are_taken():
    stage = Staging()
    stage.begin()
    for hour in range(24):
        stage.put("scheduled_bolus", ["daily", f"{hour:02}:00", "1", "nL", "1", "s"])
    with pytest.raises(ValueError, match=r"^scheduled_bolus: at most 24 scheduled boluses"):
        stage.put("scheduled_bolus", ["daily", "00:59", "1", "nL", "1", "s"])


@pytest.mark.requirement("F4", "R22")
def test_a_refused_line_counts_as_not_given_and_may_be_given_again():
    stage = Staging()
    stage.begin()
    wrong = {"patient_bolus": "10 ug 5 min 2 h", "scheduled_bolus": "daily 22:00 25 ug 0.1 s", "period": "mon"}
    for key, words in {**GOOD, **wrong}.items():
        if key in wrong:
            with pytest.raises(ValueError, match=" = "):
                stage.put(key, words.split())
        stage.put(key, GOOD[key].split())
    assert stage.end(PUMP).pack() == staged(dict(GOOD)).pack()


@pytest.mark.requirement("F4", "R22")
def test_nothing_can_be_staged_before_begin_or_after_the_end():
    stage = Staging()
    for _ in range(2):
        with pytest.raises(ValueError, match="`program stage begin` comes first"):
            stage.put("patient", ["p"])
        with pytest.raises(ValueError, match="`program stage begin` comes first"):
            stage.end(PUMP)
        stage.begin()
        for key, words in (("patient", "p"), ("drug", "saline"), ("mode", "stopped")):
            stage.put(key, [words])
        assert stage.end(PUMP).patient == "p"
        stage.discard()


@pytest.mark.requirement("F4", "R22")
def test_a_refused_end_completes_nothing_and_begin_and_discard_forget():
    stage = Staging()
    stage.begin()
    stage.put("patient", ["p"])
    with pytest.raises(ValueError, match="drug: missing"):
        stage.end(PUMP)
    assert stage.staged
    stage.begin()
    with pytest.raises(ValueError, match="patient: missing"):
        stage.end(PUMP)
    stage.discard()
    assert not stage.staged


def lines_of(rx: Prescription) -> dict[str, list[str]]:
    """Console words for a prescription, all by volume: any of its numbers can be written exactly so."""
    lines = {"patient": [rx.patient], "drug": [rx.drug], "mode": [MODES[rx.mode]]}
    if rx.drug != "saline":
        lines["concentration"] = [str(rx.concentration), "ng/mL"]
    if MODES[rx.mode] in ("continuous", "flex"):
        lines["basal"] = [str(rx.basal), "nL/day"]
        for key in ("max_per_hour", "max_per_day"):
            if getattr(rx, key) != NO_LIMIT:
                lines[key] = [str(getattr(rx, key)), "nL"]
    if rx.patient_bolus:
        dose, seconds, lockout, count = rx.patient_bolus
        lines["patient_bolus"] = [str(dose), "nL", str(seconds), "s", str(lockout), "s", str(count)]
    return lines


@pytest.mark.requirement("F4", "F8")
@given(prescriptions())
@settings(max_examples=50)
def test_any_prescription_can_be_staged_and_is_what_was_meant(rx: Prescription):
    stage = Staging()
    stage.begin()
    for key, words in lines_of(rx).items():
        stage.put(key, words)
    for days, start, end, rate in rx.periods:
        stage.put("period", [days_text(days), clock_text(start), clock_text(end), str(rate), "nL/day"])
    for days, minute, dose, seconds in rx.scheduled:
        stage.put("scheduled_bolus", [days_text(days), clock_text(minute), str(dose), "nL", str(seconds), "s"])
    made = stage.end(PUMP)
    assert made.pack() == rx.pack()
    assert made.digest() == rx.digest() == f"{zlib.crc32(rx.pack()):08x}"


def host_agrees(table: dict[str, object]) -> tuple[HostPrescription, Prescription]:
    """Stage on the pump what the host reads from a table; the host's digest stands in its last line."""
    rx = parse_prescription(table, RateRange(PUMP.min_rate, PUMP.max_rate))
    stage = Staging()
    stage.begin()
    lines = [line.split()[2:] for line in stage_lines(rx, programming.pack)]
    assert lines[0] == ["begin"]
    for key, *words in lines[1:-1]:
        stage.put(key, words)
    made = stage.end(PUMP)
    assert ["end", made.digest()] == lines[-1]
    return rx, made


rate_texts = st.builds(
    "{} {}".format, st.decimals(12, 900, places=3).map(str), st.sampled_from(("ug/day", "mcg/day", "uL/day", "uL/h"))
)


@pytest.mark.requirement("F4", "F8", "R50")
@given(
    st.sampled_from([drug for drug in DRUGS if drug != "saline"]),
    st.sampled_from(("50 ug/mL", "500 ug/mL", "0.777 mg/mL", "1001 ng/mL")),
    rate_texts,
    st.lists(rate_texts, max_size=3),
    st.sampled_from((None, "40 mL", "999.9 mg")),
)
def test_the_hosts_own_packing_and_the_pumps_are_the_same_bytes(
    drug: str, concentration: str, basal: str, periods: list[str], limit: str | None
):
    table: dict[str, object] = {
        "patient": "bench-07",
        "drug": drug,
        "concentration": concentration,
        "mode": "flex",
        "basal": basal,
        "period": [
            {"days": "sat-mon", "from": f"{8 * n:02}:30", "to": f"{8 * n + 7:02}:45", "rate": rate}
            for n, rate in enumerate(periods)
        ],
    }
    if limit:
        table["limits"] = {"max_per_day": limit}
    try:
        rx, made = host_agrees(table)
    except HostPrescriptionError:
        return
    assert programming.pack(rx) == made.pack()


@pytest.mark.requirement("R22", "F4", "F8")
def test_old_and_new_are_shown_side_by_side_in_mass_and_volume():
    old = staged(dict(GOOD))
    new = staged(
        {
            **GOOD,
            "basal": "0.2 mL/day",
            "period": None,
            "scheduled_bolus": None,
            "patient_bolus": "5 uL 90 s 2 h 3",
            "max_per_hour": None,
        }
    )
    lines = list(show(old, new))
    assert lines == [
        "patient: bench-07",
        "drug: baclofen",
        "concentration: 2000 ug/mL",
        "mode: flex",
        "basal: 150 uL/day (300 ug/day) -> 200 uL/day (400 ug/day)",
        "period 01: mon,tue,wed,thu,fri 08:00-12:00 210 uL/day (420 ug/day) -> none",
        "scheduled_bolus 01: daily 22:00 12.5 uL (25 ug) over 10 min -> none",
        (
            "patient_bolus: 5 uL (10 ug) over 5 min, lockout 2 h, 4 per day -> "
            "5 uL (10 ug) over 90 s, lockout 2 h, 3 per day"
        ),
        "max_per_hour: 30 uL (60 ug) -> none",
        "max_per_day: 350 uL (700 ug)",
        "day_at_most: 255 uL (510 ug) -> 215 uL (430 ug)",
    ]
    assert all("->" not in line for line in show(old, None))
    assert all(line.split(": ")[1].startswith("none -> ") for line in show(None, new))
    assert list(show(None, None)) == []
