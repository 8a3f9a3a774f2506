"""The demo: a day of therapy on the twin, its balance in exact numbers, and its picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from thecal.demand import demanded_nl
from thecal.outputs import LoggedEvent
from thecal.paths import ROOT
from thecal.plot import draw
from thecal.scenario import Scenario
from thecal.scenario_event_types import Hang, PowerCut
from thecal.sim import Result
from thecal.therapy_demand import demand_of
from thecal.therapy_plots import infusion_of

SCENARIO = ROOT / "examples" / "demo.toml"
_S = 1_000_000_000
_STOPS = ("stop", "stall")


@dataclass(frozen=True)
class Run:
    """The pump from one power-on to the next power cut: exactly demanded and truly delivered volume (nL), and what the
    pump itself says is in doubt after a stall, as its motor may not have followed."""

    first_ns: int
    last_ns: int
    demanded_nl: Fraction
    delivered_nl: int
    doubtful_nl: int

    @property
    def difference_nl(self) -> Fraction:
        """Demanded and not delivered."""
        return self.demanded_nl - self.delivered_nl

    def balances(self, step_nl: Fraction) -> bool:
        """Whether the difference is below one step, beside what is in doubt."""
        return 0 <= self.difference_nl < step_nl + self.doubtful_nl


class Span(NamedTuple):
    """A time (ns) in which the pump dosed without interruption.

    It begins on the whole second that the pump says it began on, and is cut short at `cut`. What the seconds up to
    `complete` demanded has been stepped by then: a second is dosed in the second that follows it.
    """

    begin: int
    complete: int
    cut: int


def dosing_spans(scenario: Scenario, result: Result) -> list[Span]:
    """When the pump dosed, from its own log and from what the scenario did to it."""
    ends = [event.at_ns for event in scenario.events if isinstance(event, PowerCut | Hang)]
    ends += [_second(scenario, event) for event in result.events if event.code in _STOPS]
    ends.append(scenario.duration_ns)
    begins = [_second(scenario, event) for event in result.events if event.code == "boot"]
    begins += [_second(scenario, event) + _S for event in result.events if event.code in ("stop_end", "resume")]
    spans = []
    for begin in sorted(begins):
        end = min(end for end in ends if end > begin)
        stopped = any(event.code in _STOPS and _second(scenario, event) == end for event in result.events)
        spans.append(Span(begin, end if stopped else end - end % _S - _S, end))
    return spans


def _second(scenario: Scenario, event: LoggedEvent) -> int:
    """The whole second, as ns since start, that the pump's clock showed at an event."""
    shown = datetime.fromisoformat(event.rtc.split(".")[0])
    return int((shown - scenario.start).total_seconds()) * _S


def runs(scenario: Scenario, result: Result) -> Iterator[Run]:
    """The balance of each run from power-on to power cut, or to the end."""
    spans = dosing_spans(scenario, result)
    boluses = demand_of(scenario, result).flows
    for first, last in result.powered:
        demanded = Fraction(0)
        for span in spans:
            if first <= span.begin < last:
                begin, end = span.begin, span.complete
                demanded += demanded_nl(scenario.prescription, scenario.pump, scenario.start, begin, end)
                demanded += sum((bolus.given_nl(begin, end) for bolus in boluses), Fraction(0))
        steps = sum(1 for t in result.step_times_ns if first <= t < last)
        stalls = [event for event in result.events if event.code == "stall"]
        doubtful = sum(int(event.details["volume_nl"]) for event in stalls if first <= _second(scenario, event) < last)
        yield Run(first, last, demanded, steps * scenario.pump.pl_per_step // 1000, doubtful)


def picture(scenario: Scenario, result: Result, path: Path) -> None:
    """Draw demand, delivery and events."""
    path.parent.mkdir(parents=True, exist_ok=True)
    title = f"{scenario.prescription.drug}, {scenario.prescription.mode}: demanded and delivered"
    draw(path, infusion_of(scenario, result, title))


def report(scenario: Scenario, result: Result, console: Console) -> bool:
    """Print the balance and what happened. Returns whether every run is within one step."""
    step_nl = Fraction(scenario.pump.pl_per_step, 1000)
    table = Table(title="Demanded and delivered from each power-on to the next cut, nL", box=SIMPLE_HEAD)
    for name in ("from", "to", "demanded", "delivered", "difference", "in doubt", "balances"):
        table.add_column(name, justify="right")
    good = True
    for run in runs(scenario, result):
        within = run.balances(step_nl)
        good = good and within
        table.add_row(
            _clock(scenario, run.first_ns),
            _clock(scenario, run.last_ns),
            f"{float(run.demanded_nl):,.1f}",
            f"{run.delivered_nl:,}",
            f"{float(run.difference_nl):,.1f}",
            f"{run.doubtful_nl:,}",
            "yes" if within else "NO",
        )
    console.print(table)
    console.print(
        "Demanded: exact, over the whole seconds in which the pump dosed. The start (about 2 s), the "
        "hang, the stop, the time after a stall and the second in progress at a cut are not in it; the pump logs what "
        "it missed. In doubt: what it counted since the rotor was last seen to move; some of it was delivered. "
        f"It balances if the difference, but for what is in doubt, is below a step, {float(step_nl):g} nL."
    )
    story = Table(title="What happened, in the pump's own words")
    for name in ("pump time", "severity", "event", "details"):
        story.add_column(name)
    for event in result.events:
        details = ", ".join(f"{key} {value}" for key, value in event.details.items())
        story.add_row(event.rtc, event.severity, event.code, details)
    console.print(story)
    summary = result.summary
    console.print(
        f"Ledger {summary.ledger_steps:,} steps, motor {summary.steps:,}: the power cut and "
        f"the stall left {summary.ledger_steps - summary.steps} steps that count as delivered and were not."
    )
    return good


def _clock(scenario: Scenario, ns: int) -> str:
    hours, rest = divmod(ns // _S, 3600)
    return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
