"""The pump as a whole on the emulated RP2040: what only the real MicroPython can show."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from littlefs import LittleFS
from rig import Pump, S, mounted
from support import continuous, on_twin, scenario

from thecal.emulated.board import EmulatedBoard
from thecal.models.bench import Bench
from thecal.noise import noise
from thecal.sim import Simulation, make_bench, simulate

PLAN = scenario(continuous("10 mL/day"), "60 s")


@pytest.mark.requirement("F11", "R27")
def test_after_a_bite_dosing_resumes_within_five_seconds_and_the_ledger_agrees(board: Pump) -> None:
    plan = scenario(continuous("10 mL/day"), "90 s", {"at": "40.5 s", "do": "hang"})
    pump = board(make_bench(plan), seed=plan.seed)
    bites: list[int] = []
    driven: list[int] = []
    inner = pump.chip.on_watchdog

    def bitten(timed_out: bool) -> None:
        bites.append(pump.now_ns())
        inner(timed_out)

    pump.chip.on_watchdog = bitten
    result = simulate(plan, pump)
    assert pump.resets == {"power_on": 1, "watchdog": 1, "commanded": 0}
    (bite,) = bites
    assert bite - 40.5 * S <= 8.4 * S
    driven = [t for t in result.step_times_ns if t > bite]
    assert driven[0] - bite <= 5 * S
    assert 0 <= result.summary.ledger_steps - result.summary.steps <= 2


@pytest.mark.requirement("F11")
def test_the_motor_is_unpowered_from_reset_until_the_application_is_ready(board: Pump) -> None:
    pump = board(make_bench(PLAN), seed=1)
    levels: list[tuple[int, bool]] = []
    for tick in range(0, 3_000, 5):
        pump.at(tick * 1_000_000, lambda: levels.append((pump.now_ns(), pump.bench.motor.drive)))
    pump.run(3 * S)
    first = next(t for t, driven in levels if driven)
    assert 0.5 * S < first <= 3 * S
    assert all(driven for t, driven in levels if t >= first)
    assert pump.bench.motor.pulses == pump.bench.motor.steps


@pytest.mark.requirement("F12")
def test_noise_from_the_first_instant_of_boot_never_reaches_a_repl(board: Pump) -> None:
    """Beside the starts of test_starts.py, all of which are flooded: a pump that is flooded as it goes on."""
    quiet = on_twin(PLAN)
    pump = board(make_bench(PLAN), seed=1)
    rng = Random(1)
    run = Simulation(PLAN, pump)
    for tick in range(0, 12_000, 20):
        data = bytes(rng.choices(b"\x01\x02\x03\x04\x05", k=8)) if tick < 5_000 else noise(rng, 200)
        pump.at(tick * 1_000_000, lambda data=data: pump.send(data))
    result = run.run(lambda share: None)
    assert b"\n>>> " not in result.console
    assert b"MicroPython v" not in result.console
    assert b"raw REPL" not in result.console
    assert result.summary.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}
    assert len(result.step_times_ns) == len(quiet.step_times_ns)
    apart = [abs(a - b) for a, b in zip(result.step_times_ns, quiet.step_times_ns, strict=True)]
    assert max(apart) <= S


@pytest.mark.requirement("F14")
@pytest.mark.parametrize("name", ["firmware/modules.pack", "lib/watchdog.mpy", "boot.py"])
def test_a_pump_with_a_damaged_image_does_not_start(name: str, image: Path, deployed_flash: bytes) -> None:
    fs = mounted(deployed_flash)
    with fs.open(name, "rb") as file:
        code = bytearray(file.read())
    code[len(code) // 2] ^= 1
    with fs.open(name, "wb") as file:
        file.write(bytes(code))
    fs.unmount()
    result, console = _boot(image, fs)
    assert result.motor.pulses == 0
    assert b"the image is damaged" in console
    assert f"{name}: not what was flashed".encode() in console


@pytest.mark.requirement("F14")
@pytest.mark.parametrize("name", ["firmware/cascade.py", "dosing.mpy", "lib/older.py"])
def test_code_that_was_not_flashed_keeps_the_pump_from_starting(name: str, image: Path, deployed_flash: bytes) -> None:
    fs = mounted(deployed_flash)
    with fs.open(name, "w") as file:
        file.write("# an import would find this first")
    fs.unmount()
    result, console = _boot(image, fs)
    assert result.motor.pulses == 0
    assert f"{name}: was not flashed".encode() in console
    assert console.count(b"the image is damaged") == 1  # the watchdog does not bite a board that waits to be flashed


@pytest.mark.requirement("F14")
def test_a_pump_whose_deployment_was_interrupted_does_not_start(image: Path, deployed_flash: bytes) -> None:
    fs = mounted(deployed_flash)
    fs.remove("manifest.json")
    fs.unmount()
    result, console = _boot(image, fs)
    assert result.motor.pulses == 0
    assert b"the image is damaged" in console


def _boot(image: Path, fs: LittleFS) -> tuple[Bench, bytes]:
    bench = make_bench(PLAN)
    console = bytearray()
    pump = EmulatedBoard(bench, image, bytes(fs.context.buffer))
    pump.on_console = console.extend
    pump.run(8 * S)
    return bench, bytes(console)
