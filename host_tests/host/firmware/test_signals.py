"""What the patient hears and sees after a press (F3)."""

from __future__ import annotations

import pytest

from firmware.signals import Signals


class Recorder:
    """What sounds and shines, second by second."""

    def __init__(self) -> None:
        self.hz = 0
        self.lit = False
        self.signals = Signals(self)

    def sound(self, hz: int) -> None:
        assert hz != self.hz, "a tone that goes on must not begin anew"
        self.hz = hz

    def led(self, on: bool) -> None:
        self.lit = on

    def seconds(self, count: int) -> list[tuple[int, bool]]:
        heard = []
        for _ in range(count):
            self.signals.frame()
            heard.append((self.hz, self.lit))
        return heard


SILENT = (0, False)
ACCEPTED = [(2_000, True)]
DENIED = [(500, False), SILENT, (500, False)]


@pytest.mark.requirement("F3")
def test_the_two_answers_differ_in_pitch_number_and_light() -> None:
    pump = Recorder()
    assert pump.seconds(3) == [SILENT] * 3
    pump.signals.accepted()
    assert pump.seconds(4) == [*ACCEPTED, SILENT, SILENT, SILENT]
    pump.signals.denied()
    assert pump.seconds(5) == [*DENIED, SILENT, SILENT]
    assert pump.signals.sounded_s == 3


@pytest.mark.requirement("F3")
def test_a_new_answer_takes_the_place_of_the_old_one() -> None:
    pump = Recorder()
    pump.signals.denied()
    assert pump.seconds(1) == DENIED[:1]
    pump.signals.accepted()
    assert pump.seconds(2) == [*ACCEPTED, SILENT]
    pump.signals.accepted()
    pump.signals.denied()
    assert pump.seconds(4) == [*DENIED, SILENT]


@pytest.mark.requirement("F11")
def test_a_steady_light_stays_through_every_answer() -> None:
    pump = Recorder()
    pump.signals.steady = True
    pump.signals.denied()
    assert pump.seconds(4) == [(500, True), (0, True), (500, True), (0, True)]
    pump.signals.steady = False
    assert pump.seconds(1) == [SILENT]
