"""Bus recovery on wires: a part that was left in the middle of a transaction, in any state it can be in (R23, F11)."""

from __future__ import annotations

import importlib

import pytest

from thecal.twin.install import install

install()
recover_bus = importlib.import_module("at24c256").recover_bus

HOLD_NS = 4_700  # the longest minimum time of the I2C specification in standard mode (UM10204, table 10)
SENDING, RECEIVING, IDLE, LISTENING = "sending", "receiving", "idle", "listening"


class Wires:
    """SDA and SCL with pull-ups, the controller's two pins, and one part that sees every edge."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.sda, self.scl = Line(self), Line(self)
        self.clocks = 0
        self.time_us = 0
        self._seen = (1, 1)

    def level(self, line: Line) -> int:
        held = self.part.holds_sda if line is self.sda else self.part.holds_scl
        return int(line.driven and not held)

    def changed(self) -> None:
        sda, scl = self.level(self.sda), self.level(self.scl)
        old_sda, old_scl = self._seen
        self._seen = (sda, scl)
        if scl and not old_scl:
            self.clocks += 1
            self.part.clock_rises(sda)
        elif old_scl and not scl:
            self.part.clock_falls()
            self._seen = (self.level(self.sda), scl)
        elif scl and sda != old_sda:
            (self.part.stop if sda else self.part.start)()

    def sleep_us(self, us: int) -> None:
        assert us * 1000 >= HOLD_NS
        self.time_us += us


class Line:
    """An open-drain machine.Pin."""

    def __init__(self, wires: Wires) -> None:
        self.wires = wires
        self.driven = 1

    def value(self, level: int | None = None) -> int | None:
        if level is None:
            return self.wires.level(self)
        self.driven = level
        self.wires.changed()
        return None


class Part:
    """A part that was left when it had put `bit` (0..7; 8 is the acknowledge) of a byte on the bus, or received it."""

    holds_scl = False

    def __init__(self, state: str, bit: int, byte: int = 0) -> None:
        self.state = state
        self.bit = bit
        self.byte = byte
        self.received = state == RECEIVING and bit == 8
        self.wrote = False

    @property
    def holds_sda(self) -> bool:
        if self.state == SENDING:
            return self.bit < 8 and not self.byte >> (7 - self.bit) & 1
        return self.state == RECEIVING and self.bit == 8

    def clock_rises(self, sda: int) -> None:
        if self.state == SENDING and self.bit == 8 and sda:
            self.state = IDLE  # no acknowledge: the controller wants no more

    def clock_falls(self) -> None:
        if self.state in (SENDING, RECEIVING):
            self.bit = (self.bit + 1) % 9
            self.received |= self.state == RECEIVING and self.bit == 8

    def start(self) -> None:
        self.state = LISTENING
        self.received = False

    def stop(self) -> None:
        self.wrote |= self.received
        self.state = IDLE


class Stuck(Part):
    """A part that lets go of SDA after `clocks` clocks and knows no rules."""

    def __init__(self, clocks: int) -> None:
        super().__init__(IDLE, 0)
        self.clocks = clocks

    @property
    def holds_sda(self) -> bool:
        return self.clocks > 0

    def clock_falls(self) -> None:
        self.clocks -= 1


def recover(part: Part) -> tuple[bool, Wires]:
    wires = Wires(part)
    free = recover_bus(wires.scl, wires.sda, wires.sleep_us)
    return free, wires


@pytest.mark.requirement("F11", "R23")
@pytest.mark.parametrize("bit", range(9))
def test_a_part_that_was_sending_any_byte_lets_go_and_is_idle(bit: int) -> None:
    for byte in range(256):
        part = Part(SENDING, bit, byte)
        free, wires = recover(part)
        assert free
        assert part.state == IDLE
        assert wires.level(wires.sda) == wires.level(wires.scl) == 1
        assert wires.clocks <= 9


@pytest.mark.requirement("F10", "F11", "R23")
@pytest.mark.parametrize("bit", range(9))
def test_a_part_that_was_receiving_drops_it_and_writes_nothing(bit: int) -> None:
    part = Part(RECEIVING, bit)
    free, wires = recover(part)
    assert free
    assert part.state == IDLE
    assert not part.wrote
    assert wires.level(wires.sda) == wires.level(wires.scl) == 1


@pytest.mark.requirement("F11", "R23")
@pytest.mark.parametrize("clocks", range(1, 10))
def test_sda_held_for_up_to_nine_clocks_is_freed_with_no_more_of_them(clocks: int) -> None:
    free, wires = recover(Stuck(clocks))
    assert free
    assert wires.clocks == clocks


@pytest.mark.requirement("F11", "R23")
def test_sda_held_for_longer_is_reported_after_nine_clocks() -> None:
    free, wires = recover(Stuck(10))
    assert not free
    assert wires.clocks == 9
    assert wires.time_us <= 200


@pytest.mark.requirement("F11", "R23")
def test_scl_held_low_is_reported_in_bounded_time() -> None:
    part = Part(IDLE, 0)
    part.holds_scl = True
    free, wires = recover(part)
    assert not free
    assert wires.time_us <= 200


@pytest.mark.requirement("F11", "R23")
def test_a_free_bus_needs_no_clock() -> None:
    free, wires = recover(Part(IDLE, 0))
    assert free
    assert wires.clocks == 0
