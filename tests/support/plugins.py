"""Plugins made on the spot."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from plumber_core import hookimpl


def plugin_of(**hooks: Any) -> ModuleType:
    """Return a plugin that implements each hook with the function given for it."""
    module = ModuleType("plugin")
    for name, function in hooks.items():
        setattr(module, name, function if hasattr(function, "plumber_impl") else hookimpl(function))
    return module
