"""What board tests are made of: scripts on an emulated Pico, and the types of the fixtures."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from littlefs import LittleFS

from thecal.emulated.board import EmulatedBoard
from thecal.emulated.chip import FS_BLOCK_BYTES, FS_BLOCKS
from thecal.models.bench import Bench, PumpConfig

START = datetime(2026, 3, 2, 8, 30, 15)
MS = 1_000_000
S = 1_000_000_000

# The step train of the pump as a script, the motor powered: sm.put(steps | gap << 10), (gap + 6) * 10 us a step.
STEPPER = """
import machine, rp2, time, gc, json
@rp2.asm_pio(set_init=rp2.PIO.OUT_LOW, out_shiftdir=rp2.PIO.SHIFT_RIGHT)
def train():
    wrap_target()
    label("again")
    pull(block)
    out(x, 10)
    label("loop")
    jmp(x_dec, "pulse")
    jmp("again")
    label("pulse")
    set(pins, 1)
    mov(y, osr)
    set(pins, 0)
    label("gap")
    jmp(y_dec, "gap")
    jmp("loop")
    wrap()
machine.Pin(6, machine.Pin.OUT, value=1)
step = machine.Pin(2, machine.Pin.OUT, value=0)
sm = rp2.StateMachine(0, train, freq=100000, set_base=step)
sm.active(1)
"""


@dataclass
class ServedPort:
    """An emulated Pico in a process of its own. `flash` is what its flash held when it ended."""

    path: str
    flash: bytes = field(default=b"", repr=False)


class Serve(Protocol):
    """What the fixture `served` gives."""

    def __call__(self, flash: bytes | None = None) -> AbstractContextManager[ServedPort]: ...


def littlefs(files: dict[str, str]) -> bytes:
    """A littlefs image of the Pico's size with these files in its root."""
    fs = LittleFS(block_size=FS_BLOCK_BYTES, block_count=FS_BLOCKS)
    for name, content in files.items():
        with fs.open(name, "w") as file:
            file.write(content)
    return bytes(fs.context.buffer)


class Run:
    """A script as main.py of an emulated Pico, and what came out of it."""

    def __init__(self, image: Path, script: str, service: bool = False) -> None:
        self.bench = Bench(PumpConfig(), START, seed=1)
        self.board = EmulatedBoard(self.bench, image, littlefs({"main.py": script}), service=service)
        self.output = bytearray()
        self.board.on_console = self.output.extend

    def until(self, seconds: float) -> list[str]:
        """Let the true time become `seconds`; all lines of output so far."""
        self.board.run(round(seconds * S))
        return self.output.decode("ascii", "replace").split("\r\n")

    def facts(self, seconds: float) -> dict[str, str]:
        """Run to `seconds`; the lines `name value` that the script has printed, the last of each name."""
        pairs = (line.removeprefix(">>> ").partition(" ") for line in self.until(seconds))
        return {name: value for name, _, value in pairs if value}


class Script(Protocol):
    """What the fixture `script` gives."""

    def __call__(self, text: str, service: bool = False) -> Run: ...


def mounted(image: bytes) -> LittleFS:
    """The file system in a littlefs region."""
    fs = LittleFS(block_size=FS_BLOCK_BYTES, block_count=FS_BLOCKS, mount=False)
    fs.context.buffer = bytearray(image)
    fs.mount()
    return fs


def branch(story: Callable[[], str]) -> str:
    """How `story` ends, told in a copy of this process: the emulated board here stays as it is. What fails in it, or
    ends the copy, is a text that no story returns."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            told = story()
        except BaseException:  # noqa: BLE001 - nothing may leave the copy but the text
            told = traceback.format_exc()
        os.write(writing, told.encode()[-4_000:])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


class Pump(Protocol):
    """What the fixture `board` gives."""

    def __call__(self, bench: Bench | None = None, service: bool = False, seed: int = 1) -> EmulatedBoard: ...
