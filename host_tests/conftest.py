"""What every test run needs: the firmware importable on CPython, and a hypothesis profile that repeats exactly."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

from thecal.twin.install import install

sys.path.insert(0, str(Path(__file__).parent))
install()

settings.register_profile(
    "repeatable", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
# HYPOTHESIS_PROFILE=default draws anew at every run.
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
