"""One simulation of a scenario, on either target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from thecal import bus_faults, noise, outputs
from thecal.logtap import LogTap
from thecal.models.bench import Bench
from thecal.outcome import Snapshot, parsed, summary
from thecal.outputs import LoggedEvent, Summary
from thecal.prescription import commit_line
from thecal.programming import confirmations, pack, programmed_image
from thecal.refusals import Refusal, Typed, answer, refusals
from thecal.scenario import Scenario
from thecal.scenario_event_types import (
    Battery,
    Command,
    ConsoleFlood,
    EepromDead,
    EepromWrite,
    Event,
    Hang,
    I2cFault,
    Occlusion,
    PatientBolus,
    PowerCut,
    Program,
    Refill,
    ReservoirEmpty,
    RtcJump,
    RtcStop,
    SetClock,
    Stall,
    Temperature,
)
from thecal.target import Target

_S = 1_000_000_000
_MS = 1_000_000
_ANSWER_NS = 2 * _S  # what the pump is given to answer the `status` that is asked at the end
_ANSWER_PARTS = 100
_REPLY_NS = 1 * _S  # an answer that begins later is none to the line typed then
# What a USB host needs to deliver a line. So one typed at a whole second arrives after that second's tick, on both
# targets, though their ticks are not at the same millisecond.
_HOST_LATENCY_NS = 20 * _MS
_FLOOD_EVERY_NS = 20 * _MS
_LINE_EVERY_NS = 50 * _MS  # between the lines of a `program` event, all of which take _PROGRAM_NS at most
_PROGRAM_NS = 4_800 * _MS
_READ_EVERY_NS = 200 * _MS  # the answer to `stage end` is looked for so often,
_READ_TRIES = 16
_BOLUS_WORDS = 6  # bolus N UNIT over N UNIT
_PRESS_NS = 200 * _MS
_PROGRESS_STEPS = 200

CONSOLE_FILE = "console.txt"
Progress = Callable[[float], None]


@dataclass
class Result:
    """What a simulation gave: the motor's steps, the pump's log, the summary, and its console output."""

    step_times_ns: list[int]
    events: list[LoggedEvent]
    summary: Summary
    console: bytes
    powered: list[tuple[int, int]]  # spans of true time with power, ns
    refusals: list[Refusal] = field(default_factory=list)


def make_bench(scenario: Scenario) -> Bench:
    """The physical pump of a scenario, programmed."""
    bench = Bench(scenario.pump, scenario.start, scenario.seed)
    bench.eeprom.load(programmed_image(scenario.pump, scenario.prescription, scenario.start))
    return bench


def simulate(scenario: Scenario, target: Target, progress: Progress = lambda share: None) -> Result:
    """Run a scenario on a target whose bench make_bench() made."""
    return Simulation(scenario, target).run(progress)


def as_confirmed(line: str) -> str:
    """A console line as a scenario means it: what lies beyond a soft limit counts as confirmed."""
    words = line.split()
    is_bolus = len(words) == _BOLUS_WORDS and (words[0], words[3]) == ("bolus", "over")
    return f"{line} confirm" if is_bolus else line


class Simulation:
    """One run."""

    def __init__(self, scenario: Scenario, target: Target) -> None:
        self._scenario = scenario
        self._target = target
        self._tap = LogTap(target.bench.eeprom)
        self._rng = Random(scenario.seed)
        self._console = bytearray()
        self._end_ns = scenario.duration_ns
        self._off: list[tuple[int, int]] = []
        self._typed: list[Typed] = []
        self._held_until: dict[str, int] = {}  # until when a part of the bench has a fault that ends by itself
        self._over = False  # nobody types anything after the end
        target.on_console = self._console.extend
        eeprom = target.bench.eeprom
        self._actions: dict[type[Event], Callable[[Any], None]] = {
            PowerCut: lambda event: self._cut(event.for_ns),
            Hang: lambda event: target.hang(),
            Command: lambda event: self._type(event.number, as_confirmed(event.line)),
            SetClock: self._set_clock,
            ConsoleFlood: lambda event: self._flood(target.now_ns() + event.for_ns),
            Program: self._program,
            PatientBolus: lambda event: target.at(target.now_ns() + _HOST_LATENCY_NS, self._press),
            Battery: lambda event: setattr(target.bench.sensors, "battery_mv", event.millivolts),
            ReservoirEmpty: lambda event: target.bench.reservoir.fill(0),
            Refill: self._refill,
            EepromWrite: lambda event: eeprom.overwrite(event.address, event.data),
            EepromDead: lambda event: eeprom.die(),
            Stall: lambda event: self._hold(target.bench.motor, "stalled", event.for_ns),
            Occlusion: lambda event: self._hold(target.bench.line, "occluded", event.for_ns),
            Temperature: lambda event: target.bench.set_temperature(event.millicelsius, target.now_ns()),
            RtcJump: lambda event: bus_faults.jump(target.bench, event.by_s, target.now_ns()),
            RtcStop: lambda event: target.bench.rtc.halt(target.now_ns()),
            I2cFault: bus_faults.BusFaults(target).begin,
        }

    def run(self, progress: Progress) -> Result:
        """Let the scenario happen. progress is called with the share done, 0..1."""
        target = self._target
        for event in self._scenario.events:
            target.at(event.at_ns, self._action(event))
        for part in range(1, _PROGRESS_STEPS + 1):
            target.run(self._end_ns * part // _PROGRESS_STEPS)
            progress(part / _PROGRESS_STEPS)
        end = Snapshot.of(target)
        times = list(target.bench.motor.step_times)
        console = bytes(self._console)
        self._tap.settle()
        events = list(self._tap.events)
        answer = self._answer() if end.powered else ""
        off_ns = sum(min(on, self._end_ns) - off for off, on in self._off if off < self._end_ns)
        outcome = summary(end, answer, events, off_ns)
        return Result(times, events, outcome, console, self._powered(), refusals(console, self._typed))

    # -- events -----------------------------------------------------------------------------------------------

    def _action(self, event: Event) -> Callable[[], None]:
        do = self._actions[type(event)]
        return lambda: do(event)

    def _cut(self, for_ns: int) -> None:
        if self._target.powered:
            now = self._target.now_ns()
            self._off.append((now, now + for_ns))
            self._target.power_cut(for_ns)

    def _hold(self, part: object, fault: str, for_ns: int) -> None:
        """A part of the bench has a fault for so long; one that comes again meanwhile lasts until the later end."""
        until = self._target.now_ns() + for_ns
        self._held_until[fault] = max(until, self._held_until.get(fault, 0))
        setattr(part, fault, True)
        self._target.at(until, lambda: setattr(part, fault, self._target.now_ns() < self._held_until[fault]))

    def _type(self, number: int, line: str) -> None:
        """An event types a line."""
        self._target.at(self._target.now_ns() + _HOST_LATENCY_NS, lambda: self._arrive(number, line))

    def _arrive(self, number: int, line: str) -> None:
        if self._over or not self._target.powered:
            return
        typed = Typed(number, line, len(self._console))
        self._typed.append(typed)
        self._target.at(self._target.now_ns() + _REPLY_NS, lambda: self._had_time(typed))
        self._send(line)

    def _had_time(self, typed: Typed) -> None:
        typed.last = len(self._console)

    def _send(self, line: str) -> None:
        # Ctrl-U first: what noise or a half-typed line left must not become part of this line.
        self._target.send(b"\x15" + line.encode("ascii") + b"\r")

    def _set_clock(self, event: SetClock) -> None:
        reading = self._target.bench.rtc.local_time(self._target.now_ns() + _HOST_LATENCY_NS)
        to = reading + timedelta(seconds=event.by_s + 0.5)  # written down in whole seconds, to the nearest
        self._type(event.number, f"clock set {to.strftime('%Y-%m-%dT%H:%M:%S')}")

    def _flood(self, until_ns: int) -> None:
        """A program on the host that writes noise as fast as the port takes it."""
        now = self._target.now_ns()
        if now >= until_ns or self._over:
            return
        count = noise.BYTES_PER_SECOND * min(_FLOOD_EVERY_NS, until_ns - now) // _S
        if self._target.waiting() < count:
            self._target.send(noise.noise(self._rng, count))
        self._target.at(now + _FLOOD_EVERY_NS, lambda: self._flood(until_ns))

    def _press(self) -> None:
        sensors = self._target.bench.sensors
        sensors.dose_button = True
        self._target.at(self._target.now_ns() + _PRESS_NS, lambda: setattr(sensors, "dose_button", False))

    def _refill(self, event: Refill) -> None:
        self._target.bench.reservoir.fill(event.volume_nl)
        self._type(event.number, event.line())

    def _program(self, event: Program) -> None:
        """The field tool's own sequence of lines, at a typing machine's pace; what the pump warns of is confirmed."""
        lines = event.lines(pack)
        now = self._target.now_ns()
        for index, line in enumerate(lines):
            self._target.at(now + index * _LINE_EVERY_NS, lambda line=line: self._type(event.number, line))
        staged = now + (len(lines) - 1) * _LINE_EVERY_NS
        self._target.at(staged + _READ_EVERY_NS, lambda: self._commit(event.number, lines[-1], now + _PROGRAM_NS, 1))

    def _commit(self, number: int, end: str, until_ns: int, tries: int) -> None:
        """Confirm what the answer to `stage end` warns of, as soon as it is there, and commit."""
        typed = [typed for typed in self._typed if (typed.event, typed.line) == (number, end)]
        lines = answer(bytes(self._console), typed[-1]) if typed else None
        now = self._target.now_ns()
        if lines is None and tries < _READ_TRIES:
            self._target.at(now + _READ_EVERY_NS, lambda: self._commit(number, end, until_ns, tries + 1))
            return
        sequence = [*confirmations(lines or []), commit_line([end])]
        every = min(_LINE_EVERY_NS, (until_ns - now) // len(sequence))
        for index, line in enumerate(sequence):
            self._target.at(now + index * every, lambda line=line: self._type(number, line))

    # -- outcome ----------------------------------------------------------------------------------------------

    def _answer(self) -> str:
        """What the pump says to a `status` asked at the end: empty if it says nothing in the time it is given."""
        self._over = True
        before = len(self._console)
        self._send("status")
        for part in range(1, _ANSWER_PARTS + 1):
            self._target.run(self._end_ns + _ANSWER_NS * part // _ANSWER_PARTS)
            answer = bytes(self._console[before:]).decode("ascii", "replace")
            if parsed(answer):
                return answer
        return ""

    def _powered(self) -> list[tuple[int, int]]:
        spans = []
        begin = 0
        for off, on in self._off:
            spans.append((begin, min(off, self._end_ns)))
            begin = on
        if begin < self._end_ns:
            spans.append((begin, self._end_ns))
        return spans


def prepare(folder: Path) -> None:
    """Make folder if it is not there, and see that files can be written into it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / CONSOLE_FILE).open("wb"):
        pass


def write(result: Result, folder: Path) -> None:
    """Write steps.csv, events.jsonl, summary.json and console.txt into folder. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    outputs.write_steps(folder / "steps.csv", result.step_times_ns)
    outputs.write_events(folder / "events.jsonl", result.events)
    outputs.write_summary(folder / "summary.json", result.summary)
    (folder / CONSOLE_FILE).write_bytes(result.console)
