"""Loaded by pytest wherever Plumber is installed, so it imports next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from plumber_core.plugins.context import PluginContext

# Without this a failing conformance test prints a bare AssertionError instead of the values.
pytest.register_assert_rewrite("plumber_core.testing.conformance")


@pytest.fixture
def plumber_context() -> Callable[..., PluginContext]:
    """A function that makes the context of a hook: ``plumber_context("greet", greeting="Hello")``."""

    def make(plugin: str, **table: Any) -> PluginContext:
        from plumber_core.plugins.context import PluginContext

        return PluginContext(plugin, table)

    return make
