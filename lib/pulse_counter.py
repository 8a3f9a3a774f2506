"""Counts the pulses on a pin in a PIO state machine: the guard's own evidence of what the step generator did.

It must run on the other PIO block than the generator, so that no fault of one program can reach the other. It
costs the processor nothing and sees every pulse of 2 us or more.
"""

import rp2
from micropython import const

# ruff: noqa: TC004 - the assembler brings the names of its language itself
TYPE_CHECKING = False  # there is no typing module on the board
if TYPE_CHECKING:
    from rp2.asm_pio import invert, jmp, label, mov, null, pin, wait, x, x_dec

_CLOCK_HZ = const(1_000_000)
# X counts down from all ones, so its inverse is the count. These two are executed beside the program, which
# they do not disturb: it does not use the ISR.
_COUNT_TO_ISR = rp2.asm_pio_encode("mov(isr, invert(x))", 0)
_PUSH = rp2.asm_pio_encode("push(noblock)", 0)


@rp2.asm_pio()
def pulse_counter():
    mov(x, invert(null))
    label("top")
    wait(0, pin, 0)
    wait(1, pin, 0)
    jmp(x_dec, "top")
    jmp("top")  # only reached after 2**32 pulses


class PulseCounter:
    """Rising edges on one pin since construction."""

    def __init__(self, state_machine_id, step_pin):
        """Load and start the program. Once per state machine and run: MicroPython does not unload programs
        well.
        """
        self._machine = rp2.StateMachine(state_machine_id, pulse_counter, freq=_CLOCK_HZ, in_base=step_pin)
        self._machine.active(1)

    def read(self):
        """Pulses since construction. Allocates nothing below 2**30. Raises OSError if the state machine is
        dead.
        """
        machine = self._machine
        machine.exec(_COUNT_TO_ISR)
        machine.exec(_PUSH)
        if not machine.rx_fifo():  # get() would wait for ever
            raise OSError("pulse counter: no answer")
        return machine.get()
