"""Device code: this project's step generator, lib/step_train.py: one command word, and hardware does the rest."""

import time

from step_train import StepTrain


def run(step, count, interval_us, load):
    """See common.measure. count: up to StepTrain.MAX_STEPS."""
    StepTrain(0, step).start(count, interval_us)
    end = time.ticks_add(time.ticks_ms(), (count + 10) * interval_us // 1_000)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        load.go_round()
