"""The benchmark's own reckoning: a figure that could not show a fault would be worth nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

from thecal.bench import interrupted
from thecal.bench.__main__ import write
from thecal.bench.figures import FIGURES, WAY_FIGURES, WAYS, Figure
from thecal.bench.interrupted import over_delivery, scenarios
from thecal.bench.rig import MeasurementError, Rig, continuous, therapy
from thecal.bench.twin_run import TwinRun, drift_steps
from thecal.models.bench import Bench, PumpConfig
from thecal.paths import ROOT
from thecal.scenario import Scenario
from thecal.sim import make_bench

pytestmark = pytest.mark.requirement("T5")

S = 1_000_000_000
DAY_NS = 86_400 * S
RATE = 86_400_000  # nL/day: 1,000,000 pL a second


def documented() -> str:
    return (ROOT / "docs" / "BENCHMARKS.md").read_text("utf-8")


@pytest.mark.parametrize("figure", [figure for figure in FIGURES if not figure.key.startswith("baseline_")])
def test_every_figure_is_explained_with_its_target(figure: Figure) -> None:
    rows = [line for line in documented().splitlines() if line.startswith(f"| `{figure.key}`")]
    assert len(rows) == 1
    assert figure.target() in rows[0]


@pytest.mark.parametrize("part", [*(f"`baseline_{way}_*`" for way in WAYS), *(f"`*_{name}`" for name in WAY_FIGURES)])
def test_every_part_of_a_baseline_key_is_explained(part: str) -> None:
    assert part in documented()


@pytest.mark.parametrize(
    ("figure", "value", "met"),
    [
        (Figure("a", "us", most=5), 5, True),
        (Figure("a", "us", most=5), 5.001, False),
        (Figure("a", "years", least=10), 10, True),
        (Figure("a", "years", least=10), 9.9, False),
        (Figure("a", "us"), 1e9, None),
    ],
)
def test_a_target_is_met_up_to_its_limit(figure: Figure, value: float, met: bool | None) -> None:
    assert figure.met(value) is met


def test_figures_are_written_flat_in_their_order(tmp_path: Path) -> None:
    write(tmp_path / "new" / "bench.json", {"tick_us_max": 3, "tick_us_p50": 2.00049})
    content = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert list(content.items()) == [("tick_us_p50", 2.0), ("tick_us_max", 3)]


def test_a_figure_that_is_not_explained_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="no such figure: speed"):
        write(tmp_path / "bench.json", {"speed": 1})
    assert not (tmp_path / "bench.json").exists()


@pytest.mark.parametrize(
    ("made", "wrong"),
    [(100_000, 0), (99_997, 0), (100_001, 1), (100_010, 10), (99_996, 1), (99_900, 97), (0, 99_997)],
)
def test_steps_beyond_the_permitted_lag_are_drift(made: int, wrong: int) -> None:
    bench = Bench(PumpConfig(pl_per_step=1_000_000), continuous("1 mL/day").start, seed=1)
    bench.motor.drive = True
    bench.motor.steps_at(0, 1, made)
    # One step falls due in each of 100,000 s; it may lag by one step and by two seconds of flow.
    assert drift_steps(TwinRun(bench, 7 * S, 100_007 * S, 1.0), RATE) == wrong


@dataclass
class Simulated:
    """What over_delivery() looks at in the result of a simulation."""

    step_times_ns: list[int]
    powered: list[tuple[int, int]]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`judged(scenario, steps, powered)`: over_delivery() of a simulation that gave these steps."""

    def judge(scenario: Scenario, steps: list[int], powered: list[tuple[int, int]]) -> int:
        monkeypatch.setattr(interrupted, "simulate", lambda *_: Simulated(steps, powered))
        return over_delivery(scenario)

    return judge


def steps_at(seconds: list[float]) -> list[int]:
    return [round(second * S) for second in seconds]


# 25,000 pL a step at 2,160 uL/day: a step each second
STEADY = continuous("2160 uL/day")


@pytest.mark.parametrize(
    ("seconds", "ahead"),
    [
        ([1, 2, 3], 0),
        ([1.5, 2.5, 3.5], 0),
        ([1, 1.999_999, 3], 1),
        ([0.5], 1),
        ([1, 1, 1, 1, 5, 6], 3),
        ([*range(1, 11), 10], 1),
    ],
)
def test_a_step_before_its_volume_is_demanded_is_over_delivery(
    judged: Callable[..., int], seconds: list[float], ahead: int
) -> None:
    assert judged(STEADY, steps_at(seconds), [(0, 10 * S)]) == ahead


def test_time_without_power_demands_nothing(judged: Callable[..., int]) -> None:
    powered = [(0, 3 * S), (8 * S, 12 * S)]
    assert judged(STEADY, steps_at([1, 2, 3, 9, 10]), powered) == 0
    assert judged(STEADY, steps_at([1, 2, 3, 9, 9.1]), powered) == 1


def test_a_period_demands_its_own_rate(judged: Callable[..., int]) -> None:
    period = {"days": "daily", "from": "00:01", "to": "00:02", "rate": "2160 uL/day"}
    scenario = therapy({"mode": "flex", "basal": "0 uL/day", "period": [period]})
    assert judged(scenario, steps_at([61, 62]), [(0, DAY_NS)]) == 0
    assert judged(scenario, steps_at([60.9]), [(0, DAY_NS)]) == 1
    assert judged(scenario, steps_at([*range(61, 121), 200]), [(0, DAY_NS)]) == 1


def test_scenarios_differ_and_repeat() -> None:
    first, second = scenarios(4), scenarios(4)
    assert first == second
    assert len({(one.prescription, one.events) for one in first}) == 4
    kinds = {type(event).__name__ for one in first for event in one.events}
    assert kinds == {"PowerCut", "Hang", "Command", "ConsoleFlood"}


def test_the_exact_demand_is_that_of_the_scenario() -> None:
    assert Fraction(STEADY.prescription.basal_nl_day * 1_000, 86_400) == make_bench(STEADY).config.pl_per_step


@pytest.mark.parametrize(
    ("output", "report"),
    [
        (b"\r\n#a 1 2\r\nnoise\r\n#a 3\r\n#done 1\r\n", {"a": ["1", "2", "3"], "done": ["1"]}),
        (b"error: #a 1\r\n#b", {"b": []}),
    ],
)
def test_reports_are_read_line_by_line(output: bytes, report: dict[str, list[str]]) -> None:
    assert Rig.report(SimpleNamespace(output=output)) == report  # type: ignore[arg-type]
