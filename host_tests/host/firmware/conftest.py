"""Makes `firmware` importable on CPython before any test module here imports it."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from thecal.twin.install import install

install()

# A busy machine is slow, and that is no failure; every example that failed is printed with how to replay it.
settings.register_profile("firmware", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("firmware")
