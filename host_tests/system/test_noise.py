"""Nothing that comes in on the console disturbs dosing (invariant 7; F12)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import S, continuous, flex, on_twin, scenario

from thecal.sim import Simulation, make_bench
from thecal.twin.twin import Twin

THERAPY = flex("3 mL/day", ("mon", "00:01", "00:02", "20 mL/day"))


@pytest.mark.requirement("F12")
def test_ten_megabytes_of_noise_change_no_step() -> None:
    flood = {"at": "10 s", "do": "console_flood", "for": "101 s"}
    quiet = on_twin(scenario(THERAPY, "3 min"))
    noisy = on_twin(scenario(THERAPY, "3 min", flood))
    assert noisy.step_times_ns == quiet.step_times_ns
    assert noisy.summary == quiet.summary
    assert noisy.summary.state == "dosing"


@pytest.mark.requirement("F12")
def test_the_flood_is_ten_megabytes_and_each_line_of_it_is_refused_with_a_reason() -> None:
    plan = scenario(THERAPY, "3 min", {"at": "10 s", "do": "console_flood", "for": "101 s"})
    twin = Twin(make_bench(plan), plan.seed)
    sent = 0
    plain_send = twin.send

    def counting_send(data: bytes) -> None:
        nonlocal sent
        sent += len(data)
        plain_send(data)

    twin.send = counting_send  # type: ignore[method-assign]
    result = Simulation(plan, twin).run(lambda share: None)
    assert sent >= 10_000_000
    lines = result.console.decode("ascii").split("\r\n")
    reasons = [line for line in lines if line.startswith("error: ")]
    assert len(reasons) > 10_000
    assert "ok" not in lines
    named = (
        "printable ASCII only",
        "line too long",
        "no such command",
        "is needed",
        "nothing is staged",
        "30 to",
        "60 min",
    )
    for reason in reasons:
        assert any(word in reason for word in (*named, ": ")), reason


@pytest.mark.requirement("F12")
@settings(max_examples=40)
@given(chunks=st.lists(st.tuples(st.integers(3_000, 55_000), st.binary(min_size=1, max_size=400)), max_size=8))
def test_random_bytes_at_random_times_change_no_step(chunks: list[tuple[int, bytes]]) -> None:
    plan = scenario(continuous("10 mL/day"), "1 min")
    quiet = on_twin(plan)
    twin = Twin(make_bench(plan), plan.seed)
    for at_ms, data in chunks:
        twin.at(at_ms * 1_000_000, lambda data=data: twin.send(data))
    noisy = Simulation(plan, twin).run(lambda share: None)
    assert noisy.step_times_ns == quiet.step_times_ns


@pytest.mark.requirement("F12")
def test_control_characters_are_bytes_like_any_other() -> None:
    plan = scenario(continuous("10 mL/day"), "1 min")
    quiet = on_twin(plan)
    twin = Twin(make_bench(plan), plan.seed)
    for second in range(60):
        twin.at(second * S, lambda: twin.send(b"\x01\x02\x03\x04\x05"))
    noisy = Simulation(plan, twin).run(lambda share: None)
    assert noisy.step_times_ns == quiet.step_times_ns
    assert b">>>" not in noisy.console
    assert noisy.summary.resets == {"power_on": 1, "watchdog": 0, "commanded": 0}


@pytest.mark.requirement("F12")
@pytest.mark.parametrize("stop_after", range(1, 17))
def test_a_truncated_command_does_nothing(stop_after: int) -> None:
    line = b"stop for 30 min\r"
    plan = scenario(continuous("10 mL/day"), "1 min")
    quiet = on_twin(plan)
    twin = Twin(make_bench(plan), plan.seed)
    # The rest of the line never comes; Ctrl-U is what the next tool begins with.
    twin.at(20 * S, lambda: twin.send(line[:stop_after] + b"\x15"))
    cut = Simulation(plan, twin).run(lambda share: None)
    whole = line[:stop_after] == line
    assert (cut.step_times_ns == quiet.step_times_ns) is not whole
