"""What a pump demanded in the course of a scenario, boluses included: from the prescriptions and from the pump's log.

The prescription says the rates, the log what was in force and when: starts, stops, commits, bridges, trials, boluses.
Times are whole seconds of the pump's clock, as ns of true time since the start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from thecal.demand import rate_changes, weekly_rates
from thecal.outputs import LoggedEvent
from thecal.plot import Bolus
from thecal.prescription import Prescription, RateRange, stage_lines
from thecal.prescription_toml import parse_prescription
from thecal.programming import firmware, pack
from thecal.scenario import Scenario
from thecal.scenario_event_types import Command, Hang, PowerCut, Program
from thecal.sim import Result

_S = 1_000_000_000
_DAY_S = 86_400
_TABLES = {
    "period": ("days", "from", "to", "rate"),
    "scheduled_bolus": ("days", "at", "dose", "over"),
    "patient_bolus": ("dose", "over", "lockout", "max_per_day"),
}
_UNIT_VALUES = ("rate", "dose", "over", "lockout")
_LIMITS = ("max_per_hour", "max_per_day")


class Flow(NamedTuple):
    """A bolus, or the part of one before or after it was set aside, that flowed evenly."""

    kind: str
    begin_ns: int
    end_ns: int
    nl_per_s: Fraction

    def given_nl(self, first_ns: int, last_ns: int) -> Fraction:
        """What it demanded from first_ns to last_ns."""
        overlap = min(last_ns, self.end_ns) - max(first_ns, self.begin_ns)
        return self.nl_per_s * max(0, overlap) / _S

    def drawn(self) -> Bolus:
        """For the picture."""
        return Bolus(self.kind, self.begin_ns, self.end_ns)


@dataclass(frozen=True)
class Demand:
    """basal: (ns, nL/day from then on), without boluses. flows: the boluses, by their begin."""

    basal: list[tuple[int, int]]
    flows: list[Flow]

    def total(self) -> list[tuple[int, int]]:
        """(ns, nL/day from then on) of basal and boluses together."""
        deltas: dict[int, Fraction] = {}
        before = 0
        for at, rate in self.basal:
            deltas[at] = deltas.get(at, Fraction(0)) + rate - before
            before = rate
        for flow in self.flows:
            for at, sign in ((flow.begin_ns, 1), (flow.end_ns, -1)):
                deltas[at] = deltas.get(at, Fraction(0)) + sign * flow.nl_per_s * _DAY_S
        rate = Fraction(0)
        curve = []
        for at in sorted(deltas):
            rate += deltas[at]
            curve.append((at, int(rate)))
        return curve


def demand_of(scenario: Scenario, result: Result) -> Demand:
    """What was demanded in a simulated scenario."""
    teller = _Teller(scenario)
    story: list[tuple[int, int, Any]] = [(event.at_ns, 0, event) for event in scenario.events]
    story += [(event.t_ns, 1, event) for event in result.events]
    for _, _, event in sorted(story, key=lambda entry: entry[:2]):
        teller.tell(event)
    return teller.end()


@dataclass
class _Running:
    kind: str
    begin_ns: int
    left_s: int
    nl_per_s: Fraction


@dataclass
class _Teller:
    """What is in force at a time, followed through the story."""

    scenario: Scenario
    basal: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    flows: list[Flow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rx = self.scenario.prescription
        self._known = _prescriptions(self.scenario)
        self._offset_s = 0  # by how much the pump's clock has been moved
        self._begin_ns = 0  # since when what follows is in force
        self._alive = False  # powered, started, not hung
        self._held = False  # stopped by the operator or by an alarm
        self._lowest = False  # the clock is lost
        self._bridge: int | None = None  # its rate
        self._after_trial: int | None = None  # the rate after a trial that has ended
        self._afterwards = 0
        self._committed_ns = -1
        self._running: list[_Running] = []  # the last one flows, the one before it is set aside
        reactions = firmware("alarms")
        self._stops = {row[0] for row in reactions.TABLE if row[2] == reactions.STOP}

    def end(self) -> Demand:
        """All of it, once everything is told."""
        last = self.scenario.duration_ns
        self._flow_until(last)
        self._cancel(last)
        self._change(last)
        basal = [entry for entry in self.basal if entry[0] < last]
        return Demand(basal, [flow for flow in self.flows if flow.begin_ns < min(flow.end_ns, last)])

    def tell(self, event: Any) -> None:
        """The next thing that happened."""
        if isinstance(event, PowerCut | Hang):
            self._flow_until(event.at_ns)
            self._cancel(event.at_ns)
            self._change(event.at_ns)
            self._alive = False
        elif isinstance(event, LoggedEvent):
            if event.code in ("clock_set", "clock_step"):
                self._change(self._second(event))
                self._offset_s += int(event.details["by_s"])
            if event.code == "boot":  # a clock that was lost goes on from where the pump last was
                self._offset_s += (self._second(event) - event.t_ns // _S * _S) // _S
            at = self._second(event)
            self._flow_until(at)
            tell = getattr(self, f"_on_{event.code}", None)
            if tell is not None:
                tell(at, event.details)

    def _second(self, event: LoggedEvent) -> int:
        """The whole second that the pump's clock showed at an event."""
        shown = datetime.fromisoformat(event.rtc.split(".")[0]) - timedelta(seconds=self._offset_s)
        return int((shown - self.scenario.start).total_seconds()) * _S

    # -- basal ----------------------------------------------------------------------------------------------------

    def _change(self, at_ns: int) -> None:
        """Until at_ns what was in force so far."""
        begin, pump = self._begin_ns, self.scenario.pump
        self._begin_ns = max(at_ns, begin)
        if at_ns <= begin:
            return
        fixed = self._fixed()
        if fixed is not None:
            self.basal.append((begin, fixed))
        else:
            start = self.scenario.start + timedelta(seconds=self._offset_s)
            self.basal += rate_changes(self._rx, pump, start, begin, at_ns)

    def _fixed(self) -> int | None:
        """The rate in force, nL/day, unless it is the prescription's."""
        if not self._alive or self._held:
            return 0
        if self._after_trial is not None:
            return self._after_trial
        if self._lowest:
            return min([rate for rate in weekly_rates(self._rx, self.scenario.pump) if rate], default=0)
        return self._bridge

    def _on_boot(self, at: int, _: Any) -> None:
        self._change(at)
        self._alive = True

    def _on_stop(self, at: int, _: Any) -> None:
        self._change(at)
        self._held = True

    def _on_resume(self, at: int, _: Any) -> None:
        self._change(at + _S)
        self._held = False

    _on_stop_end = _on_resume

    def _on_alarm(self, at: int, details: Any) -> None:
        self._change(at)
        self._held = self._held or details["alarm"] in self._stops
        self._lowest = self._lowest or details["alarm"] == "rtc_lost"

    def _on_alarm_end(self, at: int, details: Any) -> None:
        self._change(at)
        self._lowest = self._lowest and details["alarm"] != "rtc_lost"

    def _on_committed(self, at: int, details: Any) -> None:
        self._change(at + _S)
        self._rx = self._known.get(str(details["digest"]), self._rx)
        self._after_trial = None
        self._committed_ns = at

    def _on_bridge(self, at: int, details: Any) -> None:
        self._change(at + _S)
        self._bridge = int(details["rate_nl_day"])

    def _on_bridge_end(self, at: int, _: Any) -> None:
        self._change(at + _S)
        self._bridge = None

    def _on_trial(self, at: int, details: Any) -> None:
        self._afterwards = self.scenario.pump.min_rate if details["afterwards"] == "minimum" else 0

    def _on_trial_end(self, at: int, _: Any) -> None:
        if at == self._committed_ns:
            return  # another prescription has taken its place
        self._change(at + _S)
        self._after_trial = self._afterwards

    # -- boluses --------------------------------------------------------------------------------------------------

    def _on_bolus(self, at: int, details: Any) -> None:
        begin = at + _S
        self._flow_until(begin)
        if self._running:
            self._close(self._running[-1], begin)
        seconds = int(details["seconds"])
        self._running.append(
            _Running(str(details["kind"]), begin, seconds, Fraction(int(details["dose_nl"]), seconds)),
        )

    def _on_bolus_end(self, at: int, details: Any) -> None:
        if details["how"] == "cancelled":
            self._cancel(at)

    def _flow_until(self, at_ns: int) -> None:
        """Boluses end, and what was set aside flows on, up to at_ns."""
        while self._running and self._running[-1].begin_ns + self._running[-1].left_s * _S <= at_ns:
            done = self._running.pop()
            end = done.begin_ns + done.left_s * _S
            self._close(done, end)
            if self._running:
                self._running[-1].begin_ns = end

    def _cancel(self, at_ns: int) -> None:
        if self._running:
            self._close(self._running[-1], at_ns)
        self._running = []

    def _close(self, running: _Running, end_ns: int) -> None:
        self.flows.append(Flow(running.kind, running.begin_ns, end_ns, running.nl_per_s))
        running.left_s -= (end_ns - running.begin_ns) // _S


# -- prescriptions ----------------------------------------------------------------------------------------------------


def _prescriptions(scenario: Scenario) -> dict[str, Prescription]:
    """All that the scenario programs or types, by their digest."""
    found = [scenario.prescription]
    found += [event.prescription for event in scenario.events if isinstance(event, Program) and event.prescription]
    lines: list[str] = []
    for event in scenario.events:
        if isinstance(event, Command) and event.line.startswith("program stage "):
            words = event.line.removeprefix("program stage ")
            lines = [] if words == "begin" else [*lines, words]
            if words.startswith("end "):
                rates = RateRange(scenario.pump.min_rate, scenario.pump.max_rate)
                found.append(parse_prescription(typed(lines[:-1]), rates))
    return {stage_lines(rx, pack)[-1].split()[-1]: rx for rx in found}


def typed(lines: list[str]) -> dict[str, Any]:
    """The [prescription] table that lines of `program stage` amount to, without their first two words."""
    table: dict[str, Any] = {}
    for line in lines:
        key, _, rest = line.partition(" ")
        if key in _LIMITS:
            table.setdefault("limits", {})[key] = rest
        elif key in _TABLES:
            entry = _entry(_TABLES[key], rest.split(" "))
            if key == "patient_bolus":
                table[key] = {**entry, "max_per_day": int(entry["max_per_day"])}
            else:
                table.setdefault(key, []).append(entry)
        else:
            table[key] = rest
    return table


def _entry(keys: tuple[str, ...], words: list[str]) -> dict[str, Any]:
    entry = {}
    for key in keys:
        entry[key] = " ".join(words.pop(0) for _ in range(2 if key in _UNIT_VALUES else 1))
    return entry
