"""Every console command of a running pump: what it does, what it refuses, and that dosing goes on (F4, F11, F12)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from pump_rig import Pump, prescription

from thecal.models.bench import PumpConfig
from thecal.programming import calibration, calibration_values, firmware

LAYOUT = firmware("layout")
LIBRARY = firmware("drugs").LIBRARY
A_SECOND = 10_000_000_000_000 // 86_400 // 25_000_000 + 1  # steps of a second at 10 mL/day and 25 nL a step, rounded up


@pytest.fixture
def pump() -> Iterator[Pump]:
    running = Pump()
    yield running
    assert running.twin.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}
    running.close()


@pytest.fixture
def blank() -> Iterator[Pump]:
    running = Pump(programmed=False)
    yield running
    assert running.twin.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}
    running.close()


def refused(pump: Pump, line: str) -> str:
    answer = pump.ask(line)
    assert len(answer) == 1, answer
    assert answer[0].startswith("error: ")
    return answer[0].removeprefix("error: ")


@pytest.mark.requirement("F12")
def test_help_names_every_command(pump: Pump):
    lines = pump.ask("help", 1)
    assert lines[-1] == "ok"
    for verb in ("help", "status", "log", "program show", "calibrate", "stop", "resume", "clear", "clock"):
        assert any(line.startswith(verb) for line in lines)


@pytest.mark.requirement("F12", "F10")
def test_status_tells_what_the_pump_is_doing(pump: Pump):
    steps = pump.bench.motor.steps
    status = pump.status()
    assert status["state"] == "dosing"
    assert status["rate"] == "10000000 nL/day, 10000 uL/day (5000 ug/day)"
    assert status["alarms"] == "none"
    assert status["clock"].startswith("2026-03-02T00:00:0")
    assert int(status["ledger_steps"]) >= steps > 0
    assert int(status["ledger_steps"]) * 25 == int(status["ledger_nl"])
    assert int(status["reservoir_nl"]) == 100_000_000 - int(status["ledger_nl"])
    assert steps <= int(status["pulses"]) <= pump.bench.motor.pulses


@pytest.mark.requirement("F12")
def test_log_gives_the_newest_events_oldest_first(pump: Pump):
    for _ in range(3):
        pump.ask("program stage begin")
        pump.ask("program discard")
    lines = pump.ask("log 2")
    assert [line.split()[2:] for line in lines[:-1]] == [["info", "discarded"]] * 2
    first, second = (int(line.split()[0]) for line in lines[:-1])
    assert second == first + 1
    assert pump.ask("log", 1)[0].split()[3] == "boot"
    for wrong in ("log 0", "log 1001", "log 1.5", "log x", "log -1"):
        assert "whole number of 1 to 1000" in refused(pump, wrong) or "plain decimal" in refused(pump, wrong)
    assert refused(pump, "log 1 2") == "log: at most a count after it"


@pytest.mark.requirement("F12", "R50")
@pytest.mark.parametrize(
    "line",
    [
        "help me",
        "status now",
        "resume now",
        "clear all",
        "clock 5",
        "clock set",
        "clock set now please",
        "stop now",
        "stop for",
        "stop for 5",
        "stop for 5 min now",
        "program",
        "program show all",
        "program commit",
        "program stage",
        "program stage begin now",
        "program stage end",
        "calibrate",
        "calibrate set tubing_nl",
        "calibrate commit now",
        "bolus 5 uL",
        "STATUS",
        "reset",
        "program stage end 1 2",
    ],
)
def test_a_wrong_form_is_refused_and_names_what_is_needed(pump: Pump, line: str):
    assert refused(pump, line).startswith(line.split(maxsplit=1)[0])
    assert pump.steps_within(2) >= A_SECOND


@pytest.mark.requirement("F4", "F8", "R22", "R47")
def test_a_prescription_is_staged_shown_and_committed_at_once(pump: Pump):
    digest, answer = pump.stage(prescription(basal="20 mL/day"))
    assert "basal: 10000 uL/day (5000 ug/day) -> 20000 uL/day (10000 ug/day)" in answer
    shown = pump.ask("program show")[:-1]
    assert answer[: len(shown)] == shown
    assert "tubing_nl: 140000 nL" in answer  # what the volumes rest on is shown at every confirmation
    calibrated = pump.ask("calibrate show")[:-1]
    assert calibrated[0].startswith("calibration: version ")
    assert answer[len(shown) : -1] == [f"library: {LIBRARY}", f"digest: {digest}", *calibrated]
    assert 9 * 4.63 <= pump.steps_within(10) <= 11 * 4.63  # the old one is undisturbed until the commit
    assert pump.ask(f"program commit {digest}") == ["ok"]
    pump.run(2)
    assert 9 * 9.26 <= pump.steps_within(10) <= 11 * 9.26
    assert pump.status()["prescription"] == f"{digest} continuous"
    assert [code for code in pump.codes() if code != "alarm"][-2:] == ["staged", "committed"]


@pytest.mark.requirement("F4", "R22")
def test_a_commit_needs_the_digest_of_what_is_staged(pump: Pump):
    assert refused(pump, "program commit 12345678") == "program commit: nothing is staged"
    digest, _ = pump.stage(prescription(basal="20 mL/day"))
    assert refused(pump, "program commit 00000000") == f"digest = 00000000: {digest} is staged"
    assert pump.ask("program discard") == ["ok"]
    assert refused(pump, f"program commit {digest}") == "program commit: nothing is staged"


@pytest.mark.requirement("F4", "F8")
def test_a_digest_that_the_pump_does_not_compute_stages_nothing(pump: Pump):
    lines = ("begin", "patient p", "drug saline", "mode continuous", "basal 1 mL/day")
    for line in lines:
        assert pump.ask(f"program stage {line}") == ["ok"]
    assert refused(pump, "program stage end 0badc0de").startswith("digest = 0badc0de: the pump computed ")
    assert refused(pump, "program commit 0badc0de") == "program commit: nothing is staged"
    assert refused(pump, "program stage end 0badc0de").startswith("program stage end: `program stage begin`")


@pytest.mark.requirement("F4", "I5")
def test_a_commit_survives_a_power_cut(pump: Pump):
    digest, _ = pump.stage(prescription(basal="20 mL/day"))
    assert pump.ask(f"program commit {digest}") == ["ok"]
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(5_000_000_000))
    pump.run(10)
    assert pump.status()["prescription"] == f"{digest} continuous"
    pump.twin.resets["power_on"] -= 1


@pytest.mark.requirement("F4", "F11")
def test_a_part_that_refuses_a_commit_leaves_the_old_prescription_running(pump: Pump):
    old = pump.status()["prescription"]
    digest, _ = pump.stage(prescription(basal="20 mL/day"))
    pump.bench.eeprom.worn.update(range(LAYOUT.PRESCRIPTION_SLOTS * LAYOUT.PRESCRIPTION_PAGES))
    assert refused(pump, f"program commit {digest}").startswith("program commit: the EEPROM refused it")
    assert pump.status()["prescription"] == old
    assert pump.steps_within(5) >= 4 * 4


@pytest.mark.requirement("F11", "I7")
def test_stop_lasts_until_resume_and_over_power_cuts(pump: Pump):
    assert pump.ask("stop") == ["ok"]
    pump.run(2)
    assert pump.status()["state"] == "stopped"
    assert pump.steps_within(100) == 0
    assert refused(pump, "stop for 5 min").startswith("stop for: the pump is stopped until `resume`")
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(1_000_000_000))
    pump.run(60)
    pump.twin.resets["power_on"] -= 1
    assert pump.status()["state"] == "stopped"
    assert pump.steps_within(30) == 0
    assert pump.ask("resume") == ["ok"]
    pump.run(2)
    assert pump.steps_within(10) >= 40
    assert refused(pump, "resume") == "resume: delivery is not stopped"


@pytest.mark.requirement("F11", "I7")
def test_a_timed_stop_ends_by_itself_after_its_time(pump: Pump):
    assert pump.ask("stop for 1 min") == ["ok"]
    pump.run(2)
    left = int(pump.status()["stop_left_s"])
    assert 55 <= left <= 60
    assert pump.steps_within(50) == 0
    pump.run(15)
    assert pump.status()["state"] == "dosing"
    assert pump.steps_within(10) >= 40
    assert "stop_end" in pump.codes()


@pytest.mark.requirement("I7", "R50")
@pytest.mark.parametrize("words", ["61 min", "0 s", "0.5 s", "1 d", "2 h", "5 mL", "five min"])
def test_a_timed_stop_of_another_length_is_refused(pump: Pump, words: str):
    assert refused(pump, f"stop for {words}").startswith("stop for")
    assert pump.status()["state"] == "dosing"


@pytest.mark.requirement("F11", "I7")
def test_a_timed_stop_may_be_ended_early_and_made_a_plain_one(pump: Pump):
    pump.ask("stop for 60 min")
    assert pump.ask("resume") == ["ok"]
    pump.run(2)
    assert pump.steps_within(5) >= 16
    pump.ask("stop for 1 min")
    assert pump.ask("stop") == ["ok"]
    pump.run(70)
    assert pump.status()["state"] == "stopped"


@pytest.mark.requirement("F11")
def test_after_an_alarm_nothing_resumes_by_itself_not_even_a_timed_stop(pump: Pump):
    pump.ask("stop for 4 min")
    pump.bench.eeprom.memory[20] ^= 1  # the prescription in force is damaged, and found so at the next start
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(1_000_000_000))
    pump.run(10)
    pump.twin.resets["power_on"] -= 1
    assert pump.status()["alarms"] == "prescription_damaged"
    digest, _ = pump.stage(prescription())
    assert pump.ask(f"program commit {digest}") == ["ok"]
    assert refused(pump, "resume") == "resume: alarm prescription_damaged; `clear` comes first"
    assert pump.ask("clear") == ["ok"]
    assert pump.steps_within(300) == 0
    assert pump.status()["state"] == "safe"
    assert pump.ask("resume") == ["ok"]
    pump.run(2)
    assert pump.steps_within(10) >= 40


@pytest.mark.requirement("F11")
def test_clear_tells_what_stays(pump: Pump):
    assert pump.ask("clear") == ["ok"]
    pump.bench.eeprom.worn.update(range(64, 160))
    pump.run(90)
    assert pump.status()["state"] == "safe"
    assert pump.steps_within(5) == 0
    assert pump.ask("clear") == ["stays: eeprom_dead", "ok"]
    assert refused(pump, "stop") == "stop: an alarm has stopped the pump already"


@pytest.mark.requirement("R49")
def test_the_clock_is_shown_and_set(pump: Pump):
    assert pump.ask("clock")[0].startswith("clock: 2026-03-02T00:00:0")
    assert pump.ask("clock set 2030-07-04T23:59:50") == ["ok"]
    pump.run(4.4)
    assert pump.ask("clock")[0] in ("clock: 2030-07-04T23:59:54", "clock: 2030-07-04T23:59:55")
    now = pump.bench.rtc.local_time(pump.twin.now_ns())
    assert (now.year, now.hour, now.second) in ((2030, 23, 54), (2030, 23, 55))
    assert "clock_set" in pump.codes()
    pump.run(100)
    assert pump.status()["alarms"] == "none"
    assert pump.steps_within(5) >= 16


@pytest.mark.requirement("R49")
@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T00:00:00",
        "1999-12-31T00:00:00",
        "2100-01-01T00:00:00",
        "2026-03-02T24:00:00",
        "2026-03-02",
        "now",
        "2026-03-02_08:00:00",
        "+026-03-02T08:00:00",
    ],
)
def test_an_impossible_time_is_refused_and_changes_nothing(pump: Pump, text: str):
    refused(pump, f"clock set {text}")
    assert pump.ask("clock")[0].startswith("clock: 2026-03-02T00:00:0")


@pytest.mark.requirement("R49", "I12")
@pytest.mark.parametrize("text", ["2099-12-31T23:59:59", "2000-01-01T00:00:00"])
def test_the_ends_of_the_calendar_end_nothing(pump: Pump, text: str):
    """In a stop, whose own beginning then lies before all days."""
    pump.ask("stop")
    pump.ask(f"clock set {text}")
    pump.run(10)
    assert pump.status()["state"] == "stopped"
    assert pump.ask("clock set 2026-03-02T08:00:00") == ["ok"]
    pump.run(3)
    assert pump.ask("resume") == ["ok"]
    pump.run(2)
    assert pump.steps_within(5) >= 16


@pytest.mark.requirement("F7", "F8")
def test_calibration_is_shown_staged_and_committed_only_while_stopped(pump: Pump):
    assert "tubing_nl: 140000 nL" in pump.ask("calibrate show")
    assert pump.ask("calibrate set tubing_nl 199000") == ["ok"]
    assert "staged tubing_nl: 199000" in pump.ask("calibrate show")
    assert refused(pump, "calibrate commit") == "calibrate commit: `stop` comes first"
    pump.ask("stop")
    pump.run(2)
    assert pump.ask("calibrate commit") == ["ok"]
    shown = pump.ask("calibrate show")
    assert "tubing_nl: 199000 nL" in shown
    assert not [line for line in shown if line.startswith("staged")]
    assert "calibrated" in pump.codes()


@pytest.mark.requirement("F7", "R50")
@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("pl_per_step 999", "calibration.pl_per_step = 999 pL: 1000 to 1000000 pL"),
        ("pl_per_step 1e6", "calibration.pl_per_step = 1e6"),
        ("pl_per_step 25000.0", "calibration.pl_per_step = 25000.0: a whole number"),
        ("tubing 5", "calibration.tubing: no such value"),
        ("self 5", "calibration.self: no such value"),
        ("serial " + "a" * 17, "calibration.serial = aaaaaaaaaaaaaaaaa: 1 to 16 characters"),
        ("min_rate 28800000", ""),
    ],
)
def test_a_calibration_value_is_refused_when_it_is_staged(pump: Pump, words: str, why: str):
    if not why:  # in range by itself; the prescription in force is what forbids it
        assert pump.ask(f"calibrate set {words}") == ["ok"]
        pump.ask("stop")
        assert refused(pump, "calibrate commit").startswith("basal = 10000000 nL/day: 0 or 28800000 to")
    else:
        assert refused(pump, f"calibrate set {words}").startswith(why)
    assert pump.ask("calibrate discard") == ["ok"]
    assert not [line for line in pump.ask("calibrate show") if line.startswith("staged")]


@pytest.mark.requirement("F4", "F7", "I4")
def test_a_pump_from_the_factory_is_brought_up_from_the_console(blank: Pump):
    assert blank.status()["state"] == "stopped"
    assert refused(blank, "resume") == "resume: there is no prescription"
    for line in ("begin", "patient p", "drug saline", "mode continuous", "basal 10 mL/day"):
        blank.ask(f"program stage {line}")
    assert "the pump has no calibration" in refused(blank, "program stage end 00000000")
    assert refused(blank, "stop for 1 min").startswith("stop for: ")
    assert blank.ask("calibrate set pl_per_step 25000") == ["ok"]
    assert "tubing_nl" in refused(blank, "calibrate commit")  # no value is ever assumed
    for name, value in calibration_values(calibration(PumpConfig())):
        assert blank.ask(f"calibrate set {name} {value}") == ["ok"]
    assert blank.ask("calibrate commit", 2) == ["ok"]  # every page of the rings is looked at
    digest, _ = blank.stage(prescription())
    assert blank.ask(f"program commit {digest}") == ["ok"]
    assert blank.steps_within(20) == 0  # nothing starts by itself
    assert blank.ask("resume") == ["ok"]
    blank.run(2)
    assert blank.steps_within(10) >= 40
    assert blank.status()["reservoir_nl"] > "19000000"


@pytest.mark.requirement("F10", "F11", "I4")
@pytest.mark.parametrize("lost", [(0,), (1,), (0, 1)])
def test_a_lost_ledger_stops_the_pump_until_it_is_calibrated_anew(lost: tuple[int, ...]):
    """One of its two copies is missed as well: what it alone may have told is not known."""
    running = Pump()
    image = bytearray(running.bench.eeprom.image())
    running.close()
    for copy in lost:
        first = LAYOUT.LEDGER_FIRSTS[copy] * 64
        image[first : first + LAYOUT.LEDGER_PAGES * 64] = b"\xff" * (LAYOUT.LEDGER_PAGES * 64)
    pump = Pump(programmed=False)
    pump.bench.eeprom.load(bytes(image))
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(1_000_000_000))
    pump.run(10)
    assert pump.status()["alarms"] == "ledger_damaged"
    assert pump.steps_within(10) == 0
    assert pump.ask("clear") == ["stays: ledger_damaged", "ok"]
    for name, value in calibration_values(calibration(PumpConfig())):
        assert pump.ask(f"calibrate set {name} {value}") == ["ok"]
    assert pump.ask("calibrate commit", 2) == ["ok"]
    assert pump.ask("clear") == ["ok"]
    assert refused(pump, "resume") == "resume: there is no prescription"
    digest, _ = pump.stage(prescription())
    assert pump.ask(f"program commit {digest}") == ["ok"]
    assert pump.ask("resume") == ["ok"]
    pump.run(2)
    assert pump.steps_within(10) >= 40
    pump.close()


@pytest.mark.requirement("F12", "I7")
def test_reading_a_full_log_does_not_delay_a_step():
    """The events of a full ring are some 300 ms of EEPROM traffic; the tick comes first."""
    pump = Pump(prescription(basal="28.8 mL/day"))
    for _ in range(120):
        pump.type(b"\x15program stage begin\rprogram discard\r" * 3)
        pump.run(0.1)
    pump.run(5.9)  # shortly before the next frame
    quiet = pump.bench.motor.step_times[-1]
    pump.type(b"\x15log 1000\r")
    pump.run(6)
    times = [t for t in pump.bench.motor.step_times if t > quiet]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(bytes(pump.output).split(b"discarded")) > LAYOUT.EVENTS_PAGES - 10
    assert max(gaps) < 130_000_000  # 13 or 14 steps a second, and the lateness of one turn
    pump.close()


@pytest.mark.requirement("F3", "F5", "R50")
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("bolus 5 uL over 20.9 s", "bolus over = 20.9 s: whole seconds are needed"),
        ("bolus 5 uL over 0.01 min", "bolus over = 0.01 min: whole seconds are needed"),
        ("stop for 90.5 s", "stop for = 90.5 s: whole seconds are needed"),
        ("trial start 1.00001 h then minimum", "trial start = 1.00001 h: whole seconds are needed"),
    ],
)
def test_a_fraction_of_a_second_is_refused_and_nothing_happens(pump: Pump, line: str, reason: str):
    assert refused(pump, line) == reason
    status = pump.status()
    assert (status["state"], status["bolus"]) == ("dosing", "none")


@pytest.mark.requirement("F11", "F6", "F9")
def test_resume_names_the_alarms_that_stop_the_pump_and_what_ends_their_causes():
    """`replace_soon` (ERI) stops nothing, and `clear` does not end what a battery must end first."""
    pump = Pump(eri_to_eos_s=60)
    pump.bench.sensors.battery_mv = 3_100  # low, so ERI; a minute later the end of service
    pump.run(420)
    assert pump.status()["alarms"] == "end_of_service,replace_soon,battery_low"
    named = "resume: alarm end_of_service (`service battery` ends its cause)"
    assert refused(pump, "resume") == named + "; `clear` comes first"
    pump.bench.reservoir.fill(0)
    pump.run(12)
    both = "alarm reservoir_empty (`refill` ends its cause), " + named.removeprefix("resume: alarm ")
    assert refused(pump, "resume") == f"resume: {both}; `clear` comes first"
    assert pump.ask("refill 20 mL because other")[-1] == "ok"
    assert pump.ask("service battery")[-1] == "ok"
    assert refused(pump, "resume") == "resume: alarm reservoir_empty, end_of_service; `clear` comes first"
    pump.ask("clear")
    assert pump.ask("resume") == ["ok"]
    pump.close()
