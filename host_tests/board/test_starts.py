"""Starts of the compiled firmware: DRIVE, the console, the scratch registers, the watchdog's proof (F11, F12)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from rig import MS, START, S
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
            self.run(200 * MS)

    def power_cut(self) -> None:
        """A short one, and the EEPROM as it was at first: bites are forgotten."""
        self.board.power_cut(10 * MS)
        self.bench.eeprom.load(self.programmed)
        self.run(10 * MS)


@pytest.mark.requirement("F11", "F12", "I8", "R15", "R25")
@pytest.mark.parametrize("part", range(4))
def test_drive_is_low_and_no_byte_reaches_the_repl_until_the_self_test_has_passed(
    part: int, image: Path, built: Path
) -> None:
    """100 resets in all, by power cuts, bites and command, at any moment of a start; bytes 01 to 05 all the time."""
    random = Random(part)
    pump = Started(image, built)
    reset: tuple[Callable[[], None], ...] = (
        pump.power_cut, pump.bite, pump.command_reset, pump.bite, pump.command_reset,
    )  # fmt: skip
    rises = 0
    for number in range(25):
        through = number in (0, (11, 22)[part % 2])  # after a power cut; after a bite, or a commanded reset
        before = len(pump.high)
        began = pump.board.now_ns()
        moment = 3_200 if through else 200 + 1_100 * random.random() ** 4
        end = began + round(moment * MS)
        pump.flood(end)
        while pump.board.now_ns() < end and len(pump.high) == before:
            pump.run(min(100 * MS, end - pump.board.now_ns()))
        if through:
            assert len(pump.high) == before + 1
        for at, running in pump.high[before:]:
            assert running == "passed"
            assert at - began > 1_000 * MS
            rises += 1
        assert not any(mark in pump.output for mark in REPL)
        reset[number % 5]()
        assert not pump.bench.motor.drive
    assert rises >= 2
    assert sum(pump.board.resets.values()) == 26


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
