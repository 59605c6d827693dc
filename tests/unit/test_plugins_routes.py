"""The server's hook, and its use by a plugin that agents can load too."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar, get

from plumber_core import hookimpl
from plumber_core.errors import PluginBroken
from plumber_core.plugins.manager import PluginManager
from plumber_core.plugins.settings import PluginSettings
from plumber_server.plugin_routes import plugin_routes, with_plugin_routes
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


def test_a_route_that_is_the_server_s_or_another_plugin_s_is_named() -> None:
    def make(routes: Any) -> Litestar:
        return Litestar([_route("/health"), *routes], openapi_config=None, logging_config=None)

    with pytest.raises(PluginBroken, match=r"b \(dist-b 1.0\).*already registered for path '/shop'"):
        with_plugin_routes(manager(a=lambda: [_route("/shop")], b=lambda: [_route("/shop")]), make)
    with pytest.raises(PluginBroken, match=r"b \(dist-b 1.0\).*already registered for path '/health'"):
        with_plugin_routes(manager(a=lambda: [_route("/shop")], b=lambda: [_route("/health")]), make)
    assert with_plugin_routes(manager(a=lambda: [_route("/shop")]), make).routes != []


def _route(path: str) -> Any:
    def nothing() -> None:
        return None

    return get(path, sync_to_thread=False)(nothing)
