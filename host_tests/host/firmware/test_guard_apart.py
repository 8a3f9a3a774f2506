"""The guard is apart from what it watches: it imports nothing of it, and changes nothing in it (F11; R42)."""

from __future__ import annotations

import ast

import pytest

from thecal.paths import ROOT

GUARD = {path.stem: ast.parse(path.read_text("utf-8")) for path in sorted((ROOT / "firmware").glob("guard*.py"))}
FOREIGN = {"array", "micropython", "struct"}
WATCHED = {"_board", "_records", "_dosing", "_ledger", "_cascade", "_counter", "_alarms"}
pytestmark = [pytest.mark.requirement("F11", "R42"), pytest.mark.parametrize("name", GUARD)]


def test_the_guard_imports_only_itself(name: str) -> None:
    found: set[str] = set()
    for node in ast.walk(GUARD[name]):
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module == "firmware"):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").removeprefix("firmware."))
    assert found <= FOREIGN | set(GUARD)


def test_the_guard_writes_to_nothing_that_it_watches(name: str) -> None:
    """Neither to what it was handed nor to anything that belongs to it."""
    written: list[str] = []
    for node in ast.walk(GUARD[name]):
        if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Store | ast.Del):
            continue
        owner: ast.expr = node.value
        chain: set[str] = set()
        while isinstance(owner, ast.Attribute | ast.Subscript):
            chain |= {owner.attr} if isinstance(owner, ast.Attribute) else set()
            owner = owner.value
        assert isinstance(owner, ast.Name)
        if chain & WATCHED or owner.id != "self":
            written.append(ast.unparse(node))
    assert written == []
