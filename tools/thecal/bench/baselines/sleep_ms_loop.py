"""Device code: step, work, time.sleep_ms() for the whole interval, again."""

import time


def run(step, count, interval_us, load):
    """See common.measure. The interval is cut to whole milliseconds."""
    for _ in range(count):
        step.value(1)
        step.value(0)
        load.work()
        time.sleep_ms(interval_us // 1_000)
