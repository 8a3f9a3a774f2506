"""Boards for the tests: the MicroPython image, scripts on an emulated Pico, and the deployed firmware."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pytest
from littlefs import LittleFS
from thecal.build import build
from thecal.emulated.board import EmulatedBoard
from thecal.emulated.chip import FS_BLOCK_BYTES, FS_BLOCKS
from thecal.flash import flash
from thecal.image import find_or_make_image
from thecal.image_common import ImageError
from thecal.models.bench import Bench, PumpConfig

START = datetime(2026, 3, 2, 8, 30, 15)
MS = 1_000_000
S = 1_000_000_000
_ENDING_S = 20

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory runs on the emulated board."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.board)


@pytest.fixture(scope="session")
def image() -> Path:
    """The MicroPython image. Without one, board tests are skipped, saying why; with CI=true they fail."""
    steps: list[str] = []
    try:
        return find_or_make_image(steps.append)
    except ImageError as error:
        reason = f"no MicroPython image: {error}"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
        pytest.skip(reason)


@dataclass
class ServedPort:
    """An emulated Pico in a process of its own. `flash` is what its flash held when it ended."""

    path: str
    flash: bytes = field(default=b"", repr=False)


class Serve(Protocol):
    """What the fixture `served` gives."""

    def __call__(self, flash: bytes | None = None) -> AbstractContextManager[ServedPort]: ...


@pytest.fixture(scope="session")
def served(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """`with served(flash) as port:` - a board in service mode on a pseudo-terminal, as fast as it can run."""

    @contextmanager
    def serve(flash: bytes | None = None) -> Iterator[ServedPort]:
        folder = tmp_path_factory.mktemp("served")
        command = [
            sys.executable,
            "-m",
            "thecal.emulated",
            str(image),
            "--service",
            "--save",
            str(folder / "after"),
        ]
        if flash is not None:
            (folder / "before").write_bytes(flash)
            command += ["--flash", str(folder / "before")]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            port = ServedPort(process.stdout.readline().strip())
            try:
                yield port
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(_ENDING_S)
        assert process.returncode == 0
        port.flash = (folder / "after").read_bytes()

    return serve


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of the checkout's firmware, made for these tests."""
    directory = tmp_path_factory.mktemp("build") / "firmware"
    build(target=directory)
    return directory


@pytest.fixture(scope="session")
def deployed_flash(served: Serve, built: Path) -> bytes:
    """The littlefs region of a Pico that was blank and got the firmware over its serial port, by mpremote."""
    with served() as port:
        flash(port.path, built, report=lambda line: None)
    return port.flash


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


@pytest.fixture
def script(image: Path) -> Script:
    """`script(text, service=False)`: an emulated Pico, not yet switched on, with this main.py."""
    return lambda text, service=False: Run(image, text, service)


class Pump(Protocol):
    """What the fixture `board` gives."""

    def __call__(self, bench: Bench | None = None, service: bool = False, seed: int = 1) -> EmulatedBoard: ...


@pytest.fixture
def board(image: Path, deployed_flash: bytes) -> Pump:
    """`board(bench, service, seed)`: an emulated pump with the deployed firmware, not yet switched on."""

    def make(bench: Bench | None = None, service: bool = False, seed: int = 1) -> EmulatedBoard:
        own = bench if bench is not None else Bench(PumpConfig(), START, seed)
        return EmulatedBoard(own, image, deployed_flash, service, seed)

    return make
