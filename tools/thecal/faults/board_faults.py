"""The faults of the emulated board: bits of the RP2040's memory and registers, and the parts on its pins."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from thecal import bus_faults
from thecal.emulated.board import EmulatedBoard
from thecal.faults.disclosed import Steps, count, nothing, presses, sums, word
from thecal.models import pins
from thecal.powercut.snapshot import module
from thecal.scenario_event_types import I2cFault

S = 1_000_000_000
FOR_EVER_NS = 3_600 * S
_SCRATCH = 4  # words that the pump uses
Fault = Callable[[EmulatedBoard], None]
# In words; what happens; mask of alarms of which one must come; the disclosed maximum of that.
Struck = tuple[str, Fault, int, Steps]


def draw(rng: Random) -> Struck:
    """A fault."""
    return rng.choice(_KINDS)(rng)


def _memory(rng: Random) -> Struck:
    """Any bit of the 264 kB of RAM."""
    address, bit = rng.randrange(270_336), rng.randrange(8)

    def strike(board: EmulatedBoard) -> None:
        board.chip.mcu.sram[address] ^= 1 << bit

    return f"RAM {0x2000_0000 + address:#x}, bit {bit} flips", strike, 0, word


def _word(rng: Random) -> Struck:
    """A word of the RAM becomes another."""
    address, value = 4 * rng.randrange(270_336 // 4), rng.getrandbits(32)

    def strike(board: EmulatedBoard) -> None:
        board.chip.mcu.sram[address : address + 4] = value.to_bytes(4, "little")

    return f"RAM {0x2000_0000 + address:#x} becomes {value:#010x}", strike, 0, word


def _register(rng: Random) -> Struck:
    number, bit = rng.randrange(16), rng.randrange(32)

    def strike(board: EmulatedBoard) -> None:
        board.chip.mcu.core.registers[number] ^= 1 << bit

    return f"register r{number}, bit {bit} flips", strike, 0, word


def _scratch(rng: Random) -> Struck:
    number, bit = rng.randrange(_SCRATCH), rng.randrange(30)

    def strike(board: EmulatedBoard) -> None:
        board.chip.mcu.watchdog.scratch_data[number] ^= 1 << bit

    return f"scratch register {number}, bit {bit} flips", strike, 0, sums


def _generator(rng: Random) -> Struck:
    """The step generator's own registers: how many steps are left, how long the gap is."""
    which, bit = rng.choice(("x", "y", "output_shift_reg")), rng.randrange(32)

    def strike(board: EmulatedBoard) -> None:
        machine = board.chip.mcu.pio[0].machines[0]
        setattr(machine, which, getattr(machine, which) ^ 1 << bit)

    return f"{which} of the step generator, bit {bit} flips", strike, 0, count


def _counter(rng: Random) -> Struck:
    bit = rng.randrange(32)

    def strike(board: EmulatedBoard) -> None:
        machine = board.chip.mcu.pio[1].machines[0]
        machine.x ^= 1 << bit

    return f"x of the pulse counter, bit {bit} flips", strike, 0, nothing


def _hang(rng: Random) -> Struck:
    return "the processor hangs", lambda board: board.hang(), 0, nothing


def _power(rng: Random) -> Struck:
    off_ns = rng.randrange(1, 10 * S)
    return f"no power for {off_ns / S:.3f} s", lambda board: board.power_cut(off_ns), 0, nothing


def _bus(rng: Random) -> Struck:
    device, for_ns = rng.choice(bus_faults.DEVICES), rng.choice((FOR_EVER_NS, rng.randrange(1, 60 * S)))
    must = 0
    if for_ns == FOR_EVER_NS and device != "eeprom":
        must = 1 << module("alarms").RTC_LOST
    return (
        f"{device} silent for {for_ns / S:.3f} s",
        lambda board: bus_faults.BusFaults(board).begin(I2cFault(0, 0, device, for_ns)),
        must,
        nothing,
    )


def _clock(rng: Random) -> Struck:
    by = rng.choice((-1, 1)) * round(10 ** rng.uniform(0.6, 9))
    lost = 1 << module("alarms").RTC_LOST
    if rng.random() < 0.3:
        return "the RTC stops", lambda board: board.bench.rtc.halt(board.now_ns()), lost, nothing
    return f"the RTC leaps by {by} s", lambda board: bus_faults.jump(board.bench, by, board.now_ns()), lost, nothing


def _motor(rng: Random) -> Struck:
    def strike(board: EmulatedBoard) -> None:
        board.bench.motor.stalled = True

    return "the motor does not follow", strike, 0, nothing


def _pin(rng: Random) -> Struck:
    """An input held at a level. The emulated pads of DIAG and DOSE follow the driver and the button, so these hold it;
    the rotor's is set again and again, against what drives it."""
    pin, level = rng.choice((pins.DIAG, pins.ROTOR, pins.DOSE)), rng.random() < 0.5

    def strike(board: EmulatedBoard) -> None:
        if pin == pins.DIAG:
            board.bench.motor.fault = level
        elif pin == pins.DOSE:
            board.bench.sensors.dose_button = not level
        else:
            board.chip.mcu.gpio[pin].set_input_value(level)
            board.at(board.now_ns() + S // 10, lambda: strike(board))

    must = 1 << module("alarms").DRIVER_FAULT if pin == pins.DIAG and level else 0
    most = presses if pin == pins.DOSE else nothing
    return f"GP{pin} held {'high' if level else 'low'}", strike, must, most


_KINDS: tuple[Callable[[Random], Struck], ...] = (
    *(_memory,) * 8,
    *(_word,) * 4,
    *(_register,) * 4,
    *(_scratch,) * 2,
    *(_generator,) * 2,
    _counter,
    _hang,
    _power,
    *(_bus,) * 2,
    _clock,
    _motor,
    _pin,
)
