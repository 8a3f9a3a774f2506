"""The fast board of the tests of alarms: it records sound and light, and its parts can fail."""

from __future__ import annotations

from typing import Any

from thecal.models.bench import PumpConfig
from thecal.models.sensors import BATTERY_DIVIDER
from thecal.powercut.snapshot import Snapshot
from thecal.powercut.whole_pump import Board

CONFIG = PumpConfig(reservoir_nl=100_000_000)
FULL_MV = 3_330


class TestBoard(Board):
    """sounds: (us, Hz), lights: (us, lit), at every change. pressed: the DOSE button goes down, for an instant.
    held: it is down. level_mv, pressure_mv: what these sensors say instead of the truth. diag: the driver reports a
    fault."""

    __test__ = False

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot)
        self.sounds: list[tuple[int, int]] = []
        self.lights: list[tuple[int, bool]] = []
        self.powered = False
        self.pressed = self.held = False
        self.battery_mv = FULL_MV
        self.level_mv = self.pressure_mv = -1
        self.diag = False

    def sound(self, hz: int) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.sounds.append((self.now_us, hz))

    def led(self, on: bool) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.lights.append((self.now_us, on))

    def drive(self, on: Any) -> None:
        super().drive(on)
        self.powered = bool(on)

    def take_press(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        pressed, self.pressed = self.pressed, False
        return pressed

    def driver_fault(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.diag

    def button_down(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.held

    def millivolts(self, channel: int) -> int:
        if channel == self.BATTERY:
            return self.battery_mv // BATTERY_DIVIDER
        if channel == self.PRESSURE and self.pressure_mv >= 0:
            return self.pressure_mv
        if channel == self.LEVEL and self.level_mv >= 0:
            return self.level_mv
        if channel == self.LEVEL:  # of the reservoir of this calibration, five times the usual one
            left_pl = max(0, self.fluid_pl - self.train.steps() * CONFIG.pl_per_step)
            return 300 + 2_400 * left_pl // (CONFIG.reservoir_nl * 1_000)
        return super().millivolts(channel)

    def refuse_writes(self) -> None:
        """From now on the EEPROM takes nothing."""
        self.eeprom.write_page = _refuse  # pyright: ignore[reportAttributeAccessIssue]

    def take_writes(self) -> None:
        """It does again."""
        del self.eeprom.write_page

    def heat(self, quarters: int) -> None:
        """The RTC's thermometer says so many quarters of a degree."""
        self.rtc.temperature = lambda: quarters

    def halt_rtc(self) -> None:
        """The RTC stands still."""
        now = self.rtc._now()
        self.rtc._now = lambda: now

    def revive_rtc(self) -> None:
        """It counts on."""
        del self.rtc._now


def _refuse(page: int, data: object) -> None:
    raise OSError(5)
