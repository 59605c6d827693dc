"""Fixtures for all tests; each stands in the module of ``support`` that it belongs to."""

pytest_plugins = ["support.databases", "support.embedded", "support.programs", "support.shared", "support.browser"]
