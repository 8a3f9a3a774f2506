"""Console lines of a prescription, and what random tables do: obey every rule or be refused."""

from __future__ import annotations

import copy
import zlib
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tests.host.prescription_tables import RATES, patient, period, scheduled, table
from thecal.prescription import (
    DRUGS,
    LINE_LENGTH,
    MODES,
    Prescription,
    PrescriptionError,
    draft_lines,
    first_overlap,
    stage_lines,
)
from thecal.prescription_toml import parse_prescription

pytestmark = pytest.mark.requirement("T1")


@pytest.mark.requirement("F4")
def test_the_stage_lines_carry_the_text_of_the_file_and_the_digest_of_the_numbers():
    boluses = [scheduled(days="mon-wed, sun"), scheduled(at="06:00", dose="2.50 uL", over="90 s")]
    rx = parse_prescription(table(scheduled_bolus=boluses, patient_bolus=patient()), RATES)
    packed: list[object] = []

    def pack(given_rx: object) -> bytes:
        packed.append(given_rx)
        return b"packed"

    assert stage_lines(rx, pack) == [
        "program stage begin",
        "program stage patient bench-07",
        "program stage drug baclofen",
        "program stage concentration 2000 ug/mL",
        "program stage mode flex",
        "program stage basal 300 ug/day",
        "program stage period mon-fri 08:00 12:00 420 ug/day",
        "program stage period sat,sun 22:30 06:00 0.4 mL/day",
        "program stage scheduled_bolus mon-wed,sun 22:00 25 ug 10 min",
        "program stage scheduled_bolus daily 06:00 2.50 uL 90 s",
        "program stage patient_bolus 10 ug 5 min 2 h 4",
        "program stage max_per_hour 60 ug",
        "program stage max_per_day 0.9 mL",
        f"program stage end {zlib.crc32(b'packed'):08x}",
    ]
    assert packed == [rx]
    every = "".join(map(chr, range(ord("!"), ord("~") + 1)))
    for part in (every[n : n + 16] for n in range(0, len(every), 16)):
        rx = parse_prescription(table(patient=part), RATES)
        assert stage_lines(rx, pack)[1] == f"program stage patient {part}"
    assert len({len(stage_lines(rx, lambda _, n=n: bytes([n]))[-1]) for n in range(256)}) == 1


@pytest.mark.requirement("F4")
def test_the_stage_lines_are_ascii_and_their_lists_of_days_have_no_spaces():
    data = table(basal="300 \N{MICRO SIGN}g/day", concentration="2000 \N{GREEK SMALL LETTER MU}g/mL", limits=None)
    data["period"] = [period(days="mon, wed-fri, sun", rate="0.50 \N{MICRO SIGN}L/h")]
    lines = stage_lines(parse_prescription(data, RATES), lambda _: b"")
    assert lines[3:] == [
        "program stage concentration 2000 ug/mL",
        "program stage mode flex",
        "program stage basal 300 ug/day",
        "program stage period mon,wed-fri,sun 08:00 12:00 0.50 uL/h",
        "program stage end 00000000",
    ]


KEYS = [
    "patient",
    "drug",
    "concentration",
    "mode",
    "basal",
    "period",
    "limits",
    "max_per_hour",
    "max_per_day",
]


KEYS += ["days", "from", "to", "rate", "scheduled_bolus", "patient_bolus"]
KEYS += ["at", "dose", "over", "lockout"]


TEXTS = [
    "a",
    *DRUGS,
    *MODES,
    "300 ug/day",
    "2 mL/day",
    "2 mg/mL",
    "mon-fri",
    "daily",
    "08:00",
    "12:00",
    "0 ng",
    "5 mL",
    "3 uL",
    "10 min",
    "2 h",
    "0 s",
]


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**5000, 10**5001),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(TEXTS),
    st.datetimes(),
    st.times(),
)


trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=8)), inner, max_size=9),
    ),
    max_leaves=25,
)


def _check_or_refuse(data: object) -> None:
    """The only ways out: PrescriptionError with a one-line text, or a prescription that obeys every rule."""
    before = copy.deepcopy(data)
    try:
        rx = parse_prescription(data, RATES)
    except PrescriptionError as error:
        message = str(error)
        assert message.startswith("prescription")
        assert "\n" not in message
        return
    assert isinstance(data, dict)
    assert repr(data) == repr(before)
    assert rx.drug in DRUGS
    assert (rx.concentration_ng_per_ml == 0) == (rx.drug == "saline")
    _check_boluses(rx)
    for rate in [rx.basal_nl_day, *(item.rate_nl_day for item in rx.periods)]:
        assert rate == 0 or RATES.lowest <= rate <= RATES.highest
    assert rx.mode in MODES
    assert not rx.periods or rx.mode == "flex"
    assert first_overlap(rx.periods) is None
    for line in stage_lines(rx, lambda _: b""):
        assert "?" not in line.removeprefix("program stage patient ")
        assert len(line) <= LINE_LENGTH


def _check_boluses(rx: Prescription) -> None:
    doses = [(bolus.dose_nl, bolus.seconds) for bolus in rx.scheduled]
    assert len(doses) <= 24
    assert all(1 <= bolus.days_mask <= 127 and 0 <= bolus.minute < 1440 for bolus in rx.scheduled)
    if rx.patient_bolus:
        doses.append(rx.patient_bolus[:2])
        assert rx.patient_bolus.seconds <= rx.patient_bolus.lockout_s <= 604_800
        assert 1 <= rx.patient_bolus.max_per_day <= 24
    for dose, seconds in doses:
        assert 1 <= dose <= 10**9
        assert 1 <= seconds <= 86_400
        assert Fraction(dose * 86_400, seconds) + rx.highest_rate() <= RATES.highest
    assert not doses or rx.mode in ("continuous", "flex")


@given(trees)
def test_no_tree_of_values_does_anything_but_obey_or_be_refused(data: object):
    _check_or_refuse(data)


@given(st.data())
def test_no_single_change_of_a_good_prescription_does_anything_but_obey_or_be_refused(data: st.DataObject):
    changed = table(scheduled_bolus=[scheduled()], patient_bolus=patient())
    place: Any = changed
    for _ in range(data.draw(st.integers(0, 2))):
        nested = [
            value for value in (place.values() if isinstance(place, dict) else place) if isinstance(value, (dict, list))
        ]
        if nested:
            place = data.draw(st.sampled_from(nested))
    if isinstance(place, dict):
        place[data.draw(st.sampled_from(KEYS))] = data.draw(trees)
    else:
        place.append(data.draw(trees))
    _check_or_refuse(changed)


@given(st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=200)), trees, max_size=9))
def test_a_draft_of_any_table_fits_the_console_and_can_never_be_committed(data: dict[str, Any]):
    lines = draft_lines(data)
    assert lines[0] == "program stage begin"
    assert lines[-1] == "program stage end 00000000"
    for line in lines:
        assert line.startswith("program stage ")
        assert len(line) <= LINE_LENGTH
        assert line.isascii()
        assert line.isprintable()
