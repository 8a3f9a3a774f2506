"""The parts on the pins of the emulated board, seen by small scripts instead of the firmware."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from rig import MS, START, S, Script

from thecal.emulated.board import EmulatedBoard
from thecal.models.bench import Bench, PumpConfig
from thecal.target import Target

pytestmark = pytest.mark.requirement("T3")


@pytest.mark.requirement("F10")
def test_eeprom_write_takes_bus_time_and_is_not_acknowledged_for_5_ms(script: Script) -> None:
    run = script(
        """
import time
from machine import I2C, Pin
time.sleep(1)
i2c = I2C(0, scl=Pin(5), sda=Pin(4), freq=400000)
Pin(9, Pin.OUT, value=0)
data = bytes(range(100, 164))
t0 = time.ticks_us()
i2c.writeto(0x50, b"\\x00\\x40" + data)
t1 = time.ticks_us()
refused = 0
while True:
    try:
        i2c.writeto(0x50, b"\\x00")
        break
    except OSError:
        refused += 1
t2 = time.ticks_us()
print("write_us", t1 - t0)
print("busy_us", t2 - t1)
print("refused", refused)
t3 = time.ticks_us()
got = i2c.readfrom_mem(0x50, 64, 64, addrsize=16)
print("read_us", time.ticks_us() - t3)
print("same", got == data)
"""
    )
    facts = run.facts(1.2)
    assert facts["same"] == "True"
    assert bytes(run.bench.eeprom.memory[64:128]) == bytes(range(100, 164))
    # 67 bytes with the address, nine bits each at 400 kHz; MicroPython's own time comes on top.
    assert 67 * 22.5 <= int(facts["write_us"]) <= 67 * 22.5 + 400
    assert 68 * 22.5 <= int(facts["read_us"]) <= 68 * 22.5 + 400
    assert 5_000 <= int(facts["busy_us"]) <= 5_400
    assert int(facts["refused"]) > 10


@pytest.mark.requirement("F10")
def test_protected_eeprom_keeps_its_content(script: Script) -> None:
    run = script(
        """
import time
from machine import I2C, Pin
i2c = I2C(0, scl=Pin(5), sda=Pin(4), freq=400000)
Pin(9, Pin.OUT, value=1)
try:
    i2c.writeto(0x50, b"\\x00\\x00abc")
except OSError:
    pass
"""
    )
    run.until(1)
    assert set(run.bench.eeprom.memory) == {0xFF}


def test_an_address_without_a_part_is_an_error_for_the_firmware(script: Script) -> None:
    run = script(
        """
import time
from machine import I2C, Pin
time.sleep(1)
try:
    I2C(0, scl=Pin(5), sda=Pin(4), freq=400000).writeto(0x33, b"a")
except OSError as error:
    print("errno", error.errno)
"""
    )
    assert run.facts(1.1)["errno"] == "5"


@pytest.mark.requirement("F2")
def test_rtc_tells_true_time_through_power_cuts(script: Script) -> None:
    run = script(
        """
import time
from machine import I2C, Pin
i2c = I2C(0, scl=Pin(5), sda=Pin(4), freq=400000)
time.sleep_ms(1500)
t = i2c.readfrom_mem(0x68, 0, 7)
print("rtc", "20%02x-%02x-%02xT%02x:%02x:%02x" % (t[6], t[5] & 0x1f, t[4], t[2], t[1], t[0]))
"""
    )

    def shown(at_s: float) -> str:
        return (START + timedelta(seconds=int(at_s))).isoformat()

    assert run.facts(3)["rtc"] == shown(1.5)
    run.board.at(10 * S, lambda: run.board.power_cut(3600 * S))
    assert run.facts(3615)["rtc"] == shown(3610 + 1.5)


@pytest.mark.requirement("F8")
def test_inputs_have_the_levels_of_the_bench(script: Script) -> None:
    text = """
import time
from machine import ADC, Pin
time.sleep(1)
pins = [Pin(7, Pin.IN), Pin(13, Pin.IN, Pin.PULL_UP), Pin(14, Pin.IN, Pin.PULL_UP)]
while True:
    print("diag_dose_service", *[p.value() for p in pins])
    print("adc", *[ADC(26 + i).read_u16() >> 4 for i in range(3)])
    time.sleep_ms(100)
"""
    assert script(text).facts(1.5)["diag_dose_service"] == "0 1 1"
    run = script(text, service=True)
    assert run.facts(1.5)["diag_dose_service"] == "0 1 0"
    counts = run.bench.sensors.adc_counts(run.board.now_ns())
    assert run.facts(1.7)["adc"] == " ".join(map(str, counts[:3]))


@pytest.mark.requirement("F11")
def test_a_bus_held_low_is_seen_on_its_pin_and_answers_nothing(script: Script) -> None:
    run = script(
        """
import time
from machine import I2C, Pin
while True:
    print("sda", Pin(4, Pin.OPEN_DRAIN, Pin.PULL_UP, value=1).value())
    try:
        I2C(0, scl=Pin(5), sda=Pin(4), freq=400000).readfrom_mem(0x68, 0, 1)
        print("bus answers")
    except OSError:
        print("bus silent")
    time.sleep_ms(100)
"""
    )
    facts = run.facts(2)
    assert (facts["sda"], facts["bus"]) == ("1", "answers")
    run.board.at(2 * S, lambda: setattr(run.bench.i2c, "held", True))
    facts = run.facts(3)
    assert (facts["sda"], facts["bus"]) == ("0", "silent")
    run.board.at(3 * S, lambda: setattr(run.bench.i2c, "held", False))
    facts = run.facts(4)
    assert (facts["sda"], facts["bus"]) == ("1", "answers")


@pytest.mark.requirement("F11")
def test_outputs_reach_the_bench_and_are_released_by_a_power_cut(script: Script) -> None:
    run = script(
        """
from machine import Pin
for number in (3, 6, 25):
    Pin(number, Pin.OUT, value=1)
Pin(9, Pin.OUT, value=0)
"""
    )
    bench = run.bench

    def levels() -> tuple[bool, ...]:
        return (bench.motor.direction, bench.motor.drive, bench.signals.lit, bench.eeprom.write_protect)

    released = (False, False, False, True)
    assert levels() == released
    run.until(1)
    assert levels() == (True, True, True, False)
    run.board.at(1 * S, lambda: run.board.power_cut(1 * S))
    run.until(1.5)
    assert levels() == released


@pytest.mark.requirement("F3", "R38")
def test_the_buzzer_is_heard_at_its_pitch_from_begin_to_end(script: Script) -> None:
    run = script(
        """
import time
from machine import PWM, Pin
time.sleep(1)
for hz in (440, 2000):
    tone = PWM(Pin(15), freq=hz, duty_u16=32768)
    time.sleep(1)
    tone.deinit()
    Pin(15, Pin.OUT, value=0)
    time.sleep(1)
PWM(Pin(15), freq=1000, duty_u16=32768)
"""
    )
    run.until(5.5)
    run.board.power_cut(1 * S)
    sounds = run.bench.signals.sounds
    assert [round(hz / 10) * 10 for _, hz in sounds] == [440, 0, 2000, 0, 1000, 0]
    times = [t / S for t, _ in sounds]
    lasted = [end - begin for begin, end in zip(times[::2], times[1::2], strict=True)]
    assert lasted[:2] == pytest.approx([1, 1], abs=0.01)
    assert times[-1] == pytest.approx(5.5, abs=0.001)


@pytest.mark.requirement("F3", "R38")
def test_a_hard_interrupt_sees_the_shortest_press_of_the_button(script: Script) -> None:
    run = script(
        """
import time
from machine import Pin
edges = []
seen = bytearray(2)
def edge(pin):
    seen[pin.value()] += 1
button = Pin(13, Pin.IN, Pin.PULL_UP)
button.irq(edge, Pin.IRQ_FALLING | Pin.IRQ_RISING, hard=True)
time.sleep(2)
print("seen", *seen)
"""
    )
    sensors = run.bench.sensors
    for t_ms, pressed in ((1000, True), (1001, False), (1500, True), (1550, False)):
        run.board.at(t_ms * MS, lambda pressed=pressed: setattr(sensors, "dose_button", pressed))
    assert run.facts(2.5)["seen"] == "2 2"


def test_a_file_system_of_another_size_is_refused(image: Path) -> None:
    with pytest.raises(ValueError, match="1441792"):
        EmulatedBoard(Bench(PumpConfig(), START, seed=1), image, b"\xff" * 4096)


def test_the_emulated_board_is_a_target(image: Path) -> None:
    target: Target = EmulatedBoard(Bench(PumpConfig(), START, seed=1), image, None)
    target.run(1 * MS)
    assert target.powered
    assert target.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}
