"""What the pump measures, as counts of the RP2040's 12-bit ADC, and the buttons on its case.

All three inputs are linear in millivolts at the pin: mV = counts * 3300 / 4096.

    pressure (GP26)   500 mV at 0 kPa, 10 mV for each kPa more: up to 280 kPa
    battery  (GP27)   half the battery's voltage
    level    (GP28)   300 mV when the reservoir is empty, 2700 mV when it is full

Channel 4 is the RP2040's own temperature sensor: 706 mV at 27 degC, 1.721 mV less for each degC more (data
sheet 4.9.5).
"""

from __future__ import annotations

from collections.abc import Callable

from thecal.models.fluid import Line, Reservoir

FULL_SCALE = 4096
REFERENCE_MV = 3300
PRESSURE_ZERO_MV = 500
PRESSURE_MV_PER_KPA = 10
BATTERY_DIVIDER = 2
LEVEL_EMPTY_MV = 300
LEVEL_FULL_MV = 2700
_DIE_UV_AT_27 = 706_000
_DIE_UV_PER_C = 1_721


def counts(microvolts: int) -> int:
    """Microvolts at an ADC pin as counts, 0..4095."""
    return min(max(microvolts * FULL_SCALE // (REFERENCE_MV * 1000), 0), FULL_SCALE - 1)


class Sensors:
    """battery_mv: supply in millivolts. temperature_mc: of the pump, in thousandths of a degree Celsius;
    Bench sets it. dose_button: pressed; on_button is called with it at every change.
    """

    def __init__(self, reservoir: Reservoir, line: Line) -> None:
        self.battery_mv = 3_900
        self.temperature_mc = 25_000
        self.on_button: Callable[[bool], None] = lambda pressed: None
        self._dose_button = False
        self._reservoir = reservoir
        self._line = line

    @property
    def dose_button(self) -> bool:
        """Whether the DOSE button is pressed."""
        return self._dose_button

    @dose_button.setter
    def dose_button(self, pressed: bool) -> None:
        if pressed != self._dose_button:
            self._dose_button = pressed
            self.on_button(pressed)

    def adc_counts(self, now_ns: int) -> tuple[int, int, int, int, int]:
        """The five ADC channels at now_ns: pressure, battery, level, nothing, temperature of the RP2040."""
        return (self.pressure_counts(), self.battery_counts(), self.level_counts(), 0, self.die_counts())

    def pressure_counts(self) -> int:
        """Line pressure."""
        return counts(PRESSURE_ZERO_MV * 1000 + self._line.pressure_pa * PRESSURE_MV_PER_KPA)

    def battery_counts(self) -> int:
        """Supply."""
        return counts(self.battery_mv * 1000 // BATTERY_DIVIDER)

    def level_counts(self) -> int:
        """Reservoir."""
        span_uv = (LEVEL_FULL_MV - LEVEL_EMPTY_MV) * 1000
        share_uv = span_uv * self._reservoir.volume_pl // self._reservoir.capacity_pl
        return counts(LEVEL_EMPTY_MV * 1000 + share_uv)

    def die_counts(self) -> int:
        """Temperature."""
        return counts(_DIE_UV_AT_27 - _DIE_UV_PER_C * (self.temperature_mc - 27_000) // 1000)
