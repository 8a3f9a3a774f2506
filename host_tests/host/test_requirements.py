"""Requirements and tests refer to each other without gaps (docs/REQUIREMENTS.md; T6)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from thecal.paths import ROOT
from thecal.trace import CATALOGUE, TESTS, TraceError, by_id, collect, defined, write

pytestmark = pytest.mark.requirement("T6")

MODULE = """
import pytest

pytestmark = [pytest.mark.requirement("F14")]


@pytest.mark.requirement("F1", "R01")
@pytest.mark.parametrize("n", [1])
def test_one(n): ...


def helper(): ...


class TestMore:
    @pytest.mark.requirement("F1")
    def test_two(self): ...
"""


def test_every_id_that_a_test_names_is_defined() -> None:
    known = defined()
    assert [name for name in by_id(collect()) if name not in known] == []


def test_every_test_names_a_requirement() -> None:
    assert [f"{test.file}::{test.name}" for test in collect() if not test.ids] == []


def test_every_id_in_the_sources_is_defined() -> None:
    known = defined()
    used: dict[str, str] = {}
    for folder in ("firmware", "lib", "tools", "host_tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in re.findall(r"\bR[0-9]{2}\b", path.read_text("utf-8")):
                used[name] = path.name
    assert {name: file for name, file in used.items() if name not in known} == {}
    assert len(used) > 10


def test_the_catalogue_claims_no_test_that_does_not_cover_its_requirement() -> None:
    covering = by_id(collect())
    rows = re.findall(r"^\| ([A-Z][0-9]+) \| [0-9]+ \| (`.*`) \|$", CATALOGUE.read_text("utf-8"), re.MULTILINE)
    assert rows
    for name, files in rows:
        actual = {test.file for test in covering.get(name, [])}
        assert set(re.findall(r"`([^`]+)`", files)) <= actual, f"{name}: run `python -m thecal.trace --write`"


def test_every_test_file_is_read() -> None:
    files = {test.file for test in collect()}
    assert files == {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")}


def test_marks_of_functions_and_of_their_module_count(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(MODULE)
    found = {test.name: test.ids for test in collect(tmp_path)}
    assert found == {"test_one": ("F1", "R01", "F14"), "test_two": ("F1", "F14")}


def test_an_id_that_is_computed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text('import pytest\npytestmark = pytest.mark.requirement("F" + "1")\n')
    with pytest.raises(TraceError, match="a text is needed"):
        collect(tmp_path)


def test_an_id_that_is_defined_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "R.md").write_text("| F1 | flow |\n| F2 | more |\n| F1 | again |\n")
    with pytest.raises(TraceError, match="F1 is defined twice"):
        defined(tmp_path / "R.md")


def test_the_listing_is_written_between_its_marks_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(MODULE)
    file = tmp_path / "R.md"
    file.write_text("| F1 | flow |\n<!-- begin: python -m thecal.trace --write -->\nold\n<!-- end -->\nafter\n")
    write(by_id(collect(tmp_path)), file)
    text = file.read_text()
    assert "| F1 | 2 | `test_x.py` |\n" in text
    assert "old" not in text
    assert text.endswith("<!-- end -->\nafter\n")
    assert defined(file) == {"F1": "flow"}
    file.write_text("no marks")
    with pytest.raises(TraceError, match="begin"):
        write({}, file)
