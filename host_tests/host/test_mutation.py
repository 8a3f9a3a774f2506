"""The gate of branches and the mutation run: what they are about is there, and their document names what is there."""

from __future__ import annotations

import re

import pytest

from thecal.mutation import plan, survivors
from thecal.mutation.survivors import Survivor
from thecal.paths import ROOT


@pytest.mark.requirement("F11", "R42", "T6")
def test_everything_that_watches_the_dose_is_in_the_plan_with_tests_that_exist() -> None:
    modules = plan.modules()
    assert plan.missing() == []
    assert all(modules.values())
    watching = {f"firmware/{path.name}" for path in (ROOT / "firmware").glob("guard*.py")}
    assert watching | {"firmware/supervisor.py", "firmware/alarms.py"} <= set(modules)


@pytest.mark.requirement("F11", "R42", "T6")
def test_every_survivor_of_the_document_stands_in_its_module_and_has_a_reason() -> None:
    text = survivors.DOCUMENT.read_text("utf-8")
    entries = survivors.documented(text)
    assert len(entries) > 10
    assert len(entries) == len(re.findall(r"^- ", text, re.MULTILINE))  # none is written so that it is not read
    assert survivors.stale(entries) == []
    assert {f"firmware/{entry.module}" for entry in entries} <= set(plan.modules())
    for section in text.split("\n## ")[1:]:
        _, _, body = section.partition("\n")
        reason, _, _ = body.partition("\n- ")
        assert len(reason.split()) >= 8, section[:60]


@pytest.mark.requirement("T6")
def test_an_entry_is_written_as_it_is_read() -> None:
    diff = "-        if a < b:  # why\n+        if a <= b:  # why"
    found = survivors.of_diff("guard.py", diff)
    assert found == Survivor("guard.py", "if a < b:  # why", "if a <= b:  # why")
    assert survivors.documented(f"# Title\n\n## Reason\n\nWords.\n\n{found}\n") == {found}
    assert survivors.stale([found]) == [found]
    assert survivors.stale([Survivor("none.py", "x", "y")])
