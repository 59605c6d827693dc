# mypy: disable-error-code="empty-body"
"""The server's own hook. Implement it with ``@hookimpl(optionalhook=True)``: agents and the library do not have it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from plumber_core.plugins.markers import hookspec

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

    from plumber_core.plugins.context import PluginContext


@hookspec
def register_routes(ctx: PluginContext) -> Iterable[ControllerRouterHandler]:
    """Register HTTP routes.

    :param ctx: the plugin's settings and the version of Plumber.
    :return: Litestar handlers, controllers or routers; their paths must not meet the server's own.
    Order: by the plugins' names.
    When: as the server is assembled.
    Runs in: server.
    """
