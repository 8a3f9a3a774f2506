"""Buzzer and LED on record, second by second, and a processor that may be busy."""

from __future__ import annotations

from firmware.signals import Signals

WRAP = 1 << 30
HIGH, MEDIUM, LOW = "high", "medium", "low"
Second = tuple[int, bool]


class Recorder:
    """What sounds and shines, second by second. `lights`: (ms, lit) at every change. The processor takes up to
    `busy_ms` before it sees to the light."""

    def __init__(self, busy_ms: int = 0) -> None:
        self.hz = 0
        self.lit = False
        self.now_ms = 0
        self.lights: list[tuple[int, bool]] = []
        self.turns = 0
        self.priority: str | None = None
        self.fresh = False
        self._busy_ms = busy_ms
        self.signals = Signals(self)

    def sound(self, hz: int) -> None:
        assert hz != self.hz, "a tone that goes on must not begin anew"
        self.hz = hz

    def led(self, on: bool) -> None:
        assert on != self.lit
        self.lit = on
        self.lights.append((self.now_ms, on))

    def ticks_ms(self) -> int:
        return (self.now_ms + WRAP - 5_000) % WRAP  # a wrap after five seconds

    @staticmethod
    def ticks_add(ticks: int, delta: int) -> int:
        return (ticks + delta) % WRAP

    @staticmethod
    def ticks_diff(end: int, start: int) -> int:
        return (end - start + WRAP // 2) % WRAP - WRAP // 2

    def alarm(self, priority: str | None, fresh: bool = True) -> None:
        """From now on this is the highest priority of the active alarms."""
        self.priority, self.fresh = priority, fresh

    def second(self) -> Second:
        """One second, with as many turns as the light asks for."""
        end = self.now_ms + 1_000
        self.signals.frame(self.priority, self.fresh)
        self.fresh = False
        heard = self.hz, self.lit
        while self.now_ms < end:
            self.turns += 1
            patience = self.signals.blink()
            assert 0 < patience <= 1_000
            self.now_ms = min(end, self.now_ms + patience + self._busy_ms)
        return heard

    def seconds(self, count: int) -> list[Second]:
        return [self.second() for _ in range(count)]

    def tones(self, count: int) -> dict[int, list[int]]:
        """Tones without a pause between them, by the second in which the first began."""
        found: dict[int, list[int]] = {}
        begin = -1
        for number in range(count):
            hz, _ = self.second()
            if hz:
                begin = number if begin < 0 else begin
                found.setdefault(begin, []).append(hz)
            else:
                begin = -1
        return found


SILENT = (0, False)
ACCEPTED = [(2_000, True)]
DENIED = [(500, False), SILENT, (500, False)]
ALARM = {HIGH: [1_000, 1_500, 1_000], MEDIUM: [1_000]}
EVERY_S = {HIGH: 600, MEDIUM: 3_600}
