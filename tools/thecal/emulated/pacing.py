"""Keeps a PIO state machine on time while the processor sleeps.

rp2040py skips idle time from alarm to alarm and executes at most one PIO instruction after each, so a pulse
train made while the firmware sleeps would come out many times too slow. A pacer therefore puts an alarm at
each PIO clock of one state machine for as long as that machine has something to do. A delay loop (`jmp y--`
to itself), in which a step train spends nearly all its time, is not walked through: the pacer sleeps until
shortly before its end and then sets the count to what a machine that never stalled would have reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thecal.emulated.chip import Chip

_POLL_NS = 2_000_000  # how late a train may be noticed that begins while the processor sleeps
_MIN_PERIOD_NS = 1_000
_JMP_Y_DEC = 0x0080
_OVERDUE_FP = 16 << 8  # in 1/256 system clocks
_WALKED = 3  # last rounds of a delay loop that are executed one by one


class PioPacer:
    """Paces one state machine of a chip. Call `kick` at each edge that the machine makes."""

    def __init__(self, chip: Chip, block: int, index: int) -> None:
        self._chip = chip
        self._pio = chip.mcu.pio[block]
        self._machine = self._pio.machines[index]
        self._alarm = chip.alarm(self._tick)
        self._pacing = False
        self._skipped: tuple[int, int, int] | None = None  # pc, count at the start, rounds slept through
        self._alarm.schedule(_POLL_NS)

    def kick(self) -> None:
        """The machine has just executed an instruction: pace it from here on."""
        if self._pacing and self._skipped is None:
            return
        period = self._period_ns()
        if period >= _MIN_PERIOD_NS:
            self._pacing = True
            self._skipped = None
            self._alarm.schedule(period)

    def reset(self) -> None:
        """The chip was reset: nothing is under way."""
        self._pacing = False
        self._skipped = None
        self._alarm.schedule(_POLL_NS)

    def _tick(self) -> None:
        period = self._period_ns()
        if not self._busy() or period < _MIN_PERIOD_NS:
            self.reset()
            return
        self._pacing = True
        rounds = 1
        if self._skipped is not None:
            self._catch_up(*self._skipped)
        elif not self._just_executed():
            self._execute_now()
            rounds = self._plan()
        self._alarm.schedule(period * rounds)

    def _just_executed(self) -> bool:
        """An awake processor keeps the machine going, and that may be a few cycles ahead of this alarm."""
        if self._chip.mcu.core.waiting:
            return False
        return self._machine.next_due_fp - self._pio.cycle_fp > self._machine.div_fp // 2

    def _plan(self) -> int:
        """How many rounds can be slept through: more than one if this instruction begins a delay loop."""
        pc, count = self._machine.pc, self._machine.y
        if self._pio.instructions[pc] & 0xFFFF != _JMP_Y_DEC | pc or count <= 2 * _WALKED:
            return 1
        rounds = count - _WALKED
        self._skipped = (pc, count, rounds)
        return rounds

    def _catch_up(self, pc: int, count: int, rounds: int) -> None:
        """The end of a delay loop is near: take off the rounds that were slept through."""
        self._skipped = None
        if self._machine.pc == pc and count - rounds <= self._machine.y <= count:
            self._machine.y = count - rounds
            self._execute_now()

    def _execute_now(self) -> None:
        # So far overdue that the emulator counts the next period from the instruction, not from the time
        # given here: the machine's own time then never comes before the next alarm.
        self._machine.next_due_fp = self._pio.cycle_fp - _OVERDUE_FP
        self._pio.recompute_due()

    def _busy(self) -> bool:
        machine = self._machine
        return machine.enabled and (not machine.waiting or machine.tx_fifo.item_count > 0)

    def _period_ns(self) -> int:
        """One clock of the machine (its divider is in 1/256 of a system clock)."""
        return round(self._machine.div_fp * 1e9 / (256 * self._chip.mcu.clk_sys))
