"""Step pulses made by a PIO state machine: exactly as many as each command word says, at exact intervals,
then none.

A processor that hangs cannot make it step on: it comes to rest after the words it was given, of which the one
under way and one more can be left. A command word has the number of steps in its low ten bits and the length
of the gap above.
"""

import rp2
from micropython import const

# ruff: noqa: TC004 - the assembler brings the names of its language itself
TYPE_CHECKING = False  # there is no typing module on the board
if TYPE_CHECKING:
    from rp2.asm_pio import block, jmp, label, mov, osr, out, pins, pull, set, wrap, wrap_target, x, x_dec, y, y_dec

_CLOCK_HZ = const(100_000)
_RESOLUTION_US = const(10)  # one instruction
_OVERHEAD = const(6)  # instructions of one step beside the rounds of its gap
_COUNT_BITS = const(10)
_MAX_STEPS = const(1023)
_MAX_GAP = const(0xFFFFF)  # keeps the word within a small integer, below 2**30: handing it over allocates nothing


@rp2.asm_pio(set_init=rp2.PIO.OUT_LOW, out_shiftdir=rp2.PIO.SHIFT_RIGHT)
def step_train():
    wrap_target()
    label("again")
    pull(block)
    out(x, 10)  # the number of steps; the gap stays in the OSR
    label("loop")
    jmp(x_dec, "pulse")  # tested before the first step: 0 makes none, N makes N
    jmp("again")
    label("pulse")
    set(pins, 1)  # high for 20 us
    mov(y, osr)
    set(pins, 0)
    label("gap")
    jmp(y_dec, "gap")
    jmp("loop")
    wrap()


class StepTrain:
    """Trains of 0..1023 steps on one pin."""

    MAX_STEPS = 1023
    RESOLUTION_US = 10
    MIN_INTERVAL_US = 60
    MAX_INTERVAL_US = 10_485_810

    def __init__(self, state_machine_id, step_pin):
        """Load and start the program. Once per state machine and run: MicroPython does not unload programs
        well.
        """
        self._machine = rp2.StateMachine(state_machine_id, step_train, freq=_CLOCK_HZ, set_base=step_pin)
        self._machine.active(1)

    def idle(self):
        """Whether no train waits. The last one may still be under way. Allocates nothing."""
        return self._machine.tx_fifo() == 0

    def start(self, steps, interval_us):
        """Make `steps` steps, `interval_us` from one rising edge to the next, after the train under way.

        interval_us is rounded down to RESOLUTION_US. Returns False, and does nothing, if a train is waiting
        already. Never waits and allocates nothing. Raises ValueError for a train out of range.
        """
        if not 0 <= steps <= _MAX_STEPS:
            raise ValueError("steps = %d: 0 to %d" % (steps, _MAX_STEPS))
        gap = interval_us // _RESOLUTION_US - _OVERHEAD
        if not 0 <= gap <= _MAX_GAP:
            raise ValueError("interval_us = %d: %d to %d" % (interval_us, self.MIN_INTERVAL_US, self.MAX_INTERVAL_US))
        machine = self._machine
        if machine.tx_fifo():
            return False
        machine.put(steps | gap << _COUNT_BITS)
        return True
