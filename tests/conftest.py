"""Fixtures for all tests; each stands in the module of ``support`` that it belongs to."""

from hypothesis import settings

# Tests share their processors with others: how long one example takes says nothing.
settings.register_profile("plumber", deadline=None)
settings.load_profile("plumber")

pytest_plugins = [
    "support.databases",
    "support.standby",
    "support.embedded",
    "support.programs",
    "support.shared",
    "support.browser",
    "support.fault_rows",
    "support.faulty",
    "support.lab.hosts",
    "support.loads",
    "support.scene",
    "support.spreading",
    "support.troubles",
]
