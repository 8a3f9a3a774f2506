"""Recalls of infusion pumps that software can repeat, each a named test on the twin (F11 and what each names).

Name, year and source come first, then what happened, in our own words; the test is what must not happen here. Those of
the reservoir, of boluses and of rates are in test_recalls_of_the_dose.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from alarm_causes import CAUSES
from alarm_rig import LOWEST, setting
from alarm_table import TONES
from recall_rig import BIG, RATE, STEP_NL, codes, delivered, raised, say
from support import S, check_exact, continuous, flex, on_twin, scenario

from firmware.library import DRUGS
from thecal.scenario import Scenario
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

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
    assert raised(result)["stall"] <= 60 + two_indices_s + 3  # the first of the two was under way already
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
    ((_, stalled),) = [entry for entry in codes(result, "missed") if entry[1]["why"] == "stall"]
    assert stalled["volume_nl"] == 2 * 20 * STEP_NL
    assert abs(result.summary.missed_nl - 250 * 4_800_000 / 86_400) < 60 * 4_800_000 / 86_400
    assert abs(delivered(result, 312 * S, 600 * S) - 288 * 4_800_000 / 86_400) < 4 * STEP_NL


# -- the drug -------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F8", "R11", "R12")
@pytest.mark.parametrize(
    ("drug", "concentration"),
    [("compounded", "2000 ug/mL"), ("baclofen", "4000 ug/mL"), ("Baclofen", "2000 ug/mL"), ("ziconotide", "101 ug/mL")],
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
        "basal": "100 uL/day",
    }
    old = scenario(RATE, "2 min", pump=BIG)
    result = on_twin(scenario(RATE, "2 min", {"at": "30 s", "do": "program", "prescription": rx}, pump=BIG))
    field, value = ("concentration", concentration) if drug in DRUGS else ("drug", drug)
    assert f"{field} = {value}: " in result.refusals[0].answer  # by the pump's own library, and for that reason
    assert codes(result, "committed") == []
    assert result.step_times_ns == on_twin(old).step_times_ns


@pytest.mark.requirement("F8", "F12", "R12", "R24")
@pytest.mark.parametrize(
    ("drug", "concentration"), [("saline", None), ("morphine", "1 mg/mL"), ("baclofen", "500 ug/mL")]
)
def test_synchromed_2012_the_log_says_which_drug_was_put_in_force(drug: str, concentration: str | None):
    """SynchroMed II, 2012 (medscape 776694): what a pump had held had to be known before failures could be compared."""
    rx = {"patient": "bench-07", "drug": drug, "mode": "continuous", "basal": "100 uL/day"}
    if concentration:
        rx["concentration"] = concentration
    result = on_twin(scenario(RATE, "2 min", {"at": "30 s", "do": "program", "prescription": rx}, pump=BIG))
    assert not result.refusals
    assert [details["drug"] for _, details in codes(result, "committed")] == [drug]


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
@pytest.mark.parametrize(
    ("mode", "bolus"),
    [
        ("continuous", False),
        ("continuous", True),
        ("flex", False),
        ("flex", True),
        ("minimum", False),
        ("stopped", False),
    ],
)
def test_alaris_2020_a_battery_that_runs_low_and_then_out_is_told_in_every_mode(mode: str, bolus: bool):
    """Alaris, class I, 2020 (csagroup.org): among other errors the alarm of a low battery failed."""
    rx: dict[str, Any] = {"patient": "bench-07", "drug": "saline", "mode": mode}
    if mode in ("continuous", "flex"):
        rx["basal"] = "2 mL/day"
    if mode == "flex":
        rx = flex("2 mL/day", ("daily", "00:10", "00:20", "5 mL/day"))
    order = [say("2 min", "bolus 10 uL over 40 min")] if bolus else []
    events = (
        {"at": "3 min", "do": "battery", "millivolts": 3_250},
        {"at": "20 min", "do": "battery", "millivolts": 2_950},
    )
    result = on_twin(scenario(rx, "36 min", *order, *events, pump=BIG))
    found = raised(result)
    assert 180 < found["battery_low"] <= 180 + 15 * 60
    assert 1_200 < found["battery_depleted"] <= 1_200 + 15 * 60
    assert not [t for t in result.step_times_ns if t > (found["battery_depleted"] + 1.1) * S]


@pytest.mark.requirement("F11", "R28", "R32", "R48")
@pytest.mark.parametrize("other", ["low_reservoir", "battery_low", "level_disagrees", "button_held"])
@pytest.mark.parametrize("first", [False, True])
def test_alaris_2020_an_alarm_at_the_lowest_rate_sounds_by_its_own_priority(other: str, first: bool):
    """Alaris, class I, 2020 (csagroup.org): the alarm at the lowest rate (KVO) had the wrong priority. Here it is the
    high `rtc_lost`: no lesser alarm beside it, whichever comes first, takes its sound or its rate."""
    pump = setting("flex", "running", "none").copy()
    for code in (other, "rtc_lost") if first else ("rtc_lost", other):
        CAUSES[code].come(pump)
    assert pump.active() >= {other, "rtc_lost"}
    began = pump.board.now_us
    pump.run(601)
    assert {hz for _, hz, _ in pump.tones(began)} == TONES["high"]
    made = pump.steps_in(60)
    assert abs(made * STEP_NL * 86_400 - LOWEST * 60) <= 2 * STEP_NL * 86_400


@pytest.mark.requirement("F8", "R11", "R50")
@pytest.mark.parametrize("concentration", ["2001 ug/mL", "20 mg/mL", "0 ug/mL", "2000"])
def test_alaris_2020_a_concentration_of_ones_own_is_refused(concentration: str):
    """Alaris, class I, 2020 (csagroup.org): custom concentrations were programmed wrong."""
    rx = {
        "patient": "bench-07",
        "drug": "baclofen",
        "concentration": concentration,
        "mode": "continuous",
        "basal": "100 uL/day",
    }
    result = on_twin(scenario(RATE, "1 min", {"at": "30 s", "do": "program", "prescription": rx}))
    assert result.refusals[0].answer.startswith("error: concentration = ")  # by the pump itself
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
        [],
    ],
)
@pytest.mark.parametrize(
    ("alarm", "pump", "cause"),
    [
        ("low_reservoir", {"reservoir": "2 mL", "low_reservoir": "1.99 mL"}, []),
        ("rtc_lost", BIG, [{"at": "60 s", "do": "rtc_stop"}]),  # of high priority; the lowest rate is the only one
    ],
)
def test_synchromed_mri_a_session_that_is_left_open_while_an_alarm_sounds_suspends_nothing(
    alarm: str, pump: dict[str, str], cause: list[dict[str, Any]], lines: list[str]
):
    """SynchroMed II after MRI (tga.gov.au): interference put the pump into its telemetry mode while an alarm
    sounded, and infusion did not go on until somebody interrogated it. Here no session stops the dose: neither lines
    nor noise, typed while the buzzer sounds for the alarm."""
    plain, begin_s, end_s = _first_tones(scenario(RATE, "10 min", *cause, pump=pump))
    assert begin_s - raised(plain)[alarm] < 1
    tenth_s = (end_s - begin_s) / 10
    typed = [say(f"{begin_s + (1 + n) * tenth_s:.3f} s", line) for n, line in enumerate(lines)]
    noise = {"at": f"{begin_s + 5 * tenth_s:.3f} s", "do": "console_flood", "for": f"{4 * tenth_s:.3f} s"}
    result, *tones = _first_tones(scenario(RATE, "10 min", *cause, *typed, noise, pump=pump))
    assert tones == [begin_s, end_s]
    assert result.refusals == []
    assert alarm in result.summary.alarms_active
    assert result.summary.state == "dosing"
    assert result.step_times_ns == plain.step_times_ns


def _first_tones(plan: Scenario) -> tuple[Result, float, float]:
    """What comes of it, and from when to when, s, the buzzer first sounds."""
    twin = Twin(make_bench(plan), plan.seed)
    try:
        result = simulate(plan, twin)
    finally:
        twin.close()
    (begin_ns, _), *_ = sounds = twin.bench.signals.sounds
    end_ns = next(t_ns for t_ns, hz in sounds if not hz)
    return result, begin_ns / S, end_ns / S
