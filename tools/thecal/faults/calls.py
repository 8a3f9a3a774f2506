"""Exceptions at calls and at lines of the firmware.

At a call: the code of one function is exchanged for one that counts its calls and raises at the wanted one, so a call
is found whichever way it comes, and nothing else runs slower. The drivers of lib/ are not there: their calls are the
methods of the fast board's parts.

At a line: MicroPython raises MemoryError wherever an object is made; CPython cannot be told to. What stands for it here
is a MemoryError before a line of firmware code, allocating or not: no line in which an allocation may fail is left out,
but what a line has done before it fails halfway is not tried.
"""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import CodeType, FrameType, FunctionType
from typing import Any

from thecal.faults.motor import FaultTrain
from thecal.faults.parts import FaultEeprom, FaultRtc
from thecal.paths import ROOT
from thecal.programming import firmware

FOLDER = str(ROOT / "firmware")
_BOARD_ONLY = ("board", "pump", "image")  # these run on the targets, not on the fast board
_HOOK = "_fault_at_call"
_DRIVERS: dict[str, tuple[type, tuple[str, ...]]] = {
    "driver.eeprom": (FaultEeprom, ("read_into", "write_page")),
    "driver.rtc": (FaultRtc, ("read", "seconds", "stopped", "set")),
    "driver.train": (FaultTrain, ("start", "idle", "read")),
}


@lru_cache(maxsize=1)
def functions() -> dict[str, FunctionType]:
    """Every function and method of the firmware by its name, and the drivers' calls."""
    found: dict[str, FunctionType] = {}
    for path in sorted((ROOT / "firmware").glob("*.py")):
        if path.stem in _BOARD_ONLY or path.stem == "__init__":
            continue
        module = firmware(path.stem)
        for name, thing in vars(module).items():
            if isinstance(thing, FunctionType) and thing.__module__ == module.__name__:
                found[f"{path.stem}.{name}"] = thing
            elif inspect.isclass(thing) and thing.__module__ == module.__name__:
                found |= {f"{path.stem}.{name}.{method}": code for method, code in _methods(thing)}
    for name, (cls, methods) in _DRIVERS.items():
        found |= {f"{name}.{method}": getattr(cls, method) for method in methods}
    return found


def _methods(cls: type) -> Iterator[tuple[str, FunctionType]]:
    for name, thing in vars(cls).items():
        function = thing.fget if isinstance(thing, property) else getattr(thing, "__func__", thing)
        if isinstance(function, FunctionType):
            yield name, function


@contextmanager
def counted() -> Iterator[Counter[CodeType]]:
    """While this lasts, calls are counted by their code."""
    counts: Counter[CodeType] = Counter()

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            counts[frame.f_code] += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield counts
    finally:
        sys.setprofile(before)


def called(counts: Counter[CodeType]) -> dict[str, int]:
    """Name of each function that was called -> how often."""
    return {name: counts[function.__code__] for name, function in functions().items() if counts[function.__code__]}


@contextmanager
def at_call(name: str, number: int, act: Callable[[], None], again: bool = False) -> Iterator[None]:
    """While this lasts, act() is called, and may raise, before the number-th call (from 1) of a function; again: and
    before each call that follows."""
    function = functions()[name]
    code = function.__code__
    original: Any = function
    if not code.co_freevars:
        original = FunctionType(code, function.__globals__, function.__name__, function.__defaults__)
        original.__kwdefaults__ = function.__kwdefaults__
    left = number

    def hook(*args: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 or (again and left < 0):
            act()
        return original(*args, **named)

    owner, method = _owner(name), name.rpartition(".")[2]
    kept = vars(owner).get(method)
    if code.co_freevars:  # its super() binds it to its class, or a property to its name: the class gets another
        setattr(owner, method, property(hook, kept.fset) if isinstance(kept, property) else hook)
    else:
        function.__globals__[_HOOK] = hook
        function.__code__ = _trampoline.__code__
    try:
        yield
    finally:
        if code.co_freevars:
            setattr(owner, method, kept)
        else:
            function.__code__ = code
            del function.__globals__[_HOOK]


def _owner(name: str) -> Any:
    """The class of a method, or the module of a function."""
    path, _, rest = name.partition(".")
    if path == "driver":
        return _DRIVERS[name.rpartition(".")[0]][0]
    return getattr(firmware(path), rest.partition(".")[0]) if "." in rest else firmware(path)


def _trampoline(*args: Any, **named: Any) -> Any:
    return _fault_at_call(*args, **named)  # type: ignore[name-defined] # noqa: F821 - put into the function's globals


class AtLine:
    """Calls act() before the number-th line of firmware code that runs after begin()."""

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self._left = number
        self._act = act
        self._before: Any = None

    def begin(self) -> None:
        """Count from now, in the functions that run already, too."""
        self._before = sys.gettrace()
        frame = sys._getframe(1)
        sys.settrace(self._call)
        while frame is not None:
            if frame.f_code.co_filename.startswith(FOLDER):
                frame.f_trace = self._line
            frame = frame.f_back  # type: ignore[assignment] # ends with None

    def end(self) -> None:
        """Count no more."""
        sys.settrace(self._before)

    def _call(self, frame: FrameType, event: str, _: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(FOLDER) else None

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event != "line" or self._left <= 0:
            return self._line
        self._left -= 1
        if self._left == 0:
            self.end()
            self._act()
        return self._line
