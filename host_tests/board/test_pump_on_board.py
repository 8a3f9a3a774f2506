"""The pump as a whole on the emulated RP2040: what only the real MicroPython can show."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from rig import MS, Pump, S, mounted
from rp2040py.gpio_pin import GPIOPinState
from support import continuous, on_twin, scenario

from thecal.emulated.board import EmulatedBoard
from thecal.models import pins
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
    plan = scenario(continuous("10 mL/day"), "20 s")
    quiet = on_twin(plan)
    pump = board(make_bench(plan), seed=1)
    rng = Random(1)
    run = Simulation(plan, pump)
    for tick in range(0, 8_000, 20):
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


# In code that runs before its hash is known: what does not matter then, and the level of DRIVE.
UNUSED = {"lib/watchdog.mpy": b"RESET_LOOP", "boot.py": b"0)  # DRIVE"}


def damaged(flash: bytes, name: str, at: int | None = None, bits: int = 1) -> bytes:
    """This flash with bits of one byte of a file turned round. at: where; if not given, the middle or in UNUSED."""
    fs = mounted(flash)
    with fs.open(name, "rb") as file:
        code = bytearray(file.read())
    if at is None:
        at = code.index(UNUSED[name]) if name in UNUSED else len(code) // 2
    code[at] ^= bits
    with fs.open(name, "wb") as file:
        file.write(bytes(code))
    fs.unmount()
    return bytes(fs.context.buffer)


class Damaged:
    """A pump that must not start, 8 s after its power-on: motor off, buzzer and LED on (R25)."""

    def __init__(self, image: Path, flash: bytes, service: bool = False) -> None:
        self.bench = make_bench(PLAN)
        self.output = bytearray()
        self.high: list[int] = []  # when DRIVE rose
        self.pump = EmulatedBoard(self.bench, image, flash, service)
        self.pump.on_console = self.output.extend
        self.pump.chip.mcu.gpio[pins.DRIVE].add_listener(self._drive)
        self.pump.run(8 * S)

    def _drive(self, new: GPIOPinState, old: GPIOPinState) -> None:
        if new == GPIOPinState.HIGH:
            self.high.append(self.pump.now_ns())

    @property
    def console(self) -> bytes:
        return bytes(self.output)

    def judge(self) -> None:
        """It has no power, stands still, and calls from 3 s after its power-on at the latest, without a pause."""
        assert self.bench.motor.pulses == 0
        assert not self.bench.motor.drive
        ((began, hz),) = self.bench.signals.sounds
        assert abs(hz - 1_000) <= 10
        ((lit, on),) = self.bench.signals.lights
        assert on
        assert max(began, lit) <= 3 * S
        assert self.console.count(b"the pump does not start") == 1  # the watchdog does not bite a board that waits

    def repl(self, line: str) -> None:
        """What a person types, and two seconds for it."""
        self.pump.send(line.encode() + b"\r\n")
        self.pump.run(self.pump.now_ns() + 2 * S)


@pytest.mark.requirement("F14", "R25")
@pytest.mark.parametrize("name", ["firmware/modules.pack", "lib/watchdog.mpy", "boot.py"])
def test_a_pump_with_a_damaged_image_does_not_start_and_calls(name: str, image: Path, deployed_flash: bytes) -> None:
    pump = Damaged(image, damaged(deployed_flash, name))
    pump.judge()
    # That bit of boot.py is in what it writes to DRIVE: the motor has power until the next module has run.
    assert len(pump.high) == (name == "boot.py")
    assert not [t for t in pump.high if t > S // 4]
    assert b"the image is damaged" in pump.console
    assert f"{name}: not what was flashed".encode() in pump.console


@pytest.mark.requirement("F14", "R25")
@pytest.mark.parametrize("name", ["firmware/pump.mpy", "lib/watchdog.mpy", "firmware/image.mpy"])
def test_code_that_cannot_even_be_loaded_before_the_image_is_checked_calls_too(
    name: str, image: Path, deployed_flash: bytes
) -> None:
    Damaged(image, damaged(deployed_flash, name, at=0, bits=0xFF)).judge()


@pytest.mark.requirement("F13", "F14", "R25")
def test_a_damaged_pump_is_mended_at_its_repl_and_is_silent_from_the_next_reset_on(
    image: Path, deployed_flash: bytes
) -> None:
    """As mpremote does it: the raw REPL first."""
    name = "lib/watchdog.mpy"
    good = mounted(deployed_flash)
    with good.open(name, "rb") as file:
        code = file.read()
    at = code.index(UNUSED[name])
    pump = Damaged(image, damaged(deployed_flash, name))
    pump.judge()
    pump.repl("\x03\r\x01")
    assert b"raw REPL; CTRL-B to exit" in pump.console
    write = f"f = open('/{name}', 'r+b'); f.seek({at}); f.write(bytes(({code[at]},))); f.close(); print(6 * 7)"
    pump.repl(write + "\x04")
    assert b"OK42" in pump.console
    assert pump.bench.signals.hz
    pump.repl("import machine; machine.reset()\x04")
    assert pump.pump.resets["commanded"] == 1
    assert (pump.bench.signals.hz, pump.bench.signals.lit) == (0, False)
    pump.pump.run(pump.pump.now_ns() + 3 * S)
    # The emulator keeps the level that its PWM has latched over a reset: the self-test, of no duty, may give a blip.
    sounds = pump.bench.signals.sounds[2:]
    for (on, _), (off, hz) in zip(sounds[::2], sounds[1::2], strict=True):
        assert off - on < MS // 10
        assert not hz
    assert pump.bench.motor.drive


@pytest.mark.requirement("F13", "F14")
def test_the_strap_of_service_keeps_a_damaged_pump_silent(image: Path, deployed_flash: bytes) -> None:
    pump = Damaged(image, damaged(deployed_flash, "firmware/modules.pack"), service=True)
    assert not pump.bench.signals.sounds
    assert not pump.bench.signals.lit
    pump.repl("print(6 * 7)")
    assert b"\n42\r\n" in pump.console


@pytest.mark.requirement("F14", "R25")
@pytest.mark.parametrize("name", ["firmware/cascade.py", "dosing.mpy", "lib/older.py"])
def test_code_that_was_not_flashed_keeps_the_pump_from_starting(name: str, image: Path, deployed_flash: bytes) -> None:
    fs = mounted(deployed_flash)
    with fs.open(name, "w") as file:
        file.write("# an import would find this first")
    fs.unmount()
    pump = Damaged(image, bytes(fs.context.buffer))
    pump.judge()
    assert f"{name}: was not flashed".encode() in pump.console
    assert b"the image is damaged" in pump.console


@pytest.mark.requirement("F14", "R25")
def test_a_pump_whose_deployment_was_interrupted_does_not_start(image: Path, deployed_flash: bytes) -> None:
    fs = mounted(deployed_flash)
    fs.remove("manifest.json")
    fs.unmount()
    pump = Damaged(image, bytes(fs.context.buffer))
    pump.judge()
    assert b"the image is damaged" in pump.console
