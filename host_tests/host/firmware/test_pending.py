"""What an operator has begun and not finished is called to mind after 5 min, and given up after 10 (F11; R35)."""

from __future__ import annotations

import pytest
from pump_rig import Pump, prescription

from thecal.prescription import stage_lines
from thecal.programming import firmware, pack

LINES = {
    "program": ("program stage begin",),
    "calibrate": ("calibrate set tubing_nl 210000",),
    "both": ("program stage begin", "calibrate set tubing_nl 210000"),
}


def alarms(pump: Pump) -> str:
    return pump.status().get("alarms", "none")


def events(pump: Pump, code: str) -> list[str]:
    """The fields of all events of this code, oldest first."""
    return [" ".join(line.split()[4:]) for line in pump.ask("log 60", 2)[:-1] if line.split()[3] == code]


@pytest.mark.requirement("F4", "F11", "R35")
@pytest.mark.parametrize("what", LINES)
def test_what_is_staged_is_called_to_mind_after_five_minutes_and_given_up_after_ten(what: str) -> None:
    pump = Pump()
    for line in LINES[what]:
        assert pump.ask(line) == ["ok"]
    pump.run(296)
    assert alarms(pump) == "none"
    pump.run(5)
    assert alarms(pump) == "input_pending"
    assert [hz for _, hz in pump.bench.signals.sounds if hz] == [1_000]
    pump.run(288)
    assert alarms(pump) == "input_pending"
    steps = pump.steps_within(12)
    assert alarms(pump) == "none"
    assert events(pump, "given_up") == ["input=staged"]
    assert [line for line in pump.ask("calibrate show") if line.startswith("staged ")] == []
    assert pump.ask("program stage patient bench-07")[0].startswith("error: program stage patient: ")
    assert abs(pump.steps_within(12) - steps) <= 1, "dosing goes on"
    pump.close()


@pytest.mark.requirement("F4", "F11", "R35")
def test_a_whole_prescription_that_was_not_committed_cannot_be_committed_later() -> None:
    pump = Pump()
    digest, _ = pump.stage(prescription(basal="5 mL/day"))
    before = pump.ask("program show")
    pump.run(605)
    assert pump.ask(f"program commit {digest}") == ["error: program commit: nothing is staged"]
    assert pump.ask("program show") != before
    assert events(pump, "discarded") == [""]
    pump.close()


@pytest.mark.requirement("F4", "F11", "R35")
def test_only_a_command_about_it_begins_the_time_anew() -> None:
    pump = Pump()
    pump.ask("program stage begin")
    for _ in range(29):
        pump.run(9.7)
        pump.ask("status")
    pump.ask("program stage patient bench-07")
    pump.run(290)
    assert alarms(pump) == "none"
    for _ in range(2):
        pump.run(9.7)
        pump.ask("status")
    assert alarms(pump) == "input_pending"
    pump.ask("program stage drug morphine")
    pump.run(1)
    assert alarms(pump) == "none"
    pump.run(290)
    assert alarms(pump) == "none"
    pump.ask("program discard")
    pump.run(700)
    assert events(pump, "given_up") == []
    assert [field for field in events(pump, "alarm") if field == "alarm=input_pending"] == ["alarm=input_pending"]
    pump.close()


@pytest.mark.requirement("F11", "F12", "R35")
@pytest.mark.parametrize("typed", [b"stop", b"\x01", b"x" * 200])
def test_a_line_without_an_end_is_forgotten_after_ten_minutes(typed: bytes) -> None:
    pump = Pump()
    pump.type(typed[:1])
    pump.run(500)
    pump.type(typed[1:])
    pump.run(595 if len(typed) > 1 else 95)
    before = len(pump.output)
    pump.run(10)
    assert bytes(pump.output[before:]) == b"\r\n"
    pump.type(b"\r")
    pump.run(1)
    assert bytes(pump.output[before:]) == b"\r\n\r\n", "nothing is run, nothing refused"
    assert pump.status()["state"] == "dosing"
    assert events(pump, "given_up") == ["input=line"]
    assert events(pump, "alarm") == []
    pump.close()


@pytest.mark.requirement("F4", "F11", "F12", "R35")
def test_a_host_that_leaves_amid_the_answer_leaves_nothing_staged(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes nothing of what the pump says about the staged prescription, so the comparison does not end before."""
    Board = firmware("board").Board
    pump = Pump()
    *lines, last = stage_lines(prescription(basal="5 mL/day"), pack)
    for line in lines:
        assert pump.ask(line) == ["ok"]
    before = len(pump.output)
    with monkeypatch.context() as patch:
        patch.setattr(Board, "write", lambda board, data: 0)
        pump.type(b"\x15" * 600)  # half of what may wait for the host is full
        pump.type(last.encode() + b"\r")
        pump.run(605)
    assert len(pump.output) == before
    pump.run(3)
    assert bytes(pump.output).endswith(
        b"\r\nerror: program: what was staged was given up, as nobody took the answer\r\n"
    )
    assert pump.ask("program commit " + last.split()[-1]) == ["error: program commit: nothing is staged"]
    assert (events(pump, "given_up"), events(pump, "staged")) == (["input=staged"], [])
    pump.close()
