"""Lets CPython import the firmware: the mocked modules stand where MicroPython's own would."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

from thecal.paths import ROOT
from thecal.twin import machine, micropython, rp2, system

_PERMANENT = {"machine": machine, "rp2": rp2, "micropython": micropython}
# Only firmware/board.py may see these in place of CPython's own.
_FOR_BOARD = {"time": system.time, "select": system.select, "gc": system.gc}


def install() -> None:
    """Make `firmware` and the drivers importable. Harmless to call again."""
    for folder in (ROOT, ROOT / "lib"):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    for name, module in _PERMANENT.items():
        sys.modules.setdefault(name, module)
    if "firmware.board" not in sys.modules:
        for driver in ("at24c256", "ds3231", "step_train", "pulse_counter", "watchdog"):
            importlib.import_module(driver)
        with _substituted(_FOR_BOARD):
            board = importlib.import_module("firmware.board")
        image = importlib.import_module("firmware.image")
        image.IMAGE_ROOT = None  # type: ignore[attr-defined] # nothing was flashed: the sources are the image
        board.sys = system.sys  # type: ignore[attr-defined] # afterwards: the import itself needs the real one


@contextmanager
def _substituted(modules: dict[str, SimpleNamespace]) -> Iterator[None]:
    kept: dict[str, ModuleType] = {name: importlib.import_module(name) for name in modules}
    substitutes: dict[str, Any] = modules
    sys.modules.update(substitutes)
    try:
        yield
    finally:
        sys.modules.update(kept)
