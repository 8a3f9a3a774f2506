"""What can happen in a scenario: one type for each event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from thecal.prescription import Prescription, draft_lines, stage_lines


@dataclass(frozen=True)
class Event:
    """Something that happens at at_ns of true time. number: its place in the file, from 1."""

    number: int
    at_ns: int


@dataclass(frozen=True)
class PowerCut(Event):
    """The supply fails and comes back after for_ns."""

    for_ns: int


@dataclass(frozen=True)
class Hang(Event):
    """The processor spins until the watchdog bites."""


@dataclass(frozen=True)
class Command(Event):
    """An authorised operator types a console line: 1 to 120 printable ASCII characters."""

    line: str


@dataclass(frozen=True)
class SetClock(Event):
    """The authorised operator sets the clock by_s seconds on, or back when negative."""

    by_s: int


@dataclass(frozen=True)
class ConsoleFlood(Event):
    """The console is flooded with input for for_ns."""

    for_ns: int


@dataclass(frozen=True)
class EepromWrite(Event):
    """Bytes of the EEPROM change behind the firmware's back, from address on."""

    address: int
    data: bytes


@dataclass(frozen=True)
class EepromDead(Event):
    """The EEPROM acknowledges nothing any more."""


@dataclass(frozen=True)
class RtcJump(Event):
    """The RTC moves by_s seconds on by itself, or back when negative: a fault, and nobody is told."""

    by_s: int


@dataclass(frozen=True)
class RtcStop(Event):
    """The RTC's oscillator stops, until somebody sets the clock."""


@dataclass(frozen=True)
class I2cFault(Event):
    """A part does not answer for for_ns. device: eeprom, rtc, or bus: something holds it, and no part can answer."""

    device: str
    for_ns: int


@dataclass(frozen=True)
class Program(Event):
    """A new prescription is staged and committed.

    One that is refused here is not an error of the scenario but something that happens to the pump: then
    `prescription` is None, `refusal` the reason, and lines() a draft that the pump must refuse.
    """

    prescription: Prescription | None
    refusal: str | None
    source: Mapping[str, Any]

    def lines(self, pack: Callable[[Prescription], bytes]) -> list[str]:
        """The console lines that stage it."""
        return draft_lines(self.source) if self.prescription is None else stage_lines(self.prescription, pack)


@dataclass(frozen=True)
class Stall(Event):
    """The motor stands still for for_ns, whatever pulses it is given."""

    for_ns: int


@dataclass(frozen=True)
class Occlusion(Event):
    """The catheter is closed for for_ns."""

    for_ns: int


@dataclass(frozen=True)
class Temperature(Event):
    """The whole pump has another temperature from now on."""

    millicelsius: int


@dataclass(frozen=True)
class PatientBolus(Event):
    """The patient presses the DOSE button."""


@dataclass(frozen=True)
class Battery(Event):
    """The supply has another voltage from now on."""

    millivolts: int


@dataclass(frozen=True)
class ReservoirEmpty(Event):
    """The reservoir has nothing left, whatever the pump believes."""


@dataclass(frozen=True)
class Refill(Event):
    """The reservoir is filled and then holds volume_nl, and the operator says so to the pump.

    measured_nl: what was withdrawn before; None: nobody measured it, so it was what the pump expected.
    """

    volume_nl: int
    measured_nl: int | None

    def line(self) -> str:
        """The console line. A measured residual comes with the explanation that the pump may ask for."""
        line = f"refill {self.volume_nl} nL"
        return line if self.measured_nl is None else f"{line} measured {self.measured_nl} nL because other"
