"""A board that gets hot, and the watch over its temperature."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from board_rig import BareBoard

from firmware import alarms
from firmware.alarms import Alarms
from firmware.temperature import Temperature


class Heated:
    """The firmware's watch on a board; `minutes` passes time with a reading every ten seconds."""

    def __init__(self, active: int = 0) -> None:
        self.rig = BareBoard()
        self.board = self.rig.start()
        self.alarms = Alarms(lambda code, **fields: None, lambda: 0)
        self.alarms.restore(active)
        self.logged: list[tuple[str, dict[str, int]]] = []
        self.app: Any = SimpleNamespace(
            board=self.board,
            alarms=self.alarms,
            apply=lambda: None,
            log=SimpleNamespace(log=lambda code, **fields: self.logged.append((code, fields))),
        )
        self.watch = Temperature(self.app)
        self.watch.start()
        self.now_ms = 0

    def heat(self, millicelsius: int) -> None:
        self.rig.bench.set_temperature(millicelsius, self.rig.world.now_ns)

    def readings(self, count: int) -> list[list[str]]:
        """The alarms whose cause is there, after each of so many readings."""
        found = []
        for _ in range(count):
            self.now_ms += 10_000
            self.rig.until_ms(self.now_ms)
            self.watch.sense(0)
            found.append(alarms.codes(self.alarms.present))
        return found
