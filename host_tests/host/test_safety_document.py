"""docs/SAFETY.md names tests and modules that are there (F11)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "SAFETY.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`((?:\w+/)?test_\w+\.py)`", TEXT)))
MODULES = sorted(set(re.findall(r"`((?:lib/)?(?!test_)\w+\.py)`", TEXT)))


@pytest.mark.requirement("F11")
def test_every_test_that_is_named_is_there() -> None:
    """Those without a folder are of firmware modules; the others stand in the folder that is named."""
    assert len(TESTS) > 40
    missing = [
        name
        for name in TESTS
        if not (ROOT / "host_tests" / (name if "/" in name else f"host/firmware/{name}")).is_file()
    ]
    assert not missing


@pytest.mark.requirement("F11")
def test_every_module_that_is_named_is_there() -> None:
    assert len(MODULES) > 20
    missing = [name for name in MODULES if not any((ROOT / folder / name).is_file() for folder in ("firmware", ""))]
    assert not missing
