"""An I2C transaction of the EEPROM that is not acknowledged, once and for ever: each one of a start, of a second's
reservation, of every commit, through the real driver on the bus model.

Once: nothing is lost. For ever: nothing hangs, nothing is raised but what the application survives, and a start says
that the EEPROM is dead.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from thecal.powercut.bus_rig import ADDRESS, FOR_EVER, MS, ONCE
from thecal.powercut.nack_operations import OPERATIONS, Operation, Pump
from thecal.powercut.parts import PartResult, Progress, Settings, run_packages
from thecal.programming import firmware

NAME = "nacks"
_BOUND_NS = 3_000 * MS  # of virtual time, for one operation and for a start
_START_STRIDE = 25  # of the 500 transactions of a start, in the reduced form
_MIDDLE, _LAST = 20, 66  # bytes of a page write
_EEPROM_DEAD = firmware("alarms").EEPROM_DEAD


def run(settings: Settings, progress: Progress) -> PartResult:
    """Every operation: each of its transactions, refused at its address, once and for ever, and at its bytes."""
    return run_packages(settings, NAME, package, len(OPERATIONS), progress)


def package(settings: Settings, index: int) -> PartResult:
    """One operation."""
    operation = OPERATIONS[index]
    stride = _START_STRIDE if settings.reduced and operation.is_start else 1
    result = PartResult({"nacks": 0.0, "nack_time_ms_max": 0.0})
    for fate, at in ((ONCE, ADDRESS), (FOR_EVER, ADDRESS), *((ONCE, at) for at in _bytes(settings, operation))):
        for number in range(at % stride, count_transactions(operation), stride):
            refused, wrong, time_ns = try_nack(operation, number, fate, at)
            result.numbers["nacks"] += refused
            result.numbers["nack_time_ms_max"] = max(result.numbers["nack_time_ms_max"], time_ns / MS)
            if wrong:
                result.violations.append(f"nacks {operation.name}:{number}:{fate}:{at}: {wrong}")
    return result


def _bytes(settings: Settings, operation: Operation) -> range | tuple[int, ...]:
    """Which bytes of a transaction are refused: two of the address in the memory, then 64 of data. A start reads nearly
    always, which takes two."""
    if operation.is_start:
        return (1,)
    return (1, _MIDDLE, _LAST) if settings.reduced else range(1, _LAST + 1)


def count_transactions(operation: Operation) -> int:
    """How many transactions it takes when nothing fails."""
    pump = operation.pump()
    pump.rig.quick = False
    pump.rig.refuse(1 << 40, ONCE)
    operation.act(pump)
    return pump.rig.bus.count


def try_nack(operation: Operation, number: int, fate: str, at: int) -> tuple[bool, str, int]:
    """(whether a transaction was refused, what is wrong, ns taken) with this transaction refused."""
    trial = Trial(operation, fate)
    rig = trial.pump.rig
    rig.quick = False
    rig.refuse(number, fate, at)
    began = rig.clock.time_ns
    try:
        operation.act(trial.pump)
        trial.done = True
    except OSError:
        trial.done = False
    except Exception as error:  # noqa: BLE001 - anything else would end the firmware
        return True, f"{type(error).__name__}: {error}", 0
    time_ns = rig.clock.time_ns - began
    wrong = "" if time_ns <= _BOUND_NS else f"it took {time_ns // MS} ms"
    if fate == FOR_EVER and not wrong:
        wrong = _is_dead(trial.pump)
    rig.heal()
    rig.quick = True
    return bool(rig.bus.refused), wrong or trial.again() or trial.compare(), time_ns


def _is_dead(pump: Pump) -> str:
    """A start while nothing answers: within bounded time, with the alarm."""
    began = pump.rig.clock.time_ns
    made, records = pump.made, pump.records
    found = pump.load()
    pump.records = records
    if found != [_EEPROM_DEAD]:
        return f"the EEPROM is dead, and a start finds {found}"
    if pump.rig.clock.time_ns - began > _BOUND_NS:
        return f"a start with a dead EEPROM takes {(pump.rig.clock.time_ns - began) // MS} ms"
    return "" if made == pump.made else "steps without an EEPROM"


class Trial:
    """One operation on one pump; `done`: it was acknowledged."""

    def __init__(self, operation: Operation, fate: str) -> None:
        self.operation = operation
        self.fate = fate
        self.before = state_after(operation, None)
        self.after = state_after(operation, operation.act)
        self.pump = operation.pump()
        self.done = False

    def again(self) -> str:
        """The part works again, and the application tries again what was refused. Returns what is wrong."""
        if self.done or self.fate == FOR_EVER:
            return ""
        if self.operation.is_start:
            return "one refused transaction spoils a start"
        try:
            self.operation.act(self.pump)
        except OSError as error:
            return f"refused a second time, by a part that works: {error}"
        self.done = True
        return ""

    def compare(self) -> str:
        """A start finds steps covered, and the state before or after. Returns what is wrong."""
        pump = self.pump
        found = pump.load()
        if found:
            return f"alarms {found} after the part has come back"
        if pump.records.ledger.steps < pump.made:
            return f"I2: {pump.made} steps were made, {pump.records.ledger.steps} are known"
        state = self.operation.part(pump)
        if self.done and state != self.after and not self._is_there_twice(state):
            return f"acknowledged and lost: {state}, {self.before}, {self.after}"
        if not self.done and state not in (self.before, self.after):
            return f"neither before nor after: {state}, {self.before}, {self.after}"
        return ""

    def _is_there_twice(self, state: Any) -> bool:
        """Of a refused bolus a record may have been left; then the dose counts twice, against dosing."""
        return self.operation.name == "bolus" and state[-2:] == [self.after[-1]] * 2


@cache
def state_after(operation: Operation, act: Callable[[Pump], None] | None) -> Any:
    """What a start finds after the operation, or without it, when nothing fails."""
    pump = operation.pump()
    if act is not None:
        act(pump)
    pump.load()
    return operation.part(pump)
