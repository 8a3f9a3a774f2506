"""Scenarios of therapy: what is done to a pump, as events of a scenario and as calls of the oracle.

What only the pump can know is taken from its log, and bounded: the second with which dosing began after a start, the
second of a commit, the moment at which the reservoir was found low.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from support import S, scenario
from therapy_oracle import Oracle
from therapy_oracle_rules import DAY, Rx, local_of
from therapy_oracle_types import Limits

from thecal.outputs import LoggedEvent
from thecal.scenario import Scenario
from thecal.sim import Result

START_UP_S = 4  # at most 3 s, and to the next second's edge
COMMIT_S = 6
NEAR_S = 3


@dataclass(frozen=True)
class Act:
    """One thing done in a second of a scenario: what, and what it needs."""

    second: int
    what: str  # press dose order cancel stop stop_for resume clock cut hang program prime refill
    dose: int = 0  # nL; of a refill, what the reservoir holds afterwards
    seconds: int = 0  # over, for how long, by how much
    rx: Rx | None = None

    def event(self) -> dict[str, Any]:
        """The [[event]] table."""
        at = f"{self.second} s"
        lines = {
            "order": f"bolus {self.dose} nL over {self.seconds} s",
            "cancel": "bolus cancel",
            "stop": "stop",
            "stop_for": f"stop for {self.seconds} s",
            "resume": "resume",
            "prime": "prime",
            "dose": "dose",
        }
        if self.what in lines:
            return {"at": at, "do": "command", "line": lines[self.what]}
        others: dict[str, dict[str, Any]] = {
            # In the middle of a second: frames may begin some 20 ms after it, as the clock was set or the pump started.
            "press": {"at": f"{self.second}.5 s", "do": "patient_bolus"},
            "clock": {"do": "set_clock", "by": f"{self.seconds} s"},
            "cut": {"at": f"{self.second}.5 s", "do": "power_cut", "for": f"{self.seconds} s"},
            "hang": {"at": f"{self.second}.5 s", "do": "hang"},
            "refill": {"do": "refill", "volume": f"{self.dose} nL"},
        }
        if self.what in others:
            return {"at": at, **others[self.what]}
        assert self.what == "program"
        assert self.rx
        return {"at": at, "do": "program", "prescription": self.rx.toml()}


@dataclass(frozen=True)
class Case:
    """A whole scenario of therapy."""

    rx: Rx
    start: datetime
    seconds: int
    acts: tuple[Act, ...] = ()
    pl_per_step: int = 25_000
    pump: Limits = field(default_factory=Limits)

    def scenario(self) -> Scenario:
        """The same as a scenario."""
        pump = {
            "pl_per_step": self.pl_per_step,
            "reservoir": f"{self.pump.reservoir} nL",
            "low_reservoir": f"{self.pump.low} nL",
        }
        events = [act.event() for act in self.acts]
        return scenario(self.rx.toml(), f"{self.seconds} s", *events, start=self.start.isoformat(), pump=pump)


def path_nl(plan: Scenario) -> int:
    """The volume of tubing and catheter."""
    return plan.pump.tubing_nl + plan.pump.catheter_mm * plan.pump.catheter_pl_per_mm // 1000


def replay(case: Case, plan: Scenario, result: Result) -> Oracle:
    """The oracle, told everything that was done, and from the log what it cannot know."""
    oracle = Oracle(case.rx, local_of(case.start), case.pump, _Witness(result))
    moments: list[tuple[int, int, Any]] = [(act.second, 2, act) for act in case.acts if act.what != "program"]
    commits = [event for event in result.events if event.code == "committed"]
    for act in (act for act in case.acts if act.what == "program"):
        found = [e.t_ns // S for e in commits if act.second <= e.t_ns // S <= act.second + COMMIT_S]
        assert found, f"the prescription of {act.second} s was not committed in {COMMIT_S} s"
        moments.append((found[0], 2, act))
    for event in result.events:
        if event.code in ("alarm", "alarm_end") and event.details["alarm"] == "low_reservoir":
            moments.append((event.t_ns // S, 1, event.code))
    boots = iter([event for event in result.events if event.code == "boot"])
    _power(oracle, next(boots), 0)
    for second, _, what in sorted(moments, key=lambda moment: moment[:2]):
        if what == "alarm":
            oracle.low(second)
        elif what == "alarm_end":
            oracle.refilled(second)
        elif what.what in ("cut", "hang"):
            oracle.power_cut(second)
            if what.what == "hang":
                oracle.hangs.append(second)
            on = second + what.seconds
            if on + START_UP_S < case.seconds:
                _power(oracle, next(boots), on)
        else:
            _tell(oracle, what, second, path_nl(plan))
    oracle.end(case.seconds)
    return oracle


def _power(oracle: Oracle, boot: LoggedEvent, on: int) -> None:
    """Dosing begins with the second that the boot event shows."""
    shown = datetime.fromisoformat(boot.rtc.split(".")[0])
    begin = local_of(shown) - oracle.offset
    assert on < begin <= on + START_UP_S, f"powered at {on} s, dosing from {begin} s"
    oracle.tell_started(begin)


def _tell(oracle: Oracle, act: Act, second: int, path: int) -> None:
    calls = {
        "press": lambda: oracle.press(second + 1),  # the button is looked at once a second
        "dose": lambda: oracle.press(second),
        "order": lambda: oracle.order(second, act.dose, act.seconds),
        "cancel": lambda: oracle.cancel(second),
        "stop": lambda: oracle.stop(second),
        "stop_for": lambda: oracle.stop(second, act.seconds),
        "resume": lambda: oracle.resume(second),
        "clock": lambda: oracle.set_clock(second, act.seconds),
        "program": lambda: oracle.commit(second, act.rx or Rx()),
        "prime": lambda: oracle.prime(second, path),
        "refill": lambda: oracle.advance(second),
    }
    calls[act.what]()


class _Witness:
    """What the log says, where the rules leave a doubt of a second."""

    def __init__(self, result: Result) -> None:
        self._boluses = [
            (event.t_ns // S, event.details["kind"], event.details["dose_nl"])
            for event in result.events
            if event.code == "bolus"
        ]

    def __call__(self, kind: str, dose: int, second: int) -> bool:
        return any(
            (kind, dose) == (found_kind, found_dose) and abs(at - second) <= NEAR_S
            for at, found_kind, found_dose in self._boluses
        )


def ends_at(case: Case) -> datetime:
    """The local time at the end, if nobody sets the clock."""
    return case.start + timedelta(seconds=case.seconds)


def most_demanded(rx: Rx, days: Fraction) -> int:
    """More than a prescription can ever demand in so many days, without clinician boluses."""
    boluses = sum(b.dose * b.days.bit_count() for b in rx.scheduled) * (days / 7 + 2)
    if rx.patient:
        boluses += rx.patient.dose * rx.patient.max_per_day * (days + 2)
    return int(rx.highest() * days + boluses) + DAY
