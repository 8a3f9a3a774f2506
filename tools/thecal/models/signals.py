"""What the pump lets be heard and seen: its buzzer and its LED, on record (R38)."""

from __future__ import annotations


class Signals:
    """sounds: (true time ns, frequency in hertz, 0 for silence), lights: (true time ns, lit), at every change."""

    def __init__(self) -> None:
        self.sounds: list[tuple[int, int]] = []
        self.lights: list[tuple[int, bool]] = []

    @property
    def hz(self) -> int:
        """What sounds now; 0 is silence."""
        return self.sounds[-1][1] if self.sounds else 0

    @property
    def lit(self) -> bool:
        """Whether the LED is on now."""
        return bool(self.lights) and self.lights[-1][1]

    def sound(self, now_ns: int, hz: int) -> None:
        """The buzzer sounds at hz from now on; 0: it is silent."""
        if self.sounds and self.sounds[-1][0] == now_ns:
            self.sounds.pop()  # one tone follows another without a pause
        if hz != self.hz:
            self.sounds.append((now_ns, hz))

    def shine(self, now_ns: int, lit: bool) -> None:
        """The LED is on or off from now on."""
        if lit != self.lit:
            self.lights.append((now_ns, lit))

    def off(self, now_ns: int) -> None:
        """The processor is in reset: silence and darkness."""
        self.sound(now_ns, 0)
        self.shine(now_ns, False)
