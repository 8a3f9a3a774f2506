"""Starts of the compiled firmware: DRIVE, the console, the scratch registers, the watchdog's proof (F11, F12)."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from rig import MS, START, S, branch
from rp2040py.gpio_pin import GPIOPinState

from firmware import resets
from firmware.counters import Counters
from firmware.retirement import Retired
from thecal.build import littlefs_image
from thecal.emulated.board import EmulatedBoard
from thecal.models import pins
from thecal.models.bench import Bench, PumpConfig
from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription
from thecal.programming import MemoryEeprom, programmed_image

CONFIG = PumpConfig()
RX = parse_prescription(
    {"patient": "bench-07", "drug": "saline", "mode": "continuous", "basal": "5 mL/day"},
    RateRange(CONFIG.min_rate, CONFIG.max_rate),
)
CTRL, SCRATCH_4 = 0x4005_8000, 0x4005_801C
TRIGGER = 1 << 31
REPL = (b">>>", b"raw REPL", b"paste mode", b"MicroPython v")
CONTROL = b"\x01\x02\x03\x04\x05"
STRETCH = 3_400 * MS  # a start has come to DRIVE within it
KINDS = ("cut", "bite", "command")
ALL = bool(os.environ.get("ALL_STARTS"))  # `make starts`: every start goes to DRIVE high, which takes minutes
# Else of the 8 or 9 starts of each kind in a part so many do: each takes some 4 s of a processor.
THROUGH = {"cut": 2, "bite": 3, "command": 2}


class Started:
    """An emulated pump whose DRIVE pin is watched. high: (true time, task that ran) of each rise."""

    def __init__(self, image: Path, built: Path, eeprom: bytes | None = None) -> None:
        self.bench = Bench(CONFIG, START, seed=1)
        self.programmed = eeprom if eeprom is not None else programmed_image(CONFIG, RX, START)
        self.bench.eeprom.load(self.programmed)
        self.board = EmulatedBoard(self.bench, image, littlefs_image(built))
        self.output = bytearray()
        self.board.on_console = self.output.extend
        self.high: list[tuple[int, str]] = []
        self.board.chip.mcu.gpio[pins.DRIVE].add_listener(self._drive)

    def _drive(self, new: GPIOPinState, old: GPIOPinState) -> None:
        if new == GPIOPinState.HIGH:
            self.high.append((self.board.now_ns(), self.running()))

    def running(self) -> str:
        """What the pump notes as running."""
        return resets.TASKS[self.board.scratch()[7] & 0xFF]

    def run(self, ns: int) -> None:
        self.board.run(self.board.now_ns() + ns)

    def flood(self, until_ns: int) -> None:
        """Bytes 01 to 05 from now on: more than are taken, so that some wait at every moment."""
        for t in range(self.board.now_ns(), until_ns, 50 * MS):
            self.board.at(t, lambda: self.board.send(CONTROL * 20))

    def command_reset(self) -> None:
        """What machine.reset() does: the SDK's watchdog_reboot(0, 0, 0)."""
        self.board.chip.mcu.write_uint32(SCRATCH_4, 0)
        self.board.chip.mcu.write_uint32(CTRL, TRIGGER)

    def bite(self) -> None:
        """The processor hangs until the watchdog bites. It must be armed."""
        before = self.board.resets["watchdog"]
        self.board.hang()
        while self.board.resets["watchdog"] == before:
            self.run(1 * MS)  # what comes next belongs to the next start, long before its first byte or pin

    def power_cut(self) -> None:
        """A short one. The EEPROM is as it was left, a page under way torn."""
        self.board.power_cut(10 * MS)
        self.run(10 * MS)

    def until_high(self, end_ns: int) -> None:
        """Run until DRIVE is high, or to this true time."""
        before = len(self.high)
        while self.board.now_ns() < end_ns and len(self.high) == before:
            self.run(min(50 * MS, end_ns - self.board.now_ns()))

    def reset(self, how: str) -> str:
        """What the next start shows in its first tenth of a second, or until DRIVE is high if `how` ends so."""
        kind, _, through = how.partition(" ")
        self.high.clear()
        {"cut": self.power_cut, "bite": self.bite, "command": self.command_reset}[kind]()
        assert not self.bench.motor.drive
        began = self.board.now_ns()
        end = began + (STRETCH if through else 100 * MS)
        self.flood(end)
        self.until_high(end)
        return self.judge(began)

    def judge(self, began: int) -> str:
        """Whether DRIVE has gone high since the reset; if so, not before the self-test was over."""
        assert not any(mark in self.output for mark in REPL)
        assert self.bench.motor.drive == bool(self.high)
        for at, running in self.high:
            assert running == "passed"
            assert at - began > 1_000 * MS
        return "high" if self.high else "low"

    def status(self) -> dict[str, str]:
        """What the pump itself answers to `status`: what its self-test has found, and its alarms."""
        self.run(500 * MS)  # what was sent before is over
        self.output.clear()
        self.board.send(b"\rstatus\r")
        self.run(2 * S)
        lines = self.output.decode("ascii", "replace").splitlines()
        return dict(line.split(": ", 1) for line in lines if ": " in line)


def moments(random: Random, count: int) -> list[int]:
    """True times (ns) after a reset, one of each stratum: half of them before 1.3 s, when the firmware begins to run;
    half of them to 3 s, over self-test, the wait for the second's edge and DRIVE."""
    early = count // 2
    edges = [10 + 1_290 * n // early for n in range(early)]
    edges += [1_300 + 1_700 * n // (count - early) for n in range(count - early + 1)]
    return [random.randint(low * MS, high * MS - 1) for low, high in pairwise(edges)]


def chosen(random: Random, kinds: list[str]) -> set[int]:
    """The numbers of the starts that go to DRIVE high."""
    of_kind = {kind: [number for number, one in enumerate(kinds) if one == kind] for kind in KINDS}
    return {number for kind in KINDS for number in random.sample(of_kind[kind], THROUGH[kind])}


@pytest.mark.requirement("F11", "F12", "I8", "R15", "R25")
@pytest.mark.parametrize("part", range(4))
def test_drive_is_low_and_no_byte_reaches_the_repl_until_the_self_test_has_passed(
    part: int, image: Path, built: Path
) -> None:
    """100 resets in all, by power cuts, bites and command, at any moment of a start; bytes 01 to 05 all the time.

    Four starts, after power-on, a bite and a commanded reset, go to DRIVE high. Each is reset at 25 moments, in a copy
    of it; of the starts that follow, 7 go to DRIVE high too, of the others the first 100 ms are seen: 32 of 104 starts
    to their end, with ALL_STARTS all of them. The last of the four is asked what its self-test has found."""
    random = Random(part)
    pump = Started(image, built)
    if part in (1, 2):
        pump.run(random.randint(500, 900) * MS)
        (pump.bite, pump.command_reset)[part - 1]()
    began = pump.board.now_ns()
    pump.flood(began + STRETCH)
    kinds = [KINDS[(number + part) % 3] for number in range(25)]
    through = set(range(25)) if ALL else chosen(random, kinds)
    told: list[str] = []
    for number, (kind, moment) in enumerate(zip(kinds, moments(random, 25), strict=True)):
        pump.board.run(began + moment)
        pump.judge(began)
        armed = moment >= 300 * MS  # the watchdog is
        how = ("command" if kind == "bite" and not armed else kind) + " through" * (number in through)
        told.append(branch(lambda how=how: pump.reset(how)))
        assert told[-1] == ("high" if number in through else "low"), (how, moment, told[-1])
    pump.until_high(began + STRETCH)
    assert pump.judge(began) == "high"
    assert len(told) == 25
    assert told.count("high") == (25 if ALL else sum(THROUGH.values()))
    if part == 3:
        pump.board.run(began + STRETCH)
        status = pump.status()
        assert (status["self_test"], status["alarms"]) == ("passed", "none")


@pytest.mark.requirement("F12", "I8")
@pytest.mark.parametrize(("low_us", "is_set"), [(0, False), (20, False), (300, False), (10_000, True)])
def test_a_strap_whose_wire_is_charged_late_is_not_set(low_us: int, is_set: bool, image: Path, built: Path) -> None:
    """Else a pump would sit at its REPL after a reset, without a word. Time runs from where the line before leaves."""
    pump = Started(image, built)

    def protected(new: GPIOPinState, old: GPIOPinState) -> None:
        if new == GPIOPinState.HIGH and not began:
            began.append(pump.board.now_ns())
            pump.board.wiring.set_service(True)
            pump.board.at(began[0] + low_us * 1_000, lambda: pump.board.wiring.set_service(False))

    began: list[int] = []
    pump.board.chip.mcu.gpio[pins.WP].add_listener(protected)
    pump.run(STRETCH)
    assert began
    assert bool(pump.high) != is_set
    pump.board.send(b"\r")
    pump.run(200 * MS)
    assert (b">>>" in pump.output) == is_set


def _battery(pump: Started) -> None:
    pump.bench.sensors.battery_mv = 2_950


def _button(pump: Started) -> None:
    pump.bench.sensors.dose_button = True


def _direction(pump: Started) -> None:
    pump.board.chip.mcu.gpio[pins.DIR].set_input_value(True)  # the pad is held


@pytest.mark.requirement("F11", "I8", "R16", "R25")
@pytest.mark.parametrize(("name", "fail"), [("battery", _battery), ("button", _button), ("outputs", _direction)])
def test_drive_stays_low_after_a_self_test_that_has_failed(
    name: str, fail: Callable[[Started], None], image: Path, built: Path
) -> None:
    """Though the pump goes on, and would dose: it says itself which test it was."""
    pump = Started(image, built)
    pump.board.at(0, lambda: fail(pump))
    pump.run(STRETCH)
    status = pump.status()
    assert pump.running() == "background"
    assert status["self_test"] == name
    assert "self_test_failed" in status["alarms"]
    assert not pump.high
    assert not pump.bench.motor.drive
    assert pump.bench.motor.pulses == 0


@pytest.mark.requirement("F11", "I8", "R25")
@pytest.mark.parametrize("kind", ["cut", "bite", "command"])
def test_the_self_test_is_run_after_a_reset_of_any_kind(kind: str, image: Path, built: Path) -> None:
    """A pump that dosed, and a part that has failed since."""
    pump = Started(image, built)
    pump.run(STRETCH)
    assert pump.bench.motor.drive
    _battery(pump)
    pump.high.clear()
    {"cut": pump.power_cut, "bite": pump.bite, "command": pump.command_reset}[kind]()
    before = pump.bench.motor.pulses
    pump.run(STRETCH)
    status = pump.status()
    assert status["self_test"] == "battery"
    assert "self_test_failed" in status["alarms"]
    assert not pump.high
    assert not pump.bench.motor.drive
    assert pump.bench.motor.pulses == before


def loaded(pump: Started) -> Counters:
    eeprom = MemoryEeprom(pump.bench.eeprom.image())
    counters = Counters(eeprom, Retired(eeprom))
    counters.load()
    return counters


@pytest.mark.requirement("F11", "I10", "R25", "R27")
def test_the_watchdog_proves_itself_once_and_three_bites_latch(image: Path, built: Path) -> None:
    """On the real registers: the proof, what was running when a bite came, and the latch, over a power cut too."""
    eeprom = MemoryEeprom(programmed_image(CONFIG, RX, START))
    counters = Counters(eeprom, Retired(eeprom))
    counters.load()
    counters.proved = 0
    counters.save()
    pump = Started(image, built, bytes(eeprom.memory))
    pump.run(5 * S)
    assert pump.board.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}
    assert not pump.high
    pump.run(5 * S)
    assert pump.board.resets == {"power_on": 1, "watchdog": 1, "commanded": 0}
    assert [running for _, running in pump.high] == ["passed"]
    assert loaded(pump).proved == resets.firmware_number()
    pump.bite()
    pump.run(4 * S)
    pump.bite()
    pump.board.power_cut(2 * S)  # before this one can be counted
    pump.run(6 * S)
    pump.bite()
    pump.run(4 * S)
    assert len(pump.high) == 4
    pump.bite()
    pump.run(4 * S)
    pump.board.power_cut(1 * S)
    pump.run(7 * S)
    pump.board.at(pump.board.now_ns(), lambda: pump.board.send(b"log 60\r"))
    pump.run(2 * S)
    assert len(pump.high) == 4
    lines = [
        line.split(" ", 3)[3] for line in pump.output.decode().splitlines() if " boot " in line or "_ended" in line
    ]
    causes = [line.split()[1].partition("=")[2] for line in lines if line.startswith("boot")]
    assert causes == ["watchdog_test", "watchdog", "power_on", "watchdog", "reset_loop", "power_on"]
    assert lines[1] == "run_ended ending=watchdog_test task=start error=other"
    assert set(lines[3::2]) >= {"run_ended ending=hang task=background error=other"}
    assert b"alarm=reset_loop" in pump.output
    assert loaded(pump).watchdog_resets == 3
