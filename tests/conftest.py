"""Set-up of the test run. What tests may ask for stands in tests/fixtures; this file only names it."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.fixtures.brokers",
    "tests.fixtures.databases",
    "tests.fixtures.isolation",
    "tests.fixtures.pauses",
    "tests.fixtures.runtimes",
    "tests.fixtures.servers",
    "tests.fixtures.spools",
]

# The same examples on every machine: a run that fails, fails again. The clock decides nothing.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")
