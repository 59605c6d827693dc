"""What is loaded into this server, and what of it fails."""

from __future__ import annotations

from plumber_core.engine.clock import moment
from plumber_core.engine.operations.base import Desk
from plumber_core.engine.outbox import SUBSCRIBER
from plumber_core.model.notice_views import PluginObjectView, PluginView
from plumber_core.model.notices import CursorRow
from plumber_core.plugins.manager import PluginInfo


async def plugin_views(desk: Desk) -> list[PluginView]:
    """Return every loaded plugin, in order of names."""
    cursors = {row.name: row for row in await desk.engine.store.list_cursors()}
    return [_view(desk, info, cursors) for info in desk.plugins.manager.plugins()]


def _view(desk: Desk, info: PluginInfo, cursors: dict[str, CursorRow]) -> PluginView:
    names = sorted(key for key, origin in desk.plugins.manager.origins.items() if origin == info.title)
    return PluginView(
        name=info.name,
        distribution=info.distribution,
        hooks=list(info.hooks),
        objects=[_object(desk, noun, name, cursors.get(SUBSCRIBER + name)) for noun, name in names],
    )


def _object(desk: Desk, noun: str, name: str, cursor: CursorRow | None) -> PluginObjectView:
    if noun == "event_subscribers" and cursor is not None and cursor.error is not None:
        return PluginObjectView(
            noun=noun,
            name=name,
            failures=cursor.failures,
            failing=True,
            error=cursor.error,
            behind=None if cursor.failing_since is None else moment(cursor.failing_since),
        )
    trouble = desk.plugins.troubles.of(noun, name)
    if trouble is None:
        return PluginObjectView(noun=noun, name=name)
    return PluginObjectView(
        noun=noun,
        name=name,
        failures=trouble.failures,
        failing=trouble.ongoing,
        error=trouble.error,
        failed_at=trouble.at,
    )
