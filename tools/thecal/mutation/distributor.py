"""Runs Cosmic Ray's work on all processors: each mutant in a copy of the tree, its tests in a fork of a process that
has everything imported which no mutant changes. A start of Python and pytest for each would take most of the time."""

# pyright: reportMissingImports=false
from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import shutil
import signal
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import Any, NoReturn

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

from thecal.paths import BUILD, ROOT

_COPIED = ("firmware", "lib", "host_tests", "tools", "docs", "examples")
_WALL = 8  # how much longer than its processor time a run may take on a busy machine
_MEMORY = 3 << 30


@dataclass
class Run:
    """A mutant under test."""

    job: str
    tree: Path
    pid: int
    ends: float  # monotonic time
    path: Path
    original: str
    mutated: str


@dataclass
class Distributor:
    """`cosmic-ray exec` calls it. config: processors, the number of mutants at a time; arguments: those of pytest;
    label: what progress is told of. timeout: processor seconds."""

    running: list[Run] = field(default_factory=list)

    def __call__(
        self, pending_work: Iterable[Any], test_command: str, timeout: float, config: Any, on_task_complete: Callable
    ) -> None:
        _warm()
        arguments = list(config["arguments"])
        trees = _trees(config["processors"], arguments, timeout * 4)
        waiting = list(pending_work)
        told = Progress(config["label"], len(waiting))
        try:
            while waiting or self.running:
                while waiting and trees:
                    run = self._begin(waiting.pop(0), trees[-1], arguments, timeout, on_task_complete)
                    if run is not None:
                        trees.pop()
                        self.running.append(run)
                for run in list(self.running):
                    outcome = _outcome(run)
                    if outcome is None:
                        continue
                    self.running.remove(run)
                    trees.append(run.tree)
                    run.path.write_text(run.original, "utf-8")
                    on_task_complete(run.job, WorkResult(WorkerOutcome.NORMAL, "", outcome, _diff(run)))
                    told.one(outcome == TestOutcome.SURVIVED)
                time.sleep(0.01)
        finally:
            for run in self.running:
                os.killpg(run.pid, signal.SIGKILL)
            told.end()

    @staticmethod
    def _begin(item: Any, tree: Path, arguments: list[str], timeout: float, done: Callable) -> Run | None:
        (mutation,) = item.mutations
        path = tree / mutation.module_path
        original = path.read_text("utf-8")
        operator = get_operator(mutation.operator_name)(**mutation.operator_args)
        mutated = mutate_code(original, operator, mutation.occurrence)
        if mutated is None:
            done(item.job_id, WorkResult(WorkerOutcome.NO_TEST))
            return None
        path.write_text(mutated, "utf-8")
        pid = _fork(tree, arguments, timeout)
        return Run(item.job_id, tree, pid, time.monotonic() + timeout * _WALL, path, original, mutated)


class Progress:
    """A line that grows older on a terminal, and one a minute elsewhere."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total = label, total
        self._count = self._survived = 0
        self._began = time.monotonic()
        self._next = 0.0

    def one(self, survived: bool) -> None:
        self._count += 1
        self._survived += survived
        now = time.monotonic()
        if now >= self._next:
            self._next = now + (1 if sys.stdout.isatty() else 30)
            self._print("\r" if sys.stdout.isatty() else "\n")

    def _print(self, end: str) -> None:
        elapsed = time.monotonic() - self._began
        left = elapsed / max(1, self._count) * (self._total - self._count)
        print(
            f"{self._label}: {self._count} of {self._total}, {self._survived} survived, {elapsed:.0f} s, "
            f"{left:.0f} s to go   ",
            end=end,
            flush=True,
        )

    def end(self) -> None:
        if self._total:
            self._print("\n")


def _warm(names: Iterable[str] = ("hypothesis.strategies", "pytest")) -> None:
    """Import what every run needs and no mutant changes."""
    for name in names:
        with contextlib.suppress(Exception):  # it is only for speed
            importlib.import_module(name)
    engine: Any = importlib.import_module("hypothesis.internal.conjecture.engine")
    engine.MAX_SHRINKS = 0  # that it fails is enough, nobody will read the example
    gc.collect()
    gc.freeze()


def _imported() -> list[str]:
    """Modules of libraries that are loaded."""
    libraries = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return [name for name, file in files.items() if file and file.startswith(libraries)]


def _trees(processors: int, arguments: list[str], timeout: float) -> list[Path]:
    """A copy of the project for each processor; the tests pass in the first, and are compiled there."""
    trees = [BUILD / "mutants" / f"tree{number}" for number in range(processors)]
    for tree in trees:
        shutil.rmtree(tree, ignore_errors=True)
    for name in _COPIED:
        shutil.copytree(ROOT / name, trees[0] / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    for path in ROOT.iterdir():
        if path.is_file() and path.suffix in (".py", ".toml", ".md", ".json"):
            shutil.copy2(path, trees[0])
    (trees[0] / "Makefile").touch()
    unchanged = Run("", trees[0], _fork(trees[0], arguments, timeout, True), float("inf"), trees[0], "", "")
    while (outcome := _outcome(unchanged)) is None:
        time.sleep(0.01)
    if outcome != TestOutcome.SURVIVED:
        raise RuntimeError(f"the tests fail without any change: {trees[0] / 'output.txt'}")
    _warm((trees[0] / "imported.txt").read_text("utf-8").split())
    for tree in trees[1:]:
        shutil.copytree(trees[0], tree)
    return trees


def _fork(tree: Path, arguments: list[str], timeout: float, compiles: bool = False) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        _test(tree, arguments, timeout, compiles)
    finally:
        os._exit(1)


def _test(tree: Path, arguments: list[str], timeout: float, compiles: bool) -> NoReturn:
    """In the child: run the tests in that tree. compiles: keep the compiled tests for later runs."""
    os.setsid()
    os.chdir(tree)
    with (tree / "output.txt").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(timeout), int(timeout) + 1))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sys.dont_write_bytecode = not compiles
    for name in [name for name in sys.modules if name.partition(".")[0] in ("thecal", "firmware")]:
        del sys.modules[name]
    sys.path[:0] = [str(tree), str(tree / "lib"), str(tree / "tools")]
    os.environ["GUARD_EXAMPLES"] = "6"
    import pytest

    code = pytest.main(["-q", "-x", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments])
    if compiles:
        (tree / "imported.txt").write_text("\n".join(_imported()), "utf-8")
    os._exit(int(code))


def _outcome(run: Run) -> TestOutcome | None:
    """None while it runs. A run that fails, that takes too long or that dies has noticed the change."""
    pid, status = os.waitpid(run.pid, os.WNOHANG)
    if not pid:
        if time.monotonic() > run.ends:
            os.killpg(run.pid, signal.SIGKILL)
            os.waitpid(run.pid, 0)
            return TestOutcome.KILLED
        return None
    if os.WIFSIGNALED(status):
        return TestOutcome.KILLED
    code = os.WEXITSTATUS(status)
    if code > 2:  # pytest itself, no test
        raise RuntimeError(f"pytest ended with {code}: {run.tree / 'output.txt'}")
    return TestOutcome.KILLED if code else TestOutcome.SURVIVED


def _diff(run: Run) -> str:
    lines = unified_diff(run.original.splitlines(), run.mutated.splitlines(), lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))
