"""What is broken on a pump's own board: faults that its self-test is there for. Only the twin has them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Broken:
    """pins: level at which an output pad is stuck, by pin. watchdog: it never bites. watchdog_off: its timer does not
    let itself be enabled. pwm: the block of the buzzer does not take a frequency.
    """

    pins: dict[int, bool] = field(default_factory=dict)
    watchdog: bool = False
    watchdog_off: bool = False
    pwm: bool = False
