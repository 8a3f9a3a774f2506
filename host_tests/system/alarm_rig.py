"""A whole pump in any mode, state and bolus state, copied for each alarm: for the matrix of all four.

The application runs on the fast board (thecal.powercut.whole_pump), which here records sound and light, and whose parts
can fail. It is brought into a state once, and copied, time and all, for every alarm that befalls it there.
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any

from alarm_board import CONFIG, TestBoard

from thecal.powercut.snapshot import Snapshot, module
from thecal.powercut.train import steps_by
from thecal.prescription import RateRange, stage_lines
from thecal.prescription_toml import parse_prescription
from thecal.programming import confirmations, pack, programmed_image

US = 1_000_000
STEP_NL = 25
# nL/day
BASAL, LOWEST, SAVED, MEAN, MINIMUM = 4_800_000, 1_200_000, 2_400_000, 3_000_000, 6_000
# nL in each second that a bolus flows: all sums of these and of basal differ
FLOWS = {"clinician": 40, "scheduled": 80, "patient": 20}
LONG_S = 1_800
MODES = ("stopped", "continuous", "flex", "minimum")
STATES = ("running", "stopped", "paused", "safe")
BOLUSES = ("none", "clinician", "patient", "scheduled", "aside", "waiting", "prime", "bridge", "trial")
START = datetime(2026, 3, 2, 7, 54, 30)  # ten readings of the battery before 08:00, when scheduled boluses fall due
_DAY0 = datetime(2000, 1, 1)

copyreg.pickle(memoryview, lambda view: (memoryview, (view.obj,)))  # a copied view is one of the copied bytes


class Pump:
    """A pump under test."""

    def __init__(self, board: TestBoard, first: str = "") -> None:
        """first: what it is called in failures."""
        self.board = board
        self.app: Any = module("app").App(board)
        self.name = first
        self.held_us = 0  # since when a stop alarm has held delivery; 0: none has

    def copy(self) -> Pump:
        """The same pump, once more. A module of the firmware that it holds is no part of its state."""
        modules = {id(part): part for name, part in list(sys.modules.items()) if name.startswith("firmware.")}
        return deepcopy(self, modules)

    def run(self, seconds: float) -> None:
        """Time passes."""
        board, turn = self.board, self.app.turn
        end = board.now_us + round(seconds * US)
        while board.now_us < end:
            turn()

    def say(self, line: str) -> list[str]:
        """The answer to a console line. Raises ValueError where it is refused."""
        commands, words = self.app.console.commands, line.split()
        while commands.prepare(line):
            continue
        return [found for found in commands.run(words) if found is not None]

    def refusal(self, line: str) -> str:
        """The reason for which a console line is refused, or ""."""
        try:
            self.say(line)
        except ValueError as error:
            return str(error)
        return ""

    def program(self, rx: dict[str, Any], commit: str = "program commit") -> None:
        """Stage a prescription, confirm what must be, and commit it."""
        answer: list[str] = []
        digest = ""
        for line in stage_lines(parse_prescription(rx, RateRange(CONFIG.min_rate, CONFIG.max_rate)), pack):
            answer, digest = self.say(line), line.split()[-1]
        for line in confirmations(answer):
            self.say(line)
        self.say(f"{commit} {digest}" if commit == "program commit" else commit)

    def active(self) -> set[str]:
        """Codes of the active alarms."""
        return set(module("alarms").codes(self.app.alarms.active))

    def log(self) -> list[dict[str, str]]:
        """The newest 40 events, oldest first."""
        lines = [line.split() for line in self.app.log.newest(40)]
        return [
            {"seq": line[0], "severity": line[2], "code": line[3], **dict(word.split("=") for word in line[4:])}
            for line in lines
        ]

    def steps_in(self, seconds: float) -> int:
        """Steps that the motor makes while so many seconds pass."""
        begin = self.board.now_us
        end = begin + round(seconds * US)
        self.run(seconds)
        trains = self.board.train._all
        return steps_by(0, trains, end) - steps_by(0, trains, begin)

    def tones(self, since_us: int) -> list[tuple[int, int, int]]:
        """(begin us, Hz, length ms) of every tone since then that is over."""
        changes = [change for change in self.board.sounds if change[0] >= since_us]
        return [(t, hz, round((end - t) / 1_000)) for (t, hz), (end, _) in pairwise(changes) if hz]


def begins(pump: Pump, since_us: int) -> list[tuple[int, list[int]]]:
    """(whole seconds since then, tones) of everything that sounded: tones without a pause are one."""
    found: list[tuple[int, list[int]]] = []
    end = -1
    for begin, hz, length in pump.tones(since_us):
        if found and begin - end < US / 10:
            found[-1][1].append(hz)
        else:
            found.append((round((begin - since_us) / US), [hz]))
        end = begin + length * 1_000
    return found


def prescription(mode: str, **more: Any) -> dict[str, Any]:
    """Saline in a mode, with what only that mode uses."""
    rx: dict[str, Any] = {"patient": "matrix", "drug": "saline", "mode": mode, **more}
    if mode in ("continuous", "flex"):
        rx.setdefault("basal", f"{BASAL} nL/day")
    if mode == "flex":
        rx["period"] = [{"days": "daily", "from": "00:00", "to": "12:00", "rate": rx["basal"]}]
        rx["basal"] = f"{LOWEST} nL/day"
    return rx


def _first(mode: str, bolus: str) -> dict[str, Any]:
    rx = prescription("flex" if mode == "flex" else "continuous")
    rx["patient_bolus"] = {
        "dose": f"{FLOWS['patient'] * 600} nL",
        "over": "600 s",
        "lockout": "20 min",
        "max_per_day": 9,
    }
    count = {"scheduled": 1, "waiting": 2}.get(bolus, 0)
    if count:
        dose = f"{FLOWS['scheduled'] * LONG_S} nL"
        rx["scheduled_bolus"] = [{"days": "daily", "at": "08:00", "dose": dose, "over": f"{LONG_S} s"}] * count
    return rx


@cache
def programmed(mode: str, bolus: str) -> Snapshot:
    """A pump that is off, programmed so that it can come into a mode and a bolus state."""
    rx = parse_prescription(_first(mode, bolus), RateRange(CONFIG.min_rate, CONFIG.max_rate))
    image = programmed_image(CONFIG, rx, START)
    pages = [image[at : at + 64] for at in range(0, len(image), 64)]
    start_s = int((START - _DAY0).total_seconds())
    return Snapshot(pages, 0, (start_s, 0), 0, CONFIG.reservoir_nl * 1_000)


@cache
def _dosing(mode: str, bolus: str) -> Pump:
    """It has been on since 07:54:30, and the bolus is under way at 08:00:10."""
    pump = Pump(TestBoard(programmed(mode, bolus)), f"{mode}, {bolus}")
    pump.app.start()
    # Its dates follow from the volume; refill_due is raised here like those whose cause is none of this matrix.
    pump.app.reservoir._watch_date = _nothing
    pump.run(340)
    orders: dict[str, Callable[[], object]] = {
        "clinician": lambda: pump.say(f"bolus {FLOWS['clinician'] * LONG_S} nL over {LONG_S} s"),
        "patient": lambda: setattr(pump.board, "pressed", True),
        "aside": lambda: pump.say(f"bolus {FLOWS['clinician'] * LONG_S} nL over {LONG_S} s"),
        "prime": lambda: pump.say("prime"),
        "bridge": lambda: pump.program(_other_drug(mode)),
        "trial": lambda: _try(pump, mode),
    }
    orders.get(bolus, _nothing)()
    pump.run(2)
    if bolus == "aside":
        pump.board.pressed = True
        pump.run(2)
    return pump


def _nothing() -> None:
    """Nothing is to be done."""


def _other_drug(mode: str) -> dict[str, Any]:
    more = {"basal": "300 ug/day"} if mode in ("continuous", "flex") else {}
    rx = prescription(mode, **more)
    rx.update(drug="baclofen", concentration="500 ug/mL")
    if mode == "flex":
        rx.update(basal="200 ug/day")
    return rx


def _try(pump: Pump, mode: str) -> None:
    tried = "flex" if mode == "flex" else "minimum" if mode == "minimum" else "continuous"
    more = {"basal": f"{SAVED} nL/day"} if tried != "minimum" else {}
    pump.program(prescription(tried, **more), "trial start 1 h then minimum")


@cache
def setting(mode: str, state: str, bolus: str) -> Pump:
    """A pump in a mode and a state, which ends what must end by that of the bolus state. Not to be run: copy() is."""
    pump = _dosing(mode, bolus).copy()
    pump.name = f"{mode}, {state}, {bolus}"
    if mode in ("stopped", "minimum") and not (bolus == "bridge" or (bolus, mode) == ("trial", "minimum")):
        pump.program(prescription(mode))
        pump.run(2)
    if state == "safe":
        pump.app.alarms.raise_(module("alarms").OVER_TEMPERATURE)
        pump.held_us = pump.board.now_us
        pump.run(5)
        pump.app.alarms.gone(module("alarms").OVER_TEMPERATURE)
        pump.say("clear")
        pump.app.alarms._raised.clear()  # it may be the one that is raised next
    elif state != "running":
        pump.say("stop" if state == "stopped" else "stop for 30 min")
    pump.run(6)  # what sounded is over
    return pump
