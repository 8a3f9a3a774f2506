"""How long the pump takes from a reset to dosing, on the emulated board, with nothing changed on it."""

from __future__ import annotations

from thecal.bench.context import Context, Figures
from thecal.bench.rig import MS, MeasurementError, Rig, S, continuous
from thecal.models import pins
from thecal.scenario import Scenario

_OFF_NS = 2 * S
_APART_NS = 8 * S
_PHASE_NS = 137 * MS  # the second of the RTC in which a power cut or a hang falls differs from one to the next


class Watched:
    """A rig of which every reset and every rise of DRIVE is noted."""

    def __init__(self, context: Context, scenario: Scenario) -> None:
        self.rig = Rig(context.image, context.flash, scenario)
        self.board = self.rig.board
        self.hangs: list[int] = []
        self.powered: list[int] = [0]
        self.bitten: list[int] = []
        self.drives: list[int] = []
        self._level = False
        self._reset = self.board.chip.on_watchdog
        self.board.chip.on_watchdog = self._on_watchdog
        self.board.chip.mcu.gpio[pins.DRIVE].add_listener(lambda new, old: self._on_drive(int(new) == 1))

    def _on_watchdog(self, timed_out: bool) -> None:
        self.bitten.append(self.board.now_ns())
        self._level = False
        self._reset(timed_out)

    def _on_drive(self, level: bool) -> None:
        if level and not self._level:
            self.drives.append(self.board.now_ns())
        self._level = level

    def hang(self) -> None:
        """Hang the processor now."""
        self.hangs.append(self.board.now_ns())
        self.board.hang()

    def cut(self) -> None:
        """Cut the power now, for two seconds."""
        self._level = False
        self.powered.append(self.board.now_ns() + _OFF_NS)
        self.board.power_cut(_OFF_NS)

    def after(self, times: list[int], instant: int) -> int:
        """The first of these times after an instant. Raises MeasurementError if there is none."""
        found = [time for time in times if time > instant]
        if not found:
            raise MeasurementError(
                f"nothing after {instant / S:.1f} s: resets {self.board.resets}, {self.rig.output!r}"
            )
        return found[0]


def measure(context: Context) -> Figures:
    """The keys boot_*, hang_ms, wdt_recovery_ms."""
    dosing, first = _power_ons(context, context.count(8, 1))
    context.progress(0.5)
    hangs, recoveries = [], []
    pairs = context.count(4, 1)
    for number in range(pairs):
        hung, recovered = _hangs(context, number)
        hangs += hung
        recoveries += recovered
        context.progress(0.5 + 0.5 * (number + 1) / pairs)
    return {
        "boot_to_dosing_ms": max(dosing) / MS,
        "boot_to_dosing_ms_min": min(dosing) / MS,
        "boot_to_first_frame_ms": max(first) / MS,
        "hang_ms": max(hangs) / MS,
        "wdt_recovery_ms": max(recoveries) / MS,
    }


def _power_ons(context: Context, cuts: int) -> tuple[list[int], list[int]]:
    """From power-on to DRIVE, and to the first step of a pump that steps in every frame, ns."""
    watched = Watched(context, continuous("10 mL/day"))
    for number in range(1, cuts + 1):
        watched.board.at(number * (_APART_NS + _PHASE_NS), watched.cut)
    watched.board.run((cuts + 1) * (_APART_NS + _PHASE_NS))
    steps = list(watched.rig.bench.motor.step_times)
    dosing = [watched.after(watched.drives, on) - on for on in watched.powered]
    return dosing, [watched.after(steps, on) - on for on in watched.powered]


def _hangs(context: Context, number: int) -> tuple[list[int], list[int]]:
    """From two hangs to their bites, and from these to DRIVE, ns. A third one would latch the safe state."""
    watched = Watched(context, continuous("50 uL/day"))
    board = watched.board
    for index in range(2):
        board.at((index + 1) * 2 * _APART_NS + (2 * number + index) * _PHASE_NS, watched.hang)
    board.run(5 * _APART_NS)
    bites = [watched.after(watched.bitten, hung) for hung in watched.hangs]
    hung = [bite - hang for bite, hang in zip(bites, watched.hangs, strict=True)]
    return hung, [watched.after(watched.drives, bite) - bite for bite in bites]
