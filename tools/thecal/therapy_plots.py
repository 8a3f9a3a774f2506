"""The pictures of docs/THERAPY.md: each scenario of examples/therapy, run on the twin (`make therapy-plots`).

`python -m thecal.therapy_plots [SCENARIO...] [--out FOLDER]` draws other scenarios the same way.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from thecal.paths import ROOT
from thecal.plot import Infusion, draw
from thecal.scenario import Scenario, ScenarioError, load_scenario
from thecal.scenario_event_types import Command, Event, Hang, PowerCut, Program, Refill, SetClock
from thecal.sim import Result, make_bench, simulate
from thecal.therapy_demand import demand_of
from thecal.twin.twin import Twin

EXAMPLES = ROOT / "examples" / "therapy"
PICTURES = ROOT / "docs" / "therapy"
SHOWS = "Shows"  # the key of the text in a picture by which check() knows what it shows
_SIZE, _DPI = (10, 4.6), 90
_MIN_NS = 60 * 10**9
_QUIET = ("program", "score", "status", "log")  # lines that need no label


def run(scenario: Scenario) -> Result:
    """The scenario on the twin."""
    twin = Twin(make_bench(scenario), scenario.seed)
    try:
        return simulate(scenario, twin)
    finally:
        twin.close()


def infusion_of(scenario: Scenario, result: Result, title: str) -> Infusion:
    """What there is to draw: demand and delivery, boluses by kind, what was done, and what was denied or skipped."""
    demand = demand_of(scenario, result)
    told = [(event.at_ns, _done(event)) for event in scenario.events]
    told += [(event.t_ns, _told(event.code, event.details)) for event in result.events]
    refused = [(event.t_ns, _refused(event.code, event.details)) for event in result.events]
    return Infusion(
        duration_ns=scenario.duration_ns,
        pl_per_step=scenario.pump.pl_per_step,
        demand=demand.total(),
        step_times_ns=result.step_times_ns,
        events=sorted(entry for entry in told if entry[1]),
        off_spans=[(before[1], after[0]) for before, after in pairwise(result.powered)],
        title=title,
        boluses=[flow.drawn() for flow in demand.flows],
        refused=[entry for entry in refused if entry[1]],
        start=scenario.start,
        time_label="local time, had nobody set the clock" if _is_set(scenario) else "local time",
    )


def _is_set(scenario: Scenario) -> bool:
    lines = [event.line for event in scenario.events if isinstance(event, Command)]
    return any(isinstance(event, SetClock) for event in scenario.events) or any("clock set" in line for line in lines)


def _done(event: Event) -> str:
    """The label of what the scenario does; none where the log tells what came of it."""
    if isinstance(event, PowerCut):
        return f"power cut, {_span(event.for_ns)}"
    if isinstance(event, SetClock):
        return f"clock {'+' if event.by_s > 0 else '-'}{_span(abs(event.by_s) * 10**9)}"
    if isinstance(event, Command):
        return "" if event.line.startswith(_QUIET) else event.line
    if isinstance(event, Program):
        rx = event.prescription
        new = f"{rx.drug} {rx.source.get('concentration', '')}".strip() if rx else "a prescription that is refused"
        return f"commit: {new}"
    if isinstance(event, Refill):
        return f"refill {event.volume_nl / 1_000_000:g} mL"
    return "processor hangs" if isinstance(event, Hang) else ""


def _span(ns: int) -> str:
    minutes = ns / _MIN_NS
    return f"{minutes / 60:g} h" if minutes >= 60 else f"{minutes:g} min" if minutes >= 1 else f"{ns / 1e9:g} s"


def _told(code: str, details: Any) -> str:
    """The label of an event of the log."""
    if code == "alarm" and details["alarm"] != "bolus_denied":
        return f"alarm {details['alarm']}"
    if code in ("bridge_end", "trial_end"):
        return f"{code.removesuffix('_end')} ends"
    return {"bridge": "bridge begins", "bolus_suspended": "set aside", "bolus_resumed": "resumed"}.get(code, "")


def _refused(code: str, details: Any) -> str:
    if code == "bolus_denied":
        return f"{details['kind']} denied: {details['reason']}"
    return f"skipped: {details['reason']}" if code == "bolus_skipped" else ""


def shows(path: Path, infusion: Infusion) -> str:
    """A number for what a picture shows: its scenario and everything that is written in it."""
    words = [label for _, label in (*infusion.events, *infusion.refused)]
    words += [bolus.kind for bolus in infusion.boluses]
    return hashlib.sha256(path.read_bytes() + "\n".join(words).encode()).hexdigest()[:16]


def picture(path: Path, folder: Path) -> Path:
    """Run the scenario of a file and draw it into a folder. Raises ScenarioError. Returns the picture's path."""
    scenario = load_scenario(path)
    infusion = infusion_of(scenario, run(scenario), path.stem.replace("_", " "))
    target = folder / f"{path.stem}.png"
    draw(target, infusion, _SIZE, _DPI, {SHOWS: shows(path, infusion)})
    return target


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Exit status: 0 done, 2 a scenario was refused or FOLDER cannot be written."""
    parser = argparse.ArgumentParser(prog="thecal.therapy_plots", description="Draw scenarios.")
    parser.add_argument("scenarios", nargs="*", type=Path, metavar="SCENARIO", help="default: examples/therapy")
    parser.add_argument("--out", type=Path, metavar="FOLDER", default=PICTURES, help="default: docs/therapy")
    options = parser.parse_args(arguments)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for path in options.scenarios or sorted(EXAMPLES.glob("*.toml")):
            print(picture(path, options.out), flush=True)
    except (ScenarioError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
