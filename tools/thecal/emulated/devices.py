"""The bench's parts on the pins of the emulated RP2040.

The parts themselves are thecal.models; here they get their signals: I2C0 with the time a byte takes on the
bus, the outputs of the pump as level changes, and its inputs as levels and ADC readings.
"""

from __future__ import annotations

from collections.abc import Callable

from rp2040py.gpio_pin import GPIOPinState
from rp2040py.peripherals._i2c import R_TX_EMPTY
from rp2040py.peripherals.i2c import I2CMode

from thecal.emulated.chip import Chip
from thecal.emulated.pacing import PioPacer
from thecal.models import pins
from thecal.models.bench import Bench
from thecal.models.i2c import BYTE_NS, START_NS, I2CBus

_ADC_NS = 2_000  # 96 cycles of 48 MHz (RP2040 data sheet 4.9)
# A slotted disc passes its sensor in a fraction of the 20 steps between two indices.
ROTOR_PULSE_NS = 1_000_000
# PWM registers (RP2040 data sheet 4.5.3): 5 words a slice; a pin's slice is half its number.
_PWM_BASE = 0x4005_0000
_PWM_SLICE = 0x14
_PWM_DIV = 0x04
_PWM_TOP = 0x10
_PWM_DIV_MAX = 256 * 16
_LONGEST_NS = 60_000_000  # a tone of 20 Hz has an edge each 25 ms
_HIGH = int(GPIOPinState.HIGH)
_LOW = int(GPIOPinState.LOW)

_Clock = Callable[[], int]


class I2CPort:
    """I2C0 as controller of a bus of models. A byte is answered when its nine bits have passed.

    rp2040py raises TX_EMPTY when a byte leaves the FIFO and not at all when a refused one flushes it. The
    block of the RP2040, with TX_EMPTY_CTRL set as the SDK does, raises it when the byte has been sent (data
    sheet, IC_CON), and the SDK relies on that to see a missing ACK; without the correction every refusal
    would come as a time-out.
    """

    def __init__(self, chip: Chip, bus: I2CBus, now_ns: _Clock) -> None:
        self._port = chip.mcu.i2c[0]
        self._bus = bus
        self._now_ns = now_ns
        self._alarm = chip.alarm(self._complete)
        self._pending: Callable[[], None] | None = None
        self._taken = chip.alarm(self._sending)
        self._port.on_start = lambda repeated: self._port.complete_start()
        self._port.on_connect = self._connect
        self._port.on_write_byte = self._write
        self._port.on_read_byte = self._read
        self._port.on_stop = self._stop

    def reset(self) -> None:
        """The controller was reset in the middle of whatever it did; the parts see no STOP."""
        self._pending = None
        self._alarm.cancel()
        self._taken.cancel()

    def _later(self, delay_ns: int, action: Callable[[], None]) -> None:
        self._pending = action
        self._alarm.schedule(delay_ns)

    def _complete(self) -> None:
        action, self._pending = self._pending, None
        if action is not None:
            action()

    def _connect(self, address: int, mode: I2CMode) -> None:
        def answer() -> None:
            acknowledged = self._bus.start(address, mode == I2CMode.READ, self._now_ns())
            self._port.complete_connect(acknowledged)
            if not acknowledged:
                self._port.int_raw |= R_TX_EMPTY

        self._later(BYTE_NS + START_NS, answer)

    def _write(self, value: int) -> None:
        def answer() -> None:
            acknowledged = self._bus.write_byte(value, self._now_ns())
            self._port.int_raw |= R_TX_EMPTY
            self._port.complete_write(acknowledged)

        self._taken.schedule(0)
        self._later(BYTE_NS, answer)

    def _sending(self) -> None:
        self._port.int_raw &= ~R_TX_EMPTY

    def _read(self, ack: bool) -> None:
        self._later(BYTE_NS, lambda: self._port.complete_read(self._bus.read_byte(self._now_ns())))

    def _stop(self) -> None:
        self._bus.stop(self._now_ns())
        self._port.complete_stop()


class Buzzer:
    """Tells the tone on the buzzer's pin from the registers of its PWM slice, and its end from the edges."""

    def __init__(self, chip: Chip, bench: Bench, now_ns: _Clock) -> None:
        self._chip = chip
        self._signals = bench.signals
        self._now_ns = now_ns
        self._last_ns = 0  # the last falling edge
        self._silence = chip.alarm(self._silent)
        chip.mcu.gpio[pins.BUZZER].add_listener(self._edge)

    def reset(self) -> None:
        """The chip was reset."""
        self._silence.cancel()

    def _edge(self, new: GPIOPinState, old: GPIOPinState) -> None:
        if int(new) != _HIGH:
            self._last_ns = self._now_ns()
            return
        self._signals.sound(self._now_ns(), self._hz())
        self._silence.schedule(_LONGEST_NS)

    def _silent(self) -> None:
        self._signals.sound(self._last_ns, 0)

    def _hz(self) -> int:
        slice_base = _PWM_BASE + _PWM_SLICE * (pins.BUZZER // 2)
        sixteenths = self._chip.mcu.read_uint32(slice_base + _PWM_DIV) or _PWM_DIV_MAX
        period = (self._chip.mcu.read_uint32(slice_base + _PWM_TOP) + 1) * sixteenths
        return round(16 * self._chip.mcu.clk_sys / period)


class Wiring:
    """Everything that is soldered to the Pico. `refresh` it when the bench may have changed."""

    def __init__(self, chip: Chip, bench: Bench, now_ns: _Clock) -> None:
        self.service = False
        self._chip = chip
        self._bench = bench
        self._now_ns = now_ns
        self._i2c = I2CPort(chip, bench.i2c, now_ns)
        self._pacer = PioPacer(chip, block=0, index=0)
        self._rotor_end = chip.alarm(lambda: self._input(pins.ROTOR, False))
        self._adc_done = chip.alarm(self._converted)
        self._adc_channel = 0
        chip.mcu.adc.on_adc_read = self._convert
        chip.mcu.gpio[pins.STEP].add_listener(self._step)
        self._output(pins.DIR, self._set_direction)
        self._output(pins.DRIVE, self._set_drive)
        self._output(pins.LED, self._set_led)
        self._buzzer = Buzzer(chip, bench, now_ns)
        # Low is the only level that lifts the protection: the line has a pull-up of its own.
        chip.mcu.gpio[pins.WP].add_listener(lambda new, old: self._set_protection(int(new) != _LOW))
        bench.motor.on_index.append(self._rotor)
        self._input(pins.ROTOR, False)
        self.set_service(False)
        self.release()
        self.refresh()

    def set_service(self, on: bool) -> None:
        """Set (pin low) or remove the SERVICE strap."""
        self.service = on
        self._input(pins.SERVICE, not on)

    def release(self) -> None:
        """The chip was reset: external resistors decide about its outputs; bus and pulse train just end."""
        self._set_drive(False)
        self._set_direction(False)
        self._bench.signals.off(self._now_ns())
        self._buzzer.reset()
        self._set_protection(True)
        self._i2c.reset()
        self._pacer.reset()
        self._adc_done.cancel()

    def refresh(self) -> None:
        """Give the pump's digital inputs the levels that the bench has now."""
        self._input(pins.DIAG, self._bench.motor.fault)
        self._input(pins.DOSE, not self._bench.sensors.dose_button)
        if self._bench.i2c.held:
            self._input(pins.SDA, False)
        else:
            self._chip.mcu.gpio[pins.SDA].release_input()

    def _input(self, pin: int, level: bool) -> None:
        self._chip.mcu.gpio[pin].set_input_value(level)

    def _output(self, pin: int, receiver: Callable[[bool], None]) -> None:
        self._chip.mcu.gpio[pin].add_listener(lambda new, old: receiver(int(new) == _HIGH))

    def _step(self, new: GPIOPinState, old: GPIOPinState) -> None:
        if int(new) == _HIGH:
            self._bench.motor.step(self._now_ns())
            self._pacer.kick()

    def _set_direction(self, level: bool) -> None:
        self._bench.motor.direction = level

    def _set_drive(self, level: bool) -> None:
        self._bench.motor.drive = level

    def _set_protection(self, level: bool) -> None:
        self._bench.eeprom.write_protect = level

    def _set_led(self, level: bool) -> None:
        self._bench.signals.shine(self._now_ns(), level)

    def _rotor(self, now_ns: int) -> None:
        self._input(pins.ROTOR, True)
        self._rotor_end.schedule(ROTOR_PULSE_NS)

    def _convert(self, channel: int) -> None:
        self._adc_channel = channel
        self._adc_done.schedule(_ADC_NS)

    def _converted(self) -> None:
        value = self._bench.sensors.adc_counts(self._now_ns())[self._adc_channel]
        self._chip.mcu.adc.complete_adc_read(value, False)
