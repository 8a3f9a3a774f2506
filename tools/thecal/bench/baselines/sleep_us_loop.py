"""Device code: the next step is due one interval (a float) after this one was made; the rest is time.sleep_us()."""

import time


def run(step, count, interval_us, load):
    """See common.measure."""
    interval = float(interval_us)
    for _ in range(count):
        due = time.ticks_us() + interval
        step.value(1)
        step.value(0)
        load.work()
        left = int(due) - time.ticks_us()
        if left > 0:
            time.sleep_us(left)
