"""What random tables do as a scenario: lie within every range, or be refused in one line."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tests.host.scenario_tables import (
    HERE,
    HOUR,
    scenario,
)
from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription
from thecal.scenario import ScenarioError, parse_scenario

pytestmark = pytest.mark.requirement("T1")

KEYS = [
    "start",
    "duration",
    "seed",
    "pump",
    "prescription",
    "prescription_file",
    "event",
    "at",
    "do",
    "for",
    "by",
    "line",
    "device",
]


KEYS += ["file", "pl_per_step", "reservoir", "catheter", "min_rate", "max_rate", "serial", "mode", "basal"]


TEXTS = ["1 h", "-1 h", "1 mL", "1 mL/day", "80 cm", "2026-03-02T00:00:00", "continuous", "", ".", "a\0b"]


TEXTS += [
    "hang",
    "power_cut",
    "set_clock",
    "program",
    "command",
    "rtc_jump",
    "i2c_fault",
    "bus",
    "stall",
    "occlusion",
    "temperature",
]


scalars = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(TEXTS),
    st.datetimes(),
    st.none(),
)


trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=8)), inner, max_size=6),
    ),
    max_leaves=20,
)


def _check_or_refuse(data: Any) -> None:
    """The only ways out: ScenarioError with a one-line text, or a scenario within all ranges."""
    try:
        read = parse_scenario(data, HERE)
    except ScenarioError as error:
        message = str(error)
        assert message.startswith("scenario: ")
        assert "\n" not in message
        return
    assert 0 < read.duration_ns <= 3660 * 24 * HOUR
    assert 2000 <= read.start.year < 2100
    assert all(0 <= event.at_ns <= read.duration_ns for event in read.events)
    rates = RateRange(read.pump.min_rate, read.pump.max_rate)
    assert parse_prescription(data["prescription"], rates) == read.prescription


@given(trees)
def test_no_tree_of_values_does_anything_but_obey_or_be_refused(data: Any):
    _check_or_refuse(data)


@given(st.data())
def test_no_single_change_of_a_good_scenario_does_anything_but_obey_or_be_refused(data: st.DataObject):
    changed = copy.deepcopy(scenario())
    place = data.draw(
        st.sampled_from([changed, changed["pump"], changed["prescription"], *changed["event"], changed["event"]])
    )
    if isinstance(place, dict):
        place[data.draw(st.sampled_from([*KEYS, *place]))] = data.draw(trees)
    else:
        place.append(data.draw(trees))
    _check_or_refuse(changed)
