"""The server's hook, and its use by a plugin that agents can load too."""

from __future__ import annotations

from typing import Any

import pytest

from plumber_core import hookimpl
from plumber_core.errors import PluginBroken
from plumber_core.plugins.manager import PluginManager
from plumber_core.plugins.settings import PluginSettings
from plumber_server.plugin_routes import plugin_routes
from support.plugins import plugin_of


def manager(**plugins: Any) -> PluginManager:
    made = PluginManager(PluginSettings())
    for name, hook in plugins.items():
        made.register(plugin_of(register_routes=hookimpl(hook, optionalhook=True)), name, f"dist-{name} 1.0")
    made.check()
    return made


def test_hook_register_routes() -> None:
    made = manager(b=lambda ctx: [ctx.plugin], a=lambda: ["first", "second"])
    assert plugin_routes(made) == ["first", "second", "b"]


def test_implementation_that_does_not_fit_is_named_when_the_server_comes() -> None:
    made = manager(a=lambda nonsense: [])
    with pytest.raises(PluginBroken, match=r"a \(dist-a 1.0\).*nonsense"):
        plugin_routes(made)
