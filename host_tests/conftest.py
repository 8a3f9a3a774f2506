"""What every test run needs: the firmware importable on CPython, and a hypothesis profile that repeats exactly."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from thecal.twin.install import install

sys.path.insert(0, str(Path(__file__).parent))
install()

for name in ("repeatable", "anew"):  # HYPOTHESIS_PROFILE=anew draws other examples at every run
    settings.register_profile(
        name,
        derandomize=name == "repeatable",
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "repeatable")
settings.load_profile(PROFILE)
if PROFILE == "repeatable":
    # Hypothesis also draws the numbers that it finds in our modules, in those imported so far: a test would get other
    # examples alone than after others. There is no setting for it. The version is pinned; the name is looked up first.
    assert "_local_constants" in vars(providers.HypothesisProvider)
    providers.HypothesisProvider._local_constants = Constants()  # pyright: ignore[reportAttributeAccessIssue]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tests that count what they cover say so with record_property("count", text): it is printed at the end."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "count":
                terminalreporter.write_line(f"counted: {value}")
