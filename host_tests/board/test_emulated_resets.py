"""Resets and power cuts of the emulated board."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rig import MS, STEPPER, S, Script

pytestmark = pytest.mark.requirement("T3")


@pytest.mark.requirement("F11")
def test_a_hung_processor_is_bitten_by_its_watchdog_and_makes_no_step_beyond_its_word(
    script: Script,
) -> None:
    run = script(
        STEPPER
        + """
machine.Pin(3, machine.Pin.OUT, value=1)
print("cause", machine.reset_cause())
w = machine.WDT(timeout=4000)
sm.put(50 | 994 << 10)
while True:
    w.feed()
    time.sleep_ms(100)
"""
    )
    board = run.board
    board.run(3 * S)
    fed_ns = board.now_ns()
    steps = run.bench.motor.pulses
    assert run.bench.motor.drive
    board.hang()
    bitten_ns = 0
    while board.resets["watchdog"] == 0 and board.now_ns() < 20 * S:
        board.run(board.now_ns() + 20 * MS)
        bitten_ns = board.now_ns()
    assert 3_880 * MS <= bitten_ns - fed_ns <= 4_040 * MS
    assert run.bench.motor.pulses == steps == 50
    assert not run.bench.motor.drive
    assert not run.bench.motor.direction
    assert board.resets == {"power_on": 1, "watchdog": 1, "commanded": 0}


SCRATCH = """
import machine, time
time.sleep(1)
words = [machine.mem32[0x4005800C + 4 * i] & 0xffffffff for i in range(4)]
print("words", *words)
print("cause", machine.reset_cause())
for i in range(4):
    machine.mem32[0x4005800C + 4 * i] = 100 + i
"""


@pytest.mark.requirement("F11")
def test_commanded_reset_is_told_from_a_bite_and_keeps_the_scratch_registers(script: Script) -> None:
    run = script(SCRATCH + "time.sleep(1)\nif words[0] == 0: machine.reset()\n")
    facts = run.facts(4)
    assert run.board.resets == {"power_on": 1, "watchdog": 0, "commanded": 1}
    assert facts["words"] == "100 101 102 103"
    assert facts["cause"] == "3"
    assert run.board.scratch()[:4] == (100, 101, 102, 103)


@pytest.mark.requirement("F10")
def test_power_cut_clears_scratch_registers_and_keeps_eeprom_and_flash(script: Script) -> None:
    run = script(
        SCRATCH
        + """
from machine import I2C, Pin
i2c = I2C(0, scl=Pin(5), sda=Pin(4), freq=400000)
Pin(9, Pin.OUT, value=0)
print("eeprom", i2c.readfrom_mem(0x50, 0, 4, addrsize=16))
i2c.writeto(0x50, b"\\x00\\x00kept")
time.sleep_ms(6)
try:
    print("file", open("note").read())
except OSError:
    pass
with open("note", "w") as f: f.write("kept")
"""
    )
    assert run.facts(4)["eeprom"] == repr(b"\xff" * 4)
    blank = run.board.flash_image()
    run.board.at(5 * S, lambda: run.board.power_cut(2 * S))
    facts = run.facts(12)
    assert facts["words"] == "0 0 0 0"
    assert facts["cause"] == "1"
    assert facts["eeprom"] == repr(b"kept")
    assert facts["file"] == "kept"
    assert run.board.resets == {"power_on": 2, "watchdog": 0, "commanded": 0}
    assert b"kept" in blank


@pytest.mark.requirement("F10")
def test_true_time_passes_and_actions_run_while_the_power_is_off(script: Script) -> None:
    run = script(STEPPER + "while True:\n    sm.put(100 | 994 << 10)\n    time.sleep(1)\n")
    board = run.board
    seen: list[tuple[str, int, bool]] = []

    def note(name: str) -> Callable[[], None]:
        return lambda: seen.append((name, board.now_ns(), board.powered))

    board.at(2 * S, lambda: board.power_cut(10 * S))
    board.at(5 * S, note("first"))
    board.at(5 * S, note("second"))
    board.at(6 * S, lambda: board.power_cut(100 * S))
    board.at(6 * S, board.hang)
    board.at(7 * S, lambda: board.send(b"lost"))
    board.at(12 * S, note("on"))
    board.run(15 * S)
    assert seen[:2] == [("first", 5 * S, False), ("second", 5 * S, False)]
    assert board.now_ns() == pytest.approx(15 * S, abs=1_000)
    assert board.off_ns() == pytest.approx(10 * S, abs=1_000)
    assert board.resets["power_on"] == 2
    times = list(run.bench.motor.step_times)
    assert not [t for t in times if 2 * S + 1_000 < t < 12 * S]
    assert [t for t in times if t > 12 * S]


def test_a_part_may_cut_the_power_in_the_middle_of_a_run(script: Script) -> None:
    run = script(STEPPER + "sm.put(100 | 994 << 10)\ntime.sleep(3)\n")
    board = run.board

    def cut_at_tenth(now_ns: int) -> None:
        if run.bench.motor.pulses == 10:
            board.power_cut(60 * S)

    run.bench.motor.on_step.append(cut_at_tenth)
    board.run(30 * S)
    assert run.bench.motor.pulses == 10
    assert not board.powered


WRITER = """
import machine, time
from machine import I2C, Pin
i2c = I2C(0, scl=Pin(5), sda=Pin(4), freq=400000)
Pin(9, Pin.OUT, value=0)
w = machine.WDT(timeout=1000)
time.sleep_ms(800)
print("started", machine.reset_cause())
page = 0
while True:
    w.feed()
    i2c.writeto(0x50, bytes((page >> 2, page << 6 & 255)) + bytes((page & 255,)) * 64)
    page = (page + 1) % 512
    time.sleep_ms(6)
"""


@pytest.mark.requirement("F10", "F11")
def test_a_power_cut_in_a_write_cycle_tears_that_page_only_and_the_same_way_each_time(script: Script) -> None:
    def torn() -> bytes:
        run = script(WRITER)
        board = run.board

        def cut_soon(page: int, now_ns: int) -> None:
            if page == 20:
                board.at(now_ns + 2 * MS, lambda: board.power_cut(60 * S))

        run.bench.eeprom.on_page_written.append(cut_soon)
        board.run(10 * S)
        assert not board.powered
        return run.bench.eeprom.image()

    image = torn()
    for page in (*range(20), *range(21, 512)):
        expected = page if page < 20 else 0xFF
        assert set(image[64 * page : 64 * page + 64]) == {expected}
    assert len(set(image[64 * 20 : 64 * 21])) > 2
    assert torn() == image


@pytest.mark.requirement("F11")
@pytest.mark.parametrize("after_us", range(0, 8_000, 800))
def test_the_bus_works_again_after_a_bite_in_the_middle_of_a_transfer(script: Script, after_us: int) -> None:
    run = script(WRITER)
    board = run.board
    board.at(2 * S + after_us * 1_000, board.hang)
    assert run.facts(3.9)["started"] == "3"
    written = sum(run.bench.eeprom.wear)
    run.until(4.9)
    assert board.resets == {"power_on": 1, "watchdog": 1, "commanded": 0}
    assert sum(run.bench.eeprom.wear) > written


@pytest.mark.requirement("F11")
@pytest.mark.parametrize(
    "access", ["machine.mem32[0x30000000]", "machine.mem32[0x30000000] = 1", "machine.mem16[0x28000002]"]
)
def test_an_access_to_where_there_is_nothing_is_a_hang_that_the_watchdog_ends(script: Script, access: str) -> None:
    """As on the RP2040, whose hard fault MicroPython answers with an endless loop."""
    run = script(
        f"""
import machine, time
print("cause", machine.reset_cause())
machine.WDT(timeout=4000)
if machine.reset_cause() == machine.WDT_RESET:
    raise SystemExit
time.sleep_ms(500)
{access}
print("goes on")
"""
    )
    board = run.board
    board.run(10 * S)
    assert board.resets["watchdog"] == 1
    assert b"goes on" not in run.output


@pytest.mark.requirement("F11")
@pytest.mark.parametrize("counter", [0x15000000, 0x40000000, 0x60000000, 0xD0000000])
def test_a_program_counter_outside_of_the_memory_is_a_hang_that_the_watchdog_ends(script: Script, counter: int) -> None:
    """0x15000000 is a cache's memory that reads as something: no access of it tells."""
    run = script(
        """
import machine, time
print("cause", machine.reset_cause())
machine.WDT(timeout=4000)
if machine.reset_cause() == machine.WDT_RESET:
    raise SystemExit
time.sleep(3)
print("goes on")
"""
    )
    board = run.board
    board.run(2 * S)
    board.chip.mcu.core.pc = counter
    board.run(10 * S)
    assert board.resets["watchdog"] == 1
    assert b"goes on" not in run.output
