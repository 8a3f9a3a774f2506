"""Recalls of infusion pumps that software can repeat, each a named test on the twin: reservoir, boluses, rates. The
others are in test_recalls.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from recall_rig import MIN, PATH_NL, RATE, STEP_NL, codes, delivered, raised, say
from support import S, continuous, on_twin, scenario

from thecal.prescription import commit_line
from thecal.programming import pack
from thecal.scenario_event_types import Program
from thecal.sim import make_bench, simulate
from thecal.twin.twin import Twin

# -- the reservoir --------------------------------------------------------------------------------------------


@pytest.mark.requirement("F6", "R13", "R22")
def test_synchromed_2011_a_refill_that_went_elsewhere_is_questioned():
    """SynchroMed II, 2011 and 2013 (pissd.com; aiv-inc.com): drug was injected beside the pump. A residual that
    does not fit what the pump has delivered is questioned before the refill counts."""
    refill = "refill 20 mL measured 16 mL"
    result = on_twin(scenario(RATE, "10 min", say("5 min", refill), say("6 min", f"{refill} because leak")))
    assert [refusal.event for refusal in result.refusals] == [1]
    assert "`because WORD` is needed" in result.refusals[0].answer
    ((_, residual),) = codes(result, "residual")
    assert (residual["measured_nl"], residual["explanation"]) == (16_000_000, "leak")
    assert b"discrepancy: -3.98" in result.console


@pytest.mark.requirement("F6", "R14")
@pytest.mark.parametrize("counts_an_hour", [-900, 900])
def test_medstream_2013_a_level_sensor_that_drifts_is_not_believed_alone(counts_an_hour: int):
    """MedStream, class I, 2013 (medicaldesignandoutsourcing.com): the fill-level sensor drifted, and the alarm of a low
    reservoir came too early or too late. Ledger and sensor are told apart, and whichever is lower counts."""
    plan = scenario(continuous("28.8 mL/day"), "80 min", pump={"reservoir": "3 mL", "low_reservoir": "1.5 mL"})
    bench = make_bench(plan)
    twin = Twin(bench, plan.seed)
    true = bench.sensors.level_counts
    bench.sensors.level_counts = lambda: true() + counts_an_hour * twin.now_ns() // (3_600 * S)  # type: ignore[method-assign]
    try:
        result = simulate(plan, twin)
    finally:
        twin.close()
    found = raised(result)
    # 900 counts are 725 mV, of 800 mV a mL: a twentieth, 0.15 mL, apart after 596 s, and found so for a minute, by
    # readings that are 4 s apart and rounded down by up to 3 mV, which are 15 s of this drift.
    assert abs(found["level_disagrees"] - 596 - 60) <= 19
    if counts_an_hour < 0:  # the sensor says so, after 1.5 mL at 2.106 mL an hour, in two readings
        assert abs(found["low_reservoir"] - 2_564) <= 15
    else:  # the ledger does, after 1.5 mL at 1.2 mL an hour, counted from the end of the start
        assert 75 * 60 <= found["low_reservoir"] <= 75 * 60 + 4


# -- boluses and rates ----------------------------------------------------------------------------------------


def orderings() -> list[tuple[str, list[dict[str, Any]]]]:
    press = {"at": "6 min", "do": "patient_bolus"}
    order = say("5 min", "bolus 60 uL over 10 min")
    return [
        ("clinician", [order]),
        ("patient", [press]),
        ("patient over clinician", [order, press]),
        ("scheduled", []),
        ("patient over scheduled", [press]),
    ]


@pytest.mark.requirement("R21", "F7", "F3", "R06")
@pytest.mark.parametrize("after", ["nothing", "press", "stop and resume", "cancel"])
@pytest.mark.parametrize("running", [name for name, _ in orderings()])
def test_medfusion_2020_a_bolus_that_was_primed_over_is_over_whatever_follows(running: str, after: str):
    """Medfusion 3500 and 4000, class I, 2020 (businesswire): a bolus was interrupted, the pump primed, the bolus
    resumed: too much or too little. Here priming cancels every bolus."""
    rx = continuous("2.4 mL/day")
    rx["patient_bolus"] = {"dose": "30 uL", "over": "5 min", "lockout": "1 h", "max_per_day": 4}
    if "scheduled" in running:
        rx["scheduled_bolus"] = [{"days": "daily", "at": "00:04", "dose": "60 uL", "over": "10 min"}]
    follow = {
        "nothing": [],
        "press": [{"at": "9 min", "do": "patient_bolus"}],
        "stop and resume": [say("9 min", "stop"), say("10 min", "resume")],
        "cancel": [say("9 min", "bolus cancel")],
    }[after]
    result = on_twin(scenario(rx, "60 min", *dict(orderings())[running], say("8 min", "prime"), *follow))
    ends = [details for code, details in codes(result, "bolus_end")]
    *cancelled, prime = ends
    assert len(cancelled) == running.count(" over ") + 1
    assert {end["how"] for end in cancelled} == {"cancelled"}
    assert prime["kind"] == "prime"
    assert prime["how"] == ("done" if after in ("nothing", "press") else "cancelled")
    if prime["how"] == "done":
        assert prime["given_nl"] == PATH_NL
    assert codes(result, "bolus_resumed") == []
    basal = 2_400_000 * (60 * 60 - 2 - (61 if after == "stop and resume" else 0)) // 86_400
    given = sum(int(end["given_nl"]) for end in ends)
    flow = 28_800_000 // 86_400
    assert abs(result.summary.delivered_nl - basal - given) <= STEP_NL + 3 * flow
    # Nothing but basal once priming is over.
    assert abs(delivered(result, 40 * MIN, 60 * MIN) - 2_400_000 * 1_200 // 86_400) <= 2 * STEP_NL


@pytest.mark.requirement("R21", "F7")
@pytest.mark.parametrize(("tubing", "path_nl"), [("0.140 mL", 316_000), ("0.199 mL", 375_000)])
def test_synchromed_2016_the_priming_bolus_is_what_the_calibration_says_and_no_buried_constant(
    tubing: str, path_nl: int
):
    """SynchroMed II and EL, class I, 2013 and 2016, 14,499 reference cards (spinics fda/msg13148; icij
    RC-2017-RN-00065-1): a buried constant, 0.199 mL of tubing where there are 0.140 mL, made the priming bolus too
    large."""
    orders = say("50 s", "prime show"), say("1 min", "prime")
    result = on_twin(scenario(continuous("1 mL/day"), "40 min", *orders, pump={"tubing": tubing}))
    assert b"calibration version 0" in result.console  # what it rests on is shown before it is given
    (bolus, end) = codes(result, "bolus", "bolus_end")
    assert bolus[1]["dose_nl"] == end[1]["given_nl"] == path_nl
    assert abs(result.summary.delivered_nl - path_nl - 1_000_000 * 2398 // 86_400) <= 3 * STEP_NL


@pytest.mark.requirement("R22", "R50", "F4")
@pytest.mark.parametrize(
    ("new", "questioned"),
    [
        ("20.8 mL/day", True),
        ("18.667 mL/day", False),  # as 4.8 to 44.8
        ("19.999 mL/day", False),
        ("0.2 mL/day", True),
    ],
)
def test_alaris_2006_a_rate_ten_times_off_is_typed_again_and_every_rate_is_shown_as_it_was_read(
    new: str, questioned: bool
):
    """Alaris, class I, 2006 (softwarecpr.com; FDA ucm202496): a key bounced, and 4.8 mL/h became 44.8. Here ten times
    is questioned; less, the bounce of the recall among them, is shown beside the old and has to be committed."""
    old = continuous("2 mL/day")
    plan = scenario(old, "2 min", {"at": "1 min", "do": "program", "prescription": continuous(new)})
    (program,) = plan.events
    assert isinstance(program, Program)
    lines = program.lines(pack)
    typed = [say(f"{60 + n} s", line) for n, line in enumerate([*lines, commit_line(lines)])]
    result = on_twin(scenario(old, "2 min", *typed))
    console = result.console.decode("ascii")
    assert f"basal: 2000 uL/day -> {round(float(new.split(maxsplit=1)[0]) * 1_000)} uL/day" in console.splitlines()
    assert bool(result.refusals) == questioned
    assert len(codes(result, "committed")) == (not questioned)
    confirmed = on_twin(plan)
    assert not confirmed.refusals
    assert len(codes(confirmed, "confirmed")) == questioned
    assert len(codes(confirmed, "committed")) == 1
