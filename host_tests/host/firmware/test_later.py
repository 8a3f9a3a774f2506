"""What only the console needs is loaded once the pump doses, some of it for a while only; nothing else is (F11)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pump_rig import START, Pump, S, prescription

from thecal.models.bench import Bench, PumpConfig
from thecal.paths import ROOT
from thecal.programming import firmware, programmed_image
from thecal.twin.twin import Twin

LATER = firmware("later")
PARTS_OF = firmware("console_parts")
WITH_THE_PUMP = LATER._WITH_THE_PUMP
PARTS = [row[1] for row in PARTS_OF._PARTS]
MODULES = {*WITH_THE_PUMP, *(name for modules in PARTS for name in modules)}
ONCE = firmware("app")._ONCE
SOURCES = {path.stem: ast.parse(path.read_text()) for path in (ROOT / "firmware").glob("*.py")}
BEFORE = {"pump", "board", "image"}  # loaded before the application
MS = 1_000_000


def imported(nodes: Iterator[ast.AST]) -> list[str]:
    """The modules of the firmware that these statements import, in their order."""
    found = []
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "firmware":
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("firmware."):
            found.append((node.module or "").split(".")[1])
    return found


NEEDS = {name: imported(iter(tree.body)) for name, tree in SOURCES.items()}
DEEPEST = 7  # imports nested in each other: each takes some 500 bytes of the processor's stack, which has 7,936


def reached(name: str) -> set[str]:
    """The module and all that its import imports."""
    found, new = set(), {name}
    while new:
        found |= new
        new = set().union(*(NEEDS[one] for one in new)) - found
    return found


@pytest.mark.requirement("F1", "F11")
def test_dosing_begins_without_any_of_them() -> None:
    assert not (reached("app") | reached("startup")) & (MODULES - set(ONCE))


@pytest.mark.requirement("F1", "F11")
def test_no_module_is_loaded_so_shortly_before_a_frame_that_it_would_be_late(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    monkeypatch.setattr(LATER, "load", tried.append)
    later = LATER.Later(SimpleNamespace(board=SimpleNamespace(collect=lambda: None)))
    least = LATER._LOAD_MS
    assert [later.work(left_ms) for left_ms in (-20, 0, least - 1)] == [-20, 0, least - 1]
    assert not tried
    assert later.work(least) == 0
    assert tried == [WITH_THE_PUMP[0]]


@pytest.mark.requirement("F11")
def test_what_is_needed_once_is_held_by_nobody() -> None:
    assert not reached("app").union(*(reached(name) for name in WITH_THE_PUMP)) & set(ONCE)


@pytest.mark.requirement("F11")
def test_imports_do_not_nest_so_deep_that_the_stack_ends() -> None:
    loaded: set[str] = set()

    def load(name: str) -> int:
        if name in loaded:
            return 0
        loaded.add(name)
        return 1 + max((load(other) for other in NEEDS[name]), default=0)

    assert load("app") <= DEEPEST
    assert loaded == reached("app")
    assert load("startup") <= 2


@pytest.mark.requirement("F11")
@pytest.mark.parametrize("line", [None, *sorted({verb for row in PARTS_OF._PARTS for verb in row[0]})])
def test_a_turn_loads_one_module(line: str | None) -> None:
    """None: what comes with the pump."""
    serving = [part for part in (PARTS_OF.Part(*row) for row in PARTS_OF._PARTS) if line and part.serves(line)]
    modules = [name for part in serving for name in part.modules] if line else WITH_THE_PUMP
    there = reached("app") if line is None else reached("app").union(*(reached(name) for name in WITH_THE_PUMP))
    for place, name in enumerate(modules):
        assert reached(name) - there <= set(modules[: place + 1]), name


@pytest.mark.requirement("F11")
def test_every_module_is_loaded_by_somebody_and_by_nobody_else() -> None:
    assert reached("app").union(*(reached(name) for name in MODULES), BEFORE, ONCE) == set(SOURCES)
    for name, tree in SOURCES.items():
        inner = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        inner = [node for node in inner if node not in tree.body]
        assert not inner or name == "pump", name
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "__import__"]
        assert not calls or name == "later", name


@pytest.fixture
def apps(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The applications that were started."""
    App = firmware("app").App
    found: list[Any] = []
    start = App.start

    def watched(app: Any) -> None:
        found.append(app)
        start(app)

    monkeypatch.setattr(App, "start", watched)
    return found


def loaded(app: Any) -> set[str]:
    return {part.modules[-1] for part in app.parts._parts if part.loaded}


@pytest.mark.requirement("F11", "F12")
def test_what_a_command_needs_is_there_for_a_minute_and_in_the_way_of_no_other(apps: list[Any]) -> None:
    pump = Pump()
    (app,) = apps
    assert loaded(app) == set()
    pump.ask("program show")
    assert loaded(app) == {"presenting", "programming"}
    pump.ask("status")
    pump.run(58)
    assert loaded(app) == {"presenting", "programming"}
    pump.ask("prime show")
    assert loaded(app) == {"priming"}
    pump.run(63)
    assert loaded(app) == set()
    assert pump.ask("program show")[-1] == "ok"
    pump.close()


@pytest.mark.requirement("F11", "F12")
def test_what_is_staged_is_forgotten_by_the_operator_only(apps: list[Any]) -> None:
    pump = Pump()
    (app,) = apps
    pump.ask("program stage begin")
    pump.ask("stop")
    pump.ask("calibrate set tubing_nl 210000")
    pump.ask("help")
    pump.run(200)
    assert loaded(app) == {"programming", "staging", "calibrating"}
    assert "staged tubing_nl: 210000" in pump.ask("calibrate show")
    pump.ask("calibrate discard")
    pump.ask("program discard")
    pump.run(63)
    assert loaded(app) == set()
    pump.close()


@pytest.mark.requirement("F11", "F12")
def test_lines_that_come_while_a_command_is_loaded_are_answered_in_their_order() -> None:
    pump = Pump()
    lines = ["calibrate set tubing_nl 210000", "program stage begin", "program discard", "prime show", "help"]
    pump.type("".join(line + "\r" for line in lines).encode())
    begin = len(pump.output)
    pump.run(3)
    answer = bytes(pump.output[begin:]).decode().split("\r\n")
    assert [line for line in answer if line in lines] == lines
    assert not [line for line in answer if line.startswith("error")]
    assert answer[-2] == "ok"
    assert "staged tubing_nl: 210000" in pump.ask("calibrate show")
    assert pump.codes()[-1] == "discarded"
    pump.close()


def fail_third_load(owner: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on the third module that is loaded finds no memory. Returns the names that are tried."""
    load = owner.load
    tried: list[str] = []

    def failing(name: str) -> object:
        tried.append(name)
        if len(tried) == 3:
            raise MemoryError("memory allocation failed, allocating 1024 bytes")
        return load(name)

    monkeypatch.setattr(owner, "load", failing)
    return tried


@pytest.mark.requirement("F11", "F12")
def test_a_part_that_cannot_be_loaded_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pump = Pump()
    fail_third_load(PARTS_OF, monkeypatch)
    assert pump.ask("program show") == ["error: internal: MemoryError memory allocation failed, allocating 1024 bytes"]
    assert pump.ask("program show")[-1] == "ok"
    assert sum(pump.twin.resets.values()) == 1
    pump.close()


@pytest.mark.requirement("F11", "F12")
def test_a_line_that_came_before_is_answered_within_a_second_of_dosing() -> None:
    bench = Bench(PumpConfig(), START, seed=1)
    bench.eeprom.load(programmed_image(bench.config, prescription(), START))
    twin = Twin(bench)
    output = bytearray()
    twin.on_console = output.extend
    twin.at(1_300 * MS, lambda: twin.send(b"status\r"))
    driven = answered = 0
    while not answered and twin.now_ns() < 8 * S:
        twin.run(twin.now_ns() + MS)
        driven = driven or (twin.now_ns() if bench.motor.drive else 0)
        answered = twin.now_ns() if b"\r\nok\r\n" in output else 0
    twin.close()
    assert b"state: dosing" in output
    assert 0 < driven < answered <= driven + S


@pytest.mark.requirement("F11", "F12", "I8")
def test_what_comes_with_the_pump_and_cannot_be_loaded_ends_in_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = fail_third_load(LATER, monkeypatch)
    pump = Pump()
    assert pump.twin.resets == {"power_on": 1, "watchdog": 0, "commanded": 1}
    assert tried[:3] == list(WITH_THE_PUMP[:3])
    pump.run(4)
    assert pump.status()["state"] == "dosing"
    assert pump.twin.resets["commanded"] == 1
    pump.close()


@pytest.mark.requirement("F11", "F12")
def test_a_refusal_is_logged_once_a_minute_whatever_is_loaded_in_between() -> None:
    pump = Pump()
    for _ in range(5):
        assert pump.ask("program stage end 00000000")[-1].startswith("error: program stage end")
        assert pump.ask("prime show")[-1] == "ok"
    assert pump.codes().count("refused") == 1
    pump.run(61)
    pump.ask("program stage end 00000000")
    assert pump.codes().count("refused") == 2
    pump.close()
