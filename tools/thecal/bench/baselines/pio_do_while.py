"""Device code: a PIO state machine that counts its pulses with `jmp(x_dec, ...)` behind the pulse, as most examples do:
a do-while loop, which makes one pulse more than the number it was given."""

import time

import rp2

# ruff: noqa: TC004 - the assembler brings the names of its language itself
TYPE_CHECKING = False  # there is no typing module on the board
if TYPE_CHECKING:
    from rp2.asm_pio import block, jmp, label, mov, osr, out, pins, pull, set, wrap, wrap_target, x, x_dec, y, y_dec


@rp2.asm_pio(set_init=rp2.PIO.OUT_LOW, out_shiftdir=rp2.PIO.SHIFT_RIGHT)
def program():
    wrap_target()
    pull(block)
    out(x, 10)
    label("pulse")
    set(pins, 1)
    mov(y, osr)
    set(pins, 0)
    label("gap")
    jmp(y_dec, "gap")
    jmp(x_dec, "pulse")
    wrap()


def run(step, count, interval_us, load):
    """See common.measure. count: up to 1,023."""
    machine = rp2.StateMachine(0, program, freq=100_000, set_base=step)
    machine.active(1)
    machine.put(count | interval_us // 10 - 5 << 10)
    end = time.ticks_add(time.ticks_ms(), (count + 10) * interval_us // 1_000)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        load.go_round()
