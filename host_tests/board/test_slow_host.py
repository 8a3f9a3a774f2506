"""A host that hardly reads, and a hang while the pump starts: neither stops the pump for good (invariants 7 and 9)."""

from __future__ import annotations

import pytest
from rig import MS, Pump, S
from support import continuous, on_twin, scenario

from thecal.sim import Simulation, make_bench

PLAN = scenario(continuous("10 mL/day"), "40 s")


@pytest.mark.requirement("F12", "I7", "I9")
def test_a_host_that_takes_a_packet_a_second_starves_neither_watchdog_nor_motor(board: Pump) -> None:
    quiet = on_twin(PLAN)
    pump = board(make_bench(PLAN), seed=1)
    run = Simulation(PLAN, pump)
    usb = pump.chip.cdc.usb
    pump.at(5 * S, lambda: setattr(usb, "write_delay_microseconds", 900_000))  # of each packet that the host takes
    for second in range(5, 35, 2):
        pump.at(second * S, lambda: pump.send(b"status\rlog 20\rhelp\r"))
    result = run.run(lambda share: None)
    assert pump.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}
    assert len(result.step_times_ns) == len(quiet.step_times_ns)
    apart = [abs(a - b) for a, b in zip(result.step_times_ns, quiet.step_times_ns, strict=True)]
    assert max(apart) <= S


@pytest.mark.requirement("F11", "R27", "I9")
@pytest.mark.parametrize("after_bite_ms", [350, 1_000])
def test_a_second_hang_while_the_pump_starts_is_bitten_too(after_bite_ms: int, board: Pump) -> None:
    pump = board(make_bench(PLAN), seed=1)
    bites: list[int] = []
    inner = pump.chip.on_watchdog

    def bitten(timed_out: bool) -> None:
        bites.append(pump.now_ns())
        inner(timed_out)
        if len(bites) == 1:
            pump.at(pump.now_ns() + after_bite_ms * MS, pump.hang)

    pump.chip.on_watchdog = bitten
    pump.at(10 * S, pump.hang)
    pump.run(40 * S)
    assert len(bites) == 2
    assert bites[1] - bites[0] <= after_bite_ms * MS + 8.4 * S
    assert pump.bench.motor.step_times[-1] > bites[1]
