"""A pump that knows its reservoir: low, empty, and two estimates that do not believe each other (F6; R13, R14)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from support import START, S, continuous, flex, on_twin, scenario

from thecal.models.bench import Bench
from thecal.powercut.life import HIGH, Life
from thecal.powercut.session import Session
from thecal.powercut.snapshot import module
from thecal.prescription import stage_lines
from thecal.programming import pack
from thecal.scenario import Scenario
from thecal.sim import Result, make_bench, simulate
from thecal.twin.twin import Twin

ML = 1_000_000


def on_bench(plan: Scenario, change: Callable[[Bench, Twin], None]) -> Result:
    """Simulate with a bench that is not as it should be."""
    bench = make_bench(plan)
    twin = Twin(bench, plan.seed)
    change(bench, twin)
    try:
        return simulate(plan, twin)
    finally:
        twin.close()


def level_off_by(counts: Callable[[int], int]) -> Callable[[Bench, Twin], None]:
    """The level sensor is off by so many counts of the ADC, as a function of seconds since the start."""

    def change(bench: Bench, twin: Twin) -> None:
        true = bench.sensors.level_counts
        bench.sensors.level_counts = lambda: true() + counts(twin.now_ns() // S)

    return change


def level_reads(counts: int) -> Callable[[Bench, Twin], None]:
    def change(bench: Bench, _: Twin) -> None:
        bench.sensors.level_counts = lambda: counts

    return change


def command(at: str, line: str) -> dict[str, Any]:
    return {"at": at, "do": "command", "line": line}


def alarm_times(result: Result, alarm: str) -> list[float]:
    return [event.t_ns / S for event in result.events if event.code == "alarm" and event.details.get("alarm") == alarm]


def codes(result: Result) -> list[str]:
    return [event.code for event in result.events]


def answers(result: Result, key: str) -> list[str]:
    return re.findall(rf"^{key}: (.*?)\r?$", result.console.decode("ascii"), re.MULTILINE)


@pytest.mark.requirement("F6", "R14")
@pytest.mark.parametrize("tenths", range(0, 40, 3))
def test_an_empty_reservoir_stops_the_pump_within_ten_seconds(tenths: int):
    """Whatever the ledger believes, and whenever between two readings it happens."""
    at = 30 + tenths / 10
    plan = scenario(continuous("10 mL/day"), "60 s", {"at": f"{at} s", "do": "reservoir_empty"})
    result = on_twin(plan)
    (found,) = alarm_times(result, "reservoir_empty")
    assert at < found < at + 10
    assert result.summary.state == "safe"
    assert result.step_times_ns[-1] < (at + 10) * S
    assert result.summary.reservoir_nl > 19 * ML


@pytest.mark.requirement("F6", "R14")
@pytest.mark.parametrize("rate", ["28.8 mL/day", "2 mL/day"])
def test_a_reservoir_that_runs_dry(rate: str):
    """Nothing is left in it but a four-hundredth, and less than ten seconds of flow are pumped of nothing."""
    plan = scenario(continuous(rate), "2 h", pump={"reservoir": "0.15 mL", "pl_per_step": 5_000})
    result = on_twin(plan)
    assert alarm_times(result, "reservoir_empty")
    assert result.summary.state == "safe"
    assert result.summary.true_reservoir_nl <= 150_000 // 400
    flow = {"28.8 mL/day": 334, "2 mL/day": 24}[rate]
    assert result.summary.steps * 5 <= 150_000 + 2 * flow


@pytest.mark.requirement("F6", "R14")
def test_the_ledger_alone_stops_the_pump_when_the_sensor_is_stuck():
    plan = scenario(continuous("28.8 mL/day"), "10 min", pump={"reservoir": "0.1 mL", "low_reservoir": "0.01 mL"})
    result = on_bench(plan, level_reads(3_000))
    assert result.summary.alarms_active[:2] == ["reservoir_empty", "low_reservoir"]
    assert result.summary.reservoir_nl == 0
    assert result.summary.steps * 25 <= 100_000 + 3 * 334


@pytest.mark.requirement("F6", "R14")
def test_after_empty_it_takes_refill_and_clear_and_resume():
    plan = scenario(
        continuous("10 mL/day"),
        "200 s",
        {"at": "20 s", "do": "reservoir_empty"},
        command("40 s", "clear"),
        command("42 s", "resume"),
        {"at": "50 s", "do": "power_cut", "for": "5 s"},
        command("60 s", "clear"),
        command("62 s", "resume"),
        {"at": "80 s", "do": "refill", "volume": "20 mL", "measured": "0 mL"},
        command("90 s", "resume"),
        command("100 s", "clear"),
        command("120 s", "resume"),
    )
    result = on_twin(plan)
    assert [refusal.event for refusal in result.refusals] == [3, 6, 8]
    assert len(alarm_times(result, "reservoir_empty")) == 1
    assert result.summary.state == "dosing"
    times = [at / S for at in result.step_times_ns]
    assert not [at for at in times if 31 < at < 120]
    assert [at for at in times if at > 122]


@pytest.mark.requirement("F6", "R14", "F3")
def test_low_lets_the_running_bolus_finish_and_denies_the_next():
    """Low by the ledger, in the middle of a bolus of 100 uL; the basal rate goes on."""
    plan = scenario(
        continuous("480 uL/day"),
        "60 min",
        command("1 min", "bolus 100 uL over 10 min"),
        command("30 min", "bolus 10 uL over 10 min"),
        {"at": "40 min", "do": "refill", "volume": "20 mL"},
        command("45 min", "bolus 20 uL over 10 min"),
        pump={"low_reservoir": "19.95 mL"},
    )
    result = on_twin(plan)
    (low,) = alarm_times(result, "low_reservoir")
    assert 61 < low < 660
    ends = [event.details for event in result.events if event.code == "bolus_end"]
    assert [(end["how"], end["given_nl"]) for end in ends] == [("done", 100_000), ("done", 20_000)]
    assert [refusal.event for refusal in result.refusals] == [2]
    (denied,) = [event.details for event in result.events if event.code == "bolus_denied"]
    assert denied["reason"] == "low_reservoir"
    assert "low_reservoir" not in result.summary.alarms_active
    assert result.summary.state == "dosing"
    assert [at for at in result.step_times_ns if 25 * 60 * S < at < 40 * 60 * S]


@pytest.mark.requirement("F6", "R14")
def test_low_by_a_drifted_sensor_stays_over_a_power_cut_until_a_refill():
    plan = scenario(
        continuous("480 uL/day"),
        "10 min",
        {"at": "2 min", "do": "power_cut", "for": "3 s"},
        command("3 min", "bolus 10 uL over 1 min"),
    )
    result = on_bench(plan, level_off_by(lambda seconds: -2_800 if seconds < 100 else 0))
    assert len(alarm_times(result, "low_reservoir")) == 1
    assert len(result.refusals) == 1
    assert result.summary.alarms_active[:1] == ["low_reservoir"]


@pytest.mark.requirement("F6", "R14")
@pytest.mark.parametrize("counts_an_hour", [-300, 300])
def test_a_drifting_sensor_is_noticed_once_and_stops_nothing(counts_an_hour: int):
    """Half full; the difference passes a twentieth of the capacity, 149 counts, after half an hour."""
    plan = scenario(
        continuous("480 uL/day"), "2 h", {"at": "1 s", "do": "refill", "volume": "10 mL"}, pump={"reservoir": "20 mL"}
    )
    result = on_bench(plan, level_off_by(lambda seconds: counts_an_hour * seconds // 3_600))
    (found,) = alarm_times(result, "level_disagrees")
    assert 29 * 60 < found < 33 * 60
    (event,) = [event for event in result.events if event.code == "level"]
    difference = int(event.details["level_nl"]) - int(event.details["ledger_nl"])
    assert ML <= abs(difference) < 1_100_000
    assert (difference > 0) == (counts_an_hour > 0)
    assert result.summary.state == "dosing"
    assert "low_reservoir" not in result.summary.alarms_history


@pytest.mark.requirement("F6", "R14")
def test_a_sensor_that_drifts_high_does_not_hide_a_low_reservoir():
    plan = scenario(continuous("28.8 mL/day"), "20 min", pump={"reservoir": "2 mL", "low_reservoir": "1.8 mL"})
    result = on_bench(plan, level_reads(3_300))
    (low,) = alarm_times(result, "low_reservoir")
    assert abs(low - 200_000 * 86_400 / 28_800_000) < 10


@pytest.mark.requirement("F6", "R14")
@pytest.mark.parametrize("counts", [0, 4_095])
def test_a_broken_sensor_is_told_and_believed_by_nobody(counts: int):
    result = on_bench(scenario(continuous("10 mL/day"), "3 min"), level_reads(counts))
    assert len(alarm_times(result, "level_disagrees")) == 1
    assert result.summary.state == "dosing"
    assert not {"reservoir_empty", "low_reservoir"} & set(result.summary.alarms_history)
    assert [event.details["level_nl"] for event in result.events if event.code == "level"] == [-1]


@pytest.mark.requirement("F6", "R13")
@pytest.mark.parametrize("boluses", [False, True])
def test_the_expected_date_comes_true_within_three_minutes(boluses: bool):
    """By the ledger: the sensor, which is less precise, is kept full here."""
    rx = flex("500 uL/day", ("daily", "01:00", "02:30", "2 mL/day"), ("mon", "04:00", "04:20", "5 mL/day"))
    if boluses:
        rx["scheduled_bolus"] = [
            {"days": "daily", "at": "00:30", "dose": "40 uL", "over": "30 min"},
            {"days": "mon-fri", "at": "03:10", "dose": "25 uL", "over": "5 min"},
        ]
        rx["patient_bolus"] = {"dose": "20 uL", "over": "5 min", "lockout": "2 h", "max_per_day": 6}
    asked = [command(at, "status") for at in ("10 s", "40 min", "2 h", "190 min")]
    plan = scenario(rx, "6 h", *asked, pump={"low_reservoir": "19.72 mL" if boluses else "19.78 mL"})
    result = on_bench(plan, level_reads(3_351))
    (low,) = alarm_times(result, "low_reservoir")
    came = datetime.fromisoformat(START) + timedelta(seconds=low)
    dates = [datetime.fromisoformat(text) for text in answers(result, "refill_expected")]
    earlier = [datetime.fromisoformat(text) for text in answers(result, "refill_pessimistic")]
    assert len(dates) >= 4
    for date in dates[:4]:
        assert abs(date - came) < timedelta(minutes=3)
    assert all((one < other) if boluses else (one == other) for one, other in zip(earlier[:4], dates[:4], strict=True))


def shown(result: Result) -> list[datetime]:
    """The expected date in each answer."""
    return [datetime.fromisoformat(text) for text in answers(result, "refill_expected")]


@pytest.mark.requirement("F6", "F3", "R13")
def test_the_date_follows_every_bolus_at_once_and_through_being_set_aside():
    """At 0.5 mL a day the clinician's 100 uL are 288 min, the patient's 20 uL 57.6 min, wherever they flow."""
    rx = continuous("500 uL/day")
    rx["patient_bolus"] = {"dose": "20 uL", "over": "5 min", "lockout": "2 h", "max_per_day": 6}
    typed = [
        command("30 s", "status"),
        command("60 s", "bolus 100 uL over 30 min"),
        command("60.4 s", "status"),
        command("10 min", "dose"),
        command("600.4 s", "status"),
        *[command(at, "status") for at in ("13 min", "20 min", "33 min")],
        command("34 min", "bolus cancel"),
        command("2040.4 s", "status"),
        command("40 min", "clock set 2026-03-02T09:00:00"),
        command("2402 s", "status"),
    ]
    result = on_twin(scenario(rx, "41 min", *typed))
    assert not result.refusals
    before, clinician, *both, cancelled, moved = shown(result)
    assert abs(before - clinician - timedelta(minutes=288)) < timedelta(minutes=3)
    assert len(both) == 4
    for date in both:
        assert abs(before - date - timedelta(minutes=345.6)) < timedelta(minutes=3)
    left = 120 / 1_800 * 288 * 60  # the bolus would have ended at 36 min: of its 1,800 s 120 are left
    assert abs(cancelled - both[0] - timedelta(seconds=left)) < timedelta(minutes=3)
    assert abs(moved - cancelled - timedelta(hours=9) + timedelta(minutes=40)) < timedelta(minutes=3)


@pytest.mark.requirement("F6", "F3", "R13")
def test_a_scheduled_bolus_that_is_set_aside_counts_until_its_late_end():
    """40 uL, planned from 00:30 to 01:00, last until 01:05 as the patient's 20 uL come in between."""
    rx = continuous("500 uL/day")
    rx["scheduled_bolus"] = [{"days": "daily", "at": "00:30", "dose": "40 uL", "over": "30 min"}]
    rx["patient_bolus"] = {"dose": "20 uL", "over": "5 min", "lockout": "2 h", "max_per_day": 6}
    asked = [command(at, "status") for at in ("20 min", "39 min", "42 min", "50 min", "62 min", "70 min")]
    result = on_twin(scenario(rx, "71 min", command("40 min", "dose"), *asked))
    early, undisturbed, *later = shown(result)
    assert abs(early - undisturbed) < timedelta(seconds=10)
    assert len(later) == 4
    assert max(later) - min(later) < timedelta(minutes=3)
    assert timedelta(minutes=40) < early - later[0] < timedelta(minutes=61)  # less where a bolus lies in between


@pytest.mark.requirement("F6", "F3", "R13", "I8")
def test_boluses_that_wait_beyond_the_end_of_the_week_harm_nothing():
    """Sunday 23:40 for 25 min, and 23:50 for a minute: the second begins on Monday at 00:05."""
    rx = continuous("480 uL/day")
    rx["scheduled_bolus"] = [
        {"days": "sun", "at": "23:40", "dose": "10 uL", "over": "25 min"},
        {"days": "sun", "at": "23:50", "dose": "10 uL", "over": "1 min"},
    ]
    clock = command("10 s", "clock set 2026-03-08T23:39:00")
    result = on_twin(scenario(rx, "40 min", clock, command("30 min", "status")))
    assert result.summary.resets["watchdog"] == result.summary.resets["commanded"] == 0
    starts = [event.rtc for event in result.events if event.code == "bolus"]
    assert [text[:16] for text in starts] == ["2026-03-08T23:39", "2026-03-09T00:05"]
    assert answers(result, "refill_expected")[0].startswith("2026-04-")


@pytest.mark.requirement("F6", "R13", "I8")
@pytest.mark.parametrize("error", [IndexError, KeyError, ValueError, ZeroDivisionError, OverflowError, MemoryError])
@pytest.mark.parametrize("broken", ["Plan", "until"])
def test_a_date_that_cannot_be_reckoned_stops_nothing(
    error: type[Exception], broken: str, monkeypatch: pytest.MonkeyPatch
):
    """Whatever fault the reckoning has: dosing goes on to the step, and the dates are shown as unknown."""

    def fails(*_: object) -> None:
        raise error

    asked = [command(at, "status") for at in ("2 s", "8 s")]
    refill = {"at": "12 s", "do": "refill", "volume": "20 mL"}
    plan = scenario(continuous("1 mL/day"), "60 s", *asked, refill, command("20 s", "status"))
    sound = on_twin(plan)
    monkeypatch.setattr(module("forecast"), broken, fails)
    result = on_twin(plan)
    assert result.step_times_ns == sound.step_times_ns
    assert result.summary == sound.summary
    assert not result.refusals
    for key in ("refill_expected", "refill_pessimistic"):
        assert answers(result, key) == ["unknown"] * 4
        assert "unknown" not in answers(sound, key)


@pytest.mark.requirement("F6", "R13")
def test_a_date_that_could_not_be_reckoned_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    until = module("forecast").until
    calls: list[int] = []

    def fails_at_first(*values: object) -> object:
        calls.append(0)
        if len(calls) == 1:
            raise IndexError
        return until(*values)

    monkeypatch.setattr(module("forecast"), "until", fails_at_first)
    asked = [command(at, "status") for at in ("10 s", "170 s")]
    result = on_twin(scenario(continuous("10 mL/day"), "180 s", *asked))
    assert [text == "unknown" for text in answers(result, "refill_expected")] == [True, False]


@pytest.mark.requirement("F6", "R13")
def test_status_shows_what_was_reckoned_and_does_not_reckon_it_again(monkeypatch: pytest.MonkeyPatch):
    """With nothing changed two dates in 148 s are reckoned, however often somebody asks."""
    until = module("forecast").until
    calls: list[int] = []

    def counted(*values: object) -> object:
        calls.append(0)
        return until(*values)

    monkeypatch.setattr(module("forecast"), "until", counted)
    rx = continuous("1 mL/day")
    rx["patient_bolus"] = {"dose": "20 uL", "over": "5 min", "lockout": "2 h", "max_per_day": 6}
    asked = [command(f"{at} s", "status") for at in range(10, 140, 2)]
    result = on_twin(scenario(rx, "140 s", *asked))
    assert len(calls) == 2
    assert len(set(answers(result, "refill_expected"))) == 1


@pytest.mark.requirement("F6", "R13")
def test_refill_is_due_72_hours_ahead_of_the_pessimistic_date():
    """Three days at 1 mL a day and four boluses of 0.5 mL take 9 mL, 2 mL are low. It is looked at every 5 min."""
    rx = continuous("1 mL/day")
    rx["patient_bolus"] = {"dose": "0.5 mL", "over": "1 h", "lockout": "1 h", "max_per_day": 4}
    filled = [{"at": "20 s", "do": "refill", "volume": "11.01 mL"}, {"at": "22 min", "do": "refill", "volume": "12 mL"}]
    result = on_twin(scenario(rx, "25 min", *filled))
    (found,) = alarm_times(result, "refill_due")
    assert 0 <= found - (20 + 864) < 310  # 0.01 mL takes 864 s
    assert "refill_due" not in result.summary.alarms_active
    result = on_twin(scenario(rx, "60 s", {"at": "20 s", "do": "refill", "volume": "10.999 mL"}))
    (found,) = alarm_times(result, "refill_due")
    assert 20 < found < 25


def minutes_between(result: Result, key: str, came: str) -> float:
    (text,) = answers(result, key)
    return abs(datetime.fromisoformat(text) - datetime.fromisoformat(came)) / timedelta(minutes=1)


@pytest.mark.requirement("F6", "F7", "R13")
def test_a_bridge_is_reckoned_with():
    """The path, 0.316 mL, flows at 10 mL a day from 00:02 on; then the rest above low at 4 mL a day."""
    old = {"patient": "bench-07", "drug": "morphine", "concentration": "500 ug/mL", "mode": "continuous"}
    new = {**old, "concentration": "1 mg/mL", "basal": "4 mL/day"}
    change = {"at": "2 min", "do": "program", "prescription": new}
    result = on_twin(scenario({**old, "basal": "10 mL/day"}, "15 min", change, command("10 min", "status")))
    left = 18_000_000 - 10_000_000 * 120 / 86_400 - 316_000
    seconds = 120 + 316_000 * 86_400 / 10_000_000 + left * 86_400 / 4_000_000
    came = datetime.fromisoformat(START) + timedelta(seconds=seconds)
    assert minutes_between(result, "refill_expected", came.isoformat()) < 3


@pytest.mark.requirement("F6", "F5", "R13")
@pytest.mark.parametrize("then", ["minimum", "stopped"])
def test_the_end_of_a_trial_is_reckoned_with(then: str):
    """Two hours at 6 mL a day, 0.5 mL, then the minimum of 1.2 mL a day or nothing; 18 mL are there above low."""
    pump = {"min_rate": "1.2 mL/day"}
    staged = [
        "program stage begin",
        "program stage patient bench-07",
        "program stage drug saline",
        "program stage mode continuous",
        "program stage basal 6 mL/day",
    ]
    base = continuous("6 mL/day")
    digest = digest_of(scenario(base, "1 min", pump=pump))
    lines = [*staged, f"program stage end {digest}", f"trial start 2 h then {then}", "status"]
    typed = [command(f"{10 + 2 * number} s", line) for number, line in enumerate(lines)]
    result = on_twin(scenario(base, "1 min", *typed, pump=pump))
    assert not result.refusals
    if then == "stopped":
        assert answers(result, "refill_expected") == answers(result, "refill_pessimistic") == ["none"]
        return
    seconds = 22 + 7_200 + (18_000_000 - 6_000_000 * 7_222 / 86_400) * 86_400 / 1_200_000
    came = datetime.fromisoformat(START) + timedelta(seconds=seconds)
    assert minutes_between(result, "refill_expected", came.isoformat()) < 3


def digest_of(plan: Scenario) -> str:
    return stage_lines(plan.prescription, pack)[-1].split()[-1]


@pytest.mark.requirement("F6", "F10")
@pytest.mark.parametrize("is_written", [False, True])
def test_a_refill_that_a_cut_ended_before_the_ledger_took_it_changes_nothing(is_written: bool):
    """The diary may have it; the next refill is compared with the one before all the same."""
    life = Life()
    life.run(3)
    life.calibrate()
    life.program(HIGH)
    life.say("resume")
    for _ in range(2):
        life.run(600)
        life.refill()
    layout = module("layout")
    diary = range(layout.DIARY_FIRST, layout.DIARY_FIRST + layout.DIARY_PAGES)
    cut = [point for point in life.session.points if point.page in diary][-1]
    at_cut = cut.snapshot.with_page(cut.page, cut.new if is_written else cut.old)
    life.session = Session(at_cut, cut.expected)
    life.session.start()
    life.run(30)
    (was,) = [line for line in life.say("status") if line.startswith("reservoir_nl: ")]
    assert 19_820_000 < int(was.split()[1]) < 19_840_000  # ten minutes at 24 mL a day, 167 uL, are gone
    answer = life.say("refill 20 mL measured 18 mL because other")
    (text,) = [line for line in answer if line.startswith("discrepancy: ")]
    assert re.search(r" % of 0\.16\d* mL delivered since the last refill", text)
