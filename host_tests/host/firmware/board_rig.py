"""firmware/board.py alone on the twin's peripherals: no application, time passes where the test lets it."""

from __future__ import annotations

from datetime import datetime
from importlib import import_module
from types import ModuleType
from typing import Any

from thecal.models.bench import Bench, PumpConfig
from thecal.programming import firmware
from thecal.twin import world as worlds
from thecal.twin.world import MS, NEVER, World


class BareBoard:
    """A Board on a bench; `module` is firmware.board."""

    def __init__(self) -> None:
        self.module: ModuleType = firmware("board")
        self.bench = Bench(PumpConfig(), datetime(2026, 3, 2), seed=1)
        self.world = World(self.bench, 1)
        self.world.until_ns = NEVER
        worlds.enter(self.world)

    def start(self) -> Any:
        """The Board, made now, as after power-on."""
        import_module("watchdog").arm()
        self.world.watchdog_ns = NEVER
        self.world.look_ahead()
        return self.module.Board()

    def at_ms(self, t_ms: int, name: str, value: object) -> None:
        """Set an attribute of the sensors at a true time."""
        self.world.at(t_ms * MS, lambda: setattr(self.bench.sensors, name, value))

    def until_ms(self, t_ms: int) -> None:
        """Let time pass until then."""
        self.world.advance_to(t_ms * MS)
