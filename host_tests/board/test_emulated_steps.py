"""Pulses on the emulated board: PIO time while the processor works, sleeps or hangs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from rig import MS, STEPPER, S, Script


@pytest.mark.requirement("F1", "F10")
@pytest.mark.parametrize(
    "meanwhile", ["time.sleep_ms(3)", "json.dumps({'a': [1, 2, 3]}); time.sleep_ms(7); gc.collect()"]
)
def test_step_pulses_are_counted_exactly_and_come_at_exact_intervals(script: Script, meanwhile: str) -> None:
    run = script(
        STEPPER
        + f"""
for steps, gap in ((1, 1000), (333, 290), (10, 9000)):
    sm.put(steps | gap << 10)
    end = time.ticks_add(time.ticks_ms(), 1500)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        {meanwhile}
"""
    )
    run.until(6)
    times = list(run.bench.motor.step_times)
    assert run.bench.motor.pulses == len(times) == 344
    gaps = [later - earlier for earlier, later in pairwise(times[1:])]
    trains = (gaps[:332], gaps[333:])
    for intervals, wanted_ns in zip(trains, (2_960_000, 90_060_000), strict=True):
        assert max(abs(interval - wanted_ns) for interval in intervals) <= 1_000
    assert sum(trains[1]) == pytest.approx(9 * 90_060_000, abs=1_000)


@pytest.mark.requirement("F11")
def test_rotor_pulses_reach_the_firmware(script: Script) -> None:
    run = script(
        STEPPER
        + """
hits = 0
def hit(pin):
    global hits
    hits += 1
machine.Pin(8, machine.Pin.IN).irq(hit, machine.Pin.IRQ_RISING)
sm.put(100 | 994 << 10)
time.sleep(2)
print("hits", hits)
"""
    )
    assert run.facts(3.5)["hits"] == str(100 // run.bench.config.steps_per_index)


@pytest.mark.requirement("F11")
def test_a_train_under_way_ends_with_the_word_while_the_processor_hangs(script: Script) -> None:
    run = script(STEPPER + "time.sleep(1)\nsm.put(1000 | 294 << 10)\ntime.sleep(100)\n")
    run.board.at(2 * S, run.board.hang)
    run.until(8)
    times = list(run.bench.motor.step_times)
    assert len(times) == 1000
    assert max(abs(b - a - 3 * MS) for a, b in pairwise(times)) <= 1_000


@pytest.mark.requirement("F15")
def test_the_same_run_twice_gives_the_same_steps_and_the_same_bytes(script: Script) -> None:
    text = (
        STEPPER
        + """
import sys, select
w = machine.WDT(timeout=3000)
poll = select.poll()
poll.register(sys.stdin, select.POLLIN)
while True:
    w.feed()
    sm.put(37 | 2000 << 10)
    end = time.ticks_add(time.ticks_ms(), 1000)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        for _ in poll.ipoll(20):
            sys.stdin.buffer.read(1)
    print(time.ticks_us(), gc.mem_free())
"""
    )

    def once() -> tuple[list[int], bytes]:
        run = script(text)
        board = run.board
        board.at(2 * S + 12_345, lambda: board.send(bytes(range(4, 200)) * 10))
        board.at(4 * S + 77, lambda: board.power_cut(1_234_567_891))
        board.at(8 * S + 3, board.hang)
        for end_s in (1, 3, 5, 14):
            board.run(end_s * S)
        return list(run.bench.motor.step_times), bytes(run.output)

    first, second = once(), once()
    assert len(first[0]) > 200
    assert first == second
