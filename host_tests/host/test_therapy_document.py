"""docs/THERAPY.md: each scenario of examples/therapy is in it, runs, and does what its text and picture say."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support import S, continuous, scenario, steps_by
from typer.testing import CliRunner

from thecal import cli, therapy_plots
from thecal.coming_day import coming_day
from thecal.day_chart import draw
from thecal.demo import SCENARIO
from thecal.paths import ROOT
from thecal.scenario import Scenario, load_scenario
from thecal.sim import Result, make_bench, simulate
from thecal.therapy_demand import Demand, Flow, demand_of
from thecal.therapy_plots import EXAMPLES, PICTURES, SHOWS, infusion_of, shows
from thecal.twin.twin import Twin

pytestmark = pytest.mark.requirement("F15", "T6")

DOCUMENT = (ROOT / "docs" / "THERAPY.md").read_text("utf-8")
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.toml"))
MIN = 60
HOUR = 3_600
STEP_NL = 25
PATH_NL = 316_000


@cache
def ran(name: str) -> tuple[Scenario, Result]:
    """An example and its run on the twin, once for all tests."""
    plan = load_scenario(EXAMPLES / f"{name}.toml")
    return plan, therapy_plots.run(plan)


def demanded(name: str) -> Demand:
    return demand_of(*ran(name))


def clock(seconds: int) -> str:
    return f"{seconds // HOUR % 24:02}:{seconds // MIN % 60:02}"


def told(name: str, *codes: str) -> list[tuple[Any, ...]]:
    """(the pump's time to the nearest minute, code, values of the fields asked for) of the events with these codes."""
    found = []
    for event in ran(name)[1].events:
        if event.code in codes:
            hours, minutes, seconds = event.rtc[11:].split(":")
            at = clock((int(hours) * HOUR + int(minutes) * MIN + int(float(seconds)) + 30) % 86_400)
            fields = (event.details.get(key) for key in ("kind", "index", "reason", "how"))
            found.append((at, event.code, *(value for value in fields if value is not None)))
    return found


def given(name: str, first: float, last: float) -> int:
    """nL that the motor gave, from hour to hour since the start."""
    result = ran(name)[1]
    return STEP_NL * (steps_by(result, round(last * HOUR) * S) - steps_by(result, round(first * HOUR) * S))


def check_rate(name: str, first: float, last: float, nl_day: float) -> None:
    assert abs(given(name, first, last) - nl_day * (last - first) / 24) <= 2 * STEP_NL + 3 * nl_day / 86_400, (
        first,
        last,
    )


# -- the document as a whole --------------------------------------------------------------------------------------


def test_every_example_is_in_the_document_with_its_picture_and_nothing_else_is():
    linked = re.findall(
        r"^\[examples/therapy/(\w+)\.toml\]\(\.\./examples/therapy/(\w+)\.toml\)$", DOCUMENT, re.MULTILINE
    )
    assert sorted(name for name, _ in linked) == NAMES
    assert [name for name, _ in linked] == [name for _, name in linked]
    pictures = re.findall(r"^!\[[^\]]+\]\(therapy/(\w+)\.png\)$", DOCUMENT, re.MULTILINE)
    assert pictures == [name for name, _ in linked]
    assert sorted(path.name for path in PICTURES.iterdir()) == [f"{name}.png" for name in NAMES]


def test_every_link_within_the_document_leads_somewhere():
    titles = [title.lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", DOCUMENT, re.MULTILINE)]
    assert re.findall(r"\]\(#([a-z-]+)\)", DOCUMENT) == titles


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_shows_what_the_pump_does_today(name: str):
    """Else `make therapy-plots` is due, and a look at the text."""
    plan, result = ran(name)
    with Image.open(PICTURES / f"{name}.png") as picture:
        assert picture.info[SHOWS] == shows(EXAMPLES / f"{name}.toml", infusion_of(plan, result, name))
        assert min(picture.size) >= 400
    assert (PICTURES / f"{name}.png").stat().st_size < 80_000


@pytest.mark.requirement("I1")
@pytest.mark.parametrize("name", NAMES)
def test_what_is_drawn_as_demanded_is_what_was_delivered_and_never_less(name: str):
    plan, result = ran(name)
    curve = demanded(name).total()
    flow = max(rate for _, rate in curve) / 86_400
    at = total = 0.0
    rate = 0
    for end, following in [*curve, (plan.duration_ns, 0)]:
        total += rate * (end - at) / (86_400 * S)
        at, rate = end, following
        behind = total - STEP_NL * steps_by(result, end)
        assert -2 * flow - STEP_NL <= behind <= 6 * STEP_NL + 6 * flow, end / S


def test_every_refusal_that_is_quoted_is_an_answer_of_the_pump():
    answers = {refusal.answer for name in NAMES for refusal in ran(name)[1].refusals}
    assert set(re.findall(r"`(error: [^`\n]+)`|^(error: .+)$", DOCUMENT, re.MULTILINE)) == {
        ("error: bolus: the prescription allows none", ""),
        *(("", answer) for answer in answers if "allows none" not in answer),
    }


def test_the_chart_of_the_coming_day_is_the_demos():
    plan = load_scenario(SCENARIO)
    assert f"```text\n{draw(coming_day(plan.prescription, plan.pump, plan.start), 80).plain}\n```" in DOCUMENT


# -- modes --------------------------------------------------------------------------------------------------------


def test_stopped_gives_nothing_to_nobody():
    assert ran("stopped")[1].step_times_ns == []
    assert told("stopped", "bolus_denied", "bolus") == [
        ("08:30", "bolus_denied", "patient", "not_prescribed"),
        ("09:00", "bolus_denied", "clinician", "not_prescribed"),
    ]


@pytest.mark.requirement("F1")
def test_minimum_is_the_pumps_lowest_rate():
    assert ran("minimum")[1].summary.steps == 119
    check_rate("minimum", 0, 12, 6_000)
    assert told("minimum", "bolus_denied") == [("14:00", "bolus_denied", "patient", "not_prescribed")]


@pytest.mark.requirement("F1")
def test_continuous_stops_and_goes_on_at_the_same_rate():
    assert [at for at, *_ in told("continuous", "stop", "stop_end", "resume")] == ["10:00", "10:30", "12:00", "13:00"]
    for first, last, rate in ((0, 2, 600), (2, 2.5, 0), (2.5, 4, 600), (4, 5, 0), (5, 8, 600)):
        check_rate("continuous", first + 0.001, last, rate * 1_000)


@pytest.mark.requirement("F2")
def test_flex_knows_the_day_on_which_a_period_begins():
    assert [(clock(6 * HOUR + at // S), rate) for at, rate in demanded("flex").total()[1:]] == [
        ("06:00", 480_000),
        ("22:00", 240_000),
        ("06:00", 480_000),
        ("08:00", 1_440_000),
        ("12:00", 480_000),
    ]
    for first, last, rate in ((0, 16, 480), (16, 24, 240), (24, 26, 480), (26, 30, 1_440), (30, 32, 480)):
        check_rate("flex", first, last, rate * 1_000)


# -- boluses ------------------------------------------------------------------------------------------------------


def bands(name: str) -> list[tuple[str, str, str, float]]:
    """(kind, from, to, nL) of what is drawn as a bolus, to the minute."""
    start = ran(name)[0].start
    first = start.hour * HOUR + start.minute * MIN + 30
    return [
        (flow.kind, clock(first + flow.begin_ns // S), clock(first + flow.end_ns // S), round(size(flow), -3))
        for flow in demanded(name).flows
    ]


def size(flow: Flow) -> float:
    return float(flow.given_nl(flow.begin_ns, flow.end_ns))


@pytest.mark.requirement("F3")
def test_a_scheduled_bolus_waits_and_another_is_skipped():
    assert bands("scheduled_bolus") == [
        ("scheduled", "07:00", "07:40", 100_000),
        ("scheduled", "07:40", "07:50", 50_000),
        ("scheduled", "10:00", "10:50", 100_000),
    ]
    assert told("scheduled_bolus", "bolus_skipped") == [("10:40", "bolus_skipped", 3, "late")]
    check_rate("scheduled_bolus", 5, 6, 600_000)


@pytest.mark.requirement("F3")
def test_a_second_order_is_refused_and_a_cancelled_one_ends():
    assert bands("clinician_bolus") == [
        ("clinician", "09:15", "09:45", 100_000),
        ("clinician", "10:30", "10:45", 50_000),
    ]
    assert told("clinician_bolus", "bolus_denied") == [("09:30", "bolus_denied", "clinician", "running")]
    check_rate("clinician_bolus", 1.76, 3, 600_000)
    assert 50_000 <= ran("clinician_bolus")[1].summary.missed_nl <= 50_100


@pytest.mark.requirement("F3", "R05", "R07")
def test_the_patients_five_presses():
    assert told("patient_bolus", "bolus", "bolus_denied", "bolus_suspended", "bolus_resumed") == [
        ("08:30", "bolus", "patient"),
        ("08:50", "bolus_denied", "patient", "lockout"),
        ("09:00", "bolus", "clinician"),
        ("09:30", "bolus_suspended", "clinician"),
        ("09:30", "bolus", "patient"),
        ("09:35", "bolus_resumed", "clinician"),
        ("10:30", "bolus", "patient"),
        ("11:40", "bolus_denied", "patient", "max_boluses"),
    ]
    assert [band for band in bands("patient_bolus") if band[0] == "clinician"] == [
        ("clinician", "09:00", "09:30", 75_000),
        ("clinician", "09:35", "09:45", 25_000),
    ]
    assert abs(given("patient_bolus", 0, 4) - (4 * 25_000 + 3 * 20_000 + 100_000)) <= 2 * STEP_NL


@pytest.mark.requirement("R08", "R09")
def test_the_third_bolus_of_the_published_vector_is_denied():
    assert told("rolling_limit", "bolus", "bolus_denied") == [
        ("08:25", "bolus", "clinician"),
        ("08:35", "bolus", "clinician"),
        ("08:45", "bolus_denied", "clinician", "max_per_hour"),
    ]
    assert given("rolling_limit", 0, 0.75) + 20_000 <= 530_000  # who adds up what was delivered would give it
    assert 530_000 < given("rolling_limit", 0.25, 1.25) + 20_000 <= 540_000  # and this window shows why not


# -- path, trial, reservoir ---------------------------------------------------------------------------------------


@pytest.mark.requirement("F7", "R21")
def test_a_prime_ends_the_bolus_and_gives_the_path():
    assert bands("prime") == [("clinician", "09:15", "09:30", 50_000), ("prime", "09:30", "09:46", PATH_NL)]
    assert [event[2:] for event in told("prime", "bolus_end")] == [("clinician", "cancelled"), ("prime", "done")]
    assert [event.details["seconds"] for event in ran("prime")[1].events if event.code == "bolus"][1] == 969
    assert "here in 969 s" in DOCUMENT
    check_rate("prime", 0.8, 1.5, 600_000)


@pytest.mark.requirement("F7")
def test_a_bridge_goes_on_at_the_old_rate_until_the_path_is_flushed():
    assert told("bridge", "bridge", "bridge_end", "bolus", "bolus_denied") == [
        ("10:00", "bridge"),
        ("14:00", "bolus_denied", "patient", "bridge"),
        ("22:38", "bridge_end", "done"),
        ("00:00", "bolus", "patient"),
    ]
    check_rate("bridge", 0.01, 14.63, 600_000)
    check_rate("bridge", 14.65, 16, 150_000)
    begun, ended = (event.t_ns for event in ran("bridge")[1].events if event.code.startswith("bridge"))
    assert abs(given("bridge", begun / S / HOUR, ended / S / HOUR) - PATH_NL) <= 3 * STEP_NL


@pytest.mark.requirement("F5")
def test_a_trial_ends_by_itself_and_is_kept():
    assert [event[:2] for event in told("trial", "trial", "trial_end", "committed")] == [
        ("09:00", "trial"),
        ("09:00", "committed"),
        ("11:00", "trial_end"),
        ("12:00", "committed"),
    ]
    for first, last, rate in ((0.01, 1, 480), (1.01, 3, 960), (3.01, 4, 6), (4.01, 5, 960)):
        check_rate("trial", first, last, rate * 1_000)
    assert not ran("trial")[1].refusals
    scores = [dict(event.details) for event in ran("trial")[1].events if event.code == "score"]
    assert [(score["pain"], score["spasticity"]) for score in scores] == [(7, 3), (4, 1)]


@pytest.mark.requirement("F6", "R14")
def test_a_low_reservoir_finishes_a_bolus_and_begins_none():
    assert told("low_reservoir", "bolus", "bolus_end", "bolus_denied", "bolus_skipped", "refilled") == [
        ("09:45", "bolus", "clinician"),
        ("10:15", "bolus_end", "clinician", "done"),
        ("11:00", "bolus_skipped", 0, "low_reservoir"),
        ("11:30", "bolus_denied", "patient", "low_reservoir"),
        ("12:00", "refilled"),
        ("13:00", "bolus", "patient"),
        ("13:05", "bolus_end", "patient", "done"),
    ]
    alarms = [event.details["alarm"] for event in ran("low_reservoir")[1].events if event.code == "alarm"]
    assert alarms == ["refill_due", "low_reservoir", "bolus_denied"]
    check_rate("low_reservoir", 2.3, 5, 4_800_000)
    assert "low_reservoir" not in ran("low_reservoir")[1].summary.alarms_active


# -- interruptions ------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F3", "R49")
def test_a_clock_that_is_set_skips_and_repeats_no_bolus():
    assert told("clock_change", "bolus", "bolus_skipped") == [
        ("02:30", "bolus_skipped", 0, "clock"),
        ("04:00", "bolus", "scheduled"),
    ]
    assert bands("clock_change") == [("scheduled", "03:00", "03:10", 20_000)]
    check_rate("clock_change", 0.01, 2, 480_000)
    assert abs(given("clock_change", 2, 5) - 3 * 40_000 - 20_000) <= 2 * STEP_NL
    check_rate("clock_change", 5.01, 6, 480_000)


@pytest.mark.requirement("F3", "I2")
def test_a_power_cut_ends_a_bolus_and_the_ledger_is_not_behind():
    assert bands("power_cut") == [("clinician", "09:30", "09:45", 50_000)]
    assert told("power_cut", "bolus_end") == [("09:55", "bolus_end", "clinician", "interrupted")]
    assert given("power_cut", 0.75, 0.75 + 10 / 60) == 0
    check_rate("power_cut", 0.92, 2, 600_000)
    summary = ran("power_cut")[1].summary
    assert 0 <= summary.ledger_nl - summary.delivered_nl <= 5_400_000 * 60 // 86_400
    assert 48_000 <= summary.missed_nl <= 50_100


# -- the commands that draw ---------------------------------------------------------------------------------------


def test_thecal_sim_draws_a_scenario(tmp_path: Path):
    picture = tmp_path / "stopped.png"
    words = ["sim", str(EXAMPLES / "stopped.toml"), "--out", str(tmp_path), "--plot"]
    assert CliRunner().invoke(cli.app, [*words, str(picture)]).exit_code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    for wrong in (tmp_path / "stopped.doc", tmp_path / "missing" / "stopped.png"):
        refused = CliRunner().invoke(cli.app, [*words, str(wrong)])
        assert refused.exit_code == 2
        assert f"--plot = {wrong}: a file in a folder that exists, ending in .png, is needed" in refused.stderr


def test_a_picture_is_drawn_the_same_each_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for folder in ("one", "two"):
        assert therapy_plots.main([str(EXAMPLES / "stopped.toml"), "--out", str(tmp_path / folder)]) == 0
    assert (tmp_path / "one" / "stopped.png").read_bytes() == (tmp_path / "two" / "stopped.png").read_bytes()
    assert capsys.readouterr().out.count("stopped.png\n") == 2
    assert therapy_plots.main([str(tmp_path / "none.toml"), "--out", str(tmp_path)]) == 2
    assert "none.toml" in capsys.readouterr().err


FALLING = {
    **continuous("4.8 mL/day"),
    "mode": "flex",
    "period": [{"days": "daily", "from": "00:10", "to": "00:20", "rate": "2.4 mL/day"}],
}


def rates(demand: Demand) -> list[tuple[int, int]]:
    """(full minute since the start, nL/day) at each change."""
    curve = demand.total()
    changes = [(at, rate) for (at, rate), (_, before) in zip(curve[1:], curve, strict=False) if rate != before]
    return [((at // S + 30) // MIN, rate) for at, rate in changes]


def test_an_alarm_that_stops_the_pump_ends_the_demand_until_it_is_resumed():
    lines = [{"at": f"{at} min", "do": "command", "line": line} for at, line in ((7, "clear"), (8, "resume"))]
    plan = scenario(
        FALLING,
        "15 min",
        {"at": "3 min", "do": "reservoir_empty"},
        {"at": "6 min", "do": "refill", "volume": "20 mL", "measured": "0 mL"},
        *lines,
        {"at": "9 min", "do": "hang"},
    )
    demand = demand_of(plan, therapy_plots.run(plan))
    assert rates(demand) == [(0, 4_800_000), (3, 0), (8, 4_800_000), (9, 0), (9, 4_800_000), (10, 2_400_000)]


def test_a_pump_that_has_lost_its_clock_is_asked_for_its_lowest_rate():
    plan = scenario(FALLING, "15 min", {"at": "5 min", "do": "set_clock", "by": "1 min"})
    bench = make_bench(plan)
    bench.rtc.halt(0)
    demand = demand_of(plan, simulate(plan, Twin(bench, plan.seed)))
    assert [rate for _, rate in rates(demand)] == [2_400_000, 4_800_000, 2_400_000]
    assert rates(demand)[1][0] == 5
