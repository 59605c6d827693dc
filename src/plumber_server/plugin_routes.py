"""The typed call of ``register_routes``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumber_core.plugins.catalogue import HookContract
from plumber_core.plugins.manager import PluginManager
from plumber_server import hookspecs

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

ROUTES: HookContract[ControllerRouterHandler] = HookContract("register_routes", None, None)


def plugin_routes(plugins: PluginManager) -> list[ControllerRouterHandler]:
    """Return the routes of all plugins, for the server to mount beside its own. Call it once.

    Raises:
        PluginBroken: an implementation does not fit the hook, or fails.
    """
    plugins.add_specifications(hookspecs)
    return [entry.item for entry in plugins.collect(ROUTES)]
