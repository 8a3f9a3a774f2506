"""What only the console needs is loaded once the pump doses; nothing else is, and nothing is loaded any later (F11)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from pump_rig import START, Pump, S, prescription

from thecal.models.bench import Bench, PumpConfig
from thecal.paths import ROOT
from thecal.programming import firmware, programmed_image
from thecal.twin.twin import Twin

MODULES = firmware("later")._MODULES
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
    assert not reached("app") & set(MODULES)


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


@pytest.mark.requirement("F11")
def test_a_turn_loads_one_module() -> None:
    for place, name in enumerate(MODULES):
        new = reached(name) - reached("app")
        assert new <= set(MODULES[: place + 1]), name


@pytest.mark.requirement("F11")
def test_in_the_end_every_module_is_loaded_so_that_no_command_loads_one() -> None:
    assert reached("app").union(*(reached(name) for name in MODULES), BEFORE) == set(SOURCES)
    for name, tree in SOURCES.items():
        inner = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        inner = [node for node in inner if node not in tree.body]
        assert not inner or name == "pump", name
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "__import__"]
        assert not calls or name == "later", name


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
def test_what_cannot_be_loaded_ends_in_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    later = firmware("later")
    load = later._load
    tried = []

    def failing(name: str) -> object:
        tried.append(name)
        if len(tried) == 3:
            raise MemoryError("memory allocation failed, allocating 1024 bytes")
        return load(name)

    monkeypatch.setattr(later, "_load", failing)
    pump = Pump()
    assert pump.twin.resets == {"power_on": 1, "watchdog": 0, "commanded": 1}
    assert tried[:3] == list(MODULES[:3])
    pump.run(4)
    assert pump.status()["state"] == "dosing"
    assert pump.twin.resets["commanded"] == 1
    pump.close()
