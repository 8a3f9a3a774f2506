"""A motor, its rotor and the watch over it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from firmware import alarms
from firmware.alarms import Alarms
from firmware.dosing import HELD, ON
from firmware.missed import Missed
from firmware.motion import Motion
from thecal.models.motor import Motor

PL = 25_000
WRAP = 1 << 32


class Watched:
    """A motor and the firmware's watch over it; `second` is one frame. ahead: what the counters have counted before."""

    def __init__(self, size: int, phase: int = 0, ahead: int = 0) -> None:
        self.motor = Motor(size)
        self.motor.drive = True
        self.motor.steps_at(0, 1, phase)
        self.extra = ahead
        self.fault = False
        self.logged: list[tuple[str, dict[str, int]]] = []
        self.alarms = Alarms(lambda code, **fields: None, lambda: 0)
        self.book = SimpleNamespace(missed_nl=0)
        self.dead = False
        board = SimpleNamespace(
            counter=SimpleNamespace(read=lambda: self._pulses(ahead)),
            rotor=SimpleNamespace(read=lambda: (self.motor.indices + self.extra) % WRAP),
            driver_fault=lambda: self.fault,
        )
        self.app: Any = SimpleNamespace(
            board=board,
            alarms=self.alarms,
            log=SimpleNamespace(log=self._log),
            dosing=SimpleNamespace(mode=ON),
            records=SimpleNamespace(calibration=SimpleNamespace(steps_per_index=size)),
            cascade=SimpleNamespace(pl_per_step=PL),
        )
        self.app.missed = Missed(self.book, self._log)
        self.motion = Motion(self.app)
        self.motion.powered()
        self.motion.watch()

    def _pulses(self, ahead: int) -> int:
        if self.dead:
            raise OSError("pulse counter: no answer")
        return (self.motor.pulses + ahead) % WRAP

    def _log(self, code: str, **fields: int) -> None:
        self.logged.append((code, fields))

    def second(self, steps: int, lost: int = 0) -> list[str]:
        """So many steps that the motor follows and then some that it does not; the active alarms after it."""
        self.motor.steps_at(0, 1, steps)
        self.motor.stalled = True
        self.motor.steps_at(0, 1, lost)
        self.motor.stalled = False
        return self.frame()

    def mode(self, mode: int) -> None:
        """As App.apply: DRIVE follows."""
        self.app.dosing.mode = mode
        self.motor.drive = mode == ON
        if mode == ON:
            self.motion.powered()

    def frame(self) -> list[str]:
        """The watch, and the reaction to what it found."""
        self.motion.watch()
        if self.alarms.active and self.app.dosing.mode == ON:
            self.mode(HELD)
        return alarms.codes(self.alarms.active)
