"""The watch over delivery and button, with real alarms."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from firmware import alarms
from firmware.alarms import Alarms
from firmware.dosing import ON
from firmware.watch import Watch


class Watched:
    """The watch with real alarms; what dosing and the missed volume say is told."""

    def __init__(self, rate: int = 0) -> None:
        self.alarms = Alarms(lambda code, **fields: None, lambda: 0)
        self.dosing = SimpleNamespace(mode=ON, bolus_pl=0)
        self.cascade = SimpleNamespace(rate=rate)
        self.missed = SimpleNamespace(dosing_pl=0)
        self.down = False
        self.board = SimpleNamespace(button_down=lambda: self.down)
        app: Any = self
        self.watch = Watch(app)

    def seconds(self, count: int, bolus_pl: int = 0, missed_pl: int = 0) -> None:
        """So many frames, in each of which so much of a bolus was demanded, and so much was missed."""
        for _ in range(count):
            self.dosing.bolus_pl += bolus_pl
            self.missed.dosing_pl += missed_pl
            self.watch.keep(1)

    def is_active(self, alarm: int) -> bool:
        return bool(self.alarms.active & 1 << alarm)

    @property
    def short(self) -> bool:
        return self.is_active(alarms.UNDER_DELIVERY)
