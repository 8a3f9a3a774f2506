"""What the pump sounds and shows to the patient (F3): an answer to every press of the DOSE button.

| answer | buzzer, one second each | LED |
|---|---|---|
| accepted | 2 kHz | lit while it sounds |
| denied | 500 Hz, silence, 500 Hz | lit for a minute, as the alarm bolus_denied is of low priority (app.App) |

A high short answer and a low one in two parts: told apart by pitch and by number; by the light alone too, unless it
shines already for another alarm. Seconds are the pump's frames; an answer begins with the next frame, and a new answer
takes the place of one that is not over.
"""

from micropython import const

_HIGH_HZ = const(2_000)
_LOW_HZ = const(500)
_ACCEPTED = (_HIGH_HZ,)
_DENIED = (_LOW_HZ, 0, _LOW_HZ)


class Signals:
    """Buzzer and LED. `steady`: the LED shines, as for an alarm of low priority. `sounded_s`: seconds of sound since
    the start, for the battery."""

    def __init__(self, board):
        """board: sound(hz), led(on)."""
        self._board = board
        self.steady = False
        self.sounded_s = 0
        self._left = ()  # hz of the frames to come
        self._hz = 0
        self._lit = False

    def accepted(self):
        """The patient's bolus will be given."""
        self._left = _ACCEPTED

    def denied(self):
        """The patient's bolus will not be given."""
        self._left = _DENIED

    def frame(self):
        """Once a second: sound and light of the second that begins."""
        hz = 0
        if self._left:
            hz = self._left[0]
            self._left = self._left[1:]
        if hz:
            self.sounded_s += 1
        if hz != self._hz:
            self._hz = hz
            self._board.sound(hz)
        lit = self.steady or hz == _HIGH_HZ
        if lit != self._lit:
            self._lit = lit
            self._board.led(lit)
