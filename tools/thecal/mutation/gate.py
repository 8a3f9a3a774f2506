"""`python -m thecal.mutation.gate`: the quick tests run every branch of each module that watches the dose."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import coverage
import pytest

from thecal.mutation import plan
from thecal.paths import ROOT


def main() -> int:
    """Exit status: 0 if every branch was run, 1 if not or if a test failed."""
    os.chdir(ROOT)
    modules = plan.modules()
    watched = coverage.Coverage(data_file=None, branch=True, include=list(modules), config_file=False)
    tests = dict.fromkeys(test for its in modules.values() for test in its)
    watched.start()
    try:
        failed = pytest.main(["-q", "-p", "no:cacheprovider", *plan.selection(), *tests])
    finally:
        watched.stop()
    if failed:
        return 1
    never = sorted(set(modules) - {str(Path(path).relative_to(ROOT)) for path in watched.get_data().measured_files()})
    if never:
        print("never imported:", *never)
        return 1
    if watched.report(show_missing=True) < 100:
        print("Every branch of these modules must be run by a test: firmware that watches the dose.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
