"""The typed call of ``register_routes``, and an application with the routes of all plugins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from litestar import Litestar
from litestar.exceptions import LitestarException

from plumber_core.errors import PluginBroken
from plumber_core.plugins.catalogue import HookContract
from plumber_core.plugins.manager import PluginManager, Registered
from plumber_server import hookspecs

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

Make = Callable[["Sequence[ControllerRouterHandler]"], Litestar]
"""Makes the application with more routes."""

ROUTES: HookContract[ControllerRouterHandler] = HookContract("register_routes", None, None)


def plugin_routes(plugins: PluginManager) -> list[ControllerRouterHandler]:
    """Return the routes of all plugins, for the server to mount beside its own. Call it once.

    Raises:
        PluginBroken: an implementation does not fit the hook, or fails.
    """
    return [entry.item for entry in _registered(plugins)]


def with_plugin_routes(plugins: PluginManager, make: Make) -> Litestar:
    """Return the application with the routes of all plugins. Call it once.

    Raises:
        PluginBroken: an implementation does not fit the hook, fails, or has a route that is the server's or another
            plugin's.
    """
    entries = _registered(plugins)
    try:
        return make([entry.item for entry in entries])
    except LitestarException:
        for count, entry in enumerate(entries):
            _try(make, entries[: count + 1], entry.plugin)
        raise


def _try(make: Make, entries: Sequence[Registered[ControllerRouterHandler]], newest: str) -> None:
    try:
        make([entry.item for entry in entries])
    except LitestarException as error:
        raise PluginBroken(plugin=newest, reason=str(error).removeprefix("500: ")) from error


def _registered(plugins: PluginManager) -> list[Registered[ControllerRouterHandler]]:
    plugins.add_specifications(hookspecs)
    return plugins.collect(ROUTES)
