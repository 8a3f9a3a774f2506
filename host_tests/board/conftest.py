"""Fixtures of the board tests: the MicroPython image, and the firmware as mpremote deployed it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rig import START, Pump, Run, Script, Serve, ServedPort

from thecal.build import build
from thecal.emulated.board import EmulatedBoard
from thecal.flash import flash
from thecal.image import find_or_make_image
from thecal.image_common import ImageError
from thecal.models.bench import Bench, PumpConfig

_ENDING_S = 20


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


@pytest.fixture
def script(image: Path) -> Script:
    """`script(text, service=False)`: an emulated Pico, not yet switched on, with this main.py."""
    return lambda text, service=False: Run(image, text, service)


@pytest.fixture
def board(image: Path, deployed_flash: bytes) -> Pump:
    """`board(bench, service, seed)`: an emulated pump with the deployed firmware, not yet switched on."""

    def make(bench: Bench | None = None, service: bool = False, seed: int = 1) -> EmulatedBoard:
        own = bench if bench is not None else Bench(PumpConfig(), START, seed)
        return EmulatedBoard(own, image, deployed_flash, service, seed)

    return make
