"""What a simulation writes: steps.csv, events.jsonl, summary.json, byte for byte; and the picture."""

from __future__ import annotations

import struct
from array import array
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thecal.outputs import (
    SEVERITIES,
    STATES,
    LoggedEvent,
    Summary,
    seconds,
    write_events,
    write_steps,
    write_summary,
)
from thecal.plot import Infusion, delivered_rate, demanded_volume, draw

pytestmark = pytest.mark.requirement("T2")

HOUR = 3600 * 10**9
DAY = 24 * HOUR
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def summary(**changes: Any) -> Summary:
    values: dict[str, Any] = {
        "steps": 10,
        "step_pulses": 12,
        "delivered_nl": 250,
        "ledger_steps": 11,
        "ledger_nl": 275,
        "missed_nl": 3,
        "off_ns": 90_000_500_000,
        "reservoir_nl": 19_999_725,
        "true_reservoir_nl": 19_999_750,
        "resets": {"watchdog": 1, "power_on": 2},
        "alarms_active": ["rtc_lost"],
        "alarms_history": ["rtc_lost", "stopped_48h"],
        "state": "dosing",
    }
    return Summary(**{**values, **changes})


SUMMARY = """\
{
  "steps": 10,
  "step_pulses": 12,
  "delivered_nl": 250,
  "ledger_steps": 11,
  "ledger_nl": 275,
  "missed_nl": 3,
  "off_s": 90.0,
  "reservoir_nl": 19999725,
  "true_reservoir_nl": 19999750,
  "resets": {
    "power_on": 2,
    "watchdog": 1,
    "commanded": 0
  },
  "alarms": {
    "active": [
      "rtc_lost"
    ],
    "history": [
      "rtc_lost",
      "stopped_48h"
    ]
  },
  "state": "dosing",
  "patient_boluses": {
    "accepted": 0,
    "denied": 0
  }
}
"""


@pytest.mark.requirement("F10", "F15")
def test_steps_csv_has_a_header_a_zero_row_and_a_row_for_each_step(tmp_path: Path):
    path = tmp_path / "steps.csv"
    assert write_steps(path, [0, 999_999, 1_000_000, 1_999_999_999, 3_600_000_000_000]) == 5
    assert path.read_bytes() == (b"t_s,steps\n0.000,0\n0.000,1\n0.000,2\n0.001,3\n1.999,4\n3600.000,5\n")
    assert write_steps(path, []) == 0
    assert path.read_bytes() == b"t_s,steps\n0.000,0\n"


@pytest.mark.requirement("F15")
@same_folder
@given(st.lists(st.integers(0, 10**17), max_size=60).map(sorted))
def test_a_step_is_written_in_the_millisecond_in_which_it_was_made(tmp_path: Path, times: list[int]):
    path = tmp_path / "steps.csv"
    write_steps(path, iter(times))
    rows = [line.split(",") for line in path.read_text().splitlines()[2:]]
    assert [int(steps) for _, steps in rows] == list(range(1, len(times) + 1))
    for (stamp, _), ns in zip(rows, times, strict=True):
        assert len(stamp.split(".")[1]) == 3
        assert 0 <= Fraction(ns, 10**9) - Fraction(stamp) < Fraction(1, 1000)


def test_two_million_steps_are_written_from_an_array_across_all_chunks(tmp_path: Path):
    path = tmp_path / "steps.csv"
    assert write_steps(path, array("q", range(0, 2_000_000 * 10**6, 10**6))) == 2_000_000
    number = 0
    with path.open() as file:
        assert file.readline() == "t_s,steps\n"
        assert file.readline() == "0.000,0\n"
        for number, line in enumerate(file, 1):
            if number % 49_999 < 3 or number > 1_999_998:
                assert line == f"{(number - 1) // 1000}.{(number - 1) % 1000:03},{number}\n"
        assert number == 2_000_000


@pytest.mark.parametrize(("times", "bad"), [([-1], 1), ([5, 4], 2), ([*range(50_000), 49_998], 50_001)])
def test_steps_out_of_order_are_refused(tmp_path: Path, times: list[int], bad: int):
    with pytest.raises(ValueError, match=rf"^step {bad}: at -?\d+ ns, before the one at"):
        write_steps(tmp_path / "steps.csv", times)


@given(st.integers(-(10**19), 10**19))
def test_seconds_are_cut_toward_zero_and_print_with_at_most_three_decimals(ns: int):
    exact = Fraction(ns, 10**9)
    printed = Fraction(repr(seconds(ns)))
    assert abs(printed) <= abs(exact)
    assert abs(exact - printed) < Fraction(1, 1000)
    assert (printed * 1000).denominator == 1


@pytest.mark.requirement("F12", "R24")
def test_events_are_written_with_their_fixed_keys_first(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    details = {"why": "hang", "volume_nl": 12}
    events = [
        LoggedEvent(3, 0, "2026-03-02T00:00:00.00", "boot", "info"),
        LoggedEvent(7, 21_600_001_999_999, "2026-03-02T06:00:01.50", "missed", "medium", details),
    ]
    assert write_events(path, events) == 2
    assert path.read_bytes() == (
        b'{"seq": 3, "t_s": 0.0, "rtc": "2026-03-02T00:00:00.00", "code": "boot", "severity": "info"}\n'
        b'{"seq": 7, "t_s": 21600.001, "rtc": "2026-03-02T06:00:01.50", "code": "missed", '
        b'"severity": "medium", "why": "hang", "volume_nl": 12}\n'
    )
    assert write_events(path, iter(())) == 0
    assert path.read_bytes() == b""


@pytest.mark.requirement("F12")
def test_malformed_events_are_refused(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    good = LoggedEvent(5, 0, "x", "boot", "info")
    for seq in (5, 4):
        with pytest.raises(ValueError, match=f"event {seq}: seq must rise, and follows 5"):
            write_events(path, [good, LoggedEvent(seq, 0, "x", "boot", "info")])
    with pytest.raises(ValueError, match="event 6: severity = grave: one of info, low, medium, high"):
        write_events(path, [LoggedEvent(6, 0, "x", "boot", "grave")])
    for key in ("seq", "t_s", "rtc", "code", "severity"):
        with pytest.raises(ValueError, match=f"event 6: detail {key}: the name is taken"):
            write_events(path, [LoggedEvent(6, 0, "x", "boot", SEVERITIES[0], {key: 1})])


@pytest.mark.requirement("F10", "F12")
def test_the_summary_has_its_documented_keys_in_their_order(tmp_path: Path):
    path = tmp_path / "summary.json"
    write_summary(path, summary())
    assert path.read_text() == SUMMARY


def test_the_state_of_a_summary_is_one_of_four():
    for state in STATES:
        assert summary(state=state).record()["state"] == state
    with pytest.raises(ValueError, match="state = on: one of dosing, stopped, safe, off"):
        summary(state="on").record()


demands = st.lists(st.tuples(st.integers(1, DAY), st.integers(0, 28_800_000)), max_size=8).map(
    lambda points: [(0, 1_000_000), *sorted(points)]
)


@pytest.mark.requirement("F15")
@given(demands, st.integers(0, 2 * DAY))
def test_the_demanded_volume_of_the_picture_is_the_integral_of_the_rate(demand: list[tuple[int, int]], at: int):
    expected = Fraction(0)
    for (start, rate), (end, _) in zip(demand, [*demand[1:], (3 * DAY, 0)], strict=True):
        expected += rate * Fraction(max(0, min(at, end) - start), DAY)
    assert demanded_volume(demand, np.array([float(at)]))[0] == pytest.approx(float(expected), abs=1e-3)


@pytest.mark.requirement("F15")
@given(st.lists(st.integers(0, DAY), max_size=300).map(sorted))
def test_the_bins_of_the_picture_hold_all_that_was_delivered(times: list[int]):
    infusion = Infusion(DAY, 25_000, [(0, 0)], times)
    edges, rates = delivered_rate(infusion)
    assert len(edges) == len(rates) + 1
    assert float(np.sum(rates * np.diff(edges))) / DAY == pytest.approx(len(times) * 25)


def _png_size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", head[16:])
    return width, height


@pytest.mark.requirement("F15")
@pytest.mark.parametrize("labels", [0, 1, 40])
@pytest.mark.parametrize("steps", [0, 1, 20_000])
def test_a_picture_of_any_infusion_is_drawn_the_same_each_time(tmp_path: Path, labels: int, steps: int):
    events = [(n * DAY // max(labels, 1), f"event {n}") for n in range(labels)]
    times = [n * DAY // max(steps, 1) for n in range(steps)]
    infusion = Infusion(DAY, 25_000, [(0, 500_000)] if steps else [], times, events, [(HOUR, 2 * HOUR)], "A day")
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    draw(one, infusion)
    draw(other, infusion)
    assert min(_png_size(one)) >= 900
    assert one.read_bytes() == other.read_bytes()


def test_a_picture_needs_time():
    with pytest.raises(ValueError, match="duration = 0 ns: more than 0 is needed"):
        draw(Path("never.png"), Infusion(0, 25_000, [], []))
