"""One physical pump: every part of the reference hardware, wired together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from thecal.models.at24c256 import AT24C256
from thecal.models.broken import Broken
from thecal.models.ds3231 import DS3231
from thecal.models.fluid import Line, Reservoir
from thecal.models.i2c import I2CBus
from thecal.models.motor import Motor
from thecal.models.sensors import Sensors
from thecal.models.signals import Signals


@dataclass(frozen=True)
class PumpConfig:
    """What is true of one pump; the defaults are the reference hardware.

    Volumes in nL, or pL where the name says so; catheter length in mm; rates in nL/day. battery_mah: 0 is a supply
    that does not run down.
    """

    pl_per_step: int = 25_000
    steps_per_index: int = 20
    reservoir_nl: int = 20_000_000
    low_reservoir_nl: int = 2_000_000
    tubing_nl: int = 140_000
    catheter_mm: int = 800
    catheter_pl_per_mm: int = 220_000
    min_rate: int = 6_000
    max_rate: int = 28_800_000
    battery_mah: int = 0
    eri_to_eos_s: int = 7_776_000
    serial: str = "bench-01"


class Bench:
    """The parts of one pump. Its reservoir is full; its EEPROM is as it left the factory."""

    def __init__(self, config: PumpConfig, start: datetime, seed: int) -> None:
        """start: the local time that its clock has at true time 0. seed: of everything that is drawn by
        chance.
        """
        self.config = config
        self.seed = seed
        self.eeprom = AT24C256()
        self.rtc = DS3231(start)
        self.i2c = I2CBus(self.eeprom, self.rtc)
        self.reservoir = Reservoir(config.reservoir_nl, config.reservoir_nl, config.pl_per_step)
        self.line = Line()
        self.motor = Motor(config.steps_per_index)
        self.motor.on_steps.append(self._flow)
        self.sensors = Sensors(self.reservoir, self.line)
        self.signals = Signals()
        self.broken = Broken()

    def set_temperature(self, millicelsius: int, now_ns: int) -> None:
        """The whole pump now has this temperature, in thousandths of a degree Celsius."""
        self.sensors.temperature_mc = millicelsius
        self.rtc.set_temperature(millicelsius, now_ns)

    def _flow(self, first_ns: int, interval_ns: int, steps: int) -> None:
        self.line.push(self.reservoir.pump(steps))
