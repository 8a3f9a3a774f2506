"""Deployment over the serial port by real mpremote, onto real MicroPython (F14)."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from rig import Pump, S, Serve, mounted

from thecal.build import MANIFEST_NAME, MODULES_NAME, load_build
from thecal.flash import MismatchError, flash


def hashes(image: bytes) -> dict[str, str]:
    """Path without leading slash -> SHA-256 of every file in a littlefs region."""
    fs = mounted(image)
    found = {}
    for folder, _, names in fs.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            with fs.open(path, "rb") as file:
                found[path.lstrip("/")] = hashlib.sha256(file.read()).hexdigest()
    return found


@pytest.mark.requirement("F14")
def test_what_is_on_the_board_is_what_the_manifest_says(deployed_flash: bytes, built: Path) -> None:
    wanted = load_build(built).files
    assert MODULES_NAME in wanted
    found = hashes(deployed_flash)
    assert found.pop(MANIFEST_NAME) == hashlib.sha256((built / MANIFEST_NAME).read_bytes()).hexdigest()
    assert found == wanted


@pytest.mark.requirement("F14")
def test_flashing_again_copies_nothing_and_removes_code_of_an_older_version(
    deployed_flash: bytes, built: Path, served: Serve
) -> None:
    fs = mounted(deployed_flash)
    for name in ("lib/older.mpy", "firmware/app.py"):
        with fs.open(name, "w") as file:
            file.write("old")
    fs.unmount()
    with served(bytes(fs.context.buffer)) as port:
        report = flash(port.path, built, report=lambda line: None)
    assert report.removed == ("firmware/app.py", "lib/older.mpy")
    assert report.unchanged == report.files == len(load_build(built).files)
    assert hashes(port.flash) == hashes(deployed_flash)


@pytest.mark.requirement("F14")
def test_a_file_that_changes_after_it_was_copied_is_named(deployed_flash: bytes, built: Path, served: Serve) -> None:
    with served(deployed_flash) as port:

        def damage(step: str) -> None:
            if step.startswith("verifying"):
                script = f"f = open('/{MODULES_NAME}', 'ab'); f.write(b'?'); f.close()"
                call = [sys.executable, "-m", "mpremote", "connect", port.path, "resume", "exec", script]
                subprocess.run(call, check=True, timeout=60, capture_output=True)

        with pytest.raises(MismatchError, match=r"firmware/modules\.pack"):
            flash(port.path, built, report=damage)
    assert MANIFEST_NAME not in hashes(port.flash), "an image that failed its check must not look complete"
    with served(port.flash) as port:
        flash(port.path, built, report=lambda line: None)
    assert hashes(port.flash) == hashes(deployed_flash)


@pytest.mark.requirement("F13", "F14")
@pytest.mark.parametrize("service", [True, False])
def test_the_service_strap_decides_whether_the_board_is_a_repl_or_a_pump(board: Pump, service: bool) -> None:
    pump = board(service=service)
    output = bytearray()
    pump.on_console = output.extend
    pump.at(5 * S, lambda: pump.send(b"\x03\r\nprint(6 * 7)\r\n"))
    pump.run(7 * S)
    assert (b"\n42\r\n" in output) == service
