"""A pump's life as an operator leads it, from the factory on, every page write of it recorded: where cuts are tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from thecal.models.bench import PumpConfig
from thecal.powercut.expected import FACTORY, Expected, Point
from thecal.powercut.session import Session
from thecal.powercut.snapshot import S, Snapshot, blank, module
from thecal.prescription import RateRange, commit_line, stage_lines
from thecal.prescription_toml import parse_prescription
from thecal.programming import calibration, calibration_values, confirmations, pack

START = datetime(2026, 3, 2, 8, 0)  # a Monday
_ANSWER_S = 3
_DAY0 = datetime(2000, 1, 1)

# One drug at one concentration, as another would begin with a bridge; its limits allow 30 uL and 24 mL a day.
_DRUG = {"patient": "bench-07", "drug": "morphine", "concentration": "500 ug/mL"}
_MORNING = [{"days": "daily", "from": "08:02", "to": "08:04", "rate": "8 mL/day"}]
_HOURS = [
    {"days": "daily", "from": f"{hour:02}:00", "to": f"{hour:02}:30", "rate": f"{hour + 1} mL/day"}
    for hour in range(24)
]
# On days that this life, a Monday, does not reach: they fill the record.
_WEEKEND = [{"days": "sat,sun", "at": f"{hour:02}:40", "dose": "1 uL", "over": "10 min"} for hour in range(24)]
_PRESS = {"dose": "1 uL", "over": "2 min", "lockout": "1 h", "max_per_day": 4}
LOW = {**_DRUG, "mode": "flex", "basal": "30 uL/day", "period": _MORNING, "patient_bolus": _PRESS}
HIGH = {**_DRUG, "mode": "continuous", "basal": "24 mL/day"}
FULL = {**LOW, "period": _HOURS, "scheduled_bolus": _WEEKEND, "patient_bolus": _PRESS}  # the largest record there is


@dataclass(frozen=True)
class Stretch:
    """A time in which the EEPROM stayed as it is in the snapshot. pulses: (true time, steps made by then). where: what
    came next."""

    snapshot: Snapshot
    expected: Expected
    pulses: list[tuple[int, int]]
    where: str


@dataclass(frozen=True)
class Recorded:
    """A life that was led. points: its page writes. stretches: the times between two writes, or behind the last of a
    power-on, in which the motor stepped. answers: what the operator typed, with the answers."""

    points: list[Point]
    stretches: list[Stretch]
    answers: list[tuple[str, list[str]]]
    seconds: int


def _between(before: Expected | None, after: Expected) -> Expected:
    """What must be found after a cut between two writes, the first of a power-on having none before it."""
    if before is None:
        return after
    # The flow may have changed since the write before; the steps that are under way are those of the faster one.
    return replace(after, durable=after.durable | before.durable, loss=max(after.loss, before.loss))


class Life:
    """The operator. Raises Violation when the pump breaks an invariant without any cut."""

    def __init__(self, config: PumpConfig | None = None) -> None:
        self.config = config or PumpConfig()
        self.points: list[Point] = []
        self.stretches: list[Stretch] = []
        self.answers: list[tuple[str, list[str]]] = []
        start_s = (START - _DAY0).days * 86_400 + START.hour * 3_600
        empty = Expected(frozenset((FACTORY,)), 0, 0, 0, start_s)
        self.session = self._power(Session(blank(start_s, self.config.reservoir_nl * 1_000), empty, record=True))

    # -- what happens to the pump -----------------------------------------------------------------------------

    @staticmethod
    def _power(session: Session) -> Session:
        session.start()
        return session

    def run(self, seconds: float) -> None:
        """Time passes."""
        self.session.run(seconds)

    def cut(self, off_s: int = 1) -> None:
        """The power fails between two turns, for off_s seconds."""
        self._collect()
        expected = self.session.expect()
        self.session = self._power(Session(self.session.off(off_s), expected, record=True))

    def bite(self) -> None:
        """The processor hangs between two turns, and the watchdog resets it."""
        self._collect()
        expected = self.session.after_bite()
        self.session = self._power(Session(self.session.board.bitten(), expected, record=True))

    def end(self) -> Recorded:
        """The life is over."""
        self._collect()
        return Recorded(self.points, self.stretches, self.answers, self.session.board.now_us // S)

    def _collect(self) -> None:
        """Keep the writes and the pulses of the session that ends."""
        session = self.session
        steps = session.board.first_steps
        pulses = [(at_us, steps + number + 1) for number, at_us in enumerate(session.board.train.pulse_times())]
        first = len(self.points)
        self.points += session.points
        done = 0
        before: Expected | None = None
        for index, point in enumerate(session.points):
            begin = done
            while done < len(pulses) and pulses[done][0] < point.begin_us:
                done += 1
            where = f"before write {first + index}"
            self._stretch(point.snapshot, _between(before, point.expected), pulses[begin:done], where)
            before = point.expected
        rest = _between(before, session.expect())
        self._stretch(session.board.off(), rest, pulses[done:], f"behind write {len(self.points) - 1}")

    def _stretch(self, snapshot: Snapshot, expected: Expected, pulses: list[tuple[int, int]], where: str) -> None:
        if pulses:
            self.stretches.append(Stretch(snapshot, expected, pulses, where))

    # -- what the operator does -------------------------------------------------------------------------------

    def say(self, line: str) -> list[str]:
        """Type a line and wait for its answer. Raises ValueError if it is refused."""
        board = self.session.board
        del board.output[:]
        board.type_at(board.now_us + 37_000, line.encode() + b"\r")
        end = board.now_us + _ANSWER_S * S
        while not board.output.endswith((b"\nok\r\n",)) and b"error: " not in board.output:
            self.session.turn()
            if board.now_us > end:
                raise ValueError(f"{line}: no answer within {_ANSWER_S} s: {bytes(board.output)!r}")
        answer = board.output.decode().split("\r\n")[1:-1]
        self.answers.append((line, answer))
        if answer[-1] != "ok":
            raise ValueError(f"{line}: {answer[-1]}")
        return answer

    def calibrate(self, **values: int) -> None:
        """Stage all values of the pump, some of them replaced, and commit."""
        for name, value in calibration_values(calibration(self.config)):
            self.say(f"calibrate set {name} {values.get(name, value)}")
        self.say("calibrate commit")

    def program(self, table: dict[str, Any]) -> None:
        """Stage a prescription, confirm what the pump warns of, and commit it."""
        config = self.config
        lines = stage_lines(parse_prescription(table, RateRange(config.min_rate, config.max_rate)), pack)
        answer: list[str] = []
        for line in lines:
            answer = self.say(line)
        for line in confirmations(answer):
            self.say(line)
        self.say(commit_line(lines))

    def bolus(self, microlitres: int, minutes: int) -> None:
        """Order a bolus."""
        self.say(f"bolus {microlitres} uL over {minutes} min")

    def refill(self) -> None:
        """Stop the pump, fill the reservoir, tell the pump, and start it again."""
        self.say("stop")
        self.run(3)
        board = self.session.board
        board.fluid_pl = self.config.reservoir_nl * 1_000 + board.train.steps() * self.config.pl_per_step
        self.say(f"refill {self.config.reservoir_nl // 1_000_000} mL")
        self.say("resume")

    def set_clock(self, seconds: int) -> None:
        """Set the pump's clock forward, or back, by so much."""
        dosing, civil = self.session.app.dosing, module("civil")
        day, second = civil.shifted(dosing.day, dosing.second, seconds)
        self.say("clock set " + civil.iso(day, second))
        self.run(2)


Step = Callable[[Life], object]


def script(scale: int) -> list[Step]:
    """The life, as a list of what happens. scale: 1 for the shortest; the stretches of dosing grow with it."""
    return [
        lambda life: life.run(3),
        lambda life: life.calibrate(),
        lambda life: life.program(LOW),
        lambda life: life.set_clock(60),
        lambda life: life.say("resume"),
        lambda life: life.run(90 + 150 * scale),
        lambda life: life.say("stop"),
        lambda life: life.run(5),
        lambda life: life.say("resume"),
        lambda life: life.run(60 * scale),
        lambda life: life.bolus(25, 2),
        lambda life: life.run(30),
        lambda life: life.say("dose"),  # sets the other one aside
        lambda life: life.run(170),
        lambda life: life.program(HIGH),
        lambda life: life.run(60 + 60 * scale),
        lambda life: life.refill(),
        lambda life: life.run(3),
        lambda life: life.set_clock(3_600),
        lambda life: life.run(10 * scale),
        lambda life: life.set_clock(-7_200),
        lambda life: life.run(10 * scale),
        lambda life: life.say("stop for 20 s"),
        lambda life: life.run(30),
        lambda life: life.bite(),
        lambda life: life.run(70),
        lambda life: life.cut(),
        lambda life: life.run(60 + 20 * scale),
        lambda life: life.program(FULL),
        lambda life: life.run(10),
        lambda life: life.bolus(3, 2),
        lambda life: life.run(5),
        lambda life: life.say("bolus cancel"),
        lambda life: life.bolus(5, 2),
        lambda life: life.run(20),
        lambda life: life.cut(30),
        lambda life: life.say("clear"),
        lambda life: life.say("stop"),
        lambda life: life.calibrate(low_reservoir_nl=1_500_000),
        lambda life: life.say("resume"),
        lambda life: life.run(20),
        lambda life: life.program({**_DRUG, "mode": "minimum"}),
        lambda life: life.run(400 * scale),
        lambda life: life.program(HIGH),
        lambda life: life.run(60 * scale),
        lambda life: life.say("stop"),
        lambda life: life.run(5),
    ]


def lead(scale: int = 1, steps: list[Step] | None = None) -> Recorded:
    """Lead a whole life."""
    life = Life()
    for step in script(scale) if steps is None else steps:
        step(life)
    return life.end()
