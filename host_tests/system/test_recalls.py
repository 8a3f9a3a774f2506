"""Recalls of infusion pumps that software can repeat, each a named test on the twin (F11 and what each names).

Name, year and source come first, then what happened, in our own words; the test is what must not happen here.
"""

from __future__ import annotations

from typing import Any

import pytest
from recall_rig import MIN, PATH_NL, STEP_NL, codes, delivered, say
from support import S, check_exact, continuous, flex, on_twin, scenario

from thecal.programming import pack
from thecal.scenario_event_types import Program
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

RATE = continuous("4.8 mL/day")
BIG = {"reservoir": "100 mL"}  # no refill is due soon


def raised(result: Result) -> dict[str, float]:
    """Alarm -> true time, s, at which it was logged first."""
    times: dict[str, float] = {}
    for event in result.events:
        if event.code == "alarm":
            times.setdefault(str(event.details["alarm"]), event.t_ns / S)
    return times


# -- the motor stands still -----------------------------------------------------------------------------------


@pytest.mark.requirement("F11", "R17")
@pytest.mark.parametrize("rate", ["0.24 mL/day", "4.8 mL/day", "28.8 mL/day"])
def test_synchromed_2013_a_motor_that_stands_still_is_told_by_the_rotor_and_not_by_the_steps(rate: str):
    """SynchroMed II, 2013 (safetyalertregistry 2149; medtronic.com): shorts in the feedthrough, worn shafts and
    corroded gears stopped the motor while the electronics went on. Two rotor indices that do not come stop the pump."""
    volume = float(rate.split(maxsplit=1)[0]) * 1_000_000
    two_indices_s = 2 * 20 * STEP_NL * 86_400 / volume
    after = 100 + 3 * two_indices_s
    result = on_twin(
        scenario(continuous(rate), f"{after:.0f} s", {"at": "60 s", "do": "stall", "for": "30 d"}, pump=BIG)
    )
    assert raised(result)["stall"] <= 60 + 1.5 * two_indices_s + 10
    assert result.summary.state == "safe"
    assert result.summary.alarms_active == ["stall"]


@pytest.mark.requirement("F11", "I6")
def test_synchromed_2019_a_stall_that_is_permanent_stays_latched_through_power_cuts():
    """SynchroMed II, class I, 2019, 7,317 pumps (recalls-rappels.canada.ca): a particle left in the motor stopped it
    for good. Neither a power cut nor `resume` alone makes this pump try again unasked."""
    events = (
        {"at": "60 s", "do": "stall", "for": "30 d"},
        {"at": "150 s", "do": "power_cut", "for": "5 s"},
        say("170 s", "resume"),
    )
    result = on_twin(scenario(RATE, "200 s", *events, pump=BIG))
    assert result.summary.alarms_active == ["stall"]
    assert result.summary.state == "safe"
    assert [refusal.event for refusal in result.refusals] == [3]
    assert not [t for t in result.step_times_ns if t > 60 * S]


@pytest.mark.requirement("F11", "F12")
def test_magnet_a_stall_and_its_recovery_are_both_told_and_missed_volume_is_never_caught_up():
    """SynchroMed after MRI (professional.medtronic.com 8637): the rotor stops in the field, recovery comes hours later
    and is not always in the log. Here stall, clearing and resuming are events, and what was missed is counted."""
    events = (
        {"at": "60 s", "do": "stall", "for": "240 s"},
        say("310 s", "clear"),
        say("311 s", "resume"),
    )
    result = on_twin(scenario(RATE, "10 min", *events, pump=BIG))
    assert result.summary.state == "dosing"
    assert result.summary.alarms_active == []
    told = [
        code
        for code, details in codes(result, "alarm", "alarm_end", "resume")
        if details.get("alarm", "stall") == "stall"
    ]
    assert told == ["alarm", "alarm_end", "resume"]
    assert abs(result.summary.missed_nl - 250 * 4_800_000 / 86_400) < 60 * 4_800_000 / 86_400
    assert abs(delivered(result, 312 * S, 600 * S) - 288 * 4_800_000 / 86_400) < 4 * STEP_NL


# -- the drug -------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F8", "R11", "R12")
@pytest.mark.parametrize(
    ("drug", "concentration"),
    [("compounded", "2000 ug/mL"), ("baclofen", "4000 ug/mL"), ("Baclofen", "2000 ug/mL"), ("ziconotide", "25 ng/mL")],
)
def test_synchromed_2012_a_drug_or_a_concentration_that_is_not_in_the_library_is_never_put_in_force(
    drug: str, concentration: str
):
    """SynchroMed II, 2012 (medscape 776694): with drugs that were not approved for it 7.0 % of pumps had failed
    after 78 months, of the others 2.4 %."""
    rx = {
        "patient": "bench-07",
        "drug": drug,
        "concentration": concentration,
        "mode": "continuous",
        "basal": "100 ug/day",
    }
    old = scenario(RATE, "2 min", pump=BIG)
    result = on_twin(scenario(RATE, "2 min", {"at": "30 s", "do": "program", "prescription": rx}, pump=BIG))
    assert result.refusals
    assert codes(result, "committed") == []
    assert result.step_times_ns == on_twin(old).step_times_ns


# -- power and battery ----------------------------------------------------------------------------------------


@pytest.mark.requirement("F9", "F10", "F12", "R23", "I3")
@pytest.mark.parametrize("cuts", [1, 4, 12])
def test_synchromed_2011_a_supply_that_drops_out_leaves_a_reason_and_no_dose_too_many(cuts: int):
    """SynchroMed II, 2011 (healthimaging.com; medtronic.com): a film in the battery, and pumps reset all at once. Every
    start says why it happened; what may have been given counts as given."""
    events = [{"at": f"{60 + 20 * n} s", "do": "power_cut", "for": f"{n % 3 + 0.001} s"} for n in range(cuts)]
    plan = scenario(RATE, "6 min", *events, pump=BIG)
    result = on_twin(plan)
    assert [details["cause"] for _, details in codes(result, "boot")] == ["power_on"] * (cuts + 1)
    assert result.summary.resets == {"power_on": cuts + 1, "watchdog": 0, "commanded": 0}
    assert result.summary.steps <= result.summary.ledger_steps
    check_exact(plan, result)


@pytest.mark.requirement("F9", "R36")
@pytest.mark.parametrize("mode", ["continuous", "flex", "minimum", "stopped"])
@pytest.mark.parametrize("bolus", [False, True])
def test_alaris_2020_a_battery_that_runs_low_and_then_out_is_told_in_every_mode(mode: str, bolus: bool):
    """Alaris, class I, 2020 (csagroup.org): among other errors the alarm of a low battery failed."""
    rx: dict[str, Any] = {"patient": "bench-07", "drug": "saline", "mode": mode}
    if mode in ("continuous", "flex"):
        rx["basal"] = "2 mL/day"
    if mode == "flex":
        rx = flex("2 mL/day", ("daily", "00:10", "00:20", "5 mL/day"))
    order = [say("2 min", "bolus 10 uL over 40 min")] if bolus and "basal" in rx else []
    events = (
        {"at": "3 min", "do": "battery", "millivolts": 3_250},
        {"at": "20 min", "do": "battery", "millivolts": 2_950},
    )
    result = on_twin(scenario(rx, "36 min", *order, *events, pump=BIG))
    found = raised(result)
    assert 180 < found["battery_low"] <= 180 + 15 * 60
    assert 1_200 < found["battery_depleted"] <= 1_200 + 15 * 60
    assert not [t for t in result.step_times_ns if t > (found["battery_depleted"] + 1.1) * S]


@pytest.mark.requirement("F8", "R11", "R50")
@pytest.mark.parametrize("concentration", ["2001 ug/mL", "20 mg/mL", "0 ug/mL", "2000"])
def test_alaris_2020_a_concentration_of_ones_own_is_refused(concentration: str):
    """Alaris, class I, 2020 (csagroup.org): custom concentrations were programmed wrong."""
    rx = {
        "patient": "bench-07",
        "drug": "baclofen",
        "concentration": concentration,
        "mode": "continuous",
        "basal": "100 ug/day",
    }
    result = on_twin(scenario(RATE, "1 min", {"at": "30 s", "do": "program", "prescription": rx}))
    assert result.refusals
    assert codes(result, "committed") == []


@pytest.mark.requirement("I7", "R34")
@pytest.mark.parametrize("seconds", [1, 60, 600])
def test_alaris_2020_a_delay_ends_when_it_was_to_end(seconds: int):
    """Alaris, class I, 2020 (csagroup.org): infusions that were put off did not begin as set."""
    result = on_twin(scenario(RATE, f"{seconds + 120} s", say("30 s", f"stop for {seconds} s"), pump=BIG))
    (begun,) = [event.t_ns / S for event in result.events if event.code == "stop_end"]
    assert abs(begun - 30 - seconds) <= 2
    assert result.summary.state == "dosing"


# -- nothing but an order pauses delivery ---------------------------------------------------------------------


@pytest.mark.requirement("I7", "F12")
@pytest.mark.parametrize(
    "lines",
    [
        ["program stage begin", "program stage mode stopped"],
        ["calibrate set tubing_nl 1", "log 1000"],
        ["log 1000", "status"],
        ["trial", "bridge", "prime show"],
    ],
)
def test_synchromed_mri_a_session_that_is_left_open_while_an_alarm_sounds_suspends_nothing(lines: list[str]):
    """SynchroMed II after MRI (tga.gov.au): interference put the pump into its telemetry mode while an alarm
    sounded, and infusion did not go on until somebody interrogated it. Here no session stops the dose."""
    pump = {"reservoir": "2 mL", "low_reservoir": "1.99 mL"}  # an alarm from the first minutes on
    plain = on_twin(scenario(RATE, "10 min", pump=pump))
    typed = [say(f"{240 + n} s", line) for n, line in enumerate(lines)]
    noise = {"at": "250 s", "do": "console_flood", "for": "0.5 s"}
    result = on_twin(scenario(RATE, "10 min", *typed, noise, pump=pump))
    assert "low_reservoir" in result.summary.alarms_active
    assert result.step_times_ns == plain.step_times_ns


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
    assert found["level_disagrees"] < found["low_reservoir"] + 1_800
    assert found["low_reservoir"] <= 75 * 60 + 10  # 1.5 mL at 1.2 mL an hour: never later than the ledger says


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
    plan = scenario(continuous("1 mL/day"), "40 min", say("1 min", "prime"), pump={"tubing": tubing})
    result = on_twin(plan)
    (bolus, end) = codes(result, "bolus", "bolus_end")
    assert bolus[1]["dose_nl"] == end[1]["given_nl"] == path_nl
    assert abs(result.summary.delivered_nl - path_nl - 1_000_000 * 2398 // 86_400) <= 3 * STEP_NL


@pytest.mark.requirement("R22", "R50", "F4")
@pytest.mark.parametrize(
    ("new", "questioned"),
    [("20.8 mL/day", True), ("18.8 mL/day", False), ("19.999 mL/day", False), ("0.2 mL/day", True)],
)
def test_alaris_2006_a_rate_ten_times_off_is_typed_again_and_every_rate_is_shown_as_it_was_read(
    new: str, questioned: bool
):
    """Alaris, class I, 2006 (softwarecpr.com; FDA ucm202496): a key bounced, and 4.8 mL/h became 44.8. Here ten times
    is questioned; less is shown, beside the old."""
    old = continuous("2 mL/day")
    plan = scenario(old, "2 min", {"at": "1 min", "do": "program", "prescription": continuous(new)})
    (program,) = plan.events
    assert isinstance(program, Program)
    *lines, end = program.lines(pack)
    commit = f"program commit {end.rsplit(maxsplit=1)[-1]}"
    typed = [say(f"{60 + n} s", line) for n, line in enumerate([*lines, end, commit])]
    result = on_twin(scenario(old, "2 min", *typed))
    console = result.console.decode("ascii")
    assert f"basal: 2000 uL/day -> {int(float(new.split(maxsplit=1)[0]) * 1_000)} uL/day" in console.splitlines()
    assert bool(result.refusals) == questioned
    assert len(codes(result, "committed")) == (not questioned)
    confirmed = on_twin(plan)
    assert not confirmed.refusals
    assert len(codes(confirmed, "confirmed")) == questioned
    assert len(codes(confirmed, "committed")) == 1
