"""The disclosed maximum: the most that a single fault may deliver beyond the demand, in steps, by what was injected.

The rows of docs/LIMITS.md, "The disclosed maximum"; a test holds the two against each other. This is the one place of
the campaign that says so.
"""

from __future__ import annotations

from collections.abc import Callable

from thecal.faults.life import Life

LATENCY_US = 50_000  # from a tick's command until the guard behind it has cut DRIVE
EXPOSED_US = LATENCY_US + 5_000
TRAIN_US = 990_000  # a word, in time
PERIOD_US = 1_000_000
WORD_MAX = 1_023
_PRESSES = 2
_LEAP_S = 9
Steps = Callable[[Life], int]


def nothing(_: Life) -> int:
    """All that cannot add a step: time, tasks, exceptions, parts that fail; and a hung processor."""
    return 0


def sums(_: Life) -> int:
    """Any variable: the first step of a word, and what comes of 1,023 in it before the guard has cut DRIVE."""
    return 1 + EXPOSED_US * WORD_MAX // TRAIN_US


def count(life: Life) -> int:
    """A bit of a command word, or of the generator's count: a step when the word should be over, and what comes at the
    word's pace until the guard has cut DRIVE. The word of a late tick may have twice the pace."""
    steps_a_second = life.peak_pl_s() // life.size_pl + 1
    return 1 + (PERIOD_US - TRAIN_US + EXPOSED_US) * 2 * steps_a_second // TRAIN_US


def leap(life: Life) -> int:
    """The processor's milliseconds leap: an edge of the schedule comes late, by less than the watchdog needs to bite
    and a second."""
    return -(-_LEAP_S * life.peak_pl_s() // life.size_pl)


def presses(life: Life) -> int:
    """A DOSE button that is pressed by nobody: the patient boluses that lockout and limits allow. The lockout of a life
    is 10 minutes, and it is followed for 20 at most."""
    if life.kind != "patient":
        return 0
    return -(-_PRESSES * life.boluses[0][2] * 1_000 // life.size_pl)


def word(_: Life) -> int:
    """A command word that is wrong as a whole, as it may be when any of the processor's memory changes."""
    return WORD_MAX


AT_ONCE = (sums, count, word)  # a second after the first step of these the guard has cut DRIVE: nothing more comes
