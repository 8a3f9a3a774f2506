"""What the step generator still delivers when the processor hangs, on the real state machine (docs/LIMITS.md)."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from rig import MS, START, S, branch

from thecal.build import littlefs_image
from thecal.emulated.board import EmulatedBoard
from thecal.models.bench import Bench, PumpConfig
from thecal.prescription import RateRange
from thecal.prescription_toml import parse_prescription
from thecal.programming import programmed_image

CONFIG = PumpConfig()
DAY_NS = 86_400 * S


@pytest.mark.requirement("F11", "R17", "I11")
@pytest.mark.parametrize("rate", [4_800_000, 28_800_000])
def test_a_hung_processor_leaves_four_times_a_second_of_steps_at_most_all_demanded(
    rate: int, image: Path, built: Path
) -> None:
    """At ten instants of dosing. `whole`: whole steps in a second of flow. Rates in nL/day."""
    whole = rate * 5 // 432 // CONFIG.pl_per_step
    rx = parse_prescription(
        {"patient": "bench-07", "drug": "saline", "mode": "continuous", "basal": f"{rate} nL/day"},
        RateRange(CONFIG.min_rate, CONFIG.max_rate),
    )
    bench = Bench(CONFIG, START, seed=1)
    bench.eeprom.load(programmed_image(CONFIG, rx, START))
    board = EmulatedBoard(bench, image, littlefs_image(built))
    motor = bench.motor
    while not motor.drive:
        board.run(board.now_ns() + 10 * MS)
    began = board.now_ns()

    def hang() -> str:
        before, at = motor.pulses, board.now_ns()
        board.hang()
        while not board.resets["watchdog"]:
            board.run(board.now_ns() + 100 * MS)
            assert motor.pulses * CONFIG.pl_per_step * DAY_NS <= rate * 1_000 * (at - began + S)
        assert board.now_ns() - at <= 8.5 * S
        assert not motor.drive
        return str(motor.pulses - before)

    random = Random(rate)
    left: list[int] = []
    for second in range(10):
        board.run(began + 2 * S + second * 600 * MS + random.randrange(600 * MS))
        told = branch(hang)
        assert told.isdecimal(), told
        left.append(int(told))
    assert max(left) <= 4 * (whole + 1)
    assert max(left) <= whole + 1  # no tick is late here: one word
    assert max(left) >= max(1, whole // 2)  # which is made to its end
