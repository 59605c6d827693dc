"""The remote verbs as a plugin, loaded as anybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumber_core.plugins.markers import hookimpl

if TYPE_CHECKING:
    from cyclopts import App


@hookimpl
def register_commands(cli: App) -> None:
    """Add the remote verbs."""
    from plumber_client.commands import register

    register(cli)
