"""Parts that answer and say nothing true, and starts that come to nothing: never without an alarm that is heard."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from pump_rig import Pump, S, prescription

from firmware import layout
from firmware.pages import PAGE
from thecal.programming import firmware

pytestmark = pytest.mark.requirement("F11", "R18", "R28", "I8")
ROTOR = 5  # the state machine of its counter


class Rotor:
    """Whether the counter of rotor indices answers."""

    answers = True


@pytest.fixture
def rotor(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Rotor]]:
    """It answers until a test says otherwise."""
    counter = firmware("board").PulseCounter
    init, read = counter.__init__, counter.read

    def numbered(self: Any, number: int, pin: Any) -> None:
        init(self, number, pin)
        self.number = number

    def reading(self: Any) -> int:
        if self.number == ROTOR and not Rotor.answers:
            raise OSError("pulse counter: no answer")
        return read(self)

    monkeypatch.setattr(counter, "__init__", numbered)
    monkeypatch.setattr(counter, "read", reading)
    Rotor.answers = True
    yield Rotor
    Rotor.answers = True


def sounding_s(pump: Pump, since_ns: int) -> float:
    """For how long in all the buzzer has sounded since then."""
    changes = [*pump.bench.signals.sounds, (pump.twin.now_ns(), 0)]
    return sum(max(0, until - max(at, since_ns)) for (at, hz), (until, _) in pairwise(changes) if hz) / S


@pytest.mark.parametrize("restarted", [False, True])
def test_a_counter_of_the_rotor_that_does_not_answer_is_a_stall_and_no_restart(
    rotor: type[Rotor], restarted: bool
) -> None:
    pump = Pump()
    pump.run(60)
    rotor.answers = False
    since = pump.twin.now_ns()
    if restarted:
        pump.cut()
    pump.run(10)
    assert pump.status()["alarms"] == "stall"
    assert pump.steps_within(600) == 0
    assert pump.twin.resets["commanded"] == 0
    assert sounding_s(pump, since) > 2
    assert "stays: stall" in pump.ask("clear")
    rotor.answers = True
    pump.run(2)
    assert pump.status()["alarms"] == "stall"  # nothing resumes by itself
    assert pump.ask("clear")[-1] == "ok"
    assert pump.ask("resume")[-1] == "ok"
    assert pump.steps_within(60) > 0
    pump.close()


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_pump_that_fails_in_one_of_its_first_frames_again_and_again_is_heard(
    monkeypatch: pytest.MonkeyPatch, frames: int
) -> None:
    """Behind the begin of the alarm's tone, which the restart would end before it is heard."""
    pressure = firmware("pressure").Pressure
    watch = pressure.watch
    fails = False

    def failing(self: Any) -> None:
        self.frames = getattr(self, "frames", 0) + 1
        if fails and self.frames >= frames:
            raise OSError("out of order")
        watch(self)

    monkeypatch.setattr(pressure, "watch", failing)
    pump = Pump()
    pump.run(60)
    fails = True
    pump.run(30)
    since = pump.twin.now_ns()
    pump.run(300)
    assert pump.twin.resets["commanded"] > 20
    assert sounding_s(pump, since) > 300 / 8
    fails = False
    pump.run(10)
    assert pump.status()["alarms"] == "reset_loop"
    since = pump.twin.now_ns()
    pump.run(60)
    assert sounding_s(pump, since) == 0  # the alarm has sounded, and does again after ten minutes
    assert pump.ask("clear")[-1] == "ok"
    pump.close()


def ones(monkeypatch: pytest.MonkeyPatch, readings: int | None = None) -> None:
    """From now on the EEPROM answers, and reads as erased; for so many readings."""
    part = firmware("board").AT24C256
    read = part.read_into
    left = [readings]

    def reading(self: Any, address: int, buffer: Any) -> None:
        read(self, address, buffer)
        if left[0] is None or left[0] > 0:
            buffer[:] = b"\xff" * len(buffer)
            left[0] = left[0] and left[0] - 1

    monkeypatch.setattr(part, "read_into", reading)


@pytest.mark.parametrize("end", ["cut", "hang"])
def test_an_eeprom_that_reads_as_blank_whatever_is_in_it_is_dead_and_its_pump_not_new(
    monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    pump = Pump()
    pump.run(60)
    with monkeypatch.context() as patch:
        ones(patch)
        since = pump.twin.now_ns()
        if end == "hang":
            pump.twin.at(since, pump.twin.hang)
            pump.run(10)
        else:
            pump.cut()
        assert pump.status()["alarms"] == "eeprom_dead"
        assert sounding_s(pump, since) > 2
        assert pump.ask("calibrate commit")[-1].startswith("error: calibrate commit: the EEPROM could not be read")
    pump.cut()
    assert pump.status()["alarms"] == "none"
    assert pump.status()["prescription"].endswith("continuous")
    assert pump.steps_within(60) > 0
    pump.close()


@pytest.mark.parametrize("readings", [1, 100, 300])
def test_an_eeprom_that_reads_as_blank_for_a_moment_is_read_again(
    monkeypatch: pytest.MonkeyPatch, readings: int
) -> None:
    pump = Pump(prescription(basal="1 mL/day"))
    pump.run(60)
    kept = bytes(pump.bench.eeprom.memory[: PAGE * layout.KEYS_FIRST])  # prescription and calibration
    pump.twin.at(pump.twin.now_ns(), lambda: pump.twin.power_cut(2 * S))
    pump.run(1)
    ones(monkeypatch, readings)
    pump.run(7)
    status = pump.status()
    if status["alarms"] == "none":
        assert status["prescription"].endswith("continuous")
        assert pump.steps_within(600) > 0
    else:
        assert status["alarms"] in {"eeprom_dead", "ledger_damaged", "calibration_damaged"}
    assert kept != b"\xff" * len(kept)
    assert bytes(pump.bench.eeprom.memory[: len(kept)]) == kept
    pump.close()


def test_a_blank_part_is_proved_and_its_pump_is_new() -> None:
    pump = Pump(programmed=False)
    assert pump.status()["alarms"] == "none"
    memory = pump.bench.eeprom.memory
    written = [
        page for page in range(layout.FAULTS_FIRST) if memory[PAGE * page : PAGE * page + PAGE] != b"\xff" * PAGE
    ]
    assert written == [layout.PROOF]
    pump.cut()
    assert pump.status()["alarms"] == "none"
    pump.stage_calibration()
    assert pump.ask("calibrate commit", 4)[-1] == "ok"
    pump.close()
