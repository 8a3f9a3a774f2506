"""From a staged prescription to one in force: what is unusual has to be typed once more (F4, F8; R10, R22)."""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterator
from copy import deepcopy
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prescription_oracle import PUMP, mass_ng, prescriptions
from pump_rig import Pump, prescription

from firmware import drugs, unusual
from firmware.layout import PRESCRIPTION_PAGES, PRESCRIPTION_SLOTS
from firmware.prescription import CONTINUOUS, FLEX, MINIMUM, NO_LIMIT, STOPPED, Prescription
from thecal.prescription import stage_lines
from thecal.programming import pack

BACLOFEN = {"drug": "baclofen", "concentration": "2000 ug/mL"}
PATIENT = {"dose": "10 ug", "over": "5 min", "lockout": "2 h", "max_per_day": 4}


@pytest.fixture(name="pump")
def running_pump() -> Iterator[Pump]:
    running = Pump(prescription(**BACLOFEN, basal="100 ug/day", patient_bolus=PATIENT))
    yield running
    assert sum(running.twin.resets.values()) == 1
    running.close()


def refused(pump: Pump, line: str) -> str:
    answer = pump.ask(line)
    assert len(answer) == 1
    assert answer[0].startswith("error: ")
    return answer[0][7:]


def told(answer: list[str]) -> list[str]:
    return [line for line in answer if line.startswith("warning ")]


@pytest.mark.requirement("F4", "F8", "R10", "R22")
def test_a_soft_limit_must_be_typed_once_more_and_is_logged(pump: Pump):
    old = pump.status()["prescription"]
    digest, answer = pump.stage(prescription(**BACLOFEN, basal="999 ug/day"))
    assert told(answer) == []
    digest, answer = pump.stage(prescription(**BACLOFEN, basal="1200 ug/day"))
    why = "above 1000 ug/day, the soft limit of baclofen; ten times or more from 50 uL/day (100 ug/day)"
    assert answer[-2:] == [
        f"warning basal 1200 ug/day: {why}",
        "ok",
    ]
    for _ in range(2):
        assert refused(pump, f"program commit {digest}").startswith(
            "program commit: `program confirm basal 1200 ug/day` comes first: above 1000 ug/day"
        )
        assert refused(pump, "program confirm basal 120 ug/day") == (
            "program confirm basal = 120 ug/day: basal 1200 ug/day"
        )
        assert refused(pump, "program confirm rate 1200 ug/day") == (
            "program confirm rate = 1200 ug/day: basal 1200 ug/day"
        )
    assert pump.status()["prescription"] == old
    for _ in range(2):
        assert pump.ask("program confirm basal 1200 ug/day") == ["ok"]
    assert pump.ask(f"program commit {digest}") == ["ok"]
    assert pump.status()["prescription"] == f"{digest} continuous"
    log = pump.ask("log 4", 2)
    assert [line.split()[3] for line in log[:-1]][-2:] == ["confirmed", "committed"]
    assert f"warnings=1 digest={digest}" in log[-3]


@pytest.mark.requirement("F4", "R10", "R22")
def test_every_warning_needs_its_own_confirmation(pump: Pump):
    bolus = {**PATIENT, "dose": "1 ug"}
    digest, answer = pump.stage(prescription(**BACLOFEN, basal="1000.002 ug/day", patient_bolus=bolus))
    assert [line.split(":")[0] for line in told(answer)] == [
        "warning basal 1000.002 ug/day",
        "warning patient_bolus 1 ug",
    ]
    for field in ("patient_bolus 1 ug", "basal 1000.002 ug/day"):
        assert "comes first" in refused(pump, f"program commit {digest}")
        assert pump.ask(f"program confirm {field}") == ["ok"]
    assert pump.ask(f"program commit {digest}") == ["ok"]


@pytest.mark.requirement("F4", "R22")
def test_a_confirmation_holds_for_what_was_staged_and_not_for_what_is_staged_after_it(pump: Pump):
    assert refused(pump, "program confirm basal 1200 ug/day") == "program confirm: nothing is staged"
    rx = prescription(**BACLOFEN, basal="1200 ug/day")
    for again in ("program discard", "program stage begin"):
        digest, _ = pump.stage(rx)
        assert pump.ask("program confirm basal 1200 ug/day") == ["ok"]
        assert pump.ask(again) == ["ok"]
        digest, _ = pump.stage(rx)
        assert "comes first" in refused(pump, f"program commit {digest}")
    assert refused(pump, "program confirm basal").startswith("program: show, history, stage")
    digest, _ = pump.stage(prescription(**BACLOFEN, basal="101 ug/day", patient_bolus=PATIENT))
    assert refused(pump, "program confirm basal 101 ug/day") == (
        "program confirm basal = 101 ug/day: nothing is to be confirmed"
    )
    assert pump.ask(f"program commit {digest}") == ["ok"]


@pytest.mark.requirement("F4", "R04")
def test_a_commit_waits_for_another_check_when_the_calibration_is_another_one(pump: Pump):
    faster = {**PATIENT, "over": "4 min"}  # 5 uL: 1.8 mL/day, before 1.44 mL/day
    digest, _ = pump.stage(prescription(**BACLOFEN, basal="100 ug/day", patient_bolus=faster))
    pump.ask("stop")
    for most, ends in (("1600000", "patient_bolus dose = 5000 nL over 240 s: at most"), ("2000000", "")):
        assert pump.ask(f"calibrate set max_rate {most}") == ["ok"]
        assert pump.ask("calibrate commit")[-1] == "ok"
        again = f"what is staged was not compared with what is in force; `program stage end {digest}` does it"
        assert refused(pump, f"program commit {digest}") == f"program commit: {again}"
        assert refused(pump, "program confirm basal 1 ug/day") == f"program confirm: {again}"
        if ends:
            assert refused(pump, f"program stage end {digest}").startswith(ends)
    assert f"digest: {digest}" in pump.ask(f"program stage end {digest}")
    assert pump.ask(f"program commit {digest}") == ["ok"]


@pytest.mark.requirement("F4", "R22")
def test_a_comparison_that_was_not_shown_to_its_end_is_none(pump: Pump):
    rx = prescription(**BACLOFEN, basal="1200 ug/day")
    digest, whole = pump.stage(rx)
    pump.type(f"\x15program stage end {digest}\rclock\r".encode())  # the next line ends the answer
    pump.run(0.3)
    again = f"what is staged was not compared with what is in force; `program stage end {digest}` does it"
    assert refused(pump, "program confirm basal 1200 ug/day") == f"program confirm: {again}"
    assert refused(pump, f"program commit {digest}") == f"program commit: {again}"
    assert pump.ask(f"program stage end {digest}") == whole
    assert refused(pump, f"program commit {digest}").startswith("program commit: `program confirm basal")
    assert pump.ask("program confirm basal 1200 ug/day") == ["ok"]
    assert pump.ask(f"program commit {digest}") == ["ok"]


@pytest.mark.requirement("F4", "F12", "R22")
def test_confirming_and_committing_do_not_compute_the_warnings_anew(pump: Pump, monkeypatch: pytest.MonkeyPatch):
    """On the board that takes a third of a second; it is done piece by piece while the answer is drawn."""
    digest, _ = pump.stage(prescription(**BACLOFEN, basal="1200 ug/day"))
    monkeypatch.setattr(unusual, "warnings", None)
    assert pump.ask("program confirm basal 1200 ug/day") == ["ok"]
    assert pump.ask(f"program commit {digest}") == ["ok"]


@pytest.mark.requirement("F4", "F12")
def test_refusals_are_logged_once_a_minute_at_most(pump: Pump):
    pump.ask("program commit 12345678")
    pump.ask("program stage begin")
    for line in ("period mon", "patient_bolus 1 2 3", "end 00000000", "begin", "end 00000000"):
        pump.ask(f"program stage {line}")
    assert pump.codes().count("refused") == 1
    pump.run(61)
    refused(pump, "program stage scheduled_bolus x y z")
    assert pump.codes().count("refused") == 2


@pytest.mark.requirement("F4", "I5")
def test_a_part_that_refuses_keeps_what_was_confirmed_for_another_try(pump: Pump):
    old = pump.status()["prescription"]
    digest, _ = pump.stage(prescription(**BACLOFEN, basal="1200 ug/day"))
    assert pump.ask("program confirm basal 1200 ug/day") == ["ok"]
    worn = set(range(PRESCRIPTION_SLOTS * PRESCRIPTION_PAGES))
    pump.bench.eeprom.worn.update(worn)
    assert refused(pump, f"program commit {digest}").startswith("program commit: the EEPROM refused it")
    assert pump.status()["prescription"] == old
    pump.bench.eeprom.worn.difference_update(worn)
    assert pump.ask(f"program commit {digest}") == ["ok"]


def warnings(active: Prescription | None, rx: Prescription) -> list[tuple[str, str]]:
    return [found for found in unusual.warnings(active, rx, PUMP.min_rate) if found]


def rx_of(**values: object) -> Prescription:
    rx = Prescription()
    rx.patient, rx.drug, rx.concentration, rx.mode, rx.basal = "p", "baclofen", 2_000_000, CONTINUOUS, 50_000
    for name, value in values.items():
        setattr(rx, name, value)
    rx.validate(PUMP)
    return rx


FULL = ("baclofen", (0, 10**9), (0, 20_001, 1_000_001, 0), (1_001, 30_003, 0), (1_700_001, 0))


@pytest.mark.requirement("F8", "R10")
@pytest.mark.parametrize("concentration", [50_000, 2_000_000, 1_999_999, 777_777])
@pytest.mark.parametrize(
    ("field", "low", "high"),
    [("basal", 20_001, 1_000_001), ("scheduled_bolus_1", 1_001, 30_003), ("patient_bolus", 1_001, 30_003)],
)
def test_soft_limits_warn_from_the_first_nanolitre_beyond_them(
    field: str, low: int, high: int, concentration: int, monkeypatch: pytest.MonkeyPatch
):
    rows = tuple(FULL if found[0] == "baclofen" else found for found in drugs.DRUGS)
    monkeypatch.setattr(drugs, "DRUGS", rows)
    least = -(-low * 1_000_000 // concentration)
    most = high * 1_000_000 // concentration
    for nl, why in ((least - 1, "below"), (least, ""), (most, ""), (most + 1, "above"), (0, "")):
        rx = Prescription()
        rx.patient, rx.drug, rx.mode, rx.concentration = "p", "baclofen", CONTINUOUS, concentration
        if field == "basal":
            if nl and nl < PUMP.min_rate:
                continue
            rx.basal = nl
        elif nl:
            bolus = (nl, 3_600, 3_600, 1)
            rx.patient_bolus, rx.scheduled = (bolus, []) if field == "patient_bolus" else (None, [(1, 0, nl, 3_600)])
        rx.validate(PUMP)
        found = warnings(None, rx)
        assert [text.split(" ")[0] for text, _ in found] == ([field] if why else [])
        assert all(reason.startswith(why) for _, reason in found)


@pytest.mark.requirement("F8", "R10")
def test_the_most_of_a_day_has_a_soft_limit_too(monkeypatch: pytest.MonkeyPatch):
    rows = tuple(FULL if found[0] == "baclofen" else found for found in drugs.DRUGS)
    monkeypatch.setattr(drugs, "DRUGS", rows)
    rx = rx_of(basal=400_000, patient_bolus=(10_000, 3_600, 3_600, 24))  # 1,280 ug
    assert warnings(None, rx) == []
    rx = rx_of(basal=450_000, patient_bolus=(15_000, 3_600, 3_600, 24))  # 1,620 ug
    assert warnings(None, rx) == []
    rx = rx_of(basal=490_001, patient_bolus=(15_000, 3_600, 3_600, 24))  # 1,700.002 ug
    assert warnings(None, rx) == [
        ("day_at_most 1700.002 ug", "above 1700.001 ug, the soft limit of baclofen"),
    ]


@pytest.mark.requirement("F4", "F8", "R22")
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        # The days of two periods change places; one is drawn apart into two; what was a period becomes basal.
        (
            {"mode": FLEX, "basal": 0, "periods": [(1, 480, 720, 60_000), (2, 480, 720, 6_000)]},
            {"mode": FLEX, "basal": 0, "periods": [(2, 480, 720, 60_000), (1, 480, 720, 6_000)]},
            ["period_1 120 ug/day", "period_2 12 ug/day"],
        ),
        (
            {"mode": FLEX, "basal": 0, "periods": [(1, 480, 720, 60_000), (2, 480, 720, 6_000)]},
            {"mode": FLEX, "basal": 0, "periods": [(2, 480, 720, 6_000), (1, 480, 720, 60_000)]},
            [],
        ),
        ({"mode": FLEX, "basal": 0, "periods": [(1, 480, 720, 6_000)]}, {"basal": 60_000}, ["basal 120 ug/day"]),
        (
            {"mode": FLEX, "basal": 60_000, "periods": [(127, 0, 1_439, 6_000)]},
            {"mode": FLEX, "basal": 60_000, "periods": [(127, 0, 1_439, 6_000)]},
            [],
        ),
        (
            {"mode": FLEX, "basal": 6_000, "periods": [(64, 1_439, 10, 60_000)]},  # it ends on Monday
            {"mode": FLEX, "basal": 6_000, "periods": [(1, 9, 10, 6_000), (127, 1_439, 9, 60_000)]},
            ["period_1 12 ug/day", "period_2 120 ug/day"],
        ),
        (  # period and basal change places
            {"mode": FLEX, "basal": 60_000, "periods": [(127, 600, 720, 6_000)]},
            {"mode": FLEX, "basal": 6_000, "periods": [(127, 720, 600, 60_000)]},
            [],
        ),
        ({"mode": MINIMUM, "basal": 0}, {"basal": 59_999}, []),
        ({"mode": MINIMUM, "basal": 0}, {"basal": 60_000}, ["basal 120 ug/day"]),
        (
            {"mode": MINIMUM, "basal": 0},
            {"mode": FLEX, "basal": 6_000, "periods": [(1, 0, 60, 60_000)]},
            ["period_1 120 ug/day"],
        ),
        ({"mode": STOPPED, "basal": 0}, {"basal": 60_000}, []),
        # Scheduled boluses: that of the same time; if there is none, that of the nearest dose.
        (
            {"scheduled": [(1, 0, 1_000, 60), (1, 600, 100, 60)]},
            {"scheduled": [(1, 600, 1_000, 60), (1, 0, 100, 60)]},
            ["scheduled_bolus_1 2 ug", "scheduled_bolus_2 0.2 ug"],
        ),
        (
            {"scheduled": [(1, 0, 1_000, 60), (1, 600, 100, 60)]},
            {"scheduled": [(1, 601, 100, 60), (3, 0, 1_000, 60)]},
            [],
        ),
        ({"scheduled": [(1, 0, 100, 60)]}, {"scheduled": [(1, 1, 1_000, 60)]}, ["scheduled_bolus_1 2 ug"]),
        ({"scheduled": [(1, 0, 100, 60)]}, {"scheduled": [(1, 0, 100, 600)]}, ["scheduled_bolus_1_over 10 min"]),
        (
            {"patient_bolus": (100, 1_200, 7_200, 1)},
            {"patient_bolus": (100, 40, 7_200, 1)},
            ["patient_bolus_over 40 s"],
        ),
        ({}, {"basal": 500_000}, ["basal 1000 ug/day"]),
        ({}, {"basal": 499_999}, []),
        ({"basal": 60_000}, {"basal": 6_000}, ["basal 12 ug/day"]),
        ({"basal": 60_000}, {"basal": 6_001}, []),
        ({"basal": 60_000}, {"basal": 0}, []),
        ({"basal": 0}, {"basal": 60_000}, []),
        (
            {"mode": 2, "periods": [(1, 0, 60, 6_000)]},
            {"mode": 2, "periods": [(1, 0, 60, 60_000)]},
            ["period_1 120 ug/day"],
        ),
        ({}, {"mode": 2, "periods": [(1, 0, 60, 500_000)]}, ["period_1 1000 ug/day"]),
        ({"scheduled": [(1, 0, 100, 60)]}, {"scheduled": [(1, 0, 1_000, 60)]}, ["scheduled_bolus_1 2 ug"]),
        ({"scheduled": [(1, 0, 100, 60)]}, {"scheduled": [(1, 0, 999, 60)]}, []),
        ({}, {"scheduled": [(1, 0, 1_000, 60)]}, []),
        ({"patient_bolus": (100, 60, 600, 1)}, {"patient_bolus": (10, 60, 600, 1)}, ["patient_bolus 0.02 ug"]),
        (
            {"patient_bolus": (100, 60, 600, 1)},
            {"patient_bolus": (100, 60, 60, 10)},
            ["lockout 1 min", "boluses_per_day 10"],
        ),
        ({"patient_bolus": (100, 60, 600, 1)}, {}, []),
        ({"max_per_hour": 3_000}, {"max_per_hour": 30_000}, ["max_per_hour 60 ug"]),
        ({"max_per_day": 500_000}, {"max_per_day": 50_000}, ["max_per_day 100 ug"]),
        ({"max_per_day": 50_000}, {"max_per_day": NO_LIMIT}, ["max_per_day none"]),
        ({"max_per_day": NO_LIMIT}, {"max_per_day": 50_000}, []),
        ({"concentration": 500_000}, {"concentration": 50_000, "basal": 500_000}, ["concentration 50 ug/mL"]),
        ({"concentration": 500_000}, {"concentration": 50_000}, None),
        ({"concentration": 500_000}, {"concentration": 2_000_000, "basal": 125_000}, ["basal 250 ug/day"]),
        ({"max_per_day": 50_000}, {"mode": 3, "basal": 0}, []),
        ({"mode": 3, "basal": 0}, {"basal": 200_000, "max_per_day": 200_000}, ["basal 400 ug/day"]),
        ({"drug": "saline", "concentration": 0, "basal": 6_000}, {"basal": 60_000}, ["basal 120 ug/day"]),
    ],
)
def test_a_change_of_ten_times_or_more_must_be_typed_once_more(
    before: dict[str, object], after: dict[str, object], expected: list[str] | None
):
    if expected is None:  # 50 uL/day of 50 ug/mL are less than baclofen may be
        with pytest.raises(ValueError, match="at least 12 ug/day"):
            rx_of(**after)
        return
    assert [text for text, _ in warnings(rx_of(**before), rx_of(**after))] == expected


@pytest.mark.requirement("F4", "F8", "R22")
@given(prescriptions(), st.integers(1, 400), st.integers(1, 40))
def test_a_basal_rate_is_compared_by_mass_exactly(rx: Prescription, times: int, parts: int):
    if rx.mode != CONTINUOUS or not rx.concentration or not rx.basal:
        return
    old = deepcopy(rx)
    old.basal = max(1, rx.basal * parts // times)
    found = [text for text, why in warnings(old, rx) if text.startswith("basal ") and "ten times" in why]
    ratio = Fraction(mass_ng(rx.basal, rx), mass_ng(old.basal, old))
    assert bool(found) == (ratio >= 10 or ratio <= Fraction(1, 10))


@st.composite
def flexible(draw: st.DrawFn) -> Prescription:
    """A prescription with periods that do not overlap, at rates that are far apart."""
    rates = st.sampled_from([0, 6_000, 59_999, 60_000, 600_000])
    rx = Prescription()
    rx.patient, rx.mode, rx.basal = "p", draw(st.sampled_from([FLEX, FLEX, FLEX, MINIMUM, STOPPED])), 0
    if rx.mode != FLEX:
        return rx
    rx.basal = draw(rates)
    taken: set[int] = set()
    for _ in range(draw(st.integers(0, 6))):
        days, start, end = draw(st.integers(1, 127)), draw(st.integers(0, 1_439)), draw(st.integers(0, 1_439))
        minutes = set(_minutes(days, start, end))
        if not taken & minutes:
            taken |= minutes
            rx.periods.append((days, start, end, draw(rates)))
    rx.validate(PUMP)
    return rx


@pytest.mark.requirement("F4", "F8", "R22")
@settings(max_examples=60)
@given(flexible(), flexible())
def test_a_rate_is_held_against_the_rates_that_hold_now_in_its_own_minutes(old: Prescription, new: Prescription):
    """Minute by minute of the week."""
    found = {text.split(" ")[0] for text, _ in warnings(old, new)}
    before = old.schedule(PUMP)
    expected: set[str] = set()
    outside = [True] * 10_080
    for index, (days, start, end, rate) in enumerate(new.periods):
        for minute in _minutes(days, start, end):
            outside[minute] = False
            if _tenfold(before.rate_at(minute * 60), rate):
                expected.add(f"period_{index + 1}")
    for minute in range(10_080):
        if outside[minute] and _tenfold(before.rate_at(minute * 60), new.basal):
            expected.add("basal")
    if not any(outside):  # nowhere in force
        found.discard("basal")
    assert found == (expected if new.gives_doses else set())


def _minutes(days: int, start: int, end: int) -> list[int]:
    length = (end - start - 1) % 1_440 + 1
    firsts = [day * 1_440 + start for day in range(7) if days >> day & 1]
    return [(first + minute) % 10_080 for first in firsts for minute in range(length)]


def _tenfold(old: int, new: int) -> bool:
    return bool(old and new) and (new >= 10 * old or old >= 10 * new)


NIGHTLY = [{"days": "daily", "at": "22:00", "dose": "20 ug", "over": "10 min"}]
FIRST = {**BACLOFEN, "basal": "100 ug/day", "patient_bolus": PATIENT, "scheduled_bolus": NIGHTLY}
FIRST["limits"] = {"max_per_hour": "90 ug"}


STOPPED_RX = {**BACLOFEN, "mode": "stopped", "basal": None}
HISTORY = [prescription(**FIRST), prescription(**STOPPED_RX), prescription(basal="2 mL/day")]


def put_in_force(pump: Pump, rx: object) -> None:
    assert pump.ask(f"program commit {pump.confirmed(rx)}") == ["ok"]


@pytest.mark.requirement("F4", "F8", "R10", "R22")
@pytest.mark.parametrize("between", [["stopped"], ["minimum"], ["stopped", "minimum", "stopped"]])
def test_a_commit_of_nothing_in_between_hides_no_slipped_digit(between: list[str]):
    """The doses are held against those of the newest prescription of the drug that gave any."""
    pump = Pump(prescription(**FIRST))
    for mode in between:
        put_in_force(pump, prescription(**{**BACLOFEN, "mode": mode, "basal": None}))
    minimum = "ten times or more from 6 uL/day (12 ug/day); " if between[-1] == "minimum" else ""
    slipped = {**FIRST, "basal": "1000 ug/day", "patient_bolus": {**PATIENT, "dose": "100 ug"}}
    slipped["scheduled_bolus"] = [{**NIGHTLY[0], "dose": "200 ug"}]
    del slipped["limits"]
    _, answer = pump.stage(prescription(**slipped))
    soft = "above 100 ug, the soft limit of baclofen"
    assert told(answer) == [
        f"warning basal 1000 ug/day: {minimum}ten times or more from 50 uL/day (100 ug/day)",
        f"warning scheduled_bolus_1 200 ug: {soft}; ten times or more from 10 uL (20 ug)",
        "warning patient_bolus 100 ug: ten times or more from 5 uL (10 ug)",
        "warning max_per_hour none: was 45 uL (90 ug)",
    ]
    # Of the doses that there were before nothing is unusual, nor of those of another drug.
    _, answer = pump.stage(prescription(**FIRST))
    assert [line for line in told(answer) if "50 uL/day" in line or "basal" not in line] == []
    _, answer = pump.stage(prescription(basal="2 mL/day", drug="morphine", concentration="1 mg/mL"))
    assert not [line for line in told(answer) if "50 uL/day" in line]
    pump.close()


@pytest.mark.requirement("F4", "R22")
def test_only_a_kind_of_dose_that_is_not_in_force_is_looked_up(pump: Pump):
    """The patient bolus of before is known; the basal rate is held against the one in force."""
    put_in_force(pump, prescription(**BACLOFEN, basal="90 ug/day"))
    more = {**PATIENT, "dose": "1 ug"}
    _, answer = pump.stage(prescription(**BACLOFEN, basal="100 ug/day", patient_bolus=more))
    assert told(answer) == ["warning patient_bolus 1 ug: ten times or more from 5 uL (10 ug)"]


@pytest.mark.requirement("F4", "I4")
def test_what_was_before_must_be_read_or_nothing_is_compared(pump: Pump):
    put_in_force(pump, prescription(**STOPPED_RX))
    pump.ask("resume")
    lines = stage_lines(prescription(**BACLOFEN, basal="1000 ug/day"), pack)
    for line in lines[:-1]:
        pump.ask(line)
    pump.bench.eeprom.dead = True
    digest = lines[-1].split()[-1]
    assert pump.ask(lines[-1], 1)[-1].startswith("error: program stage end: what was in force before cannot be read")
    pump.bench.eeprom.dead = False
    assert "was not compared" in refused(pump, f"program commit {digest}")
    assert told(pump.ask(lines[-1])) == ["warning basal 1000 ug/day: ten times or more from 50 uL/day (100 ug/day)"]


@pytest.mark.requirement("F4", "F5", "F8")
def test_the_history_names_what_the_slots_hold_newest_first():
    pump = Pump(prescription(**FIRST))
    pump.run(60)  # something is delivered, so that the change of drug has a bridge
    put_in_force(pump, prescription(**STOPPED_RX))
    put_in_force(pump, prescription(basal="2 mL/day"))
    first, second, third = (f"{crc32(pack(rx)):08x}" for rx in HISTORY)
    who = "patient bench-07; drug"
    morphine, fifty = "basal 2000 uL/day (1000 ug/day); bridge 316 uL", "50 uL/day (100 ug/day)"
    bolus = "5 uL (10 ug) over 5 min, lockout 2 h, 4 per day"
    assert pump.ask("program history") == [
        f"2: in force; digest {third}; {who} morphine; concentration 500 ug/mL; mode continuous; {morphine}",
        "2 gives: periods 0; scheduled_boluses 0; patient_bolus none; max_per_hour none; max_per_day none",
        f"1: replaced; digest {second}; {who} baclofen; concentration 2000 ug/mL; mode stopped",
        f"0: replaced; digest {first}; {who} baclofen; concentration 2000 ug/mL; mode continuous; basal {fifty}",
        f"0 gives: periods 0; scheduled_boluses 1; patient_bolus {bolus}; max_per_hour 45 uL (90 ug); max_per_day none",
        "ok",
    ]
    for _ in range(3):
        put_in_force(pump, prescription(basal="2.5 mL/day"))
    assert [line.split(":")[0] for line in pump.ask("program history")[:-1:2]] == ["5", "4", "3", "2"]
    pump.bench.eeprom.dead = True
    assert pump.ask("program history", 1)[-1].startswith("error: program history: the EEPROM could not be read")
    pump.close()


@pytest.mark.requirement("F4", "F12")
def test_a_pump_that_never_had_a_prescription_has_no_history():
    pump = Pump(programmed=False)
    assert pump.ask("program history") == ["history: none", "ok"]
    assert refused(pump, "program history now").startswith("program: show, history, stage")
    pump.close()
