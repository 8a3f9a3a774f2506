"""Mocked `machine`: the parts of it that the firmware uses, acting on the models of the running twin's bench."""

from __future__ import annotations

from collections.abc import Callable

from thecal.models import pins
from thecal.models.board_id import board_id
from thecal.twin import world as worlds
from thecal.twin.i2c import MachineI2C
from thecal.twin.world import MS, NEVER, ProcessorStop, World

PWRON_RESET = 1
WDT_RESET = 3
_INDEX = {0x4005800C + 4 * index: index for index in range(8)}
_CTRL = 0x40058000  # of the watchdog; of its bits only the one that enables it
_ENABLE = 1 << 30
TIMED_OUT = 0x6AB73121  # what the SDK leaves in scratch 4 while the watchdog is armed


class Pin:
    """A GPIO pin. Outputs act on the bench at once; the inputs that the firmware reads follow it."""

    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    PULL_UP = 1
    PULL_DOWN = 2
    IRQ_FALLING = 4
    IRQ_RISING = 8

    def __init__(self, number: int, mode: int = -1, pull: int = -1, *, value: int | None = None) -> None:
        self.number = number
        self.world = worlds.world()
        self._level = 1
        if value is not None:
            self.value(value)

    def value(self, level: int | None = None) -> int | None:
        """Read the pin, or drive it."""
        self.world.alive()
        if level is None:
            if self.number == pins.DOSE:
                return 0 if self.world.bench.sensors.dose_button else 1
            if self.number == pins.DIAG:
                return int(self.world.bench.motor.fault)
            if self.number == pins.SDA and self.world.bench.i2c.held:
                return 0
            return int(self.world.bench.broken.pins.get(self.number, self._level))
        self._level = level
        _drive(self.world, self.number, bool(level))
        return None

    def irq(self, handler: Callable[[Pin], None], trigger: int, *, hard: bool = False) -> None:
        """Call handler at every edge of the DOSE button; no other input of the bench interrupts the twin."""
        if self.number != pins.DOSE:
            raise ValueError(f"GP{self.number}: only the DOSE button interrupts")

        def changed(pressed: bool) -> None:
            if trigger & (self.IRQ_FALLING if pressed else self.IRQ_RISING):
                handler(self)

        self.world.on_button = changed

    def __call__(self, level: int | None = None) -> int | None:
        return self.value(level)


def _drive(world: World, number: int, level: bool) -> None:
    bench = world.bench
    level = bench.broken.pins.get(number, level)
    if number == pins.DRIVE:
        if world.trains is not None:
            world.trains.flush(world.now_ns)
        bench.motor.drive = level
    elif number == pins.DIR:
        bench.motor.direction = level
    elif number == pins.WP:
        bench.eeprom.write_protect = level
    elif number == pins.LED:
        bench.signals.shine(world.now_ns, level)


class ADC:
    """An analogue input. The RP2040's 12 bits come as 16, the upper ones repeated below."""

    def __init__(self, pin: Pin | int) -> None:
        """pin: an analogue input, or the number of a channel."""
        self._channel = pin if isinstance(pin, int) else pins.ADC.index(pin.number)
        self._world = worlds.world()

    def read_u16(self) -> int:
        """Convert now."""
        self._world.alive()
        counts = self._world.bench.sensors.adc_counts(self._world.now_ns)[self._channel]
        return counts << 4 | counts >> 8


class PWM:
    """The buzzer's square wave."""

    def __init__(self, pin: Pin, *, freq: int, duty_u16: int) -> None:
        self._world = pin.world
        self._world.alive()
        self._freq = freq
        self._world.bench.signals.sound(self._world.now_ns, freq if duty_u16 else 0)

    def freq(self) -> int:
        """Its frequency, as the block's registers have it."""
        return 0 if self._world.bench.broken.pwm else self._freq

    def deinit(self) -> None:
        """Stop it."""
        self._world.bench.signals.sound(self._world.now_ns, 0)


class I2C(MachineI2C):
    """The I2C block with the bench's bus on it."""

    def __init__(self, block: int, *, scl: Pin, sda: Pin, freq: int = 400_000, timeout: int = 50_000) -> None:
        world = worlds.world()
        super().__init__(world.bench.i2c, _Clock(world))


class _Clock:
    """Bus time passes in the running world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.advance = world.advance

    def now_ns(self) -> int:
        return self._world.now_ns


class WDT:
    """The watchdog: once armed, it bites unless fed within its time-out."""

    def __init__(self, *, timeout: int) -> None:
        if not 1 <= timeout <= 8388:
            raise ValueError("timeout exceeds 8388")
        self._world = worlds.world()
        self._timeout_ns = timeout * MS
        self._world.scratch[4] = TIMED_OUT
        self._world.watchdog_on = True
        self.feed()

    def feed(self) -> None:
        """Start the time-out anew."""
        world = self._world
        world.watchdog_ns = NEVER if world.bench.broken.watchdog else world.now_ns + self._timeout_ns
        world.look_ahead()


class _Mem32:
    """The registers that the firmware reaches by address: the watchdog's scratch and control registers."""

    def __getitem__(self, address: int) -> int:
        world = worlds.world()
        if address == _CTRL:
            return _ENABLE if world.watchdog_on and not world.bench.broken.watchdog_off else 0
        return world.scratch[_INDEX[address]]

    def __setitem__(self, address: int, value: int) -> None:
        worlds.current.scratch[_INDEX[address]] = value  # type: ignore[union-attr] # twice a tick: no detour


mem32 = _Mem32()


def reset() -> None:
    """A commanded reset. As on the RP2040, it clears the mark by which a time-out is told apart."""
    world = worlds.world()
    world.alive()
    world.scratch[4] = 0
    raise ProcessorStop("commanded")


def reset_cause() -> int:
    """WDT_RESET after a time-out and after a commanded reset alike, as on the RP2040."""
    return PWRON_RESET if worlds.world().cause == "power_on" else WDT_RESET


def unique_id() -> bytes:
    """The 8 bytes by which boards are told apart."""
    return board_id(worlds.world().bench.config.serial)
