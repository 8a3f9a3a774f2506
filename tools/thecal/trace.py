"""Which test covers which requirement: `python -m thecal.trace` prints it, `--write` brings docs/REQUIREMENTS.md up to
date.

The tests are read, not run: an id counts when it stands in a `requirement` mark of the function or of its module.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from thecal.paths import ROOT

TESTS = ROOT / "host_tests"
CATALOGUE = ROOT / "docs" / "REQUIREMENTS.md"
# A row of the catalogue: its first cell is the id that it defines.
_ROW = re.compile(r"^\| ([FITRD][0-9]{1,2}) \| +(.*?) *\|$", re.MULTILINE)
_BEGIN = "<!-- begin: python -m thecal.trace --write -->\n"
_END = "<!-- end -->\n"


class TraceError(ValueError):
    """A mark or a catalogue that cannot be read; the text names the file."""


@dataclass(frozen=True)
class Test:
    """One test function. file: below host_tests; ids: of its own marks and those of its module, in their order."""

    file: str
    name: str
    ids: tuple[str, ...]


def collect(tests: Path = TESTS) -> list[Test]:
    """Every test function below a folder, by file. Raises TraceError for an id that is not a plain text."""
    return [test for path in sorted(tests.rglob("test_*.py")) for test in _of_module(path, tests)]


def defined(catalogue: Path = CATALOGUE) -> dict[str, str]:
    """id -> the first cell after it, for every row of the catalogue. Raises TraceError for an id defined twice."""
    found: dict[str, str] = {}
    text, _, _ = catalogue.read_text("utf-8").partition(_BEGIN)
    for name, rest in _ROW.findall(text):
        if name in found:
            raise TraceError(f"{catalogue.name}: {name} is defined twice")
        found[name] = rest.split(" | ")[0]
    return found


def by_id(tests: list[Test]) -> dict[str, list[Test]]:
    """id -> its tests, in the order of the catalogue: F, I, R, then the rest, each by number."""
    names = {name for test in tests for name in test.ids}
    return {name: [test for test in tests if name in test.ids] for name in sorted(names, key=_rank)}


def listing(covering: Mapping[str, list[Test]]) -> str:
    """The table of the catalogue: id, count of tests, the files they are in."""
    lines = ["| id | tests | in |", "|---|---|---|"]
    for name, tests in covering.items():
        files = ", ".join(f"`{file}`" for file in dict.fromkeys(test.file for test in tests))
        lines.append(f"| {name} | {len(tests)} | {files} |")
    return "\n".join(lines) + "\n"


def write(covering: Mapping[str, list[Test]], catalogue: Path = CATALOGUE) -> None:
    """Put the listing into the catalogue, between its two marks. Raises TraceError if they are not there."""
    text = catalogue.read_text("utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise TraceError(f"{catalogue.name}: {_BEGIN.strip()} and {_END.strip()} are needed")
    catalogue.write_text(before + begin + listing(covering) + end + after, "utf-8")


def _rank(name: str) -> tuple[int, int]:
    return "FIRDT".find(name[0]), int(name[1:]) if name[1:].isdecimal() else 0


def _of_module(path: Path, tests: Path) -> Iterator[Test]:
    module = ast.parse(path.read_text("utf-8"), str(path))
    common: list[str] = []
    for statement in module.body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark" for target in statement.targets
        ):
            common += _ids(statement.value, path)
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            own = [name for decorator in node.decorator_list for name in _ids(decorator, path)]
            ids = tuple(dict.fromkeys(own + common))
            yield Test(path.relative_to(tests).as_posix(), node.name, ids)


def _ids(expression: ast.expr, path: Path) -> Iterator[str]:
    """The arguments of every `pytest.mark.requirement(...)` in an expression."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement":
            for argument in node.args:
                if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                    raise TraceError(f"{path.name}, line {node.lineno}: {ast.unparse(argument)}: a text is needed")
                yield argument.value


def _show(covering: Mapping[str, list[Test]], meanings: Mapping[str, str]) -> Table:
    table = Table(title="Requirements and the tests that cover them")
    table.add_column("id")
    table.add_column("what", max_width=44)
    table.add_column("tests", overflow="fold")
    for name, tests in covering.items():
        files = dict.fromkeys(test.file for test in tests)
        lines = [f"{file}  {sum(test.file == file for test in tests)}" for file in files]
        table.add_row(name, meanings.get(name, "NOT DEFINED"), "\n".join(lines), end_section=True)
    return table


def main() -> int:
    """Exit status 0, or 1 if a test names no requirement or one that is not defined."""
    parser = argparse.ArgumentParser(prog="python -m thecal.trace", description="Requirements and their tests.")
    parser.add_argument("--write", action="store_true", help="bring docs/REQUIREMENTS.md up to date")
    options = parser.parse_args()
    tests = collect()
    covering, meanings = by_id(tests), defined()
    if options.write:
        write(covering)
    console = Console()
    console.print(_show(covering, meanings))
    faults = [f"{test.file}: {test.name}: no requirement" for test in tests if not test.ids]
    faults += [f"{name}: not defined in docs/REQUIREMENTS.md" for name in covering if name not in meanings]
    for fault in faults:
        console.print(fault, style="red", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{len(tests)} tests, {len(covering)} of {len(meanings)} requirements covered", highlight=False)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
