"""The battery's watch with the real alarms, counters, calibration and converter, and no pump around it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from board_rig import BareBoard

from firmware import alarms
from firmware.alarms import Alarms
from firmware.battery import Battery
from firmware.calibration import Calibration
from firmware.counters import Counters
from firmware.retirement import Retired
from thecal.programming import MemoryEeprom

EVERY_MS = 30_000


class Watched:
    """`sense` makes a reading at a battery voltage, 30 s after the last one."""

    def __init__(self, eeprom: MemoryEeprom | None = None, **calibration: Any) -> None:
        self.rig = BareBoard()
        board = self.rig.start()
        self.eeprom = eeprom if eeprom is not None else MemoryEeprom()
        self.counters = Counters(self.eeprom, Retired(self.eeprom))
        self.counters.load()
        self.logged: list[str] = []
        self.applied = 0
        self.pump_time = 1_000
        self.ledger = SimpleNamespace(steps=0)
        self.signals = SimpleNamespace(sounded_s=0)
        self.alarms = Alarms(self._log, lambda: 0)
        self.records = SimpleNamespace(counters=self.counters, calibration=Calibration(**calibration), has_ledger=True)
        self.board: Any = board
        self.app = SimpleNamespace(
            began=board.ticks_ms(),
            board=board,
            ledger=self.ledger,
            signals=self.signals,
            alarms=self.alarms,
            log=SimpleNamespace(log=self._log),
            records=self.records,
            therapy=SimpleNamespace(now=lambda: self.pump_time),
            dosing=SimpleNamespace(day=9_557, second=3_600),
            selftest=SimpleNamespace(ram_changed=lambda: self._log("ram")),
            apply=self._apply,
        )
        self.battery = Battery(self.app)
        self.battery.start()
        self.battery.seal()
        self.now_ms = self.rig.world.now_ns // 1_000_000

    def _log(self, code: str, **fields: int) -> None:
        self.logged.append(code)

    def _apply(self) -> None:
        self.applied += 1

    def sense(self, millivolts: int, times: int = 1, after_ms: int = EVERY_MS) -> None:
        """So many readings, each so long after the one before."""
        self.rig.bench.sensors.battery_mv = millivolts
        for _ in range(times):
            self.now_ms += after_ms
            self.pump_time += after_ms // 1_000
            self.rig.until_ms(self.now_ms)
            self.battery.sense(0)

    @property
    def active(self) -> list[str]:
        """Codes of the active alarms."""
        return alarms.codes(self.alarms.active)

    @property
    def present(self) -> list[str]:
        """Codes of the alarms whose cause is there."""
        return alarms.codes(self.alarms.present)
