"""Device code: a step in every callback of machine.Timer, the way of many stepper libraries."""

from machine import Timer


def run(step, count, interval_us, load):
    """See common.measure."""
    left = [count]

    def on_timer(timer):
        step.value(1)
        step.value(0)
        left[0] -= 1
        if left[0] == 0:
            timer.deinit()

    timer = Timer(-1, freq=1_000_000 // interval_us, mode=Timer.PERIODIC, callback=on_timer)
    while left[0] > 0:
        load.go_round()
    timer.deinit()  # it is named down here, as a timer that nobody holds is collected and stops
