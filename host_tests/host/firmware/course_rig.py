"""Courses on the real records of a programmed pump, whose delivered volume and whose time are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from parts import UnreliableEeprom

from firmware import civil, drugs
from firmware.alarms import Alarms
from firmware.console_parts import Parts
from firmware.courses import Courses
from firmware.dosing import ON
from firmware.layout import PRESCRIPTION_PAGES, PRESCRIPTION_SLOTS
from firmware.records import Records
from firmware.selftest import SelfTest
from thecal.models.bench import PumpConfig
from thecal.models.board_id import board_id
from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription
from thecal.programming import device_prescription, programmed_image

START = datetime(2026, 3, 2)
SALINE = {"patient": "bench-07", "drug": "saline", "mode": "continuous", "basal": "1 mL/day"}
PATH_NL = 316_000  # of the reference calibration
SLOT_PAGES = PRESCRIPTION_SLOTS * PRESCRIPTION_PAGES
_ORDERED_BY = ("bridge_plan", "trial_start", "trial_orders", "programming")


def device_rx(**values: Any) -> Any:
    """The firmware's own Prescription: saline, 1 mL/day, unless said otherwise."""
    return device_prescription(parse_prescription({**SALINE, **values}, RateRange(6_000, 28_800_000)))


@lru_cache
def _image(pump: PumpConfig) -> bytes:
    return programmed_image(pump, parse_prescription(SALINE, RateRange(6_000, 28_800_000)), START)


class App:
    """What Courses needs of an App; `schedule` is the one that dosing would follow. `events`: what was logged."""

    def __init__(self, delivered_nl: int = 1_000_000, **pump: Any) -> None:
        self.pump = PumpConfig(**pump)
        self.eeprom = UnreliableEeprom(_image(self.pump))
        self.board = SimpleNamespace(
            eeprom=self.eeprom, ticks_ms=lambda: 0, collect=lambda: None, button_down=lambda: False
        )
        self.events: list[tuple[str, dict[str, int]]] = []
        self.log = SimpleNamespace(log=lambda code, **fields: self.events.append((code, fields)))
        self.dosing = SimpleNamespace(day=9_557, second=0)
        self.cancelled = 0
        self.therapy = SimpleNamespace(now=self._now, cancel=self._cancel)
        self.alarms = Alarms(self.log.log, lambda: 0)
        self.restart()
        self.deliver(delivered_nl)

    def restart(self) -> None:
        """A reset: everything is read anew. Volume and pump time are the test's to tell."""
        volume_pl, shift = (self.ledger.volume_pl, self.ledger.shift) if hasattr(self, "ledger") else (0, 0)
        self.records = Records(self.eeprom, [0, 0, 0, 0], board_id(self.pump.serial))
        assert self.records.load() == []
        self.ledger: Any = self.records.ledger
        self.ledger.volume_pl, self.ledger.shift = volume_pl, shift
        self.courses = Courses(self)
        self.selftest = SelfTest(self)
        self.parts = Parts(self)
        for part in self.parts._parts:
            while part.modules[-1] in _ORDERED_BY and part.made is None:
                part.load(self)
        self.take_up_schedule()

    def deliver(self, volume_nl: int) -> None:
        self.ledger.volume_pl += volume_nl * 1_000

    def pass_time(self, seconds: int) -> None:
        self.dosing.day, self.dosing.second = civil.shifted(self.dosing.day, self.dosing.second, seconds)

    def refuse_prescriptions(self, fate: str = "keep") -> None:
        """The slots of the prescription take no write any more ("": they do again)."""
        self.eeprom.refuse = lambda page: fate if page < SLOT_PAGES else ""

    def commit(self, rx: Any, trial: tuple[int, int] | None = None) -> None:
        """What Programming does, without what it makes sure of."""
        rx.validate(self.records.calibration)
        rx.course = self.courses.at_commit(rx, trial)
        self.records.commit_prescription(rx)
        self.take_up_schedule()

    def rate(self) -> int:
        return self.schedule.rate_at(0)

    def codes(self) -> list[str]:
        return [code for code, _ in self.events]

    def mode(self) -> int:
        return ON

    def take_up_schedule(self) -> None:
        self.schedule = self.courses.schedule()

    def record_state(self) -> None:
        """The ledger's record is not what is tested here."""

    def _now(self) -> int:
        return self.ledger.pump_time(self.dosing.day, self.dosing.second)

    def _cancel(self) -> bool:
        self.cancelled += 1
        return False


@contextmanager
def drug_limits(name: str, key: str, most_ng: int) -> Iterator[None]:
    """The library as it is, but for a drug's hard limit of basal or of a day."""
    before = drugs.DRUGS
    rows = []
    for found, concentrations, basal, bolus, day in before:
        if found == name and key == "basal":
            basal = (*basal[:3], most_ng)  # noqa: PLW2901 - the row with one limit in its place
        elif found == name:
            day = (day[0], most_ng)  # noqa: PLW2901 - the row with one limit in its place
        rows.append((found, concentrations, basal, bolus, day))
    drugs.DRUGS = tuple(rows)
    try:
        yield
    finally:
        drugs.DRUGS = before
