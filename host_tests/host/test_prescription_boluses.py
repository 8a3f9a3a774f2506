"""Boluses of a prescription on the host: doses, times, flow, and what they can add up to."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from host_tests.host.prescription_tables import RATES, bare, continuous, patient, refusal, scheduled, table
from thecal.fields import shown
from thecal.prescription import DAYS, Prescription, PrescriptionError, RateRange, ScheduledBolus
from thecal.prescription_toml import parse_prescription

pytestmark = pytest.mark.requirement("T1")

WEEK_S = 7 * 86_400


def saline(**changes: Any) -> dict[str, Any]:
    return continuous(drug="saline", concentration=None, **changes)


@pytest.mark.requirement("F3")
@pytest.mark.parametrize("mode", ["continuous", "flex"])
def test_boluses_become_whole_numbers(mode: str):
    data = {**continuous(mode=mode), "scheduled_bolus": [scheduled()], "patient_bolus": patient()}
    rx = parse_prescription(data, RATES)
    assert rx.scheduled == ((0x7F, 1320, 12_500, 600),)
    assert rx.patient_bolus == (5_000, 300, 7_200, 4)


@pytest.mark.requirement("F3")
def test_modes_without_doses_refuse_boluses():
    for mode in ("minimum", "stopped"):
        for key, value in (("scheduled_bolus", []), ("scheduled_bolus", [scheduled()]), ("patient_bolus", patient())):
            assert refusal({**bare(mode), key: value}) == (
                f'prescription.{key}: not used by the mode "{mode}"; leave it out'
            )


@pytest.mark.parametrize("key", ["days", "at", "dose", "over"])
def test_a_missing_or_unknown_key_of_a_scheduled_bolus_is_named(key: str):
    two = [scheduled(), scheduled(**{key: None})]
    assert refusal(continuous(scheduled_bolus=two)).startswith(f"prescription.scheduled_bolus[2].{key}: missing")
    two[1] = scheduled(lockout="1 h")
    assert refusal(continuous(scheduled_bolus=two)).startswith("prescription.scheduled_bolus[2].lockout: unknown key")


@pytest.mark.parametrize("key", ["dose", "over", "lockout", "max_per_day"])
def test_a_missing_or_unknown_key_of_the_patient_bolus_is_named(key: str):
    found = refusal(continuous(patient_bolus=patient(**{key: None})))
    assert found.startswith(f"prescription.patient_bolus.{key}: missing")
    found = refusal(continuous(patient_bolus={**patient(), "at": "08:00"}))
    assert found.startswith("prescription.patient_bolus.at: unknown key")


def test_boluses_stand_in_tables():
    assert refusal(continuous(patient_bolus=[patient()])) == "prescription.patient_bolus = a list: a table is needed"
    assert refusal(continuous(scheduled_bolus=scheduled())).startswith(
        "prescription.scheduled_bolus = a table: a list of tables"
    )


@pytest.mark.requirement("F3")
def test_at_most_24_scheduled_boluses():
    many = [scheduled(at=f"{hour:02}:00", dose="1 ug") for hour in range(24)]
    assert len(parse_prescription(continuous(scheduled_bolus=many), RATES).scheduled) == 24
    assert refusal(continuous(scheduled_bolus=[*many, scheduled()])) == (
        "prescription.scheduled_bolus: 25 scheduled boluses; at most 24 are allowed"
    )


@pytest.mark.requirement("F3", "F8")
def test_a_dose_is_rounded_down_to_whole_nl_and_is_at_least_one():
    least = {"basal": "0 mL/day"}
    for text, dose in (("1 nL", 1), ("1.999 nL", 1), ("2 ng", 1), ("3 ng", 1), ("5 ng", 2)):
        assert parse_prescription(continuous(**least, patient_bolus=patient(dose=text)), RATES).patient_bolus == (
            dose,
            300,
            7_200,
            4,
        )
    for text, exact in (("0 nL", "0"), ("0.999 nL", "0.999"), ("1 ng", "0.500"), ("1000.1 mL", "1000100000")):
        assert refusal(continuous(**least, patient_bolus=patient(dose=text))) == (
            f'prescription.patient_bolus.dose = "{text}": 1 to 1000000000 nL is needed, and this is {exact} nL'
        )


@pytest.mark.requirement("F3", "R50")
@pytest.mark.parametrize("key", ["over", "lockout"])
@pytest.mark.parametrize("value", [600, 600.0, "600", "10 m", "10 minutes", "-10 min", "", True, None])
def test_a_duration_without_its_exact_unit_is_refused(key: str, value: object):
    found = refusal(continuous(patient_bolus={**patient(), key: value}))
    assert found.startswith(f"prescription.patient_bolus.{key} = {shown(value)}: ")
    assert "one of s, min, h, d" in found or "plain decimal digits" in found


@pytest.mark.requirement("F3")
def test_durations_are_whole_seconds_of_their_range():
    def bolus(**changes: str) -> dict[str, Any]:
        return saline(basal="0 mL/day", patient_bolus=patient(dose="1 nL", **changes))

    for over in ("1 s", "0.5 min", "24 h", "1 d"):
        assert parse_prescription(bolus(over=over, lockout="7 d"), RATES).patient_bolus
    for over in ("0 s", "0.5 s", "1.5 s", "86401 s", "2 d"):
        assert refusal(bolus(over=over)) == (
            f'prescription.patient_bolus.over = "{over}": 1 to 86400 s, in whole seconds, is needed'
        )
    for lockout in ("300 s", "5 min", "168 h", "604800 s"):
        assert parse_prescription(bolus(lockout=lockout), RATES).patient_bolus
    for lockout in ("299 s", "300.5 s", "604801 s", "8 d", "0 s"):
        assert refusal(bolus(lockout=lockout)) == (
            f'prescription.patient_bolus.lockout = "{lockout}": 300 to 604800 s, in whole seconds, is needed'
        )


@pytest.mark.requirement("F3")
def test_the_number_of_patient_boluses_is_a_whole_number_of_1_to_24():
    for count in (1, 24):
        rx = parse_prescription(saline(patient_bolus=patient(dose="1 nL", max_per_day=count)), RATES)
        assert rx.patient_bolus is not None
        assert rx.patient_bolus.max_per_day == count
    for count in (0, 25, -1, 4.0, "4", True, None, "unlimited"):
        assert refusal(saline(patient_bolus={**patient(dose="1 nL"), "max_per_day": count})) == (
            f"prescription.patient_bolus.max_per_day = {shown(count)}: a whole number of 1 to 24"
        )


@pytest.mark.requirement("F3", "R09")
def test_patient_boluses_leave_the_scheduled_ones_room_in_the_pumps_history():
    every = [scheduled(days="daily", at=f"{hour:02}:30", dose="1 nL", over="1 min") for hour in range(24)]
    for boluses, count in ((every, 6), (every[:5], 24), (every[:6], 24)):
        data = saline(scheduled_bolus=boluses, patient_bolus=patient(dose="1 nL", max_per_day=count))
        assert parse_prescription(data, RATES).scheduled
    for boluses, count, room in ((every, 7, 6), (every[:7], 24, 23)):
        assert refusal(saline(scheduled_bolus=boluses, patient_bolus=patient(dose="1 nL", max_per_day=count))) == (
            f"prescription.patient_bolus.max_per_day = {count}: 1 to {room} beside the {len(boluses)} scheduled boluses"
            " that begin within 24 h"
        )
    # 24 h from Sunday 12:00 on reach into Monday.
    week = [scheduled(days="sun", at=f"{hour:02}:00", dose="1 nL", over="1 min") for hour in range(12, 24)]
    week += [scheduled(days="mon", at=f"{hour:02}:00", dose="1 nL", over="1 min") for hour in range(12)]
    assert refusal(saline(scheduled_bolus=week, patient_bolus=patient(dose="1 nL", max_per_day=7))).endswith("24 h")
    week[12:] = [{**bolus, "at": bolus["at"].replace(":00", ":01")} for bolus in week[12:]]
    week[12] = {**week[12], "at": "12:00"}  # the first of Monday is 24 h after the first of Sunday
    data = saline(scheduled_bolus=week, patient_bolus=patient(dose="1 nL", max_per_day=7))
    assert parse_prescription(data, RATES).patient_bolus


@pytest.mark.requirement("R04")
@given(st.integers(0, 20_000), st.integers(0, 20_000), st.integers(1, 86_400), st.integers(-2, 2))
@example(28_800, 0, 60, 0)
@example(0, 0, 86_400, 0)
def test_bolus_flow_and_the_highest_rate_together_reach_at_most_the_maximum(basal: int, rate: int, over: int, off: int):
    basal, rate = basal and max(6, basal), rate and max(6, rate)  # uL/day
    room = RATES.highest - max(basal, rate) * 1_000
    dose = max(1, room * over // 86_400 + off)
    data = saline(
        mode="flex", basal=f"{basal} uL/day", scheduled_bolus=[scheduled(dose=f"{dose} nL", over=f"{over} s")]
    )
    data["period"] = [{"days": "sun", "from": "03:00", "to": "03:01", "rate": f"{rate} uL/day"}]
    if Fraction(dose * 86_400, over) > room:
        found = refusal(data)
        assert found.startswith(f'prescription.scheduled_bolus[1].over = "{over} s": ')
        assert "28800000 nL/day" in found
    else:
        assert parse_prescription(data, RATES).scheduled[0].dose_nl == dose


def _brute_worst_case(boluses: tuple[ScheduledBolus, ...], window_s: int) -> int:
    """By trying every t at which a bolus begins, in the third of five weeks."""
    given = [(week * WEEK_S + start, bolus) for week in range(5) for bolus in boluses for start in bolus.starts()]
    worst = 0
    for t, _ in given:
        if 2 * WEEK_S <= t < 3 * WEEK_S:
            worst = max(worst, sum(b.dose_nl for start, b in given if start <= t and start + b.seconds > t - window_s))
    return worst


boluses = st.lists(
    st.builds(
        ScheduledBolus,
        st.integers(1, 127),
        st.integers(0, 1439),
        st.integers(1, 1_000),
        st.sampled_from([1, 59, 60, 61, 600, 3_600, 43_200, 86_399, 86_400]),
    ),
    max_size=4,
).map(tuple)


@pytest.mark.requirement("R08", "R09")
@given(boluses, st.sampled_from([3_600, 86_400]))
@example((ScheduledBolus(127, 0, 10, 1),), 86_400)
@example((ScheduledBolus(0x40, 1439, 10, 60), ScheduledBolus(1, 0, 5, 1)), 3_600)
@example((ScheduledBolus(127, 720, 10, 86_400),), 86_400)
def test_the_worst_case_of_scheduled_boluses_is_that_of_any_window(found: tuple[ScheduledBolus, ...], window_s: int):
    rx = Prescription("a", "saline", 0, "continuous", scheduled=found)
    assert rx.scheduled_within(window_s) == _brute_worst_case(found, window_s)


@pytest.mark.requirement("R08")
def test_a_bolus_counts_while_any_part_of_it_lies_in_the_window():
    """It lasts 1 min: what begins 61 min after its start is alone in its hour, what begins a minute earlier is not."""
    for at, limit in (("09:00", 200), ("09:01", 100)):
        two = [scheduled(at="08:00", dose="100 nL", over="1 min"), scheduled(at=at, dose="100 nL", over="1 min")]
        data = saline(basal="0 mL/day", scheduled_bolus=two)
        assert parse_prescription({**data, "limits": {"max_per_hour": f"{limit} nL"}}, RATES).max_per_hour_nl == limit
        assert refusal({**data, "limits": {"max_per_hour": f"{limit - 1} nL"}}) == (
            f'prescription.limits.max_per_hour = "{limit - 1} nL": at least {limit} nL, '
            f"the highest rate over the window and its scheduled boluses, and this is {limit - 1} nL"
        )


@pytest.mark.requirement("R08", "R09")
@given(boluses, st.integers(6_000, 200_000), st.sampled_from([1, 24]), st.integers(-1, 1))
def test_a_prescription_exceeds_alone_exactly_when_basal_and_scheduled_boluses_do(
    found: tuple[ScheduledBolus, ...], basal: int, windows: int, off: int
):
    key = "max_per_hour" if windows == 24 else "max_per_day"
    items = [
        scheduled(
            days=",".join(day for bit, day in enumerate(DAYS) if b.days_mask >> bit & 1),
            at=f"{b.minute // 60:02}:{b.minute % 60:02}",
            dose=f"{b.dose_nl} nL",
            over=f"{b.seconds} s",
        )
        for b in found
    ]
    window_s = 86_400 // windows
    need = -(-basal // windows) + _brute_worst_case(found, window_s)
    data = saline(basal=f"{basal} nL/day", scheduled_bolus=items, limits={key: f"{need + off} nL"})
    # A whole nL a second is more than the pump can give: such flows are refused for themselves.
    if any(b.dose_nl * 86_400 + basal * b.seconds > RATES.highest * b.seconds for b in found):
        assert ".over = " in refusal(data)
    elif off < 0:
        assert f"prescription.limits.{key} = " in refusal(data)
    else:
        assert parse_prescription(data, RATES).scheduled == found


@pytest.mark.requirement("R04")
def test_the_room_for_a_bolus_is_that_of_the_pump_at_hand():
    data = saline(basal="1000 nL/day", patient_bolus=patient(dose="1 nL", over="1 s", lockout="1 h"))
    assert parse_prescription(data, RateRange(1, 87_400)).patient_bolus
    with pytest.raises(PrescriptionError, match="at least 2 s is needed: the pump gives 87399 nL/day"):
        parse_prescription(data, RateRange(1, 87_399))
    with pytest.raises(PrescriptionError, match="there is no room for any bolus"):
        parse_prescription(data, RateRange(1, 1_000))


@pytest.mark.requirement("F3")
def test_boluses_and_limits_may_be_left_out_and_saline_has_them_by_volume_only():
    rx = parse_prescription(table(), RATES)
    assert (rx.scheduled, rx.patient_bolus) == ((), None)
    assert "the unit" in refusal(saline(patient_bolus=patient(dose="10 ug")))
