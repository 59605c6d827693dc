"""Fixtures for all tests; each stands in the module of ``support`` that it belongs to."""

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
