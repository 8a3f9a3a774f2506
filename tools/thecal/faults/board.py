"""The campaign on the emulated board: the compiled firmware under MicroPython, on an emulated RP2040.

A start costs the emulator more than a minute of dosing. So each board is started once and led through its life, and at
the instant of each fault the process forks: the child leads the pump with the fault to the end of the life, the parent
goes on without. What the parent comes to is what the children are held against.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections import Counter
from pathlib import Path
from random import Random
from traceback import extract_tb
from typing import Any

from thecal.build import build, littlefs_image
from thecal.emulated.board import EmulatedBoard
from thecal.faults import board_faults, lives
from thecal.faults.campaign import Case, Tally
from thecal.faults.disclosed import Steps
from thecal.faults.life import COURSES, Life
from thecal.faults.parts import Bench
from thecal.faults.pump import RESETS_MAX, Seen
from thecal.faults.verdict import UNSAFE, judge
from thecal.image import find_or_make_image
from thecal.models.bench import PumpConfig
from thecal.paths import ROOT
from thecal.powercut.parts import PartResult, Progress, Settings, run_packages
from thecal.powercut.snapshot import module
from thecal.scenario import Scenario, parse_scenario
from thecal.sim import Result, Simulation, make_bench

PACKAGE = 25  # injections into one board
_S = 1_000_000_000
_LENGTH_S = 140
_FIRST_S, _LAST_S = 1.0, 60.0
_CHILD_S = 900  # of wall time: a child that takes longer has gone wrong
_SEVERE = ("medium", "high")
_NEAR_S = 5.0  # of the start: most are later, when the pump doses
_PL = (25_000, 10_000, 100_000)  # of a step; smaller ones make more of them than the emulator can in its time


def run(settings: Settings, progress: Progress) -> PartResult:
    """settings.ops: injections. Raises ImageError or BuildError when there is nothing to run."""
    find_or_make_image(lambda text: progress.advance(0, 1, text))
    build()
    return run_packages(settings, "board", work, -(-settings.ops // PACKAGE), progress)


def work(settings: Settings, package: int) -> PartResult:
    """One package."""
    tally = Tally("board")
    for case in lead(settings.seed, package, range(min(PACKAGE, settings.ops - package * PACKAGE))):
        tally.add(case)
    return tally.result()


def try_one(seed: int, package: int, number: int) -> Case:
    """One injection; it follows from these three alone."""
    build()
    return lead(seed, package, range(number, number + 1))[0]


def plan(seed: int, package: int) -> Life:
    """The life of a package."""
    rng = Random(f"board {seed}:{package}")
    while True:
        life = lives.draw(rng)
        if not life.held and life.kind not in COURSES and life.size_pl in _PL and life.peak_pl_s() < 40 * life.size_pl:
            return life


def scenario(life: Life) -> Scenario:
    """The life as a scenario."""
    events: list[dict[str, Any]] = [{"at": _at(at_us), "do": "command", "line": line} for at_us, line in life.lines]
    events += [{"at": _at(at_us), "do": "patient_bolus"} for at_us in life.presses]
    if life.empty_us is not None:
        events.append({"at": _at(life.empty_us), "do": "reservoir_empty"})
    data = {
        "start": life.start.isoformat(),
        "duration": f"{_LENGTH_S} s",
        "pump": {"pl_per_step": life.size_pl},
        "prescription": life.table,
        "event": [event for event in events if float(event["at"].split()[0]) < _LENGTH_S],
    }
    return parse_scenario(data, ROOT)  # it names no files


def _at(us: int) -> str:
    return f"{us / 1_000_000:.6f} s"


class Branching:
    """A life of one board, from which a child process branches off for each fault."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.plan = scenario(life)
        self.target = EmulatedBoard(make_bench(self.plan), find_or_make_image(lambda text: None), littlefs_image())
        self.found: dict[int, Seen] = {}
        self._simulation = Simulation(self.plan, self.target)
        self._pipe: int | None = None  # of a child, to its parent
        self._struck_us = 0
        self._stumbled = ""
        self._bench = Bench(PumpConfig().steps_per_index, Random(0))

    def branch(self, number: int, at_ns: int, strike: board_faults.Fault) -> None:
        """At this instant, a child with the fault."""
        self.target.at(at_ns, lambda: self._fork(number, strike))

    def lead(self) -> Seen:
        """To the end: what came of the life without a fault. A child does not come back from here."""
        result = self._simulation.run(lambda share: None)
        seen = self._seen(result)
        if self._pipe is not None:
            self._tell(seen)
        return seen

    def _fork(self, number: int, strike: board_faults.Fault) -> None:
        if self._pipe is not None:
            return  # a child has one fault only
        reads, writes = os.pipe()
        child = os.fork()
        if child:
            os.close(writes)
            with os.fdopen(reads, "rb") as pipe:
                answer = pipe.read()
            os.waitpid(child, 0)
            if not answer:
                raise RuntimeError(f"injection {number}: the child has gone wrong")
            self.found[number] = pickle.loads(answer)
            return
        os.close(reads)
        self._pipe = writes
        signal.alarm(_CHILD_S)
        self._bear_faults()
        self._struck_us = self.target.now_ns() // 1_000
        strike(self.target)

    def _bear_faults(self) -> None:
        """What the emulator cannot execute any more is a processor that has locked up, unless a model of the bench has
        failed; and resets without end, end."""
        chip = self.target.chip
        run_until, reset = chip.run_until, chip.on_watchdog

        def bear(clock_ns: int) -> None:
            try:
                run_until(clock_ns)
            except Exception as error:  # noqa: BLE001 - the emulator names no class for what it cannot execute
                if Path(extract_tb(error.__traceback__)[-1].filename).is_relative_to(ROOT / "tools"):
                    self._stumbled = repr(error)
                chip.hang()
                run_until(clock_ns)

        def count(timed_out: bool) -> None:
            reset(timed_out)
            if self.target.resets["watchdog"] + self.target.resets["commanded"] >= RESETS_MAX:
                self._tell(self._looped())

        chip.run_until = bear  # type: ignore[method-assign]
        chip.on_watchdog = count

    def _looped(self) -> Seen:
        seen = Seen(self._bench, resets=[1] * RESETS_MAX, looped=True)
        return self._with_steps(seen, self.target.now_ns())

    def _tell(self, seen: Seen) -> None:
        """A child ends."""
        if self._pipe is not None:
            with os.fdopen(self._pipe, "wb") as pipe:
                pickle.dump(seen, pipe)
        os._exit(0)

    def _with_steps(self, seen: Seen, end_ns: int) -> Seen:
        # The ledger is read at the end; while the pump is asked for its status behind that, it goes on.
        times = [t_ns for t_ns in self.target.bench.motor.step_times if t_ns <= end_ns]
        seen.trains = [(t_ns // 1_000, 1, 1) for t_ns in times]
        seen.steps = len(times)
        seen.end_us = end_ns // 1_000
        seen.stumbled = self._stumbled
        return seen

    def _seen(self, result: Result) -> Seen:
        alarms = module("alarms")
        codes = {row[0]: 1 << number for number, row in enumerate(alarms.TABLE)}
        seen = Seen(self._bench)
        for code in {*result.summary.alarms_active, *result.summary.alarms_history}:
            seen.alarms |= codes[code]
        resets = result.summary.resets
        seen.resets = [1] * resets["watchdog"] + [2] * resets["commanded"]
        seen.faults = Counter(event.code for event in result.events if event.severity in _SEVERE)
        seen.begun = [event.t_ns // 1_000 for event in result.events if event.code == "bolus"]
        seen.ended = [event.t_ns // 1_000 for event in result.events if event.code in {"bolus_end", "boot"}]
        seen.heard = bool(self.life.lines) and is_heard(self.life.lines[-1][1], result.console)
        seen.ledger_steps = result.summary.ledger_steps
        if self.target.bench.motor.stalled:
            self._bench.stall_pulses = result.summary.step_pulses - result.summary.steps
        bench = self.target.bench
        if bench.i2c.held or bench.eeprom.address in bench.i2c.silent:
            self._bench.eeprom_since_us = self._struck_us
        return self._with_steps(seen, self.plan.duration_ns)


def is_heard(line: str, console: bytes) -> bool:
    """Whether the line was echoed and its own answer, which ends where the next line begins, is `ok` in the end."""
    _, echo, answer = console.rpartition(line.encode())
    return bool(echo) and b"\r\nok\r\n" in answer.partition(b"\r\n\r\n")[0] + b"\r\n"


def lead(seed: int, package: int, numbers: range) -> list[Case]:
    """The injections of a package with these numbers."""
    life = plan(seed, package)
    branching = Branching(life)
    drawn: dict[int, tuple[str, int, Steps]] = {}
    for number in numbers:
        rng = Random(f"board {seed}:{package}:{number}")
        early = rng.random() < 0.1
        at_ns = round((rng.uniform(_FIRST_S, _NEAR_S) if early else rng.uniform(_NEAR_S, _LAST_S)) * _S)
        what, strike, must, most = board_faults.draw(rng)
        drawn[number] = f"at {at_ns / _S:.6f} s {what}", must if at_ns > _NEAR_S * _S else 0, most
        branching.branch(number, at_ns, strike)
    reference = branching.lead()
    cases = []
    for number, (what, must, most) in drawn.items():
        seen = branching.found[number]
        verdict = judge(life, reference, seen, must, most)
        if seen.stumbled:
            verdict = verdict._replace(kind=UNSAFE, why=f"a model has failed: {seen.stumbled}")
        cases.append(Case(f"board:{package}:{number}", what, life.kind, verdict))
    return cases
